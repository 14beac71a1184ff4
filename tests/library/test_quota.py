"""`engine/library/quota.py`: what a key may add on a day."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from library.asked import add, content, link, upload

from engine.base.errors import QuotaExceeded
from engine.library.database import Database
from engine.library.jobs import Job, Jobs
from engine.library.quota import Quota
from engine.library.samples import Samples

pytestmark = pytest.mark.anyio


async def test_no_more_jobs_than_a_days_also_at_once_and_from_several_processes(
    database_url: str,
) -> None:
    databases = [await Database.open(database_url) for _ in range(3)]
    every = [Jobs(database, quota=Quota(database, jobs=4)) for database in databases]
    asked = [every[n % 3].submit(upload(str(n), "me")) for n in range(12)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers].count(Job) == 4
    refused = [answer for answer in answers if isinstance(answer, QuotaExceeded)]
    assert len(refused) == 8
    assert refused[0].message.startswith("All 4 tracks of today are added.")
    assert 1 <= int(refused[0].headers()["Retry-After"]) <= 86_400
    assert (await every[0].submit(upload("theirs", "they"))).state == "queued"
    for database in databases:
        await database.close()


async def test_what_is_there_costs_nothing_and_what_is_deleted_stays_counted(
    database: Database,
) -> None:
    quota = Quota(database, jobs=2)
    jobs, samples = Jobs(database, quota=quota), Samples(database)
    track_id = await add(jobs, samples, "one")
    await jobs.submit(upload("one"))
    await quota.check("")
    await samples.delete(track_id)
    await jobs.submit(upload("two"))
    with pytest.raises(QuotaExceeded):
        await quota.check("")
    with pytest.raises(QuotaExceeded):
        await jobs.submit(upload("one"))


async def test_a_spent_quota_refuses_what_is_new_before_it_is_stored_and_nothing_else(
    database: Database,
) -> None:
    jobs = Jobs(database, private=True, quota=Quota(database, jobs=1))
    known = await jobs.submit(upload("one", "me"))
    await jobs.admit(upload("one", "me"))
    assert (await jobs.submit(upload("one", "me"))).job_id == known.job_id
    for new in (upload("two", "me"), link("https://example.org/1", "me")):
        with pytest.raises(QuotaExceeded):
            await jobs.admit(new)
    await jobs.admit(upload("one", "they"))


async def test_bytes_count_where_they_are_sent_and_where_they_are_fetched(
    database: Database,
) -> None:
    quota = Quota(database, size=2_500)
    jobs = Jobs(database, quota=quota)
    job = await jobs.submit(link("https://example.org/1"))
    assert await jobs.content(job.job_id, 1, content("linked"), 1_000)
    assert await jobs.content(job.job_id, 1, content("linked"), 1_000)
    await quota.check("", 1_500)
    with pytest.raises(QuotaExceeded, match="Of today's 2500 bytes 1500 are left"):
        await quota.check("", 1_501)
    await jobs.submit(upload("one"))
    with pytest.raises(QuotaExceeded, match="500 are left"):
        await jobs.submit(upload("two"))


async def test_a_day_ends_at_midnight(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = Jobs(database, quota=Quota(database, jobs=1))
    clock = datetime(2026, 11, 28, 23, 59, 50, tzinfo=UTC)
    monkeypatch.setattr("engine.library.quota._now", lambda: clock)
    await jobs.submit(upload("one"))
    with pytest.raises(QuotaExceeded) as refused:
        await jobs.submit(upload("two"))
    assert refused.value.retry_after_s == 11
    clock = datetime(2026, 11, 29, tzinfo=UTC)
    await jobs.submit(upload("two"))


async def test_bytes_that_are_no_track_count_and_are_no_job(database: Database) -> None:
    quota = Quota(database, jobs=1, size=2_000)
    await quota.send("me", 600)
    with pytest.raises(QuotaExceeded, match="1400 are left"):
        await quota.send("me", 1_500)
    await quota.send("they", 1_500)
    await Jobs(database, quota=quota).submit(upload("one", "me"))  # 1,000 bytes
    await quota.send("me", 400)


async def test_what_a_link_to_no_track_brought_is_counted_and_the_next_is_refused(
    database: Database,
) -> None:
    quota = Quota(database, size=1_000)
    await quota.send("me", 400)
    await quota.send("me", 0)  # a link is to be followed
    await quota.bring("me", 5_000)  # it is here: nobody sends it back
    for size in (0, 1):
        with pytest.raises(QuotaExceeded):
            await quota.send("me", size)
    await quota.send("they", 1_000)
    with pytest.raises(QuotaExceeded):
        await quota.send("they", 0)
    await Quota(database).bring("me", 1)
