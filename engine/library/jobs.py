"""What somebody asks for → a job, written down before it is answered, and everything it meets.

    queued → running → done · failed · cancelled        failed, cancelled → queued (a next attempt)

Every step from one state to another is one transaction that compares the state (and, for a worker,
the attempt) and sets the next: of a retry, a cancellation and an end that meet, one is first and
the others see it. Each bears to be asked for twice with the same result, as a commit may have come
through whose connection broke.
"""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.base.errors import InvalidRequest, JobFinished, JobNotFound, Overloaded
from engine.library.attempts import Attempts, end_job, tell_sample
from engine.library.contents import Content, forget_ends
from engine.library.database import Database
from engine.library.ledger import queued, queued_again
from engine.library.quota import Quota
from engine.library.records import (
    NAMES,
    Failure,
    Job,
    announce,
    come_back,
    fit,
    hold_content,
    hold_library,
    job_of,
    keep_words,
    named_in,
    now,
    once_free,
)
from engine.library.tables import ACTIVE, STATES, JobRow, SampleRow, State
from engine.library.words import plain

__all__ = ["Content", "Failure", "Job", "Jobs", "Submission"]

# The first attempts follow when they are asked for; then each waits twice as long as the one
# before, from the end of that: what fails so often is not helped by haste, and costs a worker.
AT_ONCE, FIRST_WAIT_S, LONGEST_WAIT_S = 5, 15.0, 3_600.0
_AGAIN: tuple[State, ...] = ("failed", "cancelled")
# Of a submission, what its sample is called from the beginning.
_TOLD = (*NAMES, "year", "genre", "licence")


@dataclass(frozen=True)
class Submission:
    """What is asked for: a file that lies in the store already, or a link."""

    owner: str  # digest of the key, in hex; "" where there are no keys
    source: str  # upload, link, youtube…
    url: str | None = None
    sha256: str | None = None
    upload_key: str | None = None
    size: int | None = None  # bytes
    fields: Mapping[str, Any] = field(default_factory=dict)  # title, artist, album, year…


@dataclass(frozen=True)
class Tally:
    """How many jobs there are, and when last something changed of the one that is longest as it
    is."""

    count: int = 0
    oldest: datetime | None = None

    @property
    def oldest_s(self) -> float:
        """For how many seconds it has been so; 0 where there is none."""
        return 0.0 if self.oldest is None else max(0.0, (now() - self.oldest).total_seconds())


