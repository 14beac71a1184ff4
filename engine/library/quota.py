"""How many tracks and bytes a key may add on a day (UTC).

Counted where a job is written down, in the same transaction; what is deleted later stays counted.
Where there are no keys, all callers are one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.base.errors import QuotaExceeded
from engine.library.database import Database
from engine.library.settings import LibrarySettings
from engine.library.tables import UsageRow


class Quota:
    """What of today is left to a key; 0 jobs, or 0 bytes, are no limit."""

    def __init__(self, database: Database, *, jobs: int = 0, size: int = 0) -> None:
        """`jobs` and `size` (bytes) are a day's, of one key."""
        self._database = database
        self._jobs, self._size = jobs, size

    @classmethod
    def of(cls, database: Database, settings: LibrarySettings) -> Quota:
        return cls(database, jobs=settings.quota_jobs, size=settings.quota_bytes)

    async def check(self, owner: str, size: int = 0) -> None:
        """Raises `QuotaExceeded` where a job of `size` bytes would be refused: told before they are
        stored."""
        if self._jobs or self._size:
            async with self._database.reading() as connection:
                self._refuse(*await _used(connection, owner), size)

    async def spend(self, connection: AsyncConnection, owner: str, size: int) -> None:
        """Count a job of `size` bytes, in the caller's transaction. Raises `QuotaExceeded`."""
        await self._database.lock(connection, f"quota {owner}")
        self._refuse(*await _used(connection, owner), size)
        await _count(connection, owner, 1, size)

    async def add(self, connection: AsyncConnection, owner: str, size: int) -> None:
        """Count the bytes that a link turned out to have. They are fetched: the next job is what is
        refused."""
        await self._database.lock(connection, f"quota {owner}")
        await _count(connection, owner, 0, size)

    async def send(self, owner: str, size: int) -> None:
        """Count bytes that are to be stored and are no track; 0 where a link is to be followed, of
        which nobody knows yet how many it has. Raises `QuotaExceeded`."""
        if self._size:
            async with self._database.writing() as connection:
                await self._database.lock(connection, f"quota {owner}")
                _, spent = await _used(connection, owner)
                self._refuse_bytes(spent, size)
                await _count(connection, owner, 0, size)

    async def bring(self, owner: str, size: int) -> None:
        """Count bytes that a link to no track turned out to have. They are fetched: what is sent or
        followed next is refused."""
        if self._size:
            async with self._database.writing() as connection:
                await self.add(connection, owner, size)

    def _refuse(self, jobs: int, spent: int, size: int) -> None:
        if self._jobs and jobs >= self._jobs:
            raise QuotaExceeded(
                f"All {self._jobs} tracks of today are added. More can be added from midnight "
                "(UTC) on.",
                retry_after_s=_until_tomorrow(),
            )
        self._refuse_bytes(spent, size)

    def _refuse_bytes(self, spent: int, size: int) -> None:
        if self._size and (spent >= self._size or spent + size > self._size):
            raise QuotaExceeded(
                f"Of today's {self._size} bytes {max(0, self._size - spent)} are left, which is "
                "too few. More can be added from midnight (UTC) on.",
                retry_after_s=_until_tomorrow(),
            )


async def _used(connection: AsyncConnection, owner: str) -> tuple[int, int]:
    row = (
        await connection.execute(
            select(UsageRow.jobs, UsageRow.size).where(
                UsageRow.owner == owner, UsageRow.day == _today()
            )
        )
    ).one_or_none()
    return (row.jobs, row.size) if row else (0, 0)


async def _count(connection: AsyncConnection, owner: str, jobs: int, size: int) -> None:
    day = _today()
    counted = await connection.execute(
        update(UsageRow)
        .where(UsageRow.owner == owner, UsageRow.day == day)
        .values(jobs=UsageRow.jobs + jobs, size=UsageRow.size + size)
    )
    if not counted.rowcount:
        row = {"owner": owner, "day": day, "jobs": jobs, "size": size}
        await connection.execute(insert(UsageRow).values(row))


def _now() -> datetime:
    return datetime.now(UTC)


def _today() -> str:
    return _now().date().isoformat()


def _until_tomorrow() -> int:
    """Seconds until the next day begins, at least 1."""
    now = _now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return max(1, int((midnight - now).total_seconds()) + 1)
