"""A library for one test: rows, objects and workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from workers import House


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    made = House(database_url, tmp_path)
    yield made
    made.close()
