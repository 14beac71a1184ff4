"""What workers do for sessions, from state to state, as the library's jobs go.

reference   queued as the session begins
take        queued when it is asked for; given to a worker once its reference is ready
words       of a track, for whoever asks
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from sqlalchemy import delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from engine.base.errors import JobFinished, JobNotFound
from engine.library.database import Database
from engine.library.ledger import Ledger, ended, queued, queued_again
from engine.library.records import Failure, fit, now
from engine.library.tables import ACTIVE, State
from engine.voice.records import VoiceJob, voice_job_of
from engine.voice.tables import Kind, VoiceJobRow, VoiceStepRow


class VoiceJobs(Ledger):
    """Of one kind, as a worker's line of work sees them, or of all. `owner` None asks for all."""

    job_rows: ClassVar[Any] = VoiceJobRow
    step_rows: ClassVar[Any] = VoiceStepRow

    def __init__(self, database: Database, kind: Kind | None = None) -> None:
        super().__init__(database)
        self._mine = [] if kind is None else [VoiceJobRow.kind == kind]

    async def get(self, job_id: str, owner: str | None = None) -> VoiceJob:
        """Raises `JobNotFound`."""
        asked = select(VoiceJobRow).where(VoiceJobRow.job_id == fit(job_id))
        async with self._database.reading() as connection:
            row = (await connection.execute(asked)).one_or_none()
        return _theirs(row, job_id, owner)

    async def several(self, job_ids: Iterable[str]) -> dict[str, VoiceJob]:
        asked = select(VoiceJobRow).where(VoiceJobRow.job_id.in_(list(job_ids)), *self._mine)
        async with self._database.reading() as connection:
            return {row.job_id: voice_job_of(row) for row in await connection.execute(asked)}

    async def active(self) -> list[VoiceJob]:
        asked = select(VoiceJobRow).where(VoiceJobRow.state.in_(ACTIVE), *self._mine)
        return await self._all(asked.order_by(VoiceJobRow.created_at))

    async def not_enqueued(self, older_than_s: float = 1.0, limit: int = 1_000) -> list[VoiceJob]:
        """Queued jobs of which the workers' engine was not told for so long: whoever wrote them
        down was killed before, or the reference of a take was not ready."""
        before = now() - timedelta(seconds=older_than_s)
        return await self._all(
            select(VoiceJobRow)
            .where(VoiceJobRow.state == "queued", VoiceJobRow.updated_at <= before, *self._mine)
            .where(VoiceJobRow.enqueued_attempt < VoiceJobRow.attempt, _may_begin())
            .order_by(VoiceJobRow.updated_at)
            .limit(limit)
        )

    async def may_begin(self, job_id: str) -> bool:
        """Whether a worker can do a job that is queued: a take waits for its reference."""
        asked = select(exists().where(VoiceJobRow.job_id == job_id, _may_begin()))
        async with self._database.reading() as connection:
            return bool(await connection.scalar(asked))

    async def cancel(self, job_id: str, owner: str | None = None) -> VoiceJob:
        """Raises `JobNotFound`, and `JobFinished` where it has ended otherwise."""
        async with self._database.writing() as connection:
            job = await _held(connection, job_id, owner)
            if job.state != "cancelled":
                if not job.is_active:
                    raise JobFinished(f"This job is {job.state}: there is nothing to cancel.")
                await end(connection, job, "cancelled", "cancelled", "It was cancelled.")
            return await _held(connection, job_id, owner)

    async def begin_anew(self, job_id: str, attempt: int) -> VoiceJob:
        """The next attempt in the place of one that nobody can go on with. Raises `JobNotFound`."""
        async with self._database.writing() as connection:
            job = await _held(connection, job_id, None)
            if job.attempt == attempt and job.is_active:
                await queue_again(connection, job, job.asked, forget=())
            return await _held(connection, job_id, None)

    async def fail(self, job_id: str, attempt: int, code: str, message: str) -> bool:
        """The job has failed, and what waits for it too. False: it is no longer this attempt's."""
        async with self._database.writing() as connection:
            asked = select(VoiceJobRow).where(VoiceJobRow.job_id == job_id).with_for_update()
            row = (await connection.execute(asked)).one_or_none()
            if row is None or row.attempt != attempt:
                return False
            job = voice_job_of(row)
            if not job.is_active:
                return job.state == "failed"
            await end(connection, job, "failed", fit(code), fit(message))
            return True

    async def tell(self, job_id: str, attempt: int, result: Mapping[str, Any]) -> bool:
        """What a job gave, where it is still this attempt's."""
        async with self._database.writing() as connection:
            return await self._tell(connection, job_id, attempt, result=fit(dict(result)))

    async def of_track(self, track_id: int, kind: Kind = "words") -> VoiceJob | None:
        """The last one that was asked for."""
        asked = select(VoiceJobRow).where(
            VoiceJobRow.track_id == track_id, VoiceJobRow.kind == kind
        )
        found = await self._all(asked.order_by(VoiceJobRow.created_at.desc()).limit(1))
        return found[0] if found else None

    async def add_words(self, owner: str, track_id: int, asked: Mapping[str, Any]) -> VoiceJob:
        """Hear the words of a track; the job there is where it is at it, or has done it."""
        async with self._database.writing() as connection:
            await self._database.lock(connection, f"voice words {track_id}")
            known = (
                select(VoiceJobRow)
                .where(VoiceJobRow.track_id == track_id, VoiceJobRow.kind == "words")
                .where(VoiceJobRow.state.in_((*ACTIVE, "done")))
                .limit(1)
            )
            row = (await connection.execute(known)).one_or_none()
            if row is not None:
                return voice_job_of(row)
            made = await add(connection, "words", owner, asked, track_id=track_id)
            return await _held(connection, made, None)

    async def _all(self, asked: Any) -> list[VoiceJob]:
        async with self._database.reading() as connection:
            return [voice_job_of(row) for row in await connection.execute(asked)]


