"""Rows of jobs and of their steps, whatever the jobs are: what a worker tells of an attempt.

Each is one transaction that compares the attempt and the state and sets what follows. False or None
tells that the job is no longer this attempt's: cancelled, deleted or begun anew; the worker stops
and stores nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.library.database import Database
from engine.library.records import Failure, fit, now
from engine.library.tables import ACTIVE, JobRow, State, StepRow


@dataclass(frozen=True)
class Begun:
    """A step: how often it was begun, in all attempts and in this one; what it gave, once ended."""

    runs: int
    runs_of_attempt: int
    result: dict[str, Any] | None


class Ledger:
    """Two tables, one with the columns of `Attempted`, one with those of `Stepped`: who keeps other
    jobs than the library's names theirs."""

    job_rows: ClassVar[Any] = JobRow
    step_rows: ClassVar[Any] = StepRow

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, job_id: str, attempt: int, step: str, progress: float | None = None
    ) -> Begun | None:
        """A step begins, which is counted; with its result where its end is written down already,
        and then it is not to be run again. None: the job is no longer this attempt's."""
        async with self._database.writing() as connection:
            told = {"step": step} | ({} if progress is None else {"progress": progress})
            started = func.coalesce(self.job_rows.started_at, now())
            if not await self._tell(
                connection, job_id, attempt, state="running", started_at=started, **told
            ):
                return None
            return await self._begin(connection, job_id, attempt, step)

    async def progress(self, job_id: str, attempt: int, step: str, progress: float) -> bool:
        """How far the job is, 0 … 1, and in which step."""
        async with self._database.writing() as connection:
            return await self._tell(connection, job_id, attempt, step=step, progress=progress)

    async def end(self, job_id: str, attempt: int, step: str, result: Mapping[str, Any]) -> bool:
        """Write down what a step gave: it is not run again, by a later attempt neither."""
        steps = self.step_rows
        async with self._database.writing() as connection:
            if not await self._tell(connection, job_id, attempt):
                return False
            ended = await connection.execute(
                update(steps)
                .where(steps.job_id == job_id, steps.step == step)
                .values(result=fit(dict(result)), ended_at=now())
            )
            return bool(ended.rowcount)

    async def steps(self, job_id: str) -> dict[str, Begun]:
        """Every step that was begun."""
        steps = self.step_rows
        asked = select(steps).where(steps.job_id == job_id).order_by(steps.began_at)
        async with self._database.reading() as connection:
            return {row.step: _begun(row) for row in await connection.execute(asked)}

    async def done(self, job_id: str, attempt: int) -> bool:
        """The job has ended well. False: it is no longer this attempt's."""
        async with self._database.writing() as connection:
            ended = now()
            told = await self._tell(
                connection, job_id, attempt, state="done", progress=1.0, ended_at=ended
            )
            return told or await self._is(connection, job_id, attempt, "done")

    async def enqueued(self, job_id: str, attempt: int) -> None:
        """The workers' engine knows of this attempt."""
        jobs = self.job_rows
        async with self._database.writing() as connection:
            await connection.execute(
                update(jobs)
                .where(jobs.job_id == job_id, jobs.enqueued_attempt < attempt)
                .values(enqueued_attempt=attempt)
            )

    async def _tell(
        self, connection: AsyncConnection, job_id: str, attempt: int, **values: Any
    ) -> bool:
        """Set values of a job where it is still this attempt's."""
        jobs = self.job_rows
        told = await connection.execute(
            update(jobs)
            .where(jobs.job_id == job_id, jobs.attempt == attempt, jobs.state.in_(ACTIVE))
            .values(updated_at=now(), **values)
        )
        return bool(told.rowcount)

    async def _is(self, connection: AsyncConnection, job_id: str, attempt: int, state: str) -> bool:
        jobs = self.job_rows
        asked = select(jobs.state).where(jobs.job_id == job_id, jobs.attempt == attempt)
        return bool(await connection.scalar(asked) == state)

    async def _begin(
        self, connection: AsyncConnection, job_id: str, attempt: int, step: str
    ) -> Begun:
        """Count a run of a step of a job whose row is held."""
        steps = self.step_rows
        this = (steps.job_id == job_id, steps.step == step)
        row = (await connection.execute(select(steps).where(*this))).one_or_none()
        if row is not None and row.ended_at is not None:
            return _begun(row)
        counted = {"attempt": attempt, "began_at": now()}
        if row is None:
            counted |= {"job_id": job_id, "step": step, "runs": 1, "runs_of_attempt": 1}
            await connection.execute(insert(steps).values(counted))
        else:
            before = row.runs_of_attempt if row.attempt == attempt else 0
            counted |= {"runs": row.runs + 1, "runs_of_attempt": before + 1}
            await connection.execute(update(steps).where(*this).values(counted))
        return _begun((await connection.execute(select(steps).where(*this))).one())


def queued(at: datetime) -> dict[str, Any]:
    """What a new job's row holds of its first attempt."""
    return {
        "attempt": 1,
        "state": "queued",
        "progress": 0.0,
        "enqueued_attempt": 0,
        "created_at": at,
        "updated_at": at,
    }


def queued_again(attempt: int) -> dict[str, Any]:
    """What the row of a job becomes whose last attempt is this one, for the next."""
    return {
        "attempt": attempt + 1,
        "state": "queued",
        "step": None,
        "progress": 0.0,
        "error_code": None,
        "error_message": None,
        "updated_at": now(),
        "started_at": None,
        "ended_at": None,
    }


def ended(state: State, failure: Failure | None) -> dict[str, Any]:
    """What the row of a job becomes that ends otherwise than well."""
    at = now()
    return {
        "state": state,
        "updated_at": at,
        "ended_at": at,
        "error_code": failure and failure.code,
        "error_message": failure and failure.message,
    }


def _begun(row: Any) -> Begun:
    ended = row.ended_at is not None
    return Begun(row.runs, row.runs_of_attempt, (row.result or {}) if ended else None)
