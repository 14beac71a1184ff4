"""DBOS as this service uses it: names that never change, its tables, its connections.

What is written here is what a row in DBOS's tables means, so it is pinned: a process of another
version finds its own workflows by these names, or leaves others alone by them.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import psycopg
from dbos import DBOSClient, DBOSPortableJSONSerializer
from sqlalchemy import URL, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from engine.base.database import which_file
from engine.base.errors import ShazamError

# What a workflow of this code does and in which order. It changes with the steps, their order or
# what they answer; deploy/README.md tells how workers of two versions follow each other.
PIPELINE = "1"
APPLICATION = "shazam-library"
WORKFLOW = "library.track"
QUEUE = "library.tracks"
# A job's steps, in their order; each is known by its number, from 1 on.
STEPS = ("fetch", "decode", "analyse", "waveform", "listen", "store", "catalogue", "clean")


@dataclass(frozen=True)
class Named:
    """What one line of work is called at DBOS, for ever: its workflow, and the queue of these."""

    workflow: str
    queue: str


TRACKS = Named(WORKFLOW, QUEUE)
# A link waits for another's server, which costs no core: it has places of its own, and of these
# one key has so many, so that slow ones keep neither files nor others' links waiting.
LINKS = Named(WORKFLOW, "library.links")
LINKS_AT_ONCE, LINKS_OF_ONE = 8, 4
# A worker that dies is no fault of a recording, but one that ends ten of them is.
MOST_RECOVERIES = 10
# What steps answer, as JSON: by pickles whoever writes to the database would run code here.
SERIALIZER = DBOSPortableJSONSerializer()

_BUSY_S = 30.0
_CONNECT_S = 5
# What of SQLite's troubles ends by itself, or when somebody frees some disk.
_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}
# A server that no longer answers is noticed: the system would wait for minutes.
_POSTGRESQL = {
    "connect_timeout": _CONNECT_S,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
    "application_name": APPLICATION,
}


def workflow_id(job_id: str, attempt: int) -> str:
    return f"{job_id}.{attempt}"


def job_of(workflow: str) -> tuple[str, int]:
    """The job and the attempt that a workflow is of."""
    job_id, _, attempt = workflow.rpartition(".")
    return job_id, int(attempt)


def address_of(database: str) -> URL:
    """`SHAZAM_DATABASE` → where DBOS's tables are: in a schema of the same PostgreSQL database, or
    in a file beside that of SQLite, which knows one writer at a time."""
    address = make_url(database)
    if address.drivername != "sqlite":
        return address.set(drivername="postgresql+psycopg")
    path = Path(str(address.database))
    return address.set(database=f"{path.with_suffix('.dbos')}{path.suffix}")


def file_of(database: str) -> Path | None:
    """The file of DBOS's tables, where they are in one."""
    address = address_of(database)
    return Path(str(address.database)) if address.drivername == "sqlite" else None


def engine_for(database: str, *, connections: int) -> Engine:
    """Connections to DBOS's tables. Of one that is lost DBOS hears that it is lost, and waits."""
    address = address_of(database)
    if address.drivername == "sqlite":
        engine = create_engine(address, connect_args={"timeout": _BUSY_S}, pool_size=connections)
        event.listen(engine, "connect", _prepare)
        _keep_to(engine, Path(str(address.database)))
    else:
        engine = create_engine(
            address,
            connect_args=_POSTGRESQL,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=_BUSY_S,
            pool_pre_ping=True,
        )
    event.listen(engine, "handle_error", _tell_of_loss)
    return engine


def client_for(engine: Engine, *, patient: bool) -> DBOSClient:
    """What asks DBOS's tables from outside a workflow; where not `patient`, it raises at once."""
    return DBOSClient(
        system_database_engine=engine,
        serializer=SERIALIZER,
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=patient,
    )


class StepFailed(Exception):
    """The end of a job: a failure that we promise to name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        # DBOS's JSON keeps these two of an exception.
        self.code, self.message = code, message

    @classmethod
    def of(cls, error: ShazamError) -> StepFailed:
        return cls(error.code, error.message)


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # As DBOS sets them on connections that it makes: a transaction takes the writer's lock at once.
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")  # who reads need not wait for who writes
    # What was answered with 202 is on the disk, whatever happens to the machine.
    connection.execute("PRAGMA synchronous=FULL")


def _keep_to(engine: Engine, path: Path) -> None:
    """A connection to a file that is gone from its place would write where nobody reads."""

    def note(_connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        record.info["file"] = which_file(path)

    def compare(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
        if record.info.get("file") != which_file(path):
            raise DisconnectionError("another file has this name")

    event.listen(engine, "connect", note)
    event.listen(engine, "checkout", compare)


def _tell_of_loss(context: ExceptionContext) -> None:
    """DBOS knows a lost connection by words, and not by all of psycopg's, nor a disk that is full:
    a step whose end it could not write down was then lost with its thread."""
    error = context.original_exception
    if isinstance(error, psycopg.OperationalError):
        context.is_disconnect = context.is_disconnect or error.sqlstate is None
    elif isinstance(error, sqlite3.OperationalError):
        # Extended codes have the plain one in their last eight bits.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        context.is_disconnect = context.is_disconnect or code in _PASSING


def _told_as_ours(theirs: logging.Logger) -> None:
    """DBOS gives its logger a handler and a format of its own where that has none: a line of text
    among lines of JSON."""
    theirs.setLevel(logging.WARNING)
    theirs.addHandler(logging.NullHandler())
    theirs.parent = logging.getLogger("shazam")


_told_as_ours(logging.getLogger("dbos"))
