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
from typing import Generic, TypeVar

from engine.lanes import Pace

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Stalled(Exception):
    """A call did not come back; the thread it runs in is lost."""


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
    ) -> None:
        self._call = call
        self._executor = executor
        self._max_items = max_items
        self._wait_s = wait_s
        self._limit_s = limit_s
        self._pace = Pace(limit_s)  # of one item
        self._on_batch = on_batch
        self._on_failure = on_failure  # told also where every caller has gone
        self._queue: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None
        self._full = asyncio.Event()

    def __len__(self) -> int:
        """Items that wait for a call."""
        return len(self._queue)

    async def __call__(self, item: Item) -> Answer:
        """One item's answer. Cancelled while it waits, the item is never computed."""
        self._pace.check(len(self._queue))
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((item, answer))
        if len(self._queue) >= self._max_items:
            self._full.set()
        if self._running is None:
            self._running = asyncio.create_task(self._drain())
        return await answer

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
        batch: list[tuple[Item, asyncio.Future[Answer]]] = []
        while self._queue and len(batch) < self._max_items:
            item, answer = self._queue.popleft()
            if not answer.done():  # its caller has gone away
                batch.append((item, answer))
        if not batch:
            return
        if self._on_batch:
            self._on_batch(len(batch))
        loop = asyncio.get_running_loop()
        start = time.perf_counter()
        try:
            call = loop.run_in_executor(self._executor, self._call, [item for item, _ in batch])
            done, _ = await asyncio.wait({call}, timeout=self._limit_s)
            if not done:
                raise Stalled(f"{len(batch)} items took longer than {self._limit_s:g} seconds")
            answers = call.result()
            self._pace.took((time.perf_counter() - start) / len(batch))
            if len(answers) != len(batch):
                # Handing answers on in order would give callers those of others.
                raise RuntimeError(f"{len(answers)} answers to {len(batch)} items")
        except BaseException as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(
                        error if isinstance(error, Exception) else RuntimeError("shutting down")
                    )
            if not isinstance(error, Exception):
                raise
            if self._on_failure:
                self._on_failure(error)
            return
        for (_, answer), result in zip(batch, answers, strict=True):
            if not answer.done():
                answer.set_result(result)
