"""LRCLib: words with their times, open to all.

    GET {SHAZAM_LRCLIB_URL}/api/get?track_name&artist_name&album_name&duration    ± 2 s, or 404
    GET …/api/search?track_name&artist_name                                       a list, perhaps []
    200 {"id", "trackName", "artistName", "albumName", "duration", "instrumental", "plainLyrics",
         "syncedLyrics"}

https://lrclib.net/docs
"""

from __future__ import annotations

from typing import Any

from engine.base.errors import LinkFailed
from engine.library.sources.source import Deadline
from engine.library.sources.web import Web
from engine.voice.ear.heard import Line
from engine.voice.lyrics.lines import Lyrics, parsed
from engine.voice.lyrics.song import Song, is_called

NAME = "lrclib"
VARIABLE = "SHAZAM_LRCLIB_URL"
# Of a recording that lasts this much more or less, times are those of another one.
TIMES_WITHIN_S = 4.0


class LrcLib:
    """`url` is "" where it is not to be asked."""

    name = NAME

    def __init__(self, web: Web, url: str) -> None:
        self._web, self._url = web, url

    def present(self) -> str | None:
        return None if self._url else f"{VARIABLE} is `none`."

    def find(self, song: Song, deadline: Deadline) -> Lyrics | None:
        exact = self._exact(song, deadline)
        held = [exact] if exact is not None else self._search(song, deadline)
        for record in sorted(held, key=lambda one: _rank(one, song)):
            lyrics = _lyrics(record, song)
            if lyrics is not None:
                return lyrics
        return None

    def _exact(self, song: Song, deadline: Deadline) -> dict[str, Any] | None:
        if song.artist is None or song.duration_s is None:
            return None
        query = {**_named(song), "duration": f"{song.duration_s:.0f}"}
        if song.album:
            query["album_name"] = song.album
        answer, data = self._web.json(f"{self._url}/api/get", deadline, query=query)
        if answer.status == 404:
            return None
        if answer.status != 200 or not isinstance(data, dict):
            raise LinkFailed(f"LRCLib answers {answer.status}, and nothing of use.")
        return data

    def _search(self, song: Song, deadline: Deadline) -> list[dict[str, Any]]:
        answer, data = self._web.json(f"{self._url}/api/search", deadline, query=_named(song))
        if answer.status != 200 or not isinstance(data, list):
            raise LinkFailed(f"LRCLib answers {answer.status}, and nothing of use.")
        return [
            one
            for one in data
            if isinstance(one, dict)
            and is_called(song, str(one.get("trackName") or ""), str(one.get("artistName") or ""))
        ]


def _named(song: Song) -> dict[str, str]:
    query = {"track_name": song.title or ""}
    return {**query, "artist_name": song.artist} if song.artist else query


def _rank(record: dict[str, Any], song: Song) -> tuple[bool, float]:
    """With times that fit before others, then those of about the same length."""
    off_s = _off_s(record, song)
    return not (record.get("syncedLyrics") and off_s <= TIMES_WITHIN_S), off_s


def _off_s(record: dict[str, Any], song: Song) -> float:
    length = record.get("duration")
    if not isinstance(length, int | float) or song.duration_s is None:
        return 0.0
    return abs(length - song.duration_s)


def _lyrics(record: dict[str, Any], song: Song) -> Lyrics | None:
    synced, plain = record.get("syncedLyrics"), record.get("plainLyrics")
    if isinstance(synced, str) and synced.strip():
        found = parsed(synced, NAME)
        if found is not None and _off_s(record, song) > TIMES_WITHIN_S:
            return Lyrics(NAME, tuple(Line(line.text) for line in found.lines))
        return found
    return parsed(plain, NAME) if isinstance(plain, str) else None
