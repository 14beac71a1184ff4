"""What was made of a reference, remembered by its content while somebody needs it.

A content's row is found or made under a lock of its name. Its objects lie under its id, not its
digest: one that is let go of is found no more, and a later one of the same content has another id,
so that nothing that is being made can be removed by who tidies.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, exists, insert, select, update

from engine.library.database import Database
from engine.library.records import fit, now
from engine.library.tables import SampleRow
from engine.voice.tables import ReferenceRow, SessionRow

FOLDER = "voice/references"
# One that no session names may be about to be named.
YOUNG = timedelta(minutes=30)


@dataclass(frozen=True)
class Reference:
    """`facts` are what each step told of it."""

    reference_id: str
    sha256: str
    facts: Mapping[str, dict[str, Any]]

    def key(self, name: str) -> str:
        return f"{FOLDER}/{self.reference_id}/{name}"


class References:
    """For workers; any of them, at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_content(self, sha256: str, *, lasting: bool) -> Reference:
        """What there is of a content, or the beginning of it."""
        async with self._database.writing() as connection:
            await self._database.lock(connection, f"voice reference {sha256}")
            asked = select(ReferenceRow).where(
                ReferenceRow.sha256 == sha256, ReferenceRow.gone.is_(False)
            )
            row = (await connection.execute(asked.limit(1))).one_or_none()
            if row is None:
                made = Reference(uuid.uuid4().hex, sha256, {})
                told = {"reference_id": made.reference_id, "sha256": sha256, "facts": {}}
                await connection.execute(
                    insert(ReferenceRow).values(**told, lasting=lasting, used_at=now(), gone=False)
                )
                return made
            used = {"used_at": now(), "lasting": row.lasting or lasting}
            this = ReferenceRow.reference_id == row.reference_id
            await connection.execute(update(ReferenceRow).where(this).values(used))
            return Reference(row.reference_id, row.sha256, row.facts)

    async def get(self, reference_id: str) -> Reference | None:
        asked = select(ReferenceRow).where(
            ReferenceRow.reference_id == reference_id, ReferenceRow.gone.is_(False)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(asked)).one_or_none()
        return None if row is None else Reference(row.reference_id, row.sha256, row.facts)

    async def tell(self, reference_id: str, step: str, told: Mapping[str, Any]) -> None:
        """What a step told of it, for all who sing it after."""
        async with self._database.writing() as connection:
            this = ReferenceRow.reference_id == reference_id
            asked = select(ReferenceRow.facts).where(this).with_for_update()
            facts = await connection.scalar(asked)
            if facts is not None:
                value = {**facts, step: fit(dict(told))}
                await connection.execute(
                    update(ReferenceRow).where(this).values(facts=value, used_at=now())
                )

    async def let_go(self, unused_since: timedelta) -> int:
        """Those that no session with audio names: of tracks that are there, once they were not used
        for so long; all others at once. Of how many."""
        named = exists().where(SessionRow.reference_id == ReferenceRow.reference_id)
        needed = named.where(SessionRow.silent_at.is_(None))
        at = now()
        # A track of the library that is deleted leaves nothing.
        held = ReferenceRow.lasting | exists().where(SampleRow.sha256 == ReferenceRow.sha256)
        old = ~held & (named | (ReferenceRow.used_at < at - YOUNG))
        unused = ReferenceRow.used_at < at - unused_since
        async with self._database.writing() as connection:
            gone = await connection.execute(
                update(ReferenceRow)
                .where(ReferenceRow.gone.is_(False), ~needed, old | unused)
                .values(gone=True)
            )
            return gone.rowcount

    async def gone(self) -> list[str]:
        """Those whose objects are to be removed."""
        asked = select(ReferenceRow.reference_id).where(ReferenceRow.gone.is_(True))
        async with self._database.reading() as connection:
            return list(await connection.scalars(asked))

    async def known(self) -> set[str]:
        async with self._database.reading() as connection:
            return set(await connection.scalars(select(ReferenceRow.reference_id)))

    async def forget(self, reference_id: str) -> None:
        """Its objects are removed."""
        this = (ReferenceRow.reference_id == reference_id, ReferenceRow.gone.is_(True))
        async with self._database.writing() as connection:
            await connection.execute(delete(ReferenceRow).where(*this))
