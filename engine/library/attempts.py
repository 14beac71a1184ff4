"""What a worker tells of an attempt that it makes, step by step.

Each is one transaction that compares the attempt and the state and sets what follows. False or None
tells that the job is no longer this attempt's: cancelled, deleted or begun anew; the worker stops
and stores nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.library.contents import Content, settle
from engine.library.database import Database
from engine.library.quota import Quota
from engine.library.records import Failure, Job, announce, fit, job_of, now, once_free
from engine.library.tables import ACTIVE, JobRow, SampleRow, State, Status, StepRow


@dataclass(frozen=True)
class Begun:
    """A step: how often it was begun, in all attempts and in this one; what it gave, once ended."""

    runs: int
    runs_of_attempt: int
    result: dict[str, Any] | None


class Attempts:
    """Jobs, as those who do them see them."""

    def __init__(self, database: Database, quota: Quota) -> None:
        self._database = database
        self._quota = quota

    async def begin(
        self, job_id: str, attempt: int, step: str, progress: float | None = None
    ) -> Begun | None:
        """A step begins, which is counted; with its result where its end is written down already,
        and then it is not to be run again. None: the job is no longer this attempt's."""
        async with self._database.writing() as connection:
            told = {"step": step} | ({} if progress is None else {"progress": progress})
            started = func.coalesce(JobRow.started_at, now())
            if not await _tell(
                connection, job_id, attempt, state="running", started_at=started, **told
            ):
                return None
            return await _begin(connection, job_id, attempt, step)

    async def progress(self, job_id: str, attempt: int, step: str, progress: float) -> bool:
        """How far the job is, 0 … 1, and in which step."""
        async with self._database.writing() as connection:
            return await _tell(connection, job_id, attempt, step=step, progress=progress)

    async def end(self, job_id: str, attempt: int, step: str, result: Mapping[str, Any]) -> bool:
        """Write down what a step gave: it is not run again, by a later attempt neither."""
        async with self._database.writing() as connection:
            if not await _tell(connection, job_id, attempt):
                return False
            ended = await connection.execute(
                update(StepRow)
                .where(StepRow.job_id == job_id, StepRow.step == step)
                .values(result=fit(dict(result)), ended_at=now())
            )
            return bool(ended.rowcount)

    async def steps(self, job_id: str) -> dict[str, Begun]:
        """Every step that was begun."""
        asked = select(StepRow).where(StepRow.job_id == job_id).order_by(StepRow.began_at)
        async with self._database.reading() as connection:
            return {row.step: _begun(row) for row in await connection.execute(asked)}

    async def content(self, job_id: str, attempt: int, sha256: str, size: int) -> Content | None:
        """Tell what a job's content turned out to be, before an object of it is stored, and whose
        it is. None: the job is no longer this attempt's. Raises `StorageUnavailable` as `submit`
        does."""

        async def call() -> Content | None:
            async with self._database.writing() as connection:
                return await settle(
                    self._database, self._quota, connection, job_id, attempt, sha256, size
                )

        return await once_free(call)

    async def done(self, job_id: str, attempt: int) -> bool:
        """The job has ended well. False: it is no longer this attempt's."""
        async with self._database.writing() as connection:
            ended = now()
            told = await _tell(
                connection, job_id, attempt, state="done", progress=1.0, ended_at=ended
            )
            return told or await _is(connection, job_id, attempt, "done")

    async def fail(self, job_id: str, attempt: int, code: str, message: str) -> bool:
        """The job has failed, for a reason with a name. False: it is no longer this attempt's."""
        async with self._database.writing() as connection:
            asked = select(JobRow).where(JobRow.job_id == job_id, JobRow.attempt == attempt)
            row = (await connection.execute(asked.with_for_update())).one_or_none()
            if row is None or row.state not in ACTIVE:
                return row is not None and row.state == "failed"
            failure = Failure(fit(code), fit(message))
            await end_job(connection, job_of(row), "failed", "failed", failure)
            return True


async def end_job(
    connection: AsyncConnection,
    job: Job,
    state: State,
    status: Status,
    failure: Failure | None = None,
) -> None:
    """End a job, whose row is held, otherwise than well."""
    at = now()
    await connection.execute(
        update(JobRow)
        .where(JobRow.job_id == job.job_id)
        .values(
            state=state,
            updated_at=at,
            ended_at=at,
            error_code=failure and failure.code,
            error_message=failure and failure.message,
        )
    )
    await tell_sample(connection, job, status)


async def tell_sample(connection: AsyncConnection, job: Job, status: Status) -> None:
    """A job's sample is no longer what it was; where another job makes it, it stays that."""
    own = (SampleRow.track_id == job.track_id, SampleRow.job_id == job.job_id)
    before = await connection.scalar(select(SampleRow.status).where(*own).with_for_update())
    if before is not None:
        await connection.execute(update(SampleRow).where(*own).values(status=status))
    if before == "ready":
        await announce(connection, job.track_id, "gone")


async def _tell(connection: AsyncConnection, job_id: str, attempt: int, **values: Any) -> bool:
    """Set values of a job where it is still this attempt's."""
    told = await connection.execute(
        update(JobRow)
        .where(JobRow.job_id == job_id, JobRow.attempt == attempt, JobRow.state.in_(ACTIVE))
        .values(updated_at=now(), **values)
    )
    return bool(told.rowcount)


async def _is(connection: AsyncConnection, job_id: str, attempt: int, state: State) -> bool:
    asked = select(JobRow.state).where(JobRow.job_id == job_id, JobRow.attempt == attempt)
    return bool(await connection.scalar(asked) == state)


async def _begin(connection: AsyncConnection, job_id: str, attempt: int, step: str) -> Begun:
    """Count a run of a step of a job whose row is held."""
    this = (StepRow.job_id == job_id, StepRow.step == step)
    row = (await connection.execute(select(StepRow).where(*this))).one_or_none()
    if row is not None and row.ended_at is not None:
        return _begun(row)
    counted = {"attempt": attempt, "began_at": now()}
    if row is None:
        counted |= {"job_id": job_id, "step": step, "runs": 1, "runs_of_attempt": 1}
        await connection.execute(insert(StepRow).values(counted))
    else:
        before = row.runs_of_attempt if row.attempt == attempt else 0
        counted |= {"runs": row.runs + 1, "runs_of_attempt": before + 1}
        await connection.execute(update(StepRow).where(*this).values(counted))
    return _begun((await connection.execute(select(StepRow).where(*this))).one())


def _begun(row: Any) -> Begun:
    ended = row.ended_at is not None
    return Begun(row.runs, row.runs_of_attempt, (row.result or {}) if ended else None)
