"""`engine/library/jobs.py`, `attempts.py` and `contents.py`: states, races, the same content."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from library.asked import add, content, finish, link, upload

from engine.base.errors import InvalidRequest, JobFinished, JobNotFound, Overloaded
from engine.library.database import Database
from engine.library.jobs import Content, Failure, Job, Jobs
from engine.library.samples import Samples
from engine.library.tables import FIRST_TRACK_ID

pytestmark = pytest.mark.anyio


@pytest.fixture
async def others(database_url: str) -> AsyncIterator[list[Jobs]]:
    """Jobs as other processes see them."""
    databases = [await Database.open(database_url) for _ in range(3)]
    yield [Jobs(database) for database in databases]
    for database in databases:
        await database.close()


async def test_a_job_is_a_row_with_its_sample(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(upload("one", title="Blue\0 Moon", artist="Someone", year=1999))
    assert (job.state, job.attempt, job.step, job.progress) == ("queued", 1, None, 0.0)
    assert job.track_id == FIRST_TRACK_ID
    assert job.workflow_id == f"{job.job_id}.1"
    assert job.created_at.tzinfo is not None
    assert await jobs.get(job.job_id) == job
    sample = await samples.get(job.track_id)
    assert (sample.status, sample.title, sample.year) == ("processing", "Blue Moon", 1999)
    assert sample.job_id == job.job_id


async def test_the_same_content_is_the_same_job(jobs: Jobs, samples: Samples) -> None:
    first = await jobs.submit(upload("one"))
    assert await jobs.submit(upload("one")) == first
    assert (await jobs.submit(upload("two"))).job_id != first.job_id
    await finish(jobs, samples, first)
    again = await jobs.submit(upload("one"))
    assert (again.job_id, again.state, again.attempt) == (first.job_id, "done", 1)


async def test_what_is_said_of_content_sent_again_is_said_of_its_track(
    jobs: Jobs, samples: Samples
) -> None:
    first = await jobs.submit(upload("one", title="Blue Moon", artist="Someone"))
    await finish(jobs, samples, first)
    cursor = (await samples.changes_since(0)).cursor
    assert await jobs.submit(upload("one", title="Red Moon", audio_shared=False))
    sample = await samples.get(first.track_id)
    assert (sample.title, sample.artist, sample.audio_shared) == ("Red Moon", "Someone", False)
    assert (await samples.page(q="red moon")).total == 1
    assert (await samples.page(q="blue")).total == 0
    changes = (await samples.changes_since(cursor)).changes
    assert [(one.track_id, one.kind) for one in changes] == [(first.track_id, "ready")]
    await jobs.submit(upload("one", audio_shared=True))
    assert (await samples.get(first.track_id)).audio_shared
    await jobs.submit(upload("one", "they", title="Theirs", audio_shared=False))
    sample = await samples.get(first.track_id)
    assert (sample.title, sample.audio_shared) == ("Red Moon", True)


async def test_the_same_content_from_many_processes_at_once_is_one_job(others: list[Jobs]) -> None:
    submitted = [jobs.submit(upload("one")) for jobs in others for _ in range(5)]
    assert len({job.job_id for job in await asyncio.gather(*submitted)}) == 1


async def test_in_a_private_library_the_same_content_is_each_owners_own(database: Database) -> None:
    jobs, samples = Jobs(database, private=True), Samples(database, private=True)
    mine, theirs = [await jobs.submit(upload("one", owner)) for owner in ("me", "they")]
    assert mine.track_id != theirs.track_id
    assert await jobs.submit(upload("one", "me")) == mine
    with pytest.raises(JobNotFound):
        await jobs.get(mine.job_id, "they")
    for change in (jobs.cancel, jobs.retry):
        with pytest.raises(JobNotFound):
            await change(mine.job_id, "they")
    assert (await jobs.page("they")) == (1, [theirs])
    assert (await samples.page("they")).total == 1
    assert (await jobs.get(mine.job_id)).owner == "me"


async def test_in_a_shared_library_everybody_sees_every_job(jobs: Jobs) -> None:
    mine = await jobs.submit(upload("one", "me"))
    assert await jobs.submit(upload("one", "they")) == mine
    assert await jobs.get(mine.job_id, "they") == mine


async def test_a_link_is_the_same_job_as_long_as_it_is_worked_on(
    jobs: Jobs, others: list[Jobs]
) -> None:
    url = "https://example.org/" + "long" * 2_000
    asked = [one.submit(link(url)) for one in others for _ in range(3)]
    (job_id,) = {job.job_id for job in await asyncio.gather(*asked)}
    assert (await jobs.submit(link(url + "?"))).job_id != job_id
    await jobs.cancel(job_id)
    assert (await jobs.submit(link(url))).job_id != job_id


async def test_what_failed_and_is_sent_again_is_tried_again(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(upload("one"))
    await jobs.begin(job.job_id, 1, "decode")
    assert await jobs.fail(job.job_id, 1, "storage_full", "There is no room.")
    assert (await samples.get(job.track_id)).error == Failure("storage_full", "There is no room.")
    again = await jobs.submit(upload("one"))
    assert (again.job_id, again.attempt, again.state) == (job.job_id, 2, "queued")
    assert again.error is None
    assert (await samples.get(job.track_id)).status == "processing"


async def test_steps_run_and_end_once(jobs: Jobs) -> None:
    job = await jobs.submit(upload("one"))
    begun = await jobs.begin(job.job_id, 1, "decode", 0.1)
    assert begun is not None
    assert (begun.runs, begun.runs_of_attempt, begun.result) == (1, 1, None)
    running = await jobs.get(job.job_id)
    assert (running.state, running.step, running.progress) == ("running", "decode", 0.1)
    assert await jobs.progress(job.job_id, 1, "decode", 0.2)
    # The worker was killed, and another begins the step anew.
    begun = await jobs.begin(job.job_id, 1, "decode")
    assert begun is not None
    assert (begun.runs, begun.runs_of_attempt) == (2, 2)
    assert await jobs.end(job.job_id, 1, "decode", {"key": "audio/x"})
    begun = await jobs.begin(job.job_id, 1, "decode")
    assert begun is not None
    assert (begun.runs, begun.result) == (2, {"key": "audio/x"})


async def test_a_later_attempt_keeps_what_ended_and_counts_its_own_runs(jobs: Jobs) -> None:
    job = await jobs.submit(upload("one"))
    for step in ("decode", "catalogue"):
        await jobs.begin(job.job_id, 1, step)
        assert await jobs.end(job.job_id, 1, step, {"of": step})
    await jobs.begin(job.job_id, 1, "clean")
    await jobs.cancel(job.job_id)
    assert (await jobs.retry(job.job_id)).workflow_id == f"{job.job_id}.2"
    steps = {
        step: await jobs.begin(job.job_id, 2, step) for step in ("decode", "catalogue", "clean")
    }
    seen = {step: (b.runs, b.runs_of_attempt, b.result) for step, b in steps.items() if b}
    assert seen == {
        "decode": (1, 1, {"of": "decode"}),
        # What this gave was a row, which the cancellation has taken back.
        "catalogue": (2, 1, None),
        "clean": (2, 1, None),
    }


async def test_whoever_is_late_is_told_to_stop(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(upload("one"))
    await jobs.begin(job.job_id, 1, "decode")
    await jobs.cancel(job.job_id)
    await jobs.retry(job.job_id)
    assert await jobs.begin(job.job_id, 1, "analyse") is None
    assert await jobs.content(job.job_id, 1, content("one"), 1) is None
    for told in (
        jobs.progress(job.job_id, 1, "decode", 0.5),
        jobs.end(job.job_id, 1, "decode", {}),
        jobs.done(job.job_id, 1),
        jobs.fail(job.job_id, 1, "internal", "…"),
        samples.describe(job.job_id, 1, {"title": "late"}),
        samples.finish(job.job_id, 1, {}, {}),
    ):
        assert await told is False
    assert (await jobs.get(job.job_id)).state == "queued"
    assert (await samples.get(job.track_id)).title is None


async def test_what_was_told_may_be_told_again(jobs: Jobs, samples: Samples) -> None:
    """As when the connection broke during the commit."""
    job, other = [await jobs.submit(upload(name)) for name in ("one", "two")]
    await finish(jobs, samples, job)
    assert await jobs.done(job.job_id, 1)
    assert await jobs.fail(other.job_id, 1, "internal", "…")
    assert await jobs.fail(other.job_id, 1, "internal", "…")
    assert not await jobs.done(other.job_id, 1)
    assert not await jobs.fail(job.job_id, 1, "internal", "…")


async def test_cancel_and_retry_know_the_states(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(upload("one"))
    assert await jobs.retry(job.job_id) == job
    cancelled = await jobs.cancel(job.job_id)
    assert (cancelled.state, cancelled.error) == ("cancelled", None)
    assert cancelled.ended_at is not None
    assert await jobs.cancel(job.job_id) == cancelled
    assert (await samples.get(job.track_id)).status == "cancelled"
    again = await jobs.retry(job.job_id)
    assert (again.state, again.attempt, again.ended_at) == ("queued", 2, None)
    await finish(jobs, samples, again)
    with pytest.raises(JobFinished, match="This job is done"):
        await jobs.cancel(job.job_id)
    with pytest.raises(JobFinished, match="its track is in the library"):
        await jobs.retry(job.job_id)
    with pytest.raises(JobNotFound):
        await jobs.get("nothing\0")


async def test_what_is_tried_again_and_again_has_to_wait(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = datetime(2026, 11, 28, 12, tzinfo=UTC)
    for module in ("jobs", "ledger"):
        monkeypatch.setattr(f"engine.library.{module}.now", lambda: clock)
    job = await jobs.submit(upload("one"))

    async def refused(again: Callable[[], Awaitable[Job]]) -> int:
        with pytest.raises(Overloaded, match="tried again in") as told:
            await again()
        assert told.value.status == 429
        return told.value.retry_after_s

    for attempt in range(2, 6):
        await jobs.cancel(job.job_id)
        assert (await jobs.retry(job.job_id)).attempt == attempt
    waits = []
    for attempt in range(6, 16):
        await jobs.cancel(job.job_id)
        waits.append(await refused(lambda: jobs.retry(job.job_id)))
        assert await refused(lambda: jobs.submit(upload("one"))) == waits[-1]
        clock += timedelta(seconds=waits[-1])
        assert (await jobs.retry(job.job_id)).attempt == attempt
    assert waits == [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]


async def test_an_attempt_that_nobody_can_go_on_with_is_followed_by_the_next(jobs: Jobs) -> None:
    job = await jobs.submit(upload("one"))
    again = await jobs.begin_anew(job.job_id, 1)
    assert (again.state, again.attempt) == ("queued", 2)
    assert (await jobs.begin_anew(job.job_id, 1)).attempt == 2, "told twice, it is done once"
    await jobs.cancel(job.job_id)
    assert (await jobs.begin_anew(job.job_id, 2)).state == "cancelled"


async def test_of_a_cancellation_and_an_end_that_meet_one_is_first(
    others: list[Jobs], samples: Samples
) -> None:
    for number in range(6):
        job = await others[0].submit(upload(str(number)))
        await others[0].begin(job.job_id, 1, "catalogue")

        async def end(one: Jobs, job_id: str) -> bool:
            return await samples.finish(job_id, 1, {}, {}) and await one.done(job_id, 1)

        ended, cancelled = await asyncio.gather(
            end(others[1], job.job_id), others[2].cancel(job.job_id), return_exceptions=True
        )
        now = await others[0].get(job.job_id)
        seen = (await samples.get(job.track_id)).status
        if isinstance(cancelled, JobFinished):
            assert (ended, now.state, seen) == (True, "done", "ready")
        else:
            assert (ended, now.state, seen) == (False, "cancelled", "cancelled")


async def test_many_retries_at_once_are_one_attempt(others: list[Jobs]) -> None:
    job = await others[0].submit(upload("one"))
    await others[0].cancel(job.job_id)
    asked = [one.retry(job.job_id) for one in others for _ in range(3)]
    assert {job.attempt for job in await asyncio.gather(*asked)} == {2}


async def test_jobs_that_the_engine_was_not_told_of_are_found(jobs: Jobs) -> None:
    first, second = [await jobs.submit(upload(name)) for name in ("one", "two")]
    assert await jobs.not_enqueued(older_than_s=60) == []
    waiting = await jobs.not_enqueued(older_than_s=0)
    assert [job.job_id for job in waiting] == [first.job_id, second.job_id]
    await jobs.enqueued(first.job_id, 1)
    await jobs.cancel(second.job_id)
    assert await jobs.not_enqueued(older_than_s=0) == []
    await jobs.retry(second.job_id)
    await jobs.cancel(first.job_id)
    await jobs.retry(first.job_id)
    assert len(await jobs.not_enqueued(older_than_s=0)) == 2


async def test_jobs_are_counted_and_paged_newest_first(jobs: Jobs, samples: Samples) -> None:
    made = [await jobs.submit(upload(str(number))) for number in range(5)]
    await finish(jobs, samples, made[0])
    await jobs.cancel(made[1].job_id)
    tally = await jobs.tally()
    assert {state: of.count for state, of in tally.items()} == {
        "queued": 3, "running": 0, "done": 1, "failed": 0, "cancelled": 1
    }  # fmt: skip
    assert tally["queued"].oldest == (await jobs.get(made[2].job_id)).updated_at
    assert 0 < tally["queued"].oldest_s < 60
    assert (tally["running"].oldest, tally["running"].oldest_s) == (None, 0)
    assert [job.job_id for job in await jobs.active()] == [job.job_id for job in made[2:]]
    total, some = await jobs.page(offset=1, limit=2)
    assert (total, [job.job_id for job in some]) == (5, [made[3].job_id, made[2].job_id])
    assert (await jobs.page(state="done"))[0] == 1
    assert set(await jobs.several([made[0].job_id, "none"])) == {made[0].job_id}
    with pytest.raises(InvalidRequest, match="queued, running"):
        await jobs.page(state="lost")


async def test_where_the_library_is_private_jobs_are_counted_for_their_owner(
    database: Database,
) -> None:
    private = Jobs(database, private=True)
    job = await private.submit(upload("one"))
    assert (await private.tally(job.owner))["queued"].count == 1
    assert (await private.tally("f" * 64))["queued"].count == 0
    assert (await private.tally())["queued"].count == 1


async def known(jobs: Jobs, job: Any, name: str) -> Content | None:
    await jobs.begin(job.job_id, job.attempt, "fetch")
    return await jobs.content(job.job_id, job.attempt, content(name), 5)


async def test_a_link_whose_content_is_new_is_its_own(jobs: Jobs, samples: Samples) -> None:
    job = await jobs.submit(link("https://example.org/1"))
    own = Content(job.track_id, "own", job.job_id)
    assert await known(jobs, job, "one") == own
    assert await known(jobs, job, "one") == own
    sample = await samples.get(job.track_id)
    assert (sample.sha256, sample.size) == (content("one"), 5)
    assert (await jobs.submit(upload("one"))).job_id == job.job_id


async def test_a_link_to_a_content_that_is_there_ends_with_its_track(
    jobs: Jobs, samples: Samples
) -> None:
    track_id = await add(jobs, samples, "one")
    job = await jobs.submit(link("https://example.org/1"))
    found = await known(jobs, job, "one")
    assert found is not None
    assert (found.track_id, found.held) == (track_id, "ready")
    assert await jobs.done(job.job_id, 1)
    assert (await jobs.get(job.job_id)).track_id == track_id
    assert (await samples.page()).total == 1


async def test_a_link_to_a_content_that_is_worked_on_waits_and_takes_over(
    jobs: Jobs, samples: Samples
) -> None:
    first = await jobs.submit(upload("one"))
    second = await jobs.submit(link("https://example.org/1"))
    found = await known(jobs, second, "one")
    assert found == Content(first.track_id, "processing", first.job_id)
    assert (await samples.page()).total == 1
    await jobs.fail(first.job_id, 1, "internal", "…")
    assert await known(jobs, second, "one") == Content(first.track_id, "own", second.job_id)
    assert (await samples.get(first.track_id)).status == "processing"
    # Now the first would be the one that waits, and then finds it ready.
    again = await jobs.retry(first.job_id)
    found = await known(jobs, again, "one")
    assert found == Content(first.track_id, "processing", second.job_id)
    assert await finish(jobs, samples, await jobs.get(second.job_id)) == first.track_id
    found = await known(jobs, again, "one")
    assert found is not None
    assert found.held == "ready"


async def test_links_to_one_content_at_once_make_one_track(
    others: list[Jobs], samples: Samples
) -> None:
    made = [await others[0].submit(link(f"https://example.org/{n}")) for n in range(6)]
    asked = [known(others[n % 3], job, "one") for n, job in enumerate(made)]
    found = [one for one in await asyncio.gather(*asked) if one]
    assert len(found) == 6
    assert len({one.track_id for one in found}) == 1
    assert sorted(one.held for one in found) == ["own"] + ["processing"] * 5
    assert (await samples.page()).total == 1


async def test_a_link_that_leads_to_something_else_when_it_is_tried_again(
    jobs: Jobs, samples: Samples
) -> None:
    track_id = await add(jobs, samples, "one")
    job = await jobs.submit(link("https://example.org/1"))
    assert (await known(jobs, job, "one")) == Content(
        track_id, "ready", (await samples.get(track_id)).job_id
    )
    await jobs.cancel(job.job_id)
    job = await jobs.retry(job.job_id)
    found = await known(jobs, job, "two")
    assert found is not None
    assert found.held == "own"
    assert found.track_id != track_id
    assert (await samples.get(track_id)).status == "ready"
    assert await finish(jobs, samples, await jobs.get(job.job_id)) == found.track_id


async def test_what_was_deleted_under_a_worker_tells_it_to_stop(
    jobs: Jobs, samples: Samples
) -> None:
    job = await jobs.submit(upload("one"))
    await jobs.begin(job.job_id, 1, "decode")
    assert (await samples.delete(job.track_id)).workflow_ids == [f"{job.job_id}.1"]
    assert await jobs.begin(job.job_id, 1, "analyse") is None
    assert not await samples.finish(job.job_id, 1, {}, {})
    with pytest.raises(JobNotFound):
        await jobs.get(job.job_id)
    assert (await jobs.submit(upload("one"))).track_id == job.track_id + 1
