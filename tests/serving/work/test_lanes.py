"""`engine.serving.work.lanes`: a bounded wait, and threads that stand back."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

import pytest

from engine.base.errors import Overloaded
from engine.serving.work.lanes import NICE, Lane, Pace, computing


@pytest.mark.alone
def test_what_could_not_be_answered_in_time_is_refused_at_once() -> None:
    lane = Lane("test", 2, limit_s=0.4)

    async def scenario() -> list[float | Overloaded]:
        for _ in range(20):
            await lane(time.sleep, 0.02)
        start = time.monotonic()

        async def ask() -> float | Overloaded:
            try:
                await lane(time.sleep, 0.02)
            except Overloaded as refusal:
                assert time.monotonic() - start < 0.2
                return refusal
            return time.monotonic() - start

        return await asyncio.gather(*(ask() for _ in range(200)))

    found = asyncio.run(scenario())
    answered = [seconds for seconds in found if isinstance(seconds, float)]
    # Two threads of 20 ms a call answer about 40 within 0.4 s.
    assert 10 < len(answered) < 60
    assert max(answered) < 2
    refusals = [refusal for refusal in found if isinstance(refusal, Overloaded)]
    assert all(int(refusal.headers()["Retry-After"]) >= 1 for refusal in refusals)
    assert len(lane) == 0
    lane.close()


def test_a_lane_that_is_free_takes_what_is_slow() -> None:
    pace = Pace(limit_s=1)
    for _ in range(50):
        pace.took(30)
    pace.check(ahead=0)
    with pytest.raises(Overloaded, match="too small for its load"):
        pace.check(ahead=1)
    for _ in range(50):
        pace.took(0.01)
    pace.check(ahead=20)


def test_one_slow_first_call_refuses_nobody() -> None:
    pace = Pace(limit_s=30)
    pace.took(1)
    pace.check(ahead=128)


@pytest.mark.skipif(sys.platform != "linux", reason="niceness is a thread's on Linux alone")
def test_computing_threads_and_their_children_stand_back() -> None:
    def niceness() -> tuple[int, int]:
        child: list[int] = []

        def ask() -> None:
            child.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

        ask()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
        return child[0], child[1]

    before = os.getpriority(os.PRIO_PROCESS, 0)
    with computing("test", 1) as pool:
        assert pool.submit(niceness).result() == (NICE, NICE)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