async def add(
    connection: AsyncConnection,
    kind: Kind,
    owner: str,
    asked: Mapping[str, Any],
    *,
    session_id: str | None = None,
    track_id: int | None = None,
) -> str:
    """A new job, queued; its id."""
    job_id = uuid.uuid4().hex
    await connection.execute(
        insert(VoiceJobRow).values(
            job_id=job_id,
            kind=kind,
            session_id=session_id,
            track_id=track_id,
            owner=owner,
            asked=fit(dict(asked)),
            **queued(now()),
        )
    )
    return job_id


async def queue_again(
    connection: AsyncConnection,
    job: VoiceJob,
    asked: Mapping[str, Any],
    *,
    forget: Iterable[str] | None,
) -> None:
    """The next attempt of a job whose row is held. Of what steps told, that of those in `forget` is
    forgotten, or all of it where that is None."""
    which = [VoiceStepRow.job_id == job.job_id]
    if forget is not None:
        which.append(VoiceStepRow.step.in_(tuple(forget)))
    await connection.execute(delete(VoiceStepRow).where(*which))
    await connection.execute(
        update(VoiceJobRow)
        .where(VoiceJobRow.job_id == job.job_id)
        .values(asked=fit(dict(asked)), **queued_again(job.attempt))
    )


async def end(
    connection: AsyncConnection, job: VoiceJob, state: State, code: str, message: str
) -> None:
    """End a job otherwise than well; a take whose reference cannot be made ready ends with it."""
    which = VoiceJobRow.job_id == job.job_id
    if job.kind == "reference" and job.session_id is not None:
        waiting = (VoiceJobRow.kind == "take") & (VoiceJobRow.state == "queued")
        which = or_(which, waiting & (VoiceJobRow.session_id == job.session_id))
    told = ended(state, Failure(code, message))
    await connection.execute(update(VoiceJobRow).where(which).values(told))


async def of_session(connection: AsyncConnection, session_id: str) -> dict[Kind, VoiceJob]:
    """A session's jobs by their kinds."""
    asked = select(VoiceJobRow).where(VoiceJobRow.session_id == session_id)
    jobs = [voice_job_of(row) for row in await connection.execute(asked)]
    return {job.kind: job for job in jobs}


def _may_begin() -> Any:
    """A take's reference is ready; others wait for nothing."""
    other = aliased(VoiceJobRow)
    ready = exists().where(
        other.session_id == VoiceJobRow.session_id,
        other.kind == "reference",
        other.state == "done",
    )
    return or_(VoiceJobRow.kind != "take", ready)


async def _held(connection: AsyncConnection, job_id: str, owner: str | None) -> VoiceJob:
    asked = select(VoiceJobRow).where(VoiceJobRow.job_id == fit(job_id)).with_for_update()
    row = (await connection.execute(asked)).one_or_none()
    return _theirs(row, job_id, owner)


def _theirs(row: Any, job_id: str, owner: str | None) -> VoiceJob:
    if row is None or (owner is not None and row.owner != owner):
        raise JobNotFound(
            f"There is no task {job_id[:50]!r}. POST a track_id to "
            "/api/lyrics/word-timestamps/generate: its answer names one."
        )
    return voice_job_of(row)
