"""`engine/library/service/health.py` and `figures.py`: what the library says of itself."""

from __future__ import annotations

import math
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from library.asked import upload
from sqlalchemy import update

from engine.base.errors import DatabaseUnavailable
from engine.library.database import Database
from engine.library.jobs import Jobs
from engine.library.objects import Objects
from engine.library.records import now
from engine.library.service.capability import LIBRARY
from engine.library.service.figures import Figures
from engine.library.service.health import NOBODY_COMES_S, Found, health_of
from engine.library.settings import LibrarySettings
from engine.library.sources.sources import Sources
from engine.library.tables import JobRow
from engine.library.workers import Workers
from engine.serving.http.exchange import Exchange, answering
from engine.serving.http.languages import Language
from engine.serving.watch.metrics import Metrics

pytestmark = pytest.mark.anyio

ME, THEM = "a" * 64, "b" * 64
SETTINGS = LibrarySettings(library="private", api_keys=("mine", "theirs"))


@pytest.fixture
def library(database: Database, tmp_path: Path) -> Any:
    """As much of `Library` as is asked, private."""
    return SimpleNamespace(
        database=database,
        objects=Objects.open(str(tmp_path / "objects")),
        jobs=Jobs(database, private=True),
        workers=Workers(database),
        sources=Sources.of(SETTINGS),
    )


async def asked(library: Any, caller: str = ME, language: Language | None = None) -> Found:
    exchange = Exchange("id", caller=caller)
    if language is not None:
        exchange.language = language
    with answering(exchange):
        return await health_of(SETTINGS, library, None, "It is being opened.")


async def waiting_for(library: Any, seconds: float) -> None:
    """A job of mine that has been queued for so long."""
    job = await library.jobs.submit(upload("one", owner=ME))
    then = now() - timedelta(seconds=seconds)
    async with library.database.writing() as connection:
        await connection.execute(
            update(JobRow).where(JobRow.job_id == job.job_id).values(updated_at=then)
        )


async def test_no_worker_is_usual_where_nothing_waits_for_one(library: Any) -> None:
    for seconds in (None, NOBODY_COMES_S - 60):
        if seconds is not None:
            await waiting_for(library, seconds)
        found = await asked(library)
        assert (found.works, found.told.status, found.told.worker.ok) == (True, "degraded", False)
        assert found.told.worker.error is not None
        assert found.told.worker.error.startswith("None alive: no worker has said for 30 s")


async def test_work_that_nobody_comes_for_is_a_failure(library: Any) -> None:
    await waiting_for(library, NOBODY_COMES_S + 60)
    found = await asked(library)
    assert (found.works, found.told.status) == (False, "degraded")
    assert "has waited for more than 5 minutes" in str(found.told.worker.error)
    await library.workers.beat("one")
    found = await asked(library)
    assert (found.works, found.told.status, found.told.worker.workers) == (True, "healthy", 1)


async def test_what_others_wait_for_is_not_told(library: Any) -> None:
    await waiting_for(library, 1)
    assert (await asked(library)).told.worker.queued == 1
    assert (await asked(library, THEM)).told.worker.queued == 0


async def test_health_is_said_in_french(library: Any) -> None:
    told = (await asked(library, language=Language("fr", LIBRARY, {}))).told
    assert str(told.worker.error).startswith("Aucun en vie")
    assert told.sources["tiktok"].missing == "SHAZAM_RAPIDAPI_KEY n'est pas défini."


def series(metrics: Metrics) -> dict[str, float]:
    lines = metrics.page()[0].decode().splitlines()
    told = [line.rpartition(" ") for line in lines if line.startswith("shazam_library")]
    told += [line.rpartition(" ") for line in lines if 'capability="library"' in line]
    return {name: float(value) for name, _, value in told}


async def test_the_queue_is_told_to_prometheus(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = Metrics([])
    figures = Figures(metrics)
    assert math.isnan(series(metrics)["shazam_library_workers"])
    await waiting_for(library, 90)
    await library.jobs.submit(upload("two", owner=THEM))
    await library.workers.beat("one")
    await figures.take(library)
    now_told = series(metrics)
    assert now_told['shazam_ready{capability="library"}'] == 1
    assert now_told['shazam_library_jobs{state="queued"}'] == 2
    assert now_told['shazam_library_jobs{state="failed"}'] == 0
    assert now_told["shazam_library_oldest_queued_seconds"] == pytest.approx(90, abs=5)
    assert now_told["shazam_library_workers"] == 1

    async def away(*_: Any) -> Any:
        raise DatabaseUnavailable("It is away.")

    monkeypatch.setattr(library, "workers", SimpleNamespace(alive=away))
    await figures.take(library)
    assert series(metrics)['shazam_ready{capability="library"}'] == 0
    assert math.isnan(series(metrics)["shazam_library_oldest_queued_seconds"])
