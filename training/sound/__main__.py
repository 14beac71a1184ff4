"""`python -m training.sound`: from packages of free music to the fingerprint's weights."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from datetime import datetime
from pathlib import Path

# What spins at a barrier takes the core that others work on (see `training.__main__`).
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from training.sound import export, music, packages, report, train

PARTS = ("inputs", "train", "export", "report")
RUN = Path(__file__).parent.parent / "run" / "sound"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.sound", description=__doc__)
    parser.add_argument("--steps", type=int, default=train.Plan.steps)
    parser.add_argument("--until", help="HH:MM: end the schedule then instead of after --steps")
    parser.add_argument("--start", type=Path, help="a checkpoint to take the first weights from")
    parser.add_argument("--replicas", type=int, default=train.Plan.replicas)
    parser.add_argument("--only", choices=PARTS, help="one part, the rest being there")
    given = parser.parse_args()
    parts = (given.only,) if given.only else PARTS
    if "inputs" in parts:
        inputs()
    if "train" in parts:
        plan = train.Plan(steps=given.steps, replicas=given.replicas)
        learn(plan, _seconds(given.until) if given.until else None, given.start)
    if "export" in parts:
        export.export(RUN / "checkpoint-0.pt")
    if "report" in parts:
        report.write(RUN)


def inputs() -> None:
    """Packages, and what is decoded of them."""
    packages.fetch(RUN / "packages")
    sounding = (*packages.TRAINED_ON, *packages.VALIDATED_ON)
    music.gather([RUN / "packages" / name for name in sounding], RUN / "data")
    speech = RUN / "data" / "speech.npy"
    if not speech.exists():
        music.gather_speech([RUN / "packages" / name for name in packages.SPEECH], speech)


def learn(plan: train.Plan, until: float | None, start: Path | None) -> None:
    """All replicas, each in a process of its own."""
    context = multiprocessing.get_context("spawn")
    running = [
        context.Process(
            target=train.run,
            args=(plan, RUN / "data", RUN),
            kwargs={"replica": replica, "until": until, "start": start},
        )
        for replica in range(plan.replicas)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join()
        if process.exitcode:
            raise SystemExit("A trainer failed; the same command goes on from its last state.")


def _seconds(clock: str) -> float:
    hour, minute = map(int, clock.split(":"))
    until = datetime.now().replace(hour=hour, minute=minute, second=0).timestamp()
    if until < time.time():
        raise SystemExit(f"--until {clock} is in the past.")
    return until


if __name__ == "__main__":
    main()
