"""A worker of the library that ends itself where a test wants it.

    python -m dying_worker STEP:POINT [ARGUMENT…]    by SIGKILL there; "" is a plain worker

Points of a step: `begin` (counted, nothing done), `middle` (its child at work), `written` (objects
there, its end written down nowhere), `ended` (in the row, not yet by DBOS), `after` (by both).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any


def main(dies_at: str, *arguments: str) -> None:
    from engine.cli.main import main as command

    if dies_at:
        step, _, point = dies_at.partition(":")
        {"middle": _amid, "ended": _ended, "after": _after}.get(point, _around)(step, point)
    sys.exit(command(["work", *arguments]))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _around(step: str, point: str) -> None:
    from engine.library.pipeline.steps import RUN

    run = RUN[step]

    def dies(work: Any) -> Any:
        if point == "written":
            run(work)
        _die()

    RUN[step] = dies


def _amid(step: str, point: str) -> None:
    from engine.library.pipeline.pool import Pool

    def soon(pool: Any, key: str, task: str, *_: Any) -> None:
        if task == step:
            threading.Timer(0.05, _die).start()

    _first(Pool, "run", soon)


def _ended(step: str, point: str) -> None:
    from engine.library.jobs import Jobs

    end = Jobs.end

    async def dies(self: Jobs, job_id: str, attempt: int, name: str, result: Any) -> bool:
        told = await end(self, job_id, attempt, name, result)
        if name == step:
            _die()
        return told

    Jobs.end = dies  # type: ignore[method-assign]


def _after(step: str, point: str) -> None:
    from engine.library.pipeline import workflow
    from engine.library.pipeline.durable import STEPS

    # What follows in the workflow begins when DBOS has written the end of this one.
    following = (*STEPS, "")[STEPS.index(step) + 1]

    def dies(name: str, *_: Any) -> None:
        if not following or name == following:
            _die()

    _first(workflow, "_run" if following else "_done", dies)


def _first(owner: Any, name: str, before: Callable[..., None]) -> None:
    inner = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        before(*arguments)
        return inner(*arguments, **named)

    setattr(owner, name, wrapped)


if __name__ == "__main__":
    main(*sys.argv[1:])
