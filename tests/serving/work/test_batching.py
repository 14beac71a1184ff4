"""`engine.serving.work.batching`: many callers, one call."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.serving.work.batching import Batcher


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


class Doubler:
    """Doubles numbers, one call at a time; `gate` holds calls back, `calls` are what it got."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.running = 0

    def __call__(self, items: list[int]) -> list[int]:
        self.running += 1
        assert self.running == 1, "two calls at once"
        self.calls.append(items)
        assert self.gate.wait(10)
        self.running -= 1
        if -1 in items:
            raise ValueError("an item broke the call")
        if -2 in items:
            return [0]
        return [2 * item for item in items]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scenario(), 20))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0.005)


@pytest.mark.alone
def test_a_lone_caller_waits_for_nobody(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        double = Batcher(Doubler(), executor, max_items=16)
        await double(1)  # starts the executor's thread
        start = time.perf_counter()
        for number in range(20):
            assert await double(number) == 2 * number
        assert (time.perf_counter() - start) / 20 < 0.01

    run(scenario)


def test_callers_of_one_moment_share_a_call(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        call = Doubler()
        sizes: list[int] = []
        double = Batcher(call, executor, max_items=16, on_batch=sizes.append)
        assert await asyncio.gather(*map(double, range(10))) == [2 * n for n in range(10)]
        assert call.calls == [list(range(10))]
        assert sizes == [10]

    run(scenario)


def test_what_queues_up_while_a_call_runs_goes_into_the_next(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        call = Doubler()
        call.gate.clear()
        double = Batcher(call, executor, max_items=16)
        first = asyncio.create_task(double(0))
        await settle()
        rest = [asyncio.create_task(double(n)) for n in range(1, 8)]
        await settle()
        assert len(double) == 7
        call.gate.set()
        assert await asyncio.gather(first, *rest) == [2 * n for n in range(8)]
        assert call.calls == [[0], [1, 2, 3, 4, 5, 6, 7]]
        assert len(double) == 0

    run(scenario)


def test_a_batch_is_never_larger_than_the_limit(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        call = Doubler()
        double = Batcher(call, executor, max_items=4)
        assert await asyncio.gather(*map(double, range(11))) == [2 * n for n in range(11)]
        assert [len(items) for items in call.calls] == [4, 4, 3]

    run(scenario)


def test_callers_who_left_are_not_computed(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        call = Doubler()
        call.gate.clear()
        double = Batcher(call, executor, max_items=4)
        first = asyncio.create_task(double(0))
        await settle()
        waiting = [asyncio.create_task(double(n)) for n in range(1, 9)]
        await settle()
        for task in waiting[:5]:
            task.cancel()
        await settle()
        call.gate.set()
        assert await first == 0
        assert await asyncio.gather(*waiting[5:]) == [12, 14, 16]
        # Those who left take no place in a batch either.
        assert call.calls == [[0], [6, 7, 8]]

    run(scenario)


def test_a_caller_who_leaves_during_the_call_harms_nobody(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        call = Doubler()
        call.gate.clear()
        double = Batcher(call, executor, max_items=4)
        tasks = [asyncio.create_task(double(n)) for n in range(3)]
        await settle()
        tasks[1].cancel()
        await settle()
        call.gate.set()
        assert await asyncio.gather(tasks[0], tasks[2]) == [0, 4]
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        assert await double(9) == 18

    run(scenario)


def test_a_failure_reaches_all_of_its_batch_and_nobody_else(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        call = Doubler()
        double = Batcher(call, executor, max_items=3)
        answers = await asyncio.gather(*map(double, [1, -1, 2, 3, 4]), return_exceptions=True)
        assert [type(answer) for answer in answers[:3]] == [ValueError] * 3
        assert answers[3:] == [6, 8]
        assert await double(5) == 10

    run(scenario)


def test_a_wrong_number_of_answers_is_refused(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        double = Batcher(Doubler(), executor, max_items=4)
        answers = await asyncio.gather(*map(double, [1, -2, 3]), return_exceptions=True)
        assert [str(answer) for answer in answers] == ["1 answers to 3 items"] * 3
        assert await double(4) == 8

    run(scenario)


def test_a_batch_may_wait_for_company(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        call = Doubler()
        double = Batcher(call, executor, max_items=4, wait_s=0.2)
        first = asyncio.create_task(double(1))
        await asyncio.sleep(0.02)
        assert await asyncio.gather(first, double(2)) == [2, 4]
        assert call.calls == [[1, 2]]

    run(scenario)


def test_a_full_batch_does_not_wait(executor: ThreadPoolExecutor) -> None:
    async def scenario() -> None:
        double = Batcher(Doubler(), executor, max_items=4, wait_s=30)
        first = asyncio.create_task(double(1))
        await settle()
        answers = await asyncio.wait_for(asyncio.gather(first, *map(double, (2, 3, 4))), 5)
        assert answers == [2, 4, 6, 8]

    run(scenario)


def test_a_stopped_executor_fails_callers_instead_of_hanging_them() -> None:
    async def scenario() -> None:
        pool = ThreadPoolExecutor(1)
        double = Batcher(Doubler(), pool, max_items=4)
        assert await double(1) == 2
        pool.shutdown()
        with pytest.raises(RuntimeError):
            await double(2)

    run(scenario)
