"""A song → the words of the first source that has them, within a bound."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from engine.base.errors import ShazamError
from engine.library.sources.guard import Guard, Resolve
from engine.library.sources.source import Deadline
from engine.library.sources.web import Web
from engine.voice.lyrics.genius import Genius
from engine.voice.lyrics.lines import Lyrics
from engine.voice.lyrics.lrclib import LrcLib
from engine.voice.lyrics.song import Song, Source
from engine.voice.troubles import Troubles

logger = logging.getLogger("shazam")

WITHIN_S = 8.0


@dataclass(frozen=True)
class Found:
    """Words, or None where nobody had them; and which sources gave no answer at all."""

    lyrics: Lyrics | None
    silent: tuple[str, ...] = ()


class LyricsSources:
    """Blocking, and safe from several threads."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self.troubles = Troubles()

    @classmethod
    def of(
        cls,
        lrclib_url: str,
        genius_url: str,
        genius_token: str,
        trusted: Sequence[str] = (),
        resolve: Resolve | None = None,
    ) -> LyricsSources:
        """`trusted`: hosts that links may lead to although their addresses are private."""
        guard = Guard(trusted, resolve)
        return cls(
            [
                LrcLib(Web(guard.trusting(lrclib_url) if lrclib_url else guard), lrclib_url),
                Genius(Web(guard.trusting(genius_url)), Web(guard), genius_token, genius_url),
            ]
        )

    def states(self) -> dict[str, str | None]:
        """Each source by name: None, or why it is absent."""
        return {source.name: source.present() for source in self._sources}

    def asked(self) -> tuple[str, ...]:
        """Those that are set up, by name."""
        return tuple(name for name, absent in self.states().items() if absent is None)

    def find(self, song: Song, within_s: float = WITHIN_S) -> Found:
        """Its words, where somebody has them in time. Of those who share the time, none takes it
        all. Raises `FetchCancelled` never, nor a `ShazamError`."""
        asked = [source for source in self._sources if source.present() is None]
        silent: list[str] = []
        if not song.title:
            return Found(None)
        for number, source in enumerate(asked):
            share_s = within_s / (len(asked) - number)
            deadline = Deadline(share_s)
            try:
                lyrics = source.find(song, deadline)
            except ShazamError as error:
                logger.warning("%s gives no words: %s", source.name, error.message)
                self.troubles.failed(source.name, error.message)
                silent.append(source.name)
                continue
            self.troubles.answered(source.name)
            if lyrics is not None:
                return Found(lyrics)
        return Found(None, tuple(silent))
