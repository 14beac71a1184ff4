"""Transactions on SQLite or PostgreSQL, the same for who writes them.

Every change of state is one transaction of `writing`. On SQLite that takes the one writer's lock at
its beginning, not at its first write: two that have read the same cannot then both write. On
PostgreSQL rows are compared and set (`UPDATE … WHERE state = …`), and where there is no row to hold
yet, `lock` holds a name.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from sqlalchemy import URL, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from engine.base.errors import DatabaseUnavailable
from engine.library.connecting import IMMEDIATE, Place, engine_of, parsed, translated
from engine.library.migrations.running import migrate
from engine.library.tables import SecretRow

Given = TypeVar("Given")

# Waits between two tries of `waiting`.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class Database:
    """The library's rows. Belongs to the event loop that first uses it; any number of processes
    may have one open."""

    def __init__(self, address: URL, engine: AsyncEngine) -> None:
        self._address, self._place = address, Place(address)
        self._engine = engine
        self._writer = engine.execution_options(**{IMMEDIATE: True})
        self.is_sqlite = address.drivername == "sqlite"
        # SQLite lets a lucky one of those who wait write next; within a process, the first.
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> Database:
        """Open, its tables brought to this version first. Raises `SettingsError` for an address
        that is none, `DatabaseUnavailable`, and `DatabaseTooNew`."""
        address = parsed(url)
        with translated():
            await asyncio.to_thread(migrate, address)
        return cls(address, engine_of(address))

    async def close(self) -> None:
        await self._engine.dispose()

    def __str__(self) -> str:
        return self._address.render_as_string(hide_password=True)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees what is committed. Raises `DatabaseUnavailable`."""
        self._place.check()
        with translated():
            async with self._engine.connect() as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction: all of it is there after the block, or, where that raises, nothing.

        Raises `DatabaseUnavailable`, `DatabaseFull`. Where that was during the commit nobody knows
        whether it came through, so what is written must bear to be written twice.
        """
        self._place.check()
        turn = self._turn if self.is_sqlite else contextlib.nullcontext()
        with translated():
            async with turn, self._writer.begin() as connection:
                yield connection

    async def lock(self, connection: AsyncConnection, name: str) -> None:
        """Hold `name` until the transaction ends; others that lock it wait. A writer of SQLite is
        alone anyway."""
        if not self.is_sqlite:
            digest = hashlib.sha256(name.encode()).digest()
            number = int.from_bytes(digest[:8], "big", signed=True)
            await connection.execute(select(func.pg_advisory_xact_lock(number)))

    async def ready(self) -> None:
        """Raises `DatabaseUnavailable` where no question would be answered now."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    async def secret(self, name: str) -> bytes:
        """32 random bytes, the same for every process, made when somebody first asks for them."""
        async with self.writing() as connection:
            await self.lock(connection, f"secret {name}")
            known = select(SecretRow.value).where(SecretRow.name == name)
            value: bytes | None = await connection.scalar(known)
            if value is None:
                value = secrets.token_bytes(32)
                await connection.execute(insert(SecretRow).values(name=name, value=value))
            return value


async def waiting(
    call: Callable[[], Awaitable[Given]],
    *,
    within_s: float = 120.0,
    told: Callable[[DatabaseUnavailable], None] | None = None,
) -> Given:
    """What `call` gives, tried again while the database is away, for `within_s` seconds; then its
    `DatabaseUnavailable`. `told` hears of each try that failed.

    `call` must bear to be made twice: a commit may have come through before its connection broke.
    """
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + within_s, _FIRST_PAUSE_S
    while True:
        try:
            return await call()
        except DatabaseUnavailable as error:
            if loop.time() + pause > deadline:
                raise
            if told:
                told(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)
