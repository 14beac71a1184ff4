"""A database of any earlier version, or an empty one → the tables of this version.

Whoever starts first migrates, the others wait for it: the whole of it is one transaction, under
PostgreSQL's advisory lock or SQLite's lock of its one writer. Where nothing is to be done, one
question tells so, and Alembic is not imported.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Connection, inspect, text

from engine.base.errors import DatabaseTooNew
from engine.library.connecting import IMMEDIATE, blocking_engine_of

# The revision that the newest file in `versions` makes.
LATEST = "0003"
# Beside DBOS's tables and whatever else is in that database.
VERSION_TABLE = "library_migrations"

_LOCK = int.from_bytes(b"shazam", "big")


def migrate(address: URL) -> None:
    """Bring the database at `address` to `LATEST`. Raises `DatabaseTooNew` where a later version
    than this one has migrated it."""
    engine = blocking_engine_of(address)
    try:
        with engine.connect() as connection:
            if revision_of(connection) == LATEST:
                return
        with engine.execution_options(**{IMMEDIATE: True}).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            # Another may have done it while we waited.
            if revision_of(connection) != LATEST:
                upgrade(connection)
    finally:
        engine.dispose()


def revision_of(connection: Connection) -> str | None:
    """What the database was last migrated to, None for one that never was."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return revision


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to `revision`, in the transaction that `connection` is in."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # ConfigParser takes a '%' for the beginning of a reference.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise DatabaseTooNew(
            f"The database is at revision {revision_of(connection)}, which this version does not "
            "know: a later one migrated it. Run that one, or bring the database back as it was."
        ) from error