class Jobs(Attempts):
    """All jobs of a library, as callers and the queue see them, and as those who do them.

    `owner` is who asks: where the library is private, others' jobs are not there for them; None
    asks for all, as a worker does.
    """

    def __init__(
        self, database: Database, *, private: bool = False, quota: Quota | None = None
    ) -> None:
        super().__init__(database, quota or Quota(database))
        self._private = private

    # What callers ask.

    async def submit(self, submission: Submission) -> Job:
        """Write a job down, or find the one there is: of the same content, put back into the queue
        where it had failed or was cancelled; of the same link, while it is worked on.

        Raises `QuotaExceeded` for a new one, `Overloaded` (429) as `retry` does, and
        `StorageUnavailable` where an earlier file of this content is being removed and does not
        end.
        """
        return await once_free(lambda: self._submit(submission))

    async def admit(self, submission: Submission) -> None:
        """Raises `QuotaExceeded` where `submit` would; a content that is known costs nothing."""
        scope = self._scope(submission)
        async with self._database.reading() as connection:
            known = await connection.scalar(_of_content(scope, submission.sha256))
        if known is None:
            await self._quota.check(submission.owner, submission.size or 0)

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """Raises `JobNotFound`."""
        async with self._database.reading() as connection:
            return job_of(await self._row(connection, select(JobRow), job_id, owner))

    async def several(self, job_ids: Iterable[str]) -> dict[str, Job]:
        """Those of these jobs that there are: one question for all who watch."""
        asked = select(JobRow).where(JobRow.job_id.in_(list(job_ids)))
        async with self._database.reading() as connection:
            return {row.job_id: job_of(row) for row in await connection.execute(asked)}

    async def page(
        self,
        owner: str | None = None,
        *,
        state: str | None = None,
        offset: int = 0,
        limit: int = 20,
    ) -> tuple[int, list[Job]]:
        """How many jobs there are, and `limit` of them from `offset` on, newest first."""
        if state is not None and state not in STATES:
            raise InvalidRequest(f"state={state[:50]!r} is none of {', '.join(STATES)}.")
        asked = select(JobRow)
        if self._private and owner is not None:
            asked = asked.where(JobRow.owner == owner)
        if state is not None:
            asked = asked.where(JobRow.state == state)
        newest = asked.order_by(JobRow.created_at.desc(), JobRow.job_id)
        async with self._database.reading() as connection:
            counted = select(func.count()).select_from(asked.subquery())
            total = await connection.scalar(counted)
            rows = await connection.execute(newest.offset(offset).limit(limit))
            return total or 0, [job_of(row) for row in rows]

    async def cancel(self, job_id: str, owner: str | None = None) -> Job:
        """Raises `JobNotFound`, and `JobFinished` where it has ended otherwise."""
        async with self._database.writing() as connection:
            job = await self._held(connection, job_id, owner)
            if job.state == "cancelled":
                return job
            if job.state not in ACTIVE:
                raise JobFinished(f"This job is {job.state}: there is nothing to cancel.")
            await end_job(connection, job, "cancelled", "cancelled")
            return await self._now(connection, job_id)

    async def retry(self, job_id: str, owner: str | None = None) -> Job:
        """Put what failed or was cancelled back into the queue. A job that is active stays as it
        is. Raises `JobNotFound`, `JobFinished` where it is done, and `Overloaded` (429) where it
        was tried so often that the next attempt has to wait."""
        async with self._database.writing() as connection:
            job = await self._held(connection, job_id, owner)
            if job.state in ACTIVE:
                return job
            if job.state == "done":
                raise JobFinished("This job is done: its track is in the library.")
            _refuse_hasty(job)
            await _requeue(connection, job)
            return await self._now(connection, job_id)

    async def mend(self, job_id: str, attempt: int) -> Job:
        """What a job that is done had made is made anew: files of it are gone, or cut. A job that
        is no longer that attempt's stays as it is. Raises `JobNotFound`."""
        async with self._database.writing() as connection:
            job = await self._held(connection, job_id, None)
            if job.attempt == attempt and job.state == "done":
                await _requeue(connection, job)
                await forget_ends(connection, job_id, but=("fetch",))
            return await self._now(connection, job_id)

    async def begin_anew(self, job_id: str, attempt: int) -> Job:
        """The next attempt in the place of one that nobody can go on with; a job that is no longer
        that attempt's stays as it is. Raises `JobNotFound`."""
        async with self._database.writing() as connection:
            job = await self._held(connection, job_id, None)
            if job.attempt == attempt and job.state in ACTIVE:
                await _requeue(connection, job)
            return await self._now(connection, job_id)

    # What the queue asks.

    async def not_enqueued(self, older_than_s: float = 1.0, limit: int = 1_000) -> list[Job]:
        """Queued jobs of which the engine was not told for so long, oldest first: whoever wrote
        them down was killed before."""
        before = now() - timedelta(seconds=older_than_s)
        return await self._all(
            select(JobRow)
            .where(JobRow.state == "queued", JobRow.updated_at <= before)
            .where(JobRow.enqueued_attempt < JobRow.attempt)
            .order_by(JobRow.updated_at)
            .limit(limit)
        )

    async def active(self) -> list[Job]:
        """What is queued or running, oldest first."""
        asked = select(JobRow).where(JobRow.state.in_(ACTIVE))
        return await self._all(asked.order_by(JobRow.created_at))

    async def tally(self, owner: str | None = None) -> dict[State, Tally]:
        """How many jobs are in each state, and since when nothing is new of one of them."""
        asked = select(JobRow.state, func.count(), func.min(JobRow.updated_at))
        if self._private and owner is not None:
            asked = asked.where(JobRow.owner == owner)
        async with self._database.reading() as connection:
            rows = await connection.execute(asked.group_by(JobRow.state))
            found = {state: Tally(count, oldest) for state, count, oldest in rows}
        return {state: found.get(state, Tally()) for state in STATES}

    def _scope(self, submission: Submission) -> str:
        return submission.owner if self._private else ""

    async def _submit(self, submission: Submission) -> Job:
        scope = self._scope(submission)
        async with self._database.writing() as connection:
            await hold_library(self._database, connection, scope)
            known = await self._known(connection, scope, submission)
            if known is None:
                await self._quota.spend(connection, submission.owner, submission.size or 0)
                known = await _write(connection, scope, submission)
            return await self._now(connection, known)

    async def _known(
        self, connection: AsyncConnection, scope: str, submission: Submission
    ) -> str | None:
        """The id of the job that there is of the same content, or of the same link."""
        if submission.sha256 is None:
            asked = select(JobRow.job_id).where(
                JobRow.scope == scope,
                JobRow.url_digest == _digest(submission.url),
                JobRow.state.in_(ACTIVE),
            )
            return cast("str | None", await connection.scalar(asked.limit(1)))
        await hold_content(self._database, connection, submission.sha256)
        await come_back(connection, submission.sha256)
        asked_row = _of_content(scope, submission.sha256).with_for_update(of=JobRow)
        row = (await connection.execute(asked_row)).one_or_none()
        if row is None:
            return None
        await _told_again(connection, row.track_id, submission)
        if row.state in _AGAIN:
            # The file was sent again, whatever became of what was stored before.
            _refuse_hasty(job_of(row))
            await _requeue(connection, job_of(row), upload_key=submission.upload_key)
        return str(row.job_id)

    async def _held(self, connection: AsyncConnection, job_id: str, owner: str | None) -> Job:
        """A job that nobody else changes until the transaction ends."""
        asked = select(JobRow).with_for_update()
        return job_of(await self._row(connection, asked, job_id, owner))

    async def _row(
        self,
        connection: AsyncConnection,
        asked: Select[JobRow],
        job_id: str,
        owner: str | None,
    ) -> Row[Any]:
        row = (await connection.execute(asked.where(JobRow.job_id == fit(job_id)))).one_or_none()
        others = self._private and owner is not None
        if row is None or (others and cast("Any", row).owner != owner):
            raise JobNotFound(f"There is no job {job_id[:50]!r}. See /docs for how one is made.")
        return cast("Row[Any]", row)

    async def _now(self, connection: AsyncConnection, job_id: str) -> Job:
        asked = select(JobRow).where(JobRow.job_id == job_id)
        return job_of((await connection.execute(asked)).one())

    async def _all(self, asked: Select[JobRow]) -> list[Job]:
        async with self._database.reading() as connection:
            return [job_of(row) for row in await connection.execute(asked)]


