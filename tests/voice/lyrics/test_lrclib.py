"""`engine/voice/lyrics/lrclib.py`, against a server that answers as LRCLib documents.

https://lrclib.net/docs
"""

from __future__ import annotations

from typing import Any

import pytest
from link_server import LinkServer, as_json

from engine.base.errors import LinkFailed
from engine.library.sources.guard import Guard
from engine.library.sources.source import Deadline
from engine.library.sources.web import Web
from engine.voice.lyrics.lrclib import LrcLib
from engine.voice.lyrics.song import Song

SONG = Song("Night Garden", "The Pale Horses", "First", 201.4)
ABSENT = as_json({"code": 404, "name": "TrackNotFound", "message": "…"}, 404)


def record(**told: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "trackName": "Night Garden",
        "artistName": "The Pale Horses",
        "albumName": "First",
        "duration": 201,
        "instrumental": False,
        "plainLyrics": "First line",
        "syncedLyrics": "[00:12.30] First line",
        **told,
    }


@pytest.fixture
def lrclib(server: LinkServer) -> LrcLib:
    server.at["/api/get"] = ABSENT
    server.at["/api/search"] = as_json([])
    return LrcLib(Web(Guard().trusting(server.url)), server.url)


def test_the_very_recording_is_asked_for_first(server: LinkServer, lrclib: LrcLib) -> None:
    server.at["/api/get"] = as_json(record())
    lyrics = lrclib.find(SONG, Deadline(5))
    assert lyrics is not None
    assert (lyrics.source, lyrics.synced) == ("lrclib", True)
    assert lyrics.lines[0].from_s == 12.3
    [asked] = server.asked
    assert asked.query == {
        "track_name": "Night Garden",
        "artist_name": "The Pale Horses",
        "album_name": "First",
        "duration": "201",
    }


def test_of_what_is_found_the_one_with_times_that_fit_is_taken(
    server: LinkServer, lrclib: LrcLib
) -> None:
    server.at["/api/search"] = as_json(
        [
            record(duration=260, syncedLyrics="[00:50.00] Too long"),
            record(syncedLyrics=None, plainLyrics="No times"),
            record(duration=199, syncedLyrics="[00:11.00] Fits"),
            record(trackName="Another song", syncedLyrics="[00:01.00] Other"),
        ]
    )
    lyrics = lrclib.find(SONG, Deadline(5))
    assert lyrics is not None
    assert lyrics.lines[0].text == "Fits"


def test_times_of_a_recording_of_another_length_are_not_taken(
    server: LinkServer, lrclib: LrcLib
) -> None:
    server.at["/api/search"] = as_json([record(duration=260, plainLyrics=None)])
    lyrics = lrclib.find(SONG, Deadline(5))
    assert lyrics is not None
    assert not lyrics.synced
    assert lyrics.text == "First line"


def test_what_nobody_knows_is_none(lrclib: LrcLib, server: LinkServer) -> None:
    assert lrclib.find(SONG, Deadline(5)) is None
    server.at["/api/search"] = as_json(
        [record(syncedLyrics=None, plainLyrics=None, instrumental=True)]
    )
    assert lrclib.find(SONG, Deadline(5)) is None


@pytest.mark.parametrize("answer", [as_json("no list"), as_json({}, 400)])
def test_an_answer_that_is_none_is_a_failure(
    server: LinkServer, lrclib: LrcLib, answer: Any
) -> None:
    server.at["/api/search"] = answer
    with pytest.raises(LinkFailed, match="LRCLib answers"):
        lrclib.find(SONG, Deadline(5))
