"""A worker of the library that ends itself where a test wants it.

    python -m dying_worker STEP:POINT [ARGUMENT…]    by SIGKILL there; "" is a plain worker

A step of voice is named with its line: `take.score`; with FAKE_EAR=1 voice is heard by `fake_ear`.
Points of a step: `begin` (counted, nothing done), `middle` (its child at work), `written` (objects
there, its end written down nowhere), `ended` (in the row, not yet by DBOS), `after` (by both).
It lives on where the point is `full`: that step finds no room for its objects, or `bad`: it fails
by no name. With HOLDS_SECOND=STEP the second job that comes to that step stays in it, and
STORE_PATIENCE_S is how long it waits for its store.
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

    if os.environ.get("FAKE_EAR"):
        import fake_ear

        fake_ear.listen_by_fakes()
    if dies_at:
        step, _, point = dies_at.partition(":")
        points = {"middle": _amid, "ended": _ended, "after": _after, "full": _full, "bad": _bad}
        points.get(point, _around)(step, point)
    if patience_s := os.environ.get("STORE_PATIENCE_S"):
        _soon_impatient(float(patience_s))
    if held := os.environ.get("HOLDS_SECOND"):
        _hold(held)
    sys.exit(command(["work", *arguments]))


def _die(job_id: str = "") -> None:
    """Where DIES_OF names a job, of that one alone."""
    if job_id and job_id != os.environ.get("DIES_OF", job_id):
        return
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def _room(step: str) -> tuple[str, dict[str, Any], Any, tuple[str, ...]]:
    """A step, what runs the steps of its line, whose rows they are told to, and all of them."""
    kind, _, name = step.rpartition(".")
    if kind:
        from engine.voice.jobs import VoiceJobs
        from engine.voice.pipeline.named import SHARES
        from engine.voice.pipeline.steps import RUN as SUNG

        return name, SUNG, VoiceJobs, tuple(SHARES[kind])  # type: ignore[index]
    from engine.library.jobs import Jobs
    from engine.library.pipeline.durable import STEPS
    from engine.library.pipeline.steps import RUN

    return name, RUN, Jobs, STEPS


def _around(step: str, point: str) -> None:
    name, steps, _, _ = _room(step)
    run = steps[name]

    def dies(work: Any) -> Any:
        if point == "begin":
            _die(work.job.job_id)
        told = run(work)
        _die(work.job.job_id)
        return told

    steps[name] = dies


def _amid(step: str, point: str) -> None:
    from engine.library.pipeline.pool import Pool, _Process

    keys: list[str] = []
    task_of = TASKS.get(step, step)

    def asked(pool: Pool, key: str, task: str, *_: Any) -> None:
        keys.append(key.partition(".")[0] if task == task_of else "none")

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
    wanted, _, rows, _ = _room(step)
    end = rows.end

    async def dies(self: Any, job_id: str, attempt: int, name: str, result: Any) -> bool:
        told: bool = await end(self, job_id, attempt, name, result)
        if name == wanted:
            _die(job_id)
        return told

    rows.end = dies


def _after(step: str, point: str) -> None:
    from engine.library.pipeline.stepping import Stepping

    # What follows in the workflow begins when DBOS has written the end of this one.
    name, _, _, steps = _room(step)
    following = (*steps, "")[steps.index(name) + 1]

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


# What a child does in steps of voice.
TASKS = {
    "reference.fetch": "received",
    "reference.separate_reference": "separate",
    "reference.pitch_reference": "listen",
    "reference.words_reference": "words",
    "take.separate_user": "separate",
    "take.pitch": "listen",
    "take.words": "words",
    "take.align": "align",
    "take.score": "score",
}
# One that a step writes.
OBJECTS = {"decode": "audio.mp3", "waveform": "waveform.png", "listen": "heard.npz"}


def _bad(step: str, point: str) -> None:
    from engine.library.pipeline.steps import RUN

    def fails(work: Any) -> Any:
        raise ZeroDivisionError(step)

    RUN[step] = fails


def _soon_impatient(patience_s: float) -> None:
    from engine.library.objects import Objects

    begin = Objects.__init__

    def begun(self: Objects, store: Any, *_: Any) -> None:
        begin(self, store, patience_s)

    Objects.__init__ = begun  # type: ignore[method-assign]


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
