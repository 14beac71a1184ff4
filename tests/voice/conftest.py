"""What the tests of voice share: a server on this machine that answers as it is told, and rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from library.conftest import (  # noqa: F401  fixtures
    anyio_backend,
    database,
    database_url,
    migrated_postgres,
    migrated_sqlite,
)
from link_server import LinkServer

from engine.library.database import Database
from engine.library.objects import Objects
from engine.library.sources import web
from engine.voice.jobs import VoiceJobs
from engine.voice.references import References
from engine.voice.sessions import Sessions


@pytest.fixture
def server() -> Iterator[LinkServer]:
    made = LinkServer()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def sessions(database: Database) -> Sessions:  # noqa: F811
    return Sessions(database)


@pytest.fixture
def jobs(database: Database) -> VoiceJobs:  # noqa: F811
    return VoiceJobs(database)


@pytest.fixture
def references(database: Database) -> References:  # noqa: F811
    return References(database)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects.open(str(tmp_path / "objects"))
