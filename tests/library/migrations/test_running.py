"""`engine/library/migrations/`: any database → the tables of this version, by one process alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import PROJECT
from library.conftest import KINDS
from sqlalchemy import text

from engine.base.errors import DatabaseTooNew
from engine.library.connecting import blocking_engine_of, parsed
from engine.library.migrations.running import (
    LATEST,
    VERSION_TABLE,
    migrate,
    revision_of,
    upgrade,
)
from engine.library.tables import FIRST_TRACK_ID
from engine.voice.tables import Table

MIGRATIONS = PROJECT / "engine" / "library" / "migrations"


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres").create()
        return url
    return f"sqlite:///{tmp_path}/library.sqlite"


def test_the_migrations_make_what_the_tables_tell(database_url: str) -> None:
    with blocking_engine_of(parsed(database_url)).connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_name": lambda name, kind, _: (kind, name) != ("table", VERSION_TABLE),
            },
        )
        assert compare_metadata(context, Table.metadata) == []


def test_ids_of_tracks_begin_above_those_of_artifacts_and_are_not_given_twice(
    database_url: str,
) -> None:
    row = (
        "INSERT INTO samples (owner, scope, status, job_id, source, audio_shared, downloads, "
        "details, objects, matches, created_at) VALUES ('', '', 'processing', 'one', 'upload', "
        "true, 0, '{}', '{}', '[]', '2026-11-28 12:00:00') RETURNING track_id"
    )
    with blocking_engine_of(parsed(database_url)).begin() as connection:
        assert connection.scalar(text(row)) == FIRST_TRACK_ID
        connection.execute(text("DELETE FROM samples"))
        assert connection.scalar(text(row)) == FIRST_TRACK_ID + 1


def test_several_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    script = (
        "import sys; from engine.library.connecting import parsed;"
        "from engine.library.migrations.running import migrate; migrate(parsed(sys.argv[1]))"
    )
    command = [sys.executable, "-c", script, empty_url]
    starting = [
        subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [(process.communicate()[1], process.returncode) for process in starting] == [("", 0)] * 3
    with blocking_engine_of(parsed(empty_url)).connect() as connection:
        assert revision_of(connection) == LATEST
        assert connection.scalar(text("SELECT count(*) FROM feed")) == 1


def test_a_database_of_a_later_version_is_refused_and_left_as_it_is(database_url: str) -> None:
    address = parsed(database_url)
    with blocking_engine_of(address).begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseTooNew, match="revision 9999"):
        migrate(address)
    with blocking_engine_of(address).connect() as connection:
        assert revision_of(connection) == "9999"


def test_results_of_before_are_in_the_history(empty_url: str) -> None:
    address = parsed(empty_url)
    session = (
        "INSERT INTO voice_sessions (session_id, owner, audio_shared, source, lyrics_offset_s, "
        "created_at, results, score, analyzed_at) VALUES "
        "('judged', '', true, '{}', 0, :at, '{\"score\": 78}', 78, :at), "
        "('unjudged', '', true, '{}', 0, :at, NULL, NULL, NULL)"
    )
    with blocking_engine_of(address).begin() as connection:
        upgrade(connection, "0002")
        connection.execute(text(session.replace(":at", "'2026-11-28 12:00:00'")))
    migrate(address)
    with blocking_engine_of(address).connect() as connection:
        found = connection.execute(text("SELECT session_id, analysis, score FROM voice_results"))
        assert [tuple(row) for row in found] == [("judged", 0, 78.0)]


def test_the_newest_file_makes_the_latest_revision() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [LATEST]


def test_a_migrated_database_is_opened_without_alembic(migrated_sqlite: Path) -> None:
    script = (
        "import sys; from engine.library.connecting import parsed;"
        "from engine.library.migrations.running import migrate; migrate(parsed(sys.argv[1]));"
        "print('alembic' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{migrated_sqlite}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "False\n"


def test_a_migration_imports_nothing_of_ours_that_may_change() -> None:
    for path in (MIGRATIONS / "versions").glob("*.py"):
        assert "engine" not in path.read_text(), path
