"""What the tests of voice share: a server on this machine that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from link_server import LinkServer

from engine.library.sources import web


@pytest.fixture
def server() -> Iterator[LinkServer]:
    made = LinkServer()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_PAUSE_S", 0.01)
