"""`python -m training`: from nothing but its inputs to the encoder, the covers and the figures."""

from __future__ import annotations

import argparse
import time
from datetime import datetime

import torch

from training import data, pictures, train


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--steps", type=int, default=train.Plan.steps)
    parser.add_argument("--until", help="HH:MM: end the schedule then instead of after --steps")
    parser.add_argument("--every", type=int, default=250, help="steps between evaluations")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    until = None
    if given.until:
        hour, minute = map(int, given.until.split(":"))
        until = datetime.now().replace(hour=hour, minute=minute, second=0).timestamp()
        assert until > time.time(), "--until is in the past"
    pictures.fetch()
    for designer in pictures.PACKAGES:
        pictures.drawn(designer)
    data.pool_of_covers()
    data.write_catalogue()
    train.run(train.Plan(steps=given.steps), every=given.every, workers=given.workers, until=until)


if __name__ == "__main__":
    main()
