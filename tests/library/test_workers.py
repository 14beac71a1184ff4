"""`engine/library/workers.py`: who works, and who no longer does."""

from __future__ import annotations

import asyncio

import pytest

from engine.library.database import Database
from engine.library.workers import Workers

pytestmark = pytest.mark.anyio


async def test_a_worker_is_alive_as_long_as_it_says_so(database: Database) -> None:
    workers = Workers(database)
    await workers.beat("one", {"pid": 7})
    await asyncio.gather(*(workers.beat("two") for _ in range(3)))
    assert [worker.worker for worker in await workers.alive()] == ["one", "two"]
    await asyncio.sleep(0.05)
    await workers.beat("two")
    assert [worker.worker for worker in await workers.lost(0.04)] == ["one"]
    (one,) = [worker for worker in await workers.alive() if worker.worker == "one"]
    assert one.facts == {"pid": 7}
    await workers.beat("one")
    (one,) = [worker for worker in await workers.alive() if worker.worker == "one"]
    assert one.facts == {"pid": 7}
    assert one.beat_at > one.started_at
    await workers.leave("one")
    assert [worker.worker for worker in await workers.alive()] == ["two"]
