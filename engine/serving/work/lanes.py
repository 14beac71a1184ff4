"""Threads for what computes: a bounded wait before them, and the event loop before all.

A queue that is longer than its callers' deadline makes everybody wait for a 504. A lane knows how
long its calls take and refuses at once what it could not answer in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from engine.base.errors import Overloaded

T = TypeVar("T")

# Where threads of one process compete, the kernel gives the event loop ten times the share of a
# thread that computes: under full load it waited half as long for a core. Of a container's or a
# session's share of the machine this takes nothing.
NICE = 10


class Pace:
    """How long a call takes, as a moving average, and so how long a queue of them will.

    It begins at 0 and falls faster than it rises: a first call is slower than those that follow,
    and to refuse for nothing is worse than to refuse a little late.
    """

    RISE, FALL = 0.1, 0.3

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._mean_s = 0.0

    def took(self, seconds: float) -> None:
        weight = self.RISE if seconds > self._mean_s else self.FALL
        self._mean_s += weight * (seconds - self._mean_s)

    def check(self, ahead: float) -> None:
        """Raise `Overloaded` where one more behind `ahead` calls would be answered too late."""
        expected = (ahead + 1) * self._mean_s
        if ahead > 0 and expected > self._limit_s:
            raise Overloaded(
                f"An answer would take some {expected:.0f} seconds, longer than a request may. Try "
                "again later; if it stays so, the service is too small for its load.",
                # A place is free sooner, but all who are refused come back.
                retry_after_s=max(1, math.ceil(expected - self._limit_s)),
            )


class Lane:
    """A pool of threads; at most as many calls wait as can be answered within `limit_s` seconds."""

    def __init__(self, name: str, threads: int, limit_s: float) -> None:
        self._threads = threads
        self._pace = Pace(limit_s)
        self._inside = 0
        self._pool = computing(name, threads)

    async def __call__(self, call: Callable[..., T], *values: Any) -> T:
        """`call(*values)` in a thread. Raises `Overloaded` instead of waiting too long."""
        self._pace.check(self._inside / self._threads)
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._pool, self._timed, call, values
            )
        finally:
            self._inside -= 1

    def __len__(self) -> int:
        """Calls that run or wait."""
        return self._inside

    def _timed(self, call: Callable[..., T], values: tuple[Any, ...]) -> T:
        start = time.perf_counter()
        try:
            return call(*values)
        finally:
            self._pace.took(time.perf_counter() - start)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def computing(name: str, threads: int) -> ThreadPoolExecutor:
    """A pool whose threads, and the native ones they start, stand behind the event loop."""
    return ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=stand_back)


def stand_back() -> None:
    """Let this thread, and those it starts, run after the event loop. Linux alone knows how."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
