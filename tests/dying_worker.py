"""A worker of the library that ends itself where a test wants it.

    python -m dying_worker STEP:POINT [ARGUMENT…]    by SIGKILL there; "" is a plain worker

Points of a step: `begin` (counted, nothing done), `middle` (its child at work), `written` (objects
there, its end written down nowhere), `ended` (in the row, not yet by DBOS), `after` (by both).
It lives on where the point is `full`: that step finds no room for its objects, or `bad`: it fails
by no name. With HOLDS_SECOND=STEP the second job that comes to that step stays in it.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any


def main(dies_at: str, *arguments: str) -> None:
    from engine.cli.main import main as command

    if dies_at:
        step, _, point = dies_at.partition(":")
        points = {"middle": _amid, "ended": _ended, "after": _after, "full": _full, "bad": _bad}
        points.get(point, _around)(step, point)
    if held := os.environ.get("HOLDS_SECOND"):
        _hold(held)
    sys.exit(command(["work", *arguments]))


def _die(job_id: str = "") -> None:
    """Where DIES_OF names a job, of that one alone."""
    if job_id and job_id != os.environ.get("DIES_OF", job_id):
        return
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _around(step: str, point: str) -> None:
    from engine.library.pipeline.steps import RUN

    run = RUN[step]

    def dies(work: Any) -> Any:
        if point == "begin":
            _die(work.job.job_id)
        told = run(work)
        _die(work.job.job_id)
        return told

    RUN[step] = dies


def _amid(step: str, point: str) -> None:
    from engine.library.pipeline.pool import Pool, _Process

    keys: list[str] = []

    def asked(pool: Pool, key: str, task: str, *_: Any) -> None:
        keys.append(key.partition(".")[0] if task == step else "none")

    def dies(process: _Process, question: str, *_: Any) -> None:
        if keys[-1] == os.environ.get("DIES_OF", keys[-1]):
            assert process._popen.stdin is not None
            process._popen.stdin.write(question.encode() + b"\n")
            process._popen.stdin.flush()
            time.sleep(0.01)
            _die()

    _first(Pool, "run", asked)
    _first(_Process, "ask", dies)


def _ended(step: str, point: str) -> None:
    from engine.library.jobs import Jobs

    end = Jobs.end

    async def dies(self: Jobs, job_id: str, attempt: int, name: str, result: Any) -> bool:
        told = await end(self, job_id, attempt, name, result)
        if name == step:
            _die(job_id)
        return told

    Jobs.end = dies  # type: ignore[method-assign]


def _after(step: str, point: str) -> None:
    from engine.library.pipeline.durable import STEPS
    from engine.library.pipeline.stepping import Stepping

    # What follows in the workflow begins when DBOS has written the end of this one.
    following = (*STEPS, "")[STEPS.index(step) + 1]

    def dies(_: Stepping, name: str, *rest: Any) -> None:
        if not following or name == following:
            _die(rest[0] if following else name)

    _first(Stepping, "run" if following else "done", dies)


def _full(step: str, point: str) -> None:
    from engine.library.stores.folder import Folder

    def no_room(store: Folder, key: str, *_: Any) -> None:
        if key.endswith(OBJECTS[step]):
            raise OSError(errno.ENOSPC, "No space left on device")

    _first(Folder, "write", no_room)


# One that a step writes.
OBJECTS = {"decode": "audio.mp3", "waveform": "waveform.png", "listen": "heard.npz"}


def _bad(step: str, point: str) -> None:
    from engine.library.pipeline.steps import RUN

    def fails(work: Any) -> Any:
        raise ZeroDivisionError(step)

    RUN[step] = fails


def _hold(step: str) -> None:
    from engine.library.pipeline.steps import RUN

    run, calls = RUN[step], itertools.count(1)

    def holds(work: Any) -> Any:
        if next(calls) == 2:
            time.sleep(600)
        return run(work)

    RUN[step] = holds


def _first(owner: Any, name: str, before: Callable[..., None]) -> None:
    inner = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        before(*arguments)
        return inner(*arguments, **named)

    setattr(owner, name, wrapped)


if __name__ == "__main__":
    main(*sys.argv[1:])
