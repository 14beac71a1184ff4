"""A worker's row that says it lives, and how another tells that it does not.

A row goes by compare-and-set alone: whoever removes one has declared its worker dead, and the
worker learns it when it next says that it lives. Clocks of two machines are never compared: a
worker that says nothing new for `DEAD_S` of the observer's own clock is dead, and one of the same
machine whose process is gone is dead at once.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select, update

from engine.library.database import Database
from engine.library.tables import WorkerRow

BEAT_S = 2.0
# Longer than a database may be away; and so long before, a worker that cannot say it lives stops.
DEAD_S = 40.0
STOPS_S = 30.0


@dataclass(frozen=True)
class Seen:
    """A worker as its row tells."""

    worker: str
    beat_at: datetime
    facts: dict[str, Any]


class Lease:
    """This worker's row, and what it sees of others'."""

    def __init__(
        self, database: Database, changing: Callable[[], Mapping[str, Any]] = dict, **facts: Any
    ) -> None:
        """Its row tells `facts`, and what is `changing` as it is each time that it is renewed."""
        self.worker = f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._database, self._changing = database, changing
        self._facts = {**facts, "machine": _machine(), "pid": os.getpid(), "born": _born("self")}
        # When each was last seen to say something new, by this process's clock.
        self._seen: dict[str, tuple[datetime, float]] = {}

    async def take(self) -> None:
        now = datetime.now(UTC)
        async with self._database.writing() as connection:
            await connection.execute(
                insert(WorkerRow).values(
                    worker=self.worker, started_at=now, beat_at=now, facts=self._told()
                )
            )

    async def renew(self) -> bool:
        """Say that it lives; False where another has declared it dead."""
        mine = update(WorkerRow).where(WorkerRow.worker == self.worker)
        async with self._database.writing() as connection:
            now = datetime.now(UTC)
            done = await connection.execute(mine.values(beat_at=now, facts=self._told()))
            return done.rowcount > 0

    def _told(self) -> dict[str, Any]:
        return {**self._facts, **self._changing()}

    async def leave(self) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(WorkerRow).where(WorkerRow.worker == self.worker))

    async def others(self) -> list[Seen]:
        """All but this one, also the dead."""
        asked = select(WorkerRow.worker, WorkerRow.beat_at, WorkerRow.facts)
        async with self._database.reading() as connection:
            found = await connection.execute(asked.where(WorkerRow.worker != self.worker))
            return [Seen(*row) for row in found.all()]

    def forget(self) -> None:
        """After trouble with the database: who said nothing meanwhile may not have been able to."""
        self._seen.clear()

    def is_dead(self, other: Seen) -> bool:
        now = time.monotonic()
        beat_at, since = self._seen.get(other.worker, (other.beat_at, now))
        if beat_at != other.beat_at:
            since = now
        self._seen[other.worker] = (other.beat_at, since)
        return now - since > DEAD_S or _is_gone(other.facts)

    async def bury(self, other: Seen) -> bool:
        """Declare it dead; False where it said something new, or somebody else was faster."""
        dead = delete(WorkerRow).where(
            WorkerRow.worker == other.worker, WorkerRow.beat_at == other.beat_at
        )
        async with self._database.writing() as connection:
            done = await connection.execute(dead)
        self._seen.pop(other.worker, None)
        return done.rowcount > 0


def _is_gone(facts: dict[str, Any]) -> bool:
    """Whether it is a process of this machine that ended."""
    here, pid = facts.get("machine"), facts.get("pid")
    return here is not None and here == _machine() and _born(str(pid)) != facts.get("born")


def _machine() -> str | None:
    """What processes that see each other's numbers have in common; None where nothing tells."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _born(pid: str) -> str | None:
    """When a process began, in the system's ticks: numbers of processes are used again. None where
    there is none, or only what is left of it until its parent looks."""
    try:
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else numbers[18]
