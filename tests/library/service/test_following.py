"""`library/service/following.py`: news of jobs, to each who waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from engine.library.records import Job
from engine.library.service.following import Following
from engine.library.tables import State

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_job(state: State) -> Job:
    nothing = dict.fromkeys(
        ("step", "error", "url", "sha256", "upload_key", "size", "started_at", "ended_at")
    )
    return Job(
        job_id="a" * 32,
        attempt=1,
        state=state,
        progress=0.0,
        track_id=1,
        owner="",
        source="upload",
        fields={},
        enqueued_attempt=1,
        created_at=NOW,
        updated_at=NOW,
        **nothing,
    )


def test_who_follows_hears_each_change_and_the_end() -> None:
    job = a_job(state="queued")
    looks = [{job.job_id: replace(job, state="running")}, {job.job_id: replace(job, state="done")}]
    assert told(job, looks) == ["queued", "running", "done"]


def test_a_job_that_is_deleted_with_its_track_ends_for_who_follows() -> None:
    assert told(a_job(state="running"), [{}]) == ["running", "cancelled"]


def told(job: Job, looks: list[dict[str, Job]]) -> list[str]:
    """The states that are heard of a job while the database answers with one of `looks` after
    another."""

    async def ask(_: Iterable[str]) -> Mapping[str, Job]:
        return looks.pop(0)

    async def run() -> list[str]:
        following = Following(ask)
        heard = [one.state async for one in following.follow(job) if one is not None]
        following.close()
        return heard

    return asyncio.run(run())
