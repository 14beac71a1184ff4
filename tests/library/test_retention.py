"""`engine/library/retention.py`: what is no longer needed, and never what is."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from library.asked import add, content, link, upload

from engine.base.errors import JobNotFound, SampleNotFound, StorageUnavailable
from engine.library import records
from engine.library.database import Database
from engine.library.jobs import Jobs
from engine.library.records import now
from engine.library.retention import Retention
from engine.library.samples import Samples

pytestmark = pytest.mark.anyio

ONE = content("one")


@pytest.fixture
def retention(database: Database) -> Retention:
    return Retention(database)


async def test_what_failed_long_ago_is_let_go_of(
    jobs: Jobs, samples: Samples, retention: Retention
) -> None:
    made = [await jobs.submit(upload(name)) for name in ("one", "two", "three")]
    await jobs.fail(made[0].job_id, 1, "no_sound", "…")
    await jobs.cancel(made[1].job_id)
    kept = await add(jobs, samples, "four")
    assert await retention.expire(now() - timedelta(days=1)) == 0
    assert await retention.expire(now()) == 2
    assert sorted(await retention.leavings()) == sorted([ONE, content("two")])
    assert [s.track_id for s in (await samples.page()).samples] == [kept, made[2].track_id]
    with pytest.raises(JobNotFound):
        await jobs.retry(made[0].job_id)
    assert (await jobs.get(made[2].job_id)).state == "queued"


async def test_a_job_whose_track_another_made_is_let_go_of_and_the_track_stays(
    jobs: Jobs, samples: Samples, retention: Retention
) -> None:
    track_id = await add(jobs, samples, "one")
    job = await jobs.submit(link("https://example.org/1"))
    await jobs.content(job.job_id, 1, ONE, 1)
    await jobs.done(job.job_id, 1)
    assert await retention.expire(now()) == 1
    assert (await samples.get(track_id)).status == "ready"
    assert await retention.leavings() == []


async def test_what_another_job_waits_for_is_kept(jobs: Jobs, retention: Retention) -> None:
    first = await jobs.submit(upload("one"))
    second = await jobs.submit(link("https://example.org/1"))
    await jobs.content(second.job_id, 1, ONE, 1)
    await jobs.fail(first.job_id, 1, "internal", "…")
    assert await retention.expire(now()) == 0
    found = await jobs.content(second.job_id, 1, ONE, 1)
    assert found is not None
    assert found.held == "own"


async def test_what_was_made_of_a_content_may_go_once_all_who_name_it_have_failed(
    database: Database,
) -> None:
    jobs, retention = Jobs(database, private=True), Retention(database)
    mine, theirs = [await jobs.submit(upload("one", owner)) for owner in ("me", "they")]

    async def free() -> bool:
        async with retention.removing(ONE, failed=True) as found:
            return found

    await jobs.fail(mine.job_id, 1, "audio_silent", "…")
    assert not await free()
    await jobs.fail(theirs.job_id, 1, "audio_silent", "…")
    assert await free()
    async with retention.removing(ONE) as found:
        assert not found, "what was sent is named still"
    assert await retention.leavings() == []


async def test_a_content_is_left_when_the_last_who_names_it_goes(database: Database) -> None:
    jobs, samples = Jobs(database, private=True), Samples(database, private=True)
    retention = Retention(database)
    mine, theirs = [await add(jobs, samples, "one", owner) for owner in ("me", "they")]
    await samples.delete(mine, "me")
    assert await retention.leavings() == []
    async with retention.removing(ONE) as free:
        assert not free
    await samples.delete(theirs, "they")
    assert await retention.leavings() == [ONE]
    async with retention.removing(ONE) as free:
        assert free
    assert await retention.leavings() == []


async def test_contents_without_a_row_are_told(jobs: Jobs, retention: Retention) -> None:
    await jobs.submit(upload("one"))
    many = {content(str(number)) for number in range(600)}
    assert await retention.unknown({ONE, *many}) == many
    async with retention.removing(content("7")) as free:
        assert free
    assert await retention.leavings() == []


async def test_a_content_that_comes_back_is_not_removed(
    jobs: Jobs, samples: Samples, retention: Retention
) -> None:
    await samples.delete((await jobs.submit(upload("one"))).track_id)
    assert await retention.leavings() == [ONE]
    await jobs.submit(upload("one"))
    assert await retention.leavings() == []
    async with retention.removing(ONE) as free:
        assert not free


async def test_who_names_a_content_waits_until_its_objects_are_removed(
    jobs: Jobs, samples: Samples, retention: Retention
) -> None:
    await samples.delete((await jobs.submit(upload("one"))).track_id)
    waiting = await jobs.submit(link("https://example.org/1"))
    async with retention.removing(ONE) as free:
        assert free
        async with retention.removing(ONE) as twice:
            assert not twice
        asked = asyncio.create_task(jobs.submit(upload("one")))
        fetched = asyncio.create_task(jobs.content(waiting.job_id, 1, ONE, 1))
        await asyncio.sleep(0.3)
        assert not asked.done()
        assert not fetched.done()
        assert await retention.leavings() == []
    assert (await asked).state == "queued"
    assert await fetched is not None
    assert await retention.leavings() == []


async def test_a_removal_that_fails_is_tried_again(
    jobs: Jobs, samples: Samples, retention: Retention
) -> None:
    await samples.delete((await jobs.submit(upload("one"))).track_id)

    async def remove() -> None:
        async with retention.removing(ONE):
            raise StorageUnavailable("away")

    with pytest.raises(StorageUnavailable):
        await remove()
    assert await retention.leavings() == [ONE]


async def test_who_was_killed_while_it_removed_is_waited_for_only_so_long(
    jobs: Jobs, samples: Samples, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    await samples.delete((await jobs.submit(upload("one"))).track_id)
    assert await retention._claim(ONE, "killed")
    monkeypatch.setattr(records, "_FREE_WITHIN_S", 0.1)
    with pytest.raises(StorageUnavailable):
        await jobs.submit(upload("one"))
    monkeypatch.setattr(records, "CLAIM_S", 0)
    monkeypatch.setattr("engine.library.retention.CLAIM_S", 0)
    assert await retention.leavings() == [ONE]
    assert (await jobs.submit(upload("one"))).state == "queued"


async def test_an_expired_job_is_not_one_that_was_tried_again(
    jobs: Jobs, samples: Samples, retention: Retention
) -> None:
    job = await jobs.submit(upload("one"))
    await jobs.cancel(job.job_id)
    retried, expired = await asyncio.gather(
        jobs.retry(job.job_id), retention.expire(now()), return_exceptions=True
    )
    if isinstance(retried, JobNotFound):
        assert expired == 1
        with pytest.raises(SampleNotFound):
            await samples.get(job.track_id)
    else:
        assert expired == 0
        assert (await samples.get(job.track_id)).status == "processing"
