"""The library's tests: a database of each kind, its tables made once and copied."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from postgres import Postgres

from engine.library.database import Database
from engine.library.jobs import Jobs
from engine.library.samples import Samples

# With what runs in `make test-optional`: `pytest -k postgresql`.
KINDS = [
    "sqlite",
    pytest.param(
        "postgresql",
        marks=pytest.mark.skipif(not os.environ.get("NO_SKIP"), reason="needs a PostgreSQL server"),
    ),
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the library's tables, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "library.sqlite"
    asyncio.run(_migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with the library's tables, to be copied."""
    url = postgres.create()
    asyncio.run(_migrate(url))
    return url.rpartition("/")[2]


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the library's own for one test, empty, its tables made."""
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.create(request.getfixturevalue("migrated_postgres"))
    path = tmp_path / "library.sqlite"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    return f"sqlite:///{path}"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await Database.open(database_url)
    yield opened
    await opened.close()


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database)


@pytest.fixture
def samples(database: Database) -> Samples:
    return Samples(database)


async def _migrate(url: str) -> None:
    await (await Database.open(url)).close()
