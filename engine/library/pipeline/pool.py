"""Work that costs a core, or that a stranger's file may end → processes of their own.

A process is killed when its time is up, when what it works for is cancelled, when the worker may
not work for now, and by the kernel when the worker dies. One that ends itself is followed by
another, once: what ends the second too is the file's doing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, cast

from engine.base import errors
from engine.base.errors import Internal, ShazamError, WorkerLost

logger = logging.getLogger("shazam.work")

Answer = dict[str, Any]
T = TypeVar("T")
Report = Callable[[float], None]
_Why = Literal["", "time", "cancelled", "paused"]

MEMORY_BYTES = 3 << 30  # an hour in floats at 16 kHz is 230 MB, and the networks want theirs
START_S = 120.0
TASKS = "engine.library.pipeline.tasks"
_TRIES = 2


class Cancelled(Exception):
    """What was worked for is wanted no more."""


class Pool:
    """At most so many processes at once, each kept for the next task. For any thread."""

    def __init__(
        self, processes: int, *, memory_bytes: int = MEMORY_BYTES, tasks: str = TASKS
    ) -> None:
        """`tasks` is the module that has them; a process may take so many bytes above what it has
        when that is imported."""
        self._arguments = (f"{memory_bytes}", tasks)
        self._turns = threading.BoundedSemaphore(processes)
        self._may_work = threading.Event()
        self._may_work.set()
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._busy: dict[str, _Process] = {}
        self._closed = False
        # The kernel takes "my parent died" for the death of the thread that started a child.
        self._starter = ThreadPoolExecutor(1, "starts-children")

    def run(
        self,
        key: str,
        task: str,
        arguments: Mapping[str, Any],
        *,
        seconds: float,
        report: Report | None = None,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Answer:
        """What the `task` answers; `key` is for `cancel`, `report` gets 0…1.

        `wanted` is asked before a process begins. Raises the task's own `ShazamError`, `WorkerLost`
        (it died twice, or takes longer than `seconds`), and `Cancelled`.
        """
        question = json.dumps({"task": task, "arguments": dict(arguments)})
        died = 0
        while died < _TRIES:
            with self._one(key, wanted) as process:
                answer = process.ask(question, seconds, report or (lambda _: None))
            if answer is not None:
                return _told(answer)
            if process.why == "cancelled":
                raise Cancelled(key)
            if process.why == "time":
                raise WorkerLost(
                    f"This recording takes longer than {seconds:.0f} s in the step {task}, and is "
                    "given up. Send it in another format, or a part of it."
                )
            if process.why != "paused":
                died += 1
                logger.warning("a process died of %s (%s)", task, process.status)
        raise WorkerLost(
            f"This recording ends the process that works on it in the step {task}, each time. "
            "Send it in another format."
        )

    def cancel(self, key: str) -> None:
        """End what runs for `key`, now."""
        with self._lock:
            process = self._busy.get(key)
        if process is not None:
            process.kill("cancelled")

    def pause(self) -> None:
        """End all that runs, and begin nothing until `resume`; what ran begins anew then."""
        self._may_work.clear()
        with self._lock:
            for process in self._busy.values():
                process.kill("paused")

    def resume(self) -> None:
        self._may_work.set()

    def pids(self) -> list[int]:
        """Of all that live."""
        with self._lock:
            return [one.pid for one in (*self._idle, *self._busy.values())]

    def close(self) -> None:
        """End all; what still runs is cancelled."""
        with self._lock:
            self._closed = True
            for process in self._busy.values():
                process.kill("cancelled")
            while self._idle:
                self._idle.pop().end()
        self._starter.shutdown()

    @contextlib.contextmanager
    def _one(self, key: str, wanted: Callable[[], bool]) -> Iterator[_Process]:
        with self._turns:
            process = self._ready()
            with self._lock:
                self._busy[key] = process
            try:
                # Asked after it can be cancelled: one that came before is seen here.
                if self._closed or not wanted():
                    raise Cancelled(key)
                yield process
            finally:
                self._back(key, process)

    def _ready(self) -> _Process:
        self._may_work.wait()
        with self._lock:
            if self._closed:
                raise Cancelled
            while self._idle:
                process = self._idle.pop()
                if process.lives:
                    return process
                process.end()
        return self._starter.submit(_Process, self._arguments).result()

    def _back(self, key: str, process: _Process) -> None:
        with self._lock:
            self._busy.pop(key, None)
            if process.lives and not process.why and not self._closed:
                self._idle.append(process)
                return
        process.end()


class _Process:
    """One child, in a session of its own: what it starts itself ends with it."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self.why: _Why = ""
        self._ending = threading.Lock()
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "engine.library.pipeline.child", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        if self._within(START_S, self._stdout.readline) != b"ready\n":
            self.end()
            raise Internal("The process that works on recordings does not start. See its log.")

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def lives(self) -> bool:
        return self._popen.poll() is None

    @property
    def status(self) -> int | None:
        """Minus the signal that ended it, or what it returned."""
        return self._popen.wait()

    @property
    def _stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._popen.stdout)

    def ask(self, question: str, seconds: float, report: Report) -> Answer | None:
        """Its answer; None if it died, `why` then tells whose doing that was."""

        def exchange() -> Answer | None:
            stdin = cast("IO[bytes]", self._popen.stdin)
            with contextlib.suppress(BrokenPipeError):
                stdin.write(question.encode() + b"\n")
                stdin.flush()
            for line in self._stdout:
                if not line.endswith(b"\n"):
                    break  # it died while it wrote
                said: Answer = json.loads(line)
                if "progress" not in said:
                    return said
                report(float(said["progress"]))
            self._popen.wait()
            return None

        return self._within(seconds, exchange)

    def _within(self, seconds: float, do: Callable[[], T]) -> T:
        watch = threading.Timer(seconds, self.kill, ("time",))
        watch.daemon = True
        watch.start()
        try:
            return do()
        finally:
            watch.cancel()

    def kill(self, why: _Why) -> None:
        """End it and all that it started."""
        with self._ending:
            if self._popen.poll() is None:
                self.why = self.why or why
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._popen.pid, signal.SIGKILL)

    def end(self) -> None:
        self.kill("cancelled")
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


def _told(answer: Answer) -> Answer:
    if "error" not in answer:
        return cast("Answer", answer["result"])
    kind = cast("type[ShazamError]", getattr(errors, answer["error"], Internal))
    raise kind(answer["message"])
