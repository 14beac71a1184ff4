"""What a worker tells of an attempt that it makes of a track, step by step (see `ledger`): also
what its content turned out to be, and what becomes of its sample."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.library.contents import Content, settle
from engine.library.database import Database
from engine.library.ledger import Ledger, ended
from engine.library.quota import Quota
from engine.library.records import Failure, Job, announce, fit, job_of, once_free
from engine.library.tables import ACTIVE, JobRow, SampleRow, State, Status


class Attempts(Ledger):
    """Jobs, as those who do them see them."""

    def __init__(self, database: Database, quota: Quota) -> None:
        super().__init__(database)
        self._quota = quota

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
    which = JobRow.job_id == job.job_id
    await connection.execute(update(JobRow).where(which).values(ended(state, failure)))
    await tell_sample(connection, job, status)


async def tell_sample(connection: AsyncConnection, job: Job, status: Status) -> None:
    """A job's sample is no longer what it was; where another job makes it, it stays that."""
    own = (SampleRow.track_id == job.track_id, SampleRow.job_id == job.job_id)
    before = await connection.scalar(select(SampleRow.status).where(*own).with_for_update())
    if before is not None:
        await connection.execute(update(SampleRow).where(*own).values(status=status))
    if before == "ready":
        await announce(connection, job.track_id, "gone")
