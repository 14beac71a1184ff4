"""`engine/library/database.py`: transactions, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest
from postgres import Postgres
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from engine.base.errors import DatabaseFull, DatabaseUnavailable, SettingsError
from engine.library.database import Database, waiting
from engine.library.tables import FeedRow, UsageRow

pytestmark = pytest.mark.anyio

ROW = {"owner": "", "day": "2026-11-28", "jobs": 1, "size": 1}


async def counted(database: Database) -> int:
    async with database.reading() as connection:
        return int(await connection.scalar(select(func.count()).select_from(UsageRow)) or 0)


async def test_what_raises_leaves_nothing_behind(database: Database) -> None:
    async def write() -> None:
        async with database.writing() as connection:
            await connection.execute(insert(UsageRow).values(ROW))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write()
    assert await counted(database) == 0


async def test_who_reads_and_then_writes_is_never_overtaken(database_url: str) -> None:
    """Two processes' worth of connections add one a hundred times, by what they have read."""
    databases = [await Database.open(database_url) for _ in range(2)]

    async def add(database: Database) -> None:
        async with database.writing() as connection:
            await database.lock(connection, "feed")
            revision = await connection.scalar(select(FeedRow.revision))
            await connection.execute(update(FeedRow).values(revision=(revision or 0) + 1))

    await asyncio.gather(*(add(database) for database in databases for _ in range(50)))
    async with databases[0].reading() as connection:
        assert await connection.scalar(select(FeedRow.revision)) == 100
    for database in databases:
        await database.close()


async def test_a_reader_does_not_wait_for_a_writer(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(insert(UsageRow).values(ROW))
        assert await asyncio.wait_for(counted(database), 1) == 0
    assert await counted(database) == 1


async def test_a_secret_is_the_same_for_every_process(database_url: str) -> None:
    databases = [await Database.open(database_url) for _ in range(3)]
    told = await asyncio.gather(*(database.secret("links") for database in databases))
    assert len(set(told)) == 1
    assert len(told[0]) == 32
    assert await databases[0].secret("cookies") != told[0]
    for database in databases:
        await database.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://db/x", "library.db"])
async def test_an_address_that_is_none_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^SHAZAM_DATABASE .*postgresql://shazam@db/shazam$"):
        await Database.open(url)


async def test_a_password_is_not_told() -> None:
    with pytest.raises(DatabaseUnavailable) as failed:
        await Database.open("postgresql://shazam:secret@127.0.0.1:1/library")
    assert "secret" not in failed.value.message


async def test_a_file_that_is_locked_for_long_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.library.connecting.BUSY_S", 0.2)
    database = await Database.open(f"sqlite:///{tmp_path}/library.sqlite")
    other = sqlite3.connect(tmp_path / "library.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable) as failed:
        async with database.writing():
            pass
    assert failed.value.headers() == {"Retry-After": "2"}
    other.execute("ROLLBACK")
    other.close()
    async with database.writing():
        pass
    await database.close()


async def test_a_mistake_of_ours_is_not_told_as_a_database_that_is_away(database: Database) -> None:
    with pytest.raises(DBAPIError, match="absent"):
        async with database.reading() as connection:
            await connection.execute(text("SELECT 1 FROM absent"))


@pytest.mark.parametrize("taken_away", [False, True], ids=["replaced", "gone"])
async def test_a_file_that_goes_is_told_and_no_empty_one_takes_its_place(
    tmp_path: Path, taken_away: bool
) -> None:
    path, away = tmp_path / "library.sqlite", tmp_path / "away.sqlite"
    database = await Database.open(f"sqlite:///{path}")
    async with database.writing() as connection:
        await connection.execute(insert(UsageRow).values(ROW))
    path.rename(away)
    if not taken_away:
        path.write_bytes(b"")
    for ask in (database.ready, lambda: counted(database), lambda: database.secret("links")):
        with pytest.raises(DatabaseUnavailable, match="is gone, or another is in its place"):
            await ask()
    assert path.exists() != taken_away
    away.rename(path)
    assert await counted(database) == 1
    await database.close()


async def test_a_disk_that_is_full_is_named(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite:///{tmp_path}/library.sqlite")

    async def fill() -> None:
        async with database.writing() as connection:
            pages = await connection.scalar(text("PRAGMA page_count"))
            await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            long = {**ROW, "owner": "x" * 100_000}
            await connection.execute(insert(UsageRow).values(long))

    with pytest.raises(DatabaseFull, match="disk of the database is full") as full:
        await fill()
    assert (full.value.code, full.value.status) == ("storage_full", 507)
    await database.close()


async def test_waiting_tries_again_while_the_database_is_away() -> None:
    tries: list[DatabaseUnavailable] = []

    async def call() -> str:
        if len(tries) < 2:
            raise DatabaseUnavailable("away")
        return "back"

    assert await waiting(call, within_s=5, told=tries.append) == "back"
    assert len(tries) == 2


async def test_waiting_has_an_end() -> None:
    async def call() -> str:
        raise DatabaseUnavailable("away")

    with pytest.raises(DatabaseUnavailable):
        await waiting(call, within_s=0.3)


@pytest.mark.skipif(not os.environ.get("NO_SKIP"), reason="needs a PostgreSQL server")
async def test_a_server_that_is_away_and_comes_back_on_postgresql() -> None:
    server = Postgres()
    try:
        database = await Database.open(server.create())
        await database.ready()
        server.stop()
        with pytest.raises(DatabaseUnavailable):
            await database.ready()
        back = asyncio.create_task(waiting(database.ready, within_s=20))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.start)
        await back
        await database.close()
    finally:
        server.close()