async def _told_again(connection: AsyncConnection, track_id: int, submission: Submission) -> None:
    """Who sends a track of theirs again with names says what it is to be called from now on.

    Audio that its source withholds stays withheld; what was uploaded its owner may share again.
    """
    values, shared = named_in(submission.fields, _TOLD), submission.fields.get("audio_shared")
    if not values and shared is None:
        return
    which = (SampleRow.track_id == track_id, SampleRow.owner == submission.owner)
    asked = select(SampleRow).where(*which).with_for_update()
    sample: Any = (await connection.execute(asked)).one_or_none()
    if sample is None:
        return
    if shared is not None:
        values["audio_shared"] = shared and (sample.audio_shared or sample.source == "upload")
    if "creator" in values:
        values["creator_plain"] = plain(values["creator"])
    await connection.execute(update(SampleRow).where(*which).values(values))
    names = (values.get(name, getattr(sample, name)) for name in NAMES)
    await keep_words(connection, track_id, names)
    if sample.status == "ready":
        await announce(connection, track_id, "ready")


def _of_content(scope: str, sha256: str | None) -> Select[Any]:
    """The job of the track that is of a content."""
    joined = select(JobRow).join(SampleRow, SampleRow.job_id == JobRow.job_id)
    return joined.where(SampleRow.scope == scope, SampleRow.sha256 == sha256)


async def _write(connection: AsyncConnection, scope: str, submission: Submission) -> str:
    """A new sample and its job; the id of that."""
    job_id, told = uuid.uuid4().hex, fit(dict(submission.fields))
    at = now()
    names = named_in(told, _TOLD)
    creator = names.get("creator")
    sample = {
        "owner": submission.owner,
        "scope": scope,
        "status": "processing",
        "job_id": job_id,
        "details": {},
        "sha256": submission.sha256,
        "size": submission.size,
        "source": submission.source,
        "url": fit(submission.url),
        "audio_shared": told.get("audio_shared") is not False,
        "downloads": 0,
        "objects": {},
        "matches": [],
        "created_at": at,
        "creator_plain": plain(creator) if creator else None,
        **names,
    }
    inserted = insert(SampleRow).values(sample).returning(SampleRow.track_id)
    track_id = (await connection.execute(inserted)).scalar_one()
    await keep_words(connection, track_id, (names.get(name) for name in NAMES))
    job = {
        "job_id": job_id,
        "track_id": track_id,
        "owner": submission.owner,
        "scope": scope,
        "source": submission.source,
        "url": fit(submission.url),
        "url_digest": _digest(submission.url),
        "sha256": submission.sha256,
        "upload_key": submission.upload_key,
        "size": submission.size,
        "fields": told,
        **queued(at),
    }
    await connection.execute(insert(JobRow).values(job))
    return job_id


def _refuse_hasty(job: Job) -> None:
    """Raises `Overloaded` (429)."""
    more = job.attempt - AT_ONCE
    if more < 0 or job.ended_at is None:
        return
    wait_s = min(FIRST_WAIT_S * 2.0 ** min(more, 20), LONGEST_WAIT_S)
    left_s = math.ceil(wait_s - (now() - job.ended_at).total_seconds())
    if left_s > 0:
        raise Overloaded(
            f"This job was tried {job.attempt} times. It can be tried again in {left_s} s.",
            retry_after_s=left_s,
            own_rate=True,
        )


async def _requeue(connection: AsyncConnection, job: Job, upload_key: str | None = None) -> None:
    """The next attempt of a job that failed or was cancelled, whose row is held."""
    await connection.execute(
        update(JobRow)
        .where(JobRow.job_id == job.job_id)
        .values(upload_key=upload_key or job.upload_key, **queued_again(job.attempt))
    )
    # What these gave were rows, and the rows have changed since.
    await forget_ends(connection, job.job_id, only=("catalogue", "clean"))
    await tell_sample(connection, job, "processing")


def _digest(url: str | None) -> str | None:
    return None if url is None else hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()
