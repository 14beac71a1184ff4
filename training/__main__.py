"""`python -m training`: from nothing but its inputs to the encoder, the covers and the figures.

`python -m training tracks --out DIR` makes the music of the demo and needs none of that.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import datetime
from pathlib import Path

# On a busy machine a thread that spins at the barrier takes the core its other half waits for:
# a step took up to five times as long. It has to be set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def main() -> None:
    if sys.argv[1:2] == ["tracks"]:
        from training.music import tracks

        tracks.main(sys.argv[2:])
    else:
        covers()


def covers() -> None:
    import torch

    from training import data, examples, pictures, report, train

    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--steps", type=int, default=train.Plan.steps)
    parser.add_argument("--until", help="HH:MM: end the schedule then instead of after --steps")
    parser.add_argument("--start", type=Path, help="a checkpoint to take the first weights from")
    parser.add_argument("--every", type=int, default=250, help="steps between evaluations")
    parser.add_argument("--workers", type=int, default=1, help="processes that make batches")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument(
        "--only",
        choices=("inputs", "train", "examples", "report"),
        help="one part, the rest being there",
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    until = None
    if given.until:
        hour, minute = map(int, given.until.split(":"))
        until = datetime.now().replace(hour=hour, minute=minute, second=0).timestamp()
        assert until > time.time(), "--until is in the past"
    if given.only in (None, "inputs"):
        pictures.fetch()
        for designer in pictures.PACKAGES:
            pictures.drawn(designer)
        data.pool_of_covers()
        data.write_catalogue()
    if given.only in (None, "examples"):
        examples.write()
    if given.only in (None, "train"):
        plan = train.Plan(steps=given.steps)
        train.run(plan, every=given.every, workers=given.workers, until=until,
                  start=given.start)  # fmt: skip
    if given.only in (None, "report"):
        for name, value in report.write().items():
            print(f"{name:45} {value:.4f}")


if __name__ == "__main__":
    main()
