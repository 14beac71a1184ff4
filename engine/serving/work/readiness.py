"""Something that takes time to open and may fail later: opened, watched, opened anew.

    start → open ─fails→ (why, and again a little later)
                 ─opens→ ready ─a call fails→ check ─answers→ ready still
                               │                    └fails→ lost: open anew
                               ├watch ─raises→ check, likewise
                               └verify (what opening could not wait for) ─fails→ lost for good

The process is alive at once, ready when it is warm, and able to say why when it cannot be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from engine.base.errors import NotReady, ShazamError

T = TypeVar("T")

logger = logging.getLogger("shazam")

# Between attempts to open: twice as long each time, up to the last.
RETRY_S = (0.5, 5.0)


class Readiness(Generic[T]):
    """One `T` for many callers. Create it in an event loop, `start()`, then `await opened()`.

    `open()` makes it; where that raises, it is tried again: a folder may be repaired or arrive
    late. `check(it, error)`, after a call that failed with `error`, raises where it no longer
    answers within `limit_s`, and `explain` makes of that what callers are told. `verify(it)` is
    awaited beside its use, once, and ends it for good by a `ShazamError`; None where opening has
    verified all. `watch(it)` is awaited beside its use, again and again; what it raises is looked
    into like a call that failed. `on_ready(again)` and `on_lost(it)` are told of each change.
    """

    def __init__(
        self,
        open: Callable[[], Awaitable[T]],
        check: Callable[[T, Exception], Awaitable[Any]],
        *,
        explain: Callable[[Exception], ShazamError],
        starting: str,
        limit_s: float,
        verify: Callable[[T], Coroutine[Any, Any, None] | None] = lambda _: None,
        watch: Callable[[T], Coroutine[Any, Any, None]] | None = None,
        on_ready: Callable[[bool], None] = lambda _: None,
        on_lost: Callable[[T], None] = lambda _: None,
    ) -> None:
        self.failure: ShazamError | None = None
        self._open, self._check, self._verify = open, check, verify
        self._explain, self._starting, self._limit_s = explain, starting, limit_s
        self._watch, self._on_ready, self._on_lost = watch, on_ready, on_lost
        self._it: T | None = None
        self._settled = asyncio.Event()  # opened, or failed to, at least once
        self._opening: asyncio.Task[None] | None = None
        self._checking: asyncio.Task[None] | None = None
        self._verifying: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to open; returns at once."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open_until_ready(again=False))

    def stop(self) -> None:
        for task in (self._opening, self._checking, self._verifying, self._watching):
            if task is not None:
                task.cancel()

    @property
    def ready(self) -> bool:
        return self._it is not None

    @property
    def opening(self) -> bool:
        """Whether an attempt to open is under way, or the next one waited for."""
        return self._opening is not None and not self._opening.done()

    @property
    def now(self) -> T:
        """What is open. Raises `NotReady` while nothing is, with the reason where there is one."""
        if self._it is None:
            raise NotReady(
                self.failure.message if self.failure else self._starting, retry_after_s=2
            )
        return self._it

    async def settled(self) -> None:
        """Returns once the first attempt to open has succeeded or failed."""
        await self._settled.wait()

    async def opened(self) -> T:
        """What is open; waits for the first attempt, raises `NotReady` where that failed."""
        if self._it is None and self.failure is None:
            await self.settled()
        return self.now

    def look_into(self, error: Exception) -> None:
        """A call failed: was it this call, or is everything to be opened anew? One look at a
        time; returns at once."""
        if self._it is not None and (self._checking is None or self._checking.done()):
            self._checking = asyncio.create_task(self._look_into(self._it, error))

    async def _open_until_ready(self, *, again: bool) -> None:
        delay, longest = RETRY_S
        while True:
            try:
                self._it = it = await self._open()
            except Exception as error:
                self._failed(error)
                await asyncio.sleep(delay)
                delay, again = min(longest, 2 * delay), True
            else:
                self.failure = None
                self._settled.set()
                self._on_ready(again)
                late = self._verify(it) if self._verifying is None else None
                if late is not None:
                    self._verifying = asyncio.create_task(self._verified(it, late))
                if self._watch is not None:
                    self._watching = asyncio.create_task(self._watch_over(it, self._watch))
                return

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, ShazamError):
            logger.exception("loading failed")
            error = NotReady(
                f"The artifact could not be loaded ({type(error).__name__}); see the log."
            )
        self.failure = error
        self._settled.set()
        logger.error("not ready: %s: %s", error.code, error.message)

    async def _verified(self, it: T, verifying: Coroutine[Any, Any, None]) -> None:
        try:
            await verifying
        except ShazamError as error:
            self._lose(it, error)
            logger.error("no longer ready: %s: %s", error.code, error.message)

    async def _watch_over(self, it: T, watch: Callable[[T], Coroutine[Any, Any, None]]) -> None:
        while self._it is it:
            try:
                await watch(it)
            except Exception as error:
                self.look_into(error)
                if self._checking is not None:
                    await asyncio.wait([self._checking])

    async def _look_into(self, it: T, error: Exception) -> None:
        logger.error("something failed, and is looked into", exc_info=error)
        try:
            async with asyncio.timeout(self._limit_s):
                await self._check(it, error)
        except Exception as found:
            failure = self._explain(found)
            self._lose(it, failure)
            logger.error("degraded: %s", failure.message)
            self._opening = asyncio.create_task(self._open_until_ready(again=True))
        else:
            logger.warning("what is open answers when it is checked; all stays as it is")

    def _lose(self, it: T, failure: ShazamError) -> None:
        self._it, self.failure = None, failure
        self._on_lost(it)
