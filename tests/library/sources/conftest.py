"""A server of links, a silent one that nobody may reach, and no pauses between attempts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from link_server import TONE, LinkServer, Reply

from engine.library.sources import web
from engine.library.sources.source import Limits


@pytest.fixture
def server() -> Iterator[LinkServer]:
    """With a tone at /tone.wav."""
    made = LinkServer()
    made.at["/tone.wav"] = Reply(TONE)
    yield made
    made.close()


@pytest.fixture
def inside() -> Iterator[LinkServer]:
    """A server that no link may lead to."""
    made = LinkServer()
    made.at["/secret.wav"] = Reply(TONE)
    yield made
    assert made.connections == 0
    made.close()


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def limits() -> Limits:
    return Limits(max_bytes=100_000, max_s=60, timeout_s=10)
