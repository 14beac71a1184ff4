"""A job's content is known → whose track it is: its own, or one that is there or being made.

One content is one track of a library. An upload's is known before there is a job; a link's only
once it was fetched, when its job may find that somebody else was first.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.library.database import Database
from engine.library.quota import Quota
from engine.library.records import come_back, hold_content, hold_library, leave, named_in, now
from engine.library.tables import ACTIVE, JobRow, SampleRow, StepRow


@dataclass(frozen=True)
class Content:
    """Whose a content is.

    `own`: this job makes the track. `ready`: the track is in the library, and the job has nothing
    left to do but to end. `processing`: the job `job_id` makes it; ask again in a little, it may
    fail, and then the track is this job's.
    """

    track_id: int
    held: Literal["own", "ready", "processing"]
    job_id: str


async def settle(
    database: Database,
    quota: Quota,
    connection: AsyncConnection,
    job_id: str,
    attempt: int,
    sha256: str,
    size: int,
) -> Content | None:
    """In one transaction, tell an attempt whose its content is. None: it is no longer this
    attempt's. Raises `BeingRemoved`."""
    scope = await connection.scalar(select(JobRow.scope).where(JobRow.job_id == job_id))
    await hold_library(database, connection, scope or "")
    await hold_content(database, connection, sha256)
    held = select(JobRow).where(JobRow.job_id == job_id, JobRow.attempt == attempt)
    job: Any = (await connection.execute(held.with_for_update())).one_or_none()
    if job is None or job.state not in ACTIVE:
        return None
    await come_back(connection, sha256)
    if job.sha256 is None:
        await quota.add(connection, job.owner, size)
    told = {"sha256": sha256, "size": size, "updated_at": now()}
    await connection.execute(update(JobRow).where(JobRow.job_id == job_id).values(told))
    there = await _sample(connection, SampleRow.scope == scope, SampleRow.sha256 == sha256)
    if there is None:
        return await _own(connection, job, sha256, size)
    if there.track_id != job.track_id:
        await _join(connection, job, there.track_id)
    return await _held(connection, job, there)


async def forget_ends(
    connection: AsyncConnection,
    job_id: str,
    *,
    only: Collection[str] = (),
    but: Collection[str] = (),
) -> None:
    """Let steps whose end is written down be run again."""
    which = [StepRow.job_id == job_id, StepRow.step.not_in(but)]
    if only:
        which.append(StepRow.step.in_(only))
    await connection.execute(update(StepRow).where(*which).values(result=None, ended_at=None))


async def _sample(connection: AsyncConnection, *which: Any) -> Any:
    asked = select(SampleRow).where(*which).with_for_update()
    return (await connection.execute(asked)).one_or_none()


async def _own(connection: AsyncConnection, job: Any, sha256: str, size: int) -> Content:
    """Nobody has this content: it becomes that of the job's sample."""
    mine = await _sample(connection, SampleRow.track_id == job.track_id)
    track_id = int(job.track_id)
    if mine.job_id != job.job_id:
        # It had joined another's track, and what its link leads to has changed since.
        track_id = await _another(connection, mine, job)
    told = {"sha256": sha256, "size": size}
    which = SampleRow.track_id == track_id
    await connection.execute(update(SampleRow).where(which).values(told))
    if job.sha256 not in (None, sha256):
        await forget_ends(connection, job.job_id, but=("fetch",))
        await leave(connection, job.sha256)
    return Content(track_id, "own", job.job_id)


async def _another(connection: AsyncConnection, joined: Any, job: Any) -> int:
    """A sample for a job that has none of its own."""
    names = named_in(job.fields, ("title", "artist"))
    row = {
        "owner": job.owner,
        "scope": job.scope,
        "status": "processing",
        "job_id": job.job_id,
        **{name: names.get(name) for name in ("title", "artist")},
        "details": {},
        "source": job.source,
        "url": job.url,
        "audio_shared": job.fields.get("audio_shared") is not False,
        "downloads": 0,
        "objects": {},
        "matches": [],
        "created_at": now(),
    }
    inserted = insert(SampleRow).values(row).returning(SampleRow.track_id)
    track_id = int((await connection.execute(inserted)).scalar_one())
    this = JobRow.job_id == job.job_id
    await connection.execute(update(JobRow).where(this).values(track_id=track_id))
    return track_id


async def _join(connection: AsyncConnection, job: Any, track_id: int) -> None:
    """A job's track is the one that is there; its own sample goes, and with it what it had."""
    this = JobRow.job_id == job.job_id
    await connection.execute(update(JobRow).where(this).values(track_id=track_id))
    mine = (SampleRow.track_id == job.track_id, SampleRow.job_id == job.job_id)
    gone = delete(SampleRow).where(*mine).returning(SampleRow.sha256)
    left = (await connection.execute(gone)).one_or_none()
    if left is not None:
        await leave(connection, left.sha256)


async def _held(connection: AsyncConnection, job: Any, there: Any) -> Content:
    if there.status == "ready":
        return Content(there.track_id, "ready", there.job_id)
    if there.job_id != job.job_id:
        asked = select(JobRow.state).where(JobRow.job_id == there.job_id).with_for_update()
        if await connection.scalar(asked) in ACTIVE:
            return Content(there.track_id, "processing", there.job_id)
    taken = {"job_id": job.job_id, "status": "processing"}
    which = SampleRow.track_id == there.track_id
    await connection.execute(update(SampleRow).where(which).values(taken))
    return Content(there.track_id, "own", job.job_id)
