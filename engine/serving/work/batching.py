"""Many callers, one call: what queues up while a call is running goes together into the next.

A caller who is alone waits for nobody; under load batches grow by themselves up to the limit. It is
the in-process form of BentoML's adaptive batching, which works only between processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from engine.serving.work.lanes import Pace

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Stalled(Exception):
    """A call did not come back; the thread it runs in is lost."""


@dataclass(eq=False)
class _Asked(Generic[Item, Answer]):
    """One item on its way through a batcher."""

    item: Item
    answer: asyncio.Future[Answer]
    since: float = field(default_factory=time.perf_counter)
    waited_s: float = 0.0
    batch: int = 0


class Batcher(Generic[Item, Answer]):
    """Collects items of concurrent callers into calls of `call(items) -> answers`.

    `call` runs in `executor`, one call at a time, with at most `max_items` items, and must return
    one answer an item. `wait_s` lets a batch that is not full wait for company. An item that could
    not be answered within `limit_s` is refused (`Overloaded`), and a call that takes longer than
    that by itself fails its callers with `Stalled`.
    """

    def __init__(
        self,
        call: Callable[[list[Item]], Sequence[Answer]],
        executor: Executor,
        *,
        max_items: int,
        wait_s: float = 0.0,
        limit_s: float = 3600.0,
        on_batch: Callable[[int], None] | None = None,
        on_failure: Callable[[Exception], None] | None = None,
        on_answer: Callable[[float, int], None] | None = None,
        on_depth: Callable[[int], None] | None = None,
    ) -> None:
        self._call = call
        self._executor = executor
        self._max_items = max_items
        self._wait_s = wait_s
        self._limit_s = limit_s
        self._pace = Pace(limit_s)  # of one item
        self._on_batch = on_batch
        self._on_failure = on_failure  # told also where every caller has gone
        # Told in the caller's own context: seconds it waited, items of the call it shared.
        self._on_answer = on_answer
        self._on_depth = on_depth or (lambda _: None)
        self._queue: deque[_Asked[Item, Answer]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._full = asyncio.Event()

    def __len__(self) -> int:
        """Items that wait for a call."""
        return len(self._queue)

    async def __call__(self, item: Item) -> Answer:
        """One item's answer. Cancelled while it waits, the item is never computed."""
        self._pace.check(len(self._queue))
        asked: _Asked[Item, Answer] = _Asked(item, asyncio.get_running_loop().create_future())
        self._queue.append(asked)
        self._on_depth(len(self._queue))
        if len(self._queue) >= self._max_items:
            self._full.set()
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        answer = await asked.answer
        if self._on_answer:
            self._on_answer(asked.waited_s, asked.batch)
        return answer

    async def _drain(self) -> None:
        try:
            while self._queue:
                # One turn of the loop: callers woken by the same event join the same batch.
                await asyncio.sleep(0)
                if self._wait_s and len(self._queue) < self._max_items:
                    self._full.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._full.wait(), self._wait_s)
                await self._run_batch()
        finally:
            self._running = None

    async def _run_batch(self) -> None:
        batch: list[_Asked[Item, Answer]] = []
        while self._queue and len(batch) < self._max_items:
            asked = self._queue.popleft()
            if not asked.answer.done():  # its caller has gone away
                batch.append(asked)
        self._on_depth(len(self._queue))
        if not batch:
            return
        if self._on_batch:
            self._on_batch(len(batch))
        loop = asyncio.get_running_loop()
        start = time.perf_counter()
        for asked in batch:
            asked.waited_s, asked.batch = start - asked.since, len(batch)
        try:
            items = [asked.item for asked in batch]
            call = loop.run_in_executor(self._executor, self._call, items)
            done, _ = await asyncio.wait({call}, timeout=self._limit_s)
            if not done:
                raise Stalled(f"{len(batch)} items took longer than {self._limit_s:g} seconds")
            answers = call.result()
            self._pace.took((time.perf_counter() - start) / len(batch))
            if len(answers) != len(batch):
                # Handing answers on in order would give callers those of others.
                raise RuntimeError(f"{len(answers)} answers to {len(batch)} items")
        except BaseException as error:
            for asked in batch:
                if not asked.answer.done():
                    asked.answer.set_exception(
                        error if isinstance(error, Exception) else RuntimeError("shutting down")
                    )
            if not isinstance(error, Exception):
                raise
            if self._on_failure:
                self._on_failure(error)
            return
        for asked, result in zip(batch, answers, strict=True):
            if not asked.answer.done():
                asked.answer.set_result(result)
