"""Processes that work, and whether they still do: each says so every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from engine.library.database import Database
from engine.library.records import fit, now
from engine.library.tables import WorkerRow


@dataclass(frozen=True)
class Worker:
    """A process by its name, and when it last said that it lives."""

    worker: str
    started_at: datetime
    beat_at: datetime
    facts: dict[str, Any]  # host, pid, version, how many jobs at once…


class Workers:
    """All who ever said so and have not left."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, worker: str, facts: Mapping[str, Any] | None = None) -> None:
        """This worker lives."""
        told = {"beat_at": now()} | ({} if facts is None else {"facts": fit(dict(facts))})
        async with self._database.writing() as connection:
            await self._database.lock(connection, f"worker {worker}")
            which = WorkerRow.worker == worker
            beaten = await connection.execute(update(WorkerRow).where(which).values(told))
            if not beaten.rowcount:
                first = {"worker": worker, "started_at": told["beat_at"], "facts": {}}
                await connection.execute(insert(WorkerRow).values(first | told))

    async def alive(self, within_s: float = 30.0) -> list[Worker]:
        """Those who said so in the last `within_s` seconds."""
        return await self._those(WorkerRow.beat_at >= now() - timedelta(seconds=within_s))

    async def lost(self, within_s: float = 30.0) -> list[Worker]:
        """Those who have not, and have not left: what they were at is to be taken over."""
        return await self._those(WorkerRow.beat_at < now() - timedelta(seconds=within_s))

    async def leave(self, worker: str) -> None:
        """This worker has ended, and whatever it was at is somebody else's."""
        async with self._database.writing() as connection:
            await connection.execute(delete(WorkerRow).where(WorkerRow.worker == worker))

    async def _those(self, which: ColumnElement[bool]) -> list[Worker]:
        asked = select(WorkerRow).where(which).order_by(WorkerRow.started_at, WorkerRow.worker)
        async with self._database.reading() as connection:
            return [
                Worker(row.worker, row.started_at, row.beat_at, row.facts)
                for row in await connection.execute(asked)
            ]
