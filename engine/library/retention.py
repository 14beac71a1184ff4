"""What a library no longer needs: rows of what failed long ago, and objects that no sample names.

Objects are removed after the rows that named them are gone, so that a process that is killed in
between leaves an object too many and never a row too many. Who removes a content's objects claims
it first, and nobody begins to name it before that has ended.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from engine.library.database import Database
from engine.library.records import CLAIM_S, hold_content, hold_library, leave, named, now
from engine.library.tables import ACTIVE, JobRow, LeavingRow, SampleRow

_AT_ONCE = 200
_MOST_ASKED = 500


class Retention:
    """What a worker asks now and then."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire(self, ended_before: datetime) -> int:
        """Let go of what failed or was cancelled before then, and of jobs done before then whose
        track another job made; of how many. Their contents become leavings."""
        expired = 0
        while jobs := await self._expired(ended_before):
            for job_id, scope in jobs:
                expired += await self._let_go(job_id, scope, ended_before)
            if len(jobs) < _AT_ONCE:
                break
        return expired

    async def leavings(self, limit: int = 1_000) -> list[str]:
        """Contents (sha256) whose objects are to be removed, oldest first."""
        asked = select(LeavingRow.sha256).where(_unclaimed()).order_by(LeavingRow.since)
        async with self._database.reading() as connection:
            return list(await connection.scalars(asked.limit(limit)))

    async def knows_any(self) -> bool:
        """Whether there is any sample at all."""
        async with self._database.reading() as connection:
            return bool(await connection.scalar(select(exists(select(SampleRow.track_id)))))

    async def unknown(self, sha256s: Iterable[str]) -> set[str]:
        """Those of these contents that no sample names: objects whose row was never written."""
        asked = sorted(set(sha256s))
        known: set[str | None] = set()
        async with self._database.reading() as connection:
            for begin in range(0, len(asked), _MOST_ASKED):
                these = SampleRow.sha256.in_(asked[begin : begin + _MOST_ASKED])
                known.update(await connection.scalars(select(SampleRow.sha256).where(these)))
        return set(asked) - known

    @contextlib.asynccontextmanager
    async def removing(self, sha256: str, *, failed: bool = False) -> AsyncIterator[bool]:
        """Inside, whether the objects of a content may be removed: no sample names it (with
        `failed`: none but such as failed), and none will before this has ended. It has `CLAIM_S`
        seconds. Where the block raises, they are leavings still."""
        remover = uuid.uuid4().hex
        free = await self._claim(sha256, remover, failed)
        try:
            yield free
        except BaseException:
            if free:
                await self._unclaim(sha256, remover)
            raise
        if free:
            mine = (LeavingRow.sha256 == sha256, LeavingRow.remover == remover)
            async with self._database.writing() as connection:
                await connection.execute(delete(LeavingRow).where(*mine))

    async def _expired(self, ended_before: datetime) -> list[tuple[str, str]]:
        asked = select(JobRow.job_id, JobRow.scope).where(*_past(ended_before)).limit(_AT_ONCE)
        async with self._database.reading() as connection:
            return [(row.job_id, row.scope) for row in await connection.execute(asked)]

    async def _let_go(self, job_id: str, scope: str, ended_before: datetime) -> bool:
        async with self._database.writing() as connection:
            await hold_library(self._database, connection, scope)
            # It may have been tried again meanwhile.
            gone = (
                delete(JobRow)
                .where(JobRow.job_id == job_id, *_past(ended_before))
                .returning(JobRow.track_id)
            )
            track_id = (await connection.execute(gone)).scalar_one_or_none()
            if track_id is None:
                return False
            mine = (SampleRow.track_id == track_id, SampleRow.job_id == job_id)
            sample = delete(SampleRow).where(*mine).returning(SampleRow.sha256)
            left = (await connection.execute(sample)).one_or_none()
            if left is not None:
                await leave(connection, left.sha256)
            return True

    async def _claim(self, sha256: str, remover: str, failed: bool = False) -> bool:
        async with self._database.writing() as connection:
            await hold_content(self._database, connection, sha256)
            if await named(connection, sha256, but="failed" if failed else None):
                await connection.execute(delete(LeavingRow).where(LeavingRow.sha256 == sha256))
                return False
            return await _claimed(connection, sha256, remover)

    async def _unclaim(self, sha256: str, remover: str) -> None:
        mine = (LeavingRow.sha256 == sha256, LeavingRow.remover == remover)
        async with self._database.writing() as connection:
            await connection.execute(
                update(LeavingRow).where(*mine).values(remover=None, claimed_at=None)
            )


def _unclaimed() -> Any:
    return or_(
        LeavingRow.claimed_at.is_(None), LeavingRow.claimed_at < now() - timedelta(seconds=CLAIM_S)
    )


async def _claimed(connection: AsyncConnection, sha256: str, remover: str) -> bool:
    """Whether this remover has it now: nobody else does, or not for long."""
    claim = {"remover": remover, "claimed_at": now()}
    which = LeavingRow.sha256 == sha256
    if await connection.scalar(select(exists().where(which))):
        taken = await connection.execute(
            update(LeavingRow).where(which, _unclaimed()).values(claim)
        )
        return bool(taken.rowcount)
    await connection.execute(insert(LeavingRow).values(sha256=sha256, since=now(), **claim))
    return True


def _past(ended_before: datetime) -> list[Any]:
    """Jobs that ended before then and of which nothing is kept: not those that made a track, nor
    where another job is at their track."""
    other = aliased(JobRow)
    at_it = exists().where(
        other.track_id == JobRow.track_id,
        other.job_id != JobRow.job_id,
        other.state.in_(ACTIVE),
    )
    made = exists().where(SampleRow.job_id == JobRow.job_id)
    return [
        JobRow.ended_at < ended_before,
        or_(JobRow.state.in_(("failed", "cancelled")), (JobRow.state == "done") & ~made),
        ~at_it,
    ]
