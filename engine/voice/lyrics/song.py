"""What words are looked for, and what a source of them is."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol

from engine.library.sources.source import Deadline
from engine.library.words import plain
from engine.voice.lyrics.lines import Lyrics

# "Night Garden" is "Night Garden (Live)" in some catalogues; a song of another name is no song.
ALIKE = 0.6


@dataclass(frozen=True)
class Song:
    """What is known of a song; without a title nobody can be asked."""

    title: str | None = None
    artist: str | None = None
    album: str | None = None
    duration_s: float | None = None


class Source(Protocol):
    """Who knows words of songs. Blocking, and safe from several threads."""

    @property
    def name(self) -> str:
        """As in `Lyrics.source`."""

    def present(self) -> str | None:
        """None, or why this source cannot be used here."""

    def find(self, song: Song, deadline: Deadline) -> Lyrics | None:
        """Its words; None where it has none. Raises a `ShazamError` where it cannot be asked."""


def is_called(song: Song, title: str, artist: str) -> bool:
    """Whether what a catalogue holds by these names is this song."""
    if not _alike(song.title, title):
        return False
    return song.artist is None or _alike(song.artist, artist)


def _alike(wanted: str | None, found: str) -> bool:
    one, other = plain(wanted or ""), plain(found)
    if not one or not other:
        return False
    return one in other or other in one or SequenceMatcher(None, one, other).ratio() >= ALIKE
