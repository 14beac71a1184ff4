"""Who made what a source holds: kept, and asked for again after seven days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select

from engine.library.database import Database
from engine.library.records import fit, now
from engine.library.sources.source import Creator as Told
from engine.library.tables import CreatorRow

GOOD_FOR = timedelta(days=7)
_LONGEST_HANDLE = 255


@dataclass(frozen=True)
class Creator(Told):
    """What a source told of somebody, and when."""

    asked_at: datetime | None = None


class Creators:
    """All who were ever asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, source: str, handle: str) -> Creator | None:
        """What the source told within the last seven days; None: ask it."""
        creator = await self.last(source, handle)
        if creator is None or creator.asked_at is None or now() - creator.asked_at > GOOD_FOR:
            return None
        return creator

    async def last(self, source: str, handle: str) -> Creator | None:
        """What the source last told, however long ago: for when it does not answer."""
        which = (CreatorRow.source == source, CreatorRow.handle == _fit(handle))
        async with self._database.reading() as connection:
            row = (await connection.execute(select(CreatorRow).where(*which))).one_or_none()
        if row is None:
            return None
        return Creator(row.source, row.handle, row.name, row.url, row.facts, row.asked_at)

    async def keep(self, creator: Creator) -> Creator:
        """Keep what a source has just told, instead of what it told before."""
        row = {
            "source": creator.source,
            "handle": _fit(creator.handle),
            "name": fit(creator.name),
            "url": fit(creator.url),
            "facts": fit(dict(creator.facts)),
            "asked_at": now(),
        }
        which = (CreatorRow.source == row["source"], CreatorRow.handle == row["handle"])
        async with self._database.writing() as connection:
            await self._database.lock(connection, f"creator {row['source']} {row['handle']}")
            await connection.execute(delete(CreatorRow).where(*which))
            await connection.execute(insert(CreatorRow).values(row))
        return Creator(**row)


def _fit(handle: str) -> str:
    return str(fit(handle))[:_LONGEST_HANDLE]
