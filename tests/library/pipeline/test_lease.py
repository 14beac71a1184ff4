from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from engine.library.database import Database
from engine.library.pipeline import lease
from engine.library.pipeline.lease import Lease

pytestmark = pytest.mark.anyio


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of other machines: nothing of them is seen but their rows."""
    monkeypatch.setattr(lease, "_machine", lambda: None)


async def _two(database: Database) -> tuple[Lease, Lease]:
    mine, other = Lease(database, pipeline="1"), Lease(database)
    await mine.take()
    await other.take()
    return mine, other


async def test_a_worker_has_a_name_of_its_own_and_sees_the_others(database: Database) -> None:
    mine, other = await _two(database)
    assert mine.worker != other.worker
    assert [one.worker for one in await other.others()] == [mine.worker]
    assert (await other.others())[0].facts["pipeline"] == "1"
    await mine.leave()
    assert await other.others() == []


async def test_what_changes_is_told_as_it_is_when_a_worker_last_said_that_it_lives(
    database: Database,
) -> None:
    known: dict[str, Any] = {"voice": 1}
    mine, other = Lease(database, lambda: known, pipeline="1"), Lease(database)
    await mine.take()
    known["voice"] = 2
    assert (await other.others())[0].facts["voice"] == 1
    assert await mine.renew()
    facts = (await other.others())[0].facts
    assert (facts["voice"], facts["pipeline"], facts["pid"]) == (2, "1", os.getpid())


async def test_who_says_nothing_new_for_long_is_dead_and_who_does_is_not(
    database: Database, far: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, other = await _two(database)
    clock = [1_000.0]
    monkeypatch.setattr(lease.time, "monotonic", lambda: clock[0])
    (seen,) = await mine.others()
    assert not mine.is_dead(seen)
    clock[0] += lease.DEAD_S
    assert not mine.is_dead(seen)
    clock[0] += 1
    assert mine.is_dead(seen)
    assert await other.renew()
    (seen,) = await mine.others()
    assert not mine.is_dead(seen)


async def test_silence_while_the_database_was_away_is_no_death(
    database: Database, far: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, _ = await _two(database)
    clock = [1_000.0]
    monkeypatch.setattr(lease.time, "monotonic", lambda: clock[0])
    (seen,) = await mine.others()
    assert not mine.is_dead(seen)
    clock[0] += lease.DEAD_S + 1
    mine.forget()
    assert not mine.is_dead(seen)


async def test_who_was_declared_dead_learns_it(database: Database) -> None:
    mine, other = await _two(database)
    (seen,) = await mine.others()
    assert await mine.bury(seen)
    assert not await other.renew()
    assert not await mine.bury(seen)


async def test_who_spoke_meanwhile_is_not_declared_dead(database: Database) -> None:
    mine, other = await _two(database)
    (seen,) = await mine.others()
    assert await other.renew()
    assert not await mine.bury(seen)
    assert await other.renew()


async def test_a_process_of_this_machine_that_ended_is_dead_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = Lease(database)
    await mine.take()
    with subprocess.Popen(["sleep", "60"]) as gone:
        monkeypatch.setattr(os, "getpid", lambda: gone.pid)
        born = lease._born
        monkeypatch.setattr(lease, "_born", lambda pid: born(str(gone.pid)))
        await Lease(database).take()
        monkeypatch.undo()
        (seen,) = await mine.others()
        assert not mine.is_dead(seen)
        gone.kill()
        os.waitid(os.P_PID, gone.pid, os.WEXITED | os.WNOWAIT)
        assert mine.is_dead(seen), "what its parent has not looked at yet is dead, too"
    assert mine.is_dead(seen)
