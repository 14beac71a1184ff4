"""`engine/voice/lyrics/genius.py`, against a server that answers as Genius documents.

https://docs.genius.com/#search-h2
"""

from __future__ import annotations

from typing import Any

import pytest
from link_server import LinkServer, Reply, as_json

from engine.base.errors import LinkFailed, LinkRefused, SourceUnavailable
from engine.library.sources.guard import Guard
from engine.library.sources.source import Deadline
from engine.library.sources.web import Web
from engine.voice.lyrics.genius import Genius
from engine.voice.lyrics.song import Song

SONG = Song("Night Garden", "The Pale Horses")
PAGE = b"""<html><body><h1>Night Garden Lyrics</h1><p>Advertisement</p>
<div data-lyrics-container="true" class="x"><div data-exclude-from-selection="true"><p>12
Contributors<br></p></div>[Verse 1: Somebody]<br/>First <a href="/1"><span>line
&amp; more</span></a><br>Second line</div><div>between</div>
<div data-lyrics-container="true">[Chorus]<br>Third line</div><div>after</div></body></html>"""


def hits(*results: dict[str, Any]) -> Reply:
    return as_json(
        {
            "meta": {"status": 200},
            "response": {"hits": [{"type": "song", "result": one} for one in results]},
        }
    )


def result(server: LinkServer, **told: Any) -> dict[str, Any]:
    return {
        "title": "Night Garden",
        "url": f"{server.url}/night-garden-lyrics",
        "instrumental": False,
        "lyrics_state": "complete",
        "primary_artist": {"name": "The Pale Horses"},
        **told,
    }


@pytest.fixture
def genius(server: LinkServer) -> Genius:
    server.at["/search"] = hits(result(server, title="Other song"), result(server))
    server.at["/night-garden-lyrics"] = Reply(PAGE, "text/html; charset=utf-8")
    web = Web(Guard([server.host]))
    return Genius(web, web, "token", server.url)


def test_the_words_are_those_of_the_page_that_fits(server: LinkServer, genius: Genius) -> None:
    lyrics = genius.find(SONG, Deadline(5))
    assert lyrics is not None
    assert lyrics.text == "First line & more\nSecond line\nThird line"
    assert (lyrics.source, lyrics.synced) == ("genius", False)
    asked, page = server.asked
    assert asked.query == {"q": "Night Garden The Pale Horses"}
    assert asked.headers["authorization"] == "Bearer token"
    assert "authorization" not in page.headers


def test_a_song_of_another_name_is_not_taken(server: LinkServer, genius: Genius) -> None:
    server.at["/search"] = hits(result(server, primary_artist={"name": "Quite Others"}))
    assert genius.find(SONG, Deadline(5)) is None


def test_a_page_elsewhere_is_not_read(server: LinkServer, genius: Genius) -> None:
    server.at["/search"] = hits(result(server, url="https://example.com/night-garden-lyrics"))
    assert genius.find(SONG, Deadline(5)) is None


def test_no_page_leads_to_a_private_address(server: LinkServer) -> None:
    """Only what the operator named may be private: the API, not what it says."""
    server.at["/search"] = hits(result(server))
    guarded = Genius(Web(Guard().trusting(server.url)), Web(Guard()), "token", server.url)
    with pytest.raises(LinkRefused):
        guarded.find(SONG, Deadline(5))


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (as_json({}, 401), SourceUnavailable),
        (as_json({"response": None}), LinkFailed),
        (Reply(b"<html>", "text/html"), LinkFailed),
    ],
)
def test_an_answer_that_is_none_is_a_failure(
    server: LinkServer, genius: Genius, answer: Reply, failure: type[Exception]
) -> None:
    server.at["/search"] = answer
    with pytest.raises(failure):
        genius.find(SONG, Deadline(5))
