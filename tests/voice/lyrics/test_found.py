"""`engine/voice/lyrics/found.py`: the first that has the words, and none that holds us up."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler

import pytest
from link_server import LinkServer, Reply, as_json

from engine.voice import troubles
from engine.voice.lyrics.found import Found, LyricsSources
from engine.voice.lyrics.given import given
from engine.voice.lyrics.song import Song, is_called

SONG = Song("Night Garden", "The Pale Horses")
PAGE = Reply(b'<div data-lyrics-container="true">From Genius</div>', "text/html")


def both(server: LinkServer) -> LyricsSources:
    return LyricsSources.of(server.url, server.url, "token", trusted=[server.host])


def genius_answers(server: LinkServer) -> None:
    told = {
        "title": SONG.title,
        "url": f"{server.url}/page",
        "primary_artist": {"name": SONG.artist},
    }
    server.at["/search"] = as_json({"response": {"hits": [{"result": told}]}})
    server.at["/page"] = PAGE


def test_who_is_first_asked_is_first_taken(server: LinkServer) -> None:
    genius_answers(server)
    server.at["/api/search"] = as_json(
        [{"trackName": SONG.title, "artistName": SONG.artist, "plainLyrics": "From LRCLib"}]
    )
    found = both(server).find(SONG).lyrics
    assert found is not None
    assert found.text == "From LRCLib"


def test_one_that_hangs_or_fails_leaves_time_for_the_next(server: LinkServer) -> None:
    genius_answers(server)

    def hang(_: BaseHTTPRequestHandler) -> None:
        server.closing.wait(60)

    server.at["/api/search"] = hang
    begun = time.monotonic()
    found = both(server).find(SONG, within_s=2.0).lyrics
    assert found is not None
    assert found.text == "From Genius"
    assert time.monotonic() - begun < 30


def test_nobody_to_ask_and_nothing_to_ask_for_is_none(server: LinkServer) -> None:
    nobody = LyricsSources.of("", "https://api.genius.com", "")
    assert nobody.find(SONG) == both(server).find(Song(artist="The Pale Horses")) == Found(None)
    assert (nobody.asked(), both(server).asked()) == ((), ("lrclib", "genius"))
    assert server.asked == []
    assert nobody.states() == {
        "lrclib": "SHAZAM_LRCLIB_URL is `none`.",
        "genius": "SHAZAM_GENIUS_TOKEN is not set.",
    }


def test_what_was_sent_is_taken_as_it_is() -> None:
    found = given("[00:01.00]One")
    assert found is not None
    assert (found.source, found.synced) == ("given", True)
    assert given(None) is None
    assert given(" ") is None


def test_a_song_is_known_by_its_names() -> None:
    assert is_called(SONG, "Night Garden (Live)", "the pale horses")
    assert is_called(Song("Déjà vu"), "Deja Vu", "Anybody")
    assert not is_called(SONG, "Morning Song", "The Pale Horses")
    assert not is_called(SONG, "Night Garden", "Somebody Else Entirely")
    assert not is_called(SONG, "", "")


def test_one_that_fails_is_known_to_until_it_answers(
    server: LinkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.at["/api/search"] = as_json({"error": "…"}, 500)
    sources = LyricsSources.of(server.url, server.url, "", trusted=[server.host])
    assert sources.troubles.told() == {}
    assert sources.find(SONG) == Found(None, ("lrclib",))
    assert list(sources.troubles.told()) == ["lrclib"]
    monkeypatch.setattr(troubles, "LASTS_S", 0.0)
    assert sources.troubles.told() == {}, "long ago"
    monkeypatch.undo()
    server.at["/api/search"] = as_json([])
    assert sources.find(SONG) == Found(None)
    assert sources.troubles.told() == {}
