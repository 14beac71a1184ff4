"""What a source is, what it is asked within, and what it gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from engine.base.errors import LinkTimeout
from engine.library.settings import LibrarySettings


class FetchCancelled(Exception):
    """Whoever asked for a link wants it no more."""


def _unheard(share: float) -> None:
    pass


@dataclass(frozen=True)
class Limits:
    """What one link may cost, and who hears how far it is."""

    max_bytes: int
    max_s: float  # of sound, where a source tells it beforehand
    timeout_s: float  # of waiting, all together
    cancelled: threading.Event = field(default_factory=threading.Event)
    # Hears which part of the file (0…1) is there, where its server says how long it is.
    report: Callable[[float], None] = _unheard

    @classmethod
    def of(cls, settings: LibrarySettings) -> Limits:
        return cls(settings.max_source_bytes, settings.max_source_s, settings.source_timeout_s)


class Deadline:
    """The end of the time that one link may take, or of the wish for it."""

    def __init__(self, timeout_s: float, cancelled: threading.Event | None = None) -> None:
        self._timeout_s = timeout_s
        self._ends = time.monotonic() + timeout_s
        self._cancelled = cancelled or threading.Event()

    @property
    def left_s(self) -> float:
        """Seconds left; raises `LinkTimeout` where there are none, `FetchCancelled` where nobody
        waits any more."""
        if self._cancelled.is_set():
            raise FetchCancelled
        left = self._ends - time.monotonic()
        if left <= 0:
            raise LinkTimeout(
                f"What lies behind the link did not come within {self._timeout_s:.3g} s. Try "
                "again, or upload the file."
            )
        return left

    def sleep(self, seconds: float) -> None:
        self._cancelled.wait(min(seconds, self.left_s))
        _ = self.left_s


@dataclass(frozen=True)
class Creator:
    """Who made what a source holds; `facts` is whatever else it tells, as JSON."""

    source: str
    handle: str
    name: str | None = None
    url: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Fetched:
    """A file and what its source says of it; what it does not say is None."""

    path: Path
    source: str
    url: str
    media_type: str
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    year: int | None = None
    genre: str | None = None
    creator: Creator | None = None
    licence: str | None = None
    audio_shared: bool = True
    duration_s: float | None = None
    picture_url: str | None = None


@dataclass(frozen=True)
class Match:
    """A track that another catalogue holds."""

    source: str
    title: str
    artist: str
    url: str
    album: str | None = None
    year: int | None = None
    duration_s: float | None = None
    licence: str | None = None
    picture_url: str | None = None


class Source(Protocol):
    """Links of one kind → files. Blocking, and safe from several threads."""

    @property
    def name(self) -> str:
        """As in `Sample.source`."""

    def present(self) -> str | None:
        """None, or why this source cannot be used here: which variable is not set."""

    def takes(self, url: str) -> bool:
        """Whether a link is of this source, by its form alone."""

    def fetch(self, url: str, into: Path, limits: Limits) -> Fetched:
        """A file in the folder `into`. Raises `LinkRefused`, `LinkFailed`, `LinkTooLarge`,
        `LinkTimeout`, `SourceUnavailable`, `SourceRefused`, `AudioTooLong`, `StorageFull`, or
        `FetchCancelled`."""


@runtime_checkable
class Catalogue(Protocol):
    """A source that can be searched."""

    @property
    def name(self) -> str:
        """As in `Match.source`."""

    def present(self) -> str | None:
        """As `Source.present`."""

    def search(self, title: str, artist: str, deadline: Deadline) -> list[Match]:
        """Tracks of about this title and artist, best first; raises as `fetch` does."""
