"""`SHAZAM_DATABASE` → connections to SQLite or PostgreSQL, and what their failures are called."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from engine.base.database import which_file
from engine.base.errors import DatabaseFull, DatabaseUnavailable, SettingsError

# How long a writer of SQLite waits for another, and a caller for a connection or for PostgreSQL.
BUSY_S = 15
CONNECT_S = 5
# A server that no longer answers is noticed: the system would wait for minutes.
_POSTGRESQL = {
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
    "application_name": "shazam-visual",
}
# What SQLite reports by these is a mistake of ours, whatever else is its file or its disk.
_MISTAKES = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE}

# An option of a connection: its transactions take SQLite's lock of the one writer at once.
IMMEDIATE = "immediate"


def parsed(url: str) -> URL:
    """The address, its driver not chosen yet; the folder of a SQLite file is made. Raises
    `SettingsError`."""
    with contextlib.suppress(ArgumentError):
        address = make_url(url)
        if address.drivername == "postgresql":
            return address
        if address.drivername == "sqlite" and address.database not in (None, "", ":memory:"):
            Path(str(address.database)).parent.mkdir(parents=True, exist_ok=True)
            return address
    raise SettingsError(
        "SHAZAM_DATABASE names no database that we know. Examples: "
        "SHAZAM_DATABASE=sqlite:///build/studio/library.sqlite, "
        "SHAZAM_DATABASE=postgresql://shazam@db/shazam"
    )


class Place:
    """The file of a SQLite database, as it was when it was opened. One that is taken away, or that
    another is put in the place of, must not be followed by an empty one: what would be accepted
    from then on would be in the one or in the other."""

    def __init__(self, address: URL) -> None:
        sqlite = address.drivername == "sqlite"
        self._path = Path(str(address.database)) if sqlite else None
        self._file = which_file(self._path) if self._path else None

    def check(self) -> None:
        """Raises `DatabaseUnavailable`."""
        if self._path is not None and which_file(self._path) != self._file:
            raise DatabaseUnavailable(
                "The file of the database is gone, or another is in its place (SHAZAM_DATABASE). "
                "Bring it back, and start the service and its workers anew.",
                retry_after_s=60,
            )


def engine_of(address: URL) -> AsyncEngine:
    if address.drivername != "sqlite":
        return create_async_engine(
            address.set(drivername="postgresql+psycopg"),
            connect_args=_POSTGRESQL,
            pool_pre_ping=True,
            pool_timeout=CONNECT_S,
        )
    engine = create_async_engine(
        address.set(drivername="sqlite+aiosqlite"),
        connect_args={"timeout": BUSY_S},
        pool_timeout=BUSY_S,
    )
    _listen(engine.sync_engine)
    return engine


def blocking_engine_of(address: URL) -> Engine:
    """For what is done once, at the start: each of its connections is a new one."""
    if address.drivername != "sqlite":
        return create_engine(
            address.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args=_POSTGRESQL,
        )
    engine = create_engine(address, poolclass=NullPool, connect_args={"timeout": 4 * BUSY_S})
    _listen(engine)
    event.listen(engine, "connect", _write_ahead)
    return engine


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Failures of a database that is away or locked → `DatabaseUnavailable`, of one whose disk is
    full → `DatabaseFull`."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        if not _is_away(error):
            raise
        if _is_full(error):
            raise DatabaseFull(
                "The disk of the database is full: free some of it, then try again. Nothing that "
                "was accepted is lost.",
                retry_after_s=10,
            ) from error
        raise DatabaseUnavailable(
            "The database does not answer. Nothing that was accepted is lost; try again shortly.",
            retry_after_s=2,
        ) from error


def _is_away(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            return code not in _MISTAKES and not isinstance(error, IntegrityError)
        away = isinstance(error, OperationalError | InterfaceError)
        return away or bool(error.connection_invalidated)
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) not in _MISTAKES
    return isinstance(error, PoolTimeout | OSError)


def _is_full(error: Exception) -> bool:
    said = error.orig if isinstance(error, DBAPIError) else error
    # Extended codes have the plain one in their last eight bits; 53100 is PostgreSQL's disk_full.
    return (
        getattr(said, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        or getattr(said, "sqlstate", None) == "53100"
        or getattr(said, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
    )


def _listen(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)


def _prepare(connection: Any, _record: object) -> None:
    # Python's sqlite3 would begin a transaction of its own, and only before the first write.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    # What was answered with 202 is on the disk, whatever happens to the machine.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get(IMMEDIATE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _write_ahead(connection: sqlite3.Connection, _record: object) -> None:
    """Readers beside a writer, from now on. Of several who ask at once SQLite tells some that it is
    busy without waiting."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
