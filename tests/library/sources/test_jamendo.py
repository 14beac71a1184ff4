"""`engine/library/sources/jamendo.py`, against a server that answers as Jamendo documents.

https://developer.jamendo.com/v3.0/tracks, https://developer.jamendo.com/v3.0/response-codes
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from library.jamendo_answers import answer, track
from link_server import TONE, LinkServer, Reply, as_json

from engine.base.errors import (
    AudioTooLong,
    LinkFailed,
    LinkRefused,
    SourceRefused,
    SourceUnavailable,
)
from engine.library.sources.guard import Guard
from engine.library.sources.jamendo import Jamendo
from engine.library.sources.source import Creator, Deadline, Limits, Match
from engine.library.sources.web import Web

LINK = "https://www.jamendo.com/track/1532771/let-me-go"


@pytest.fixture
def jamendo(server: LinkServer) -> Jamendo:
    server.at["/v3.0/tracks/"] = answer(track(server))
    server.at["/download/track/1532771/flac/"] = Reply(TONE, "audio/flac")
    web = Web(Guard([server.host]))
    return Jamendo(web, web, "0123abcd", f"{server.url}/v3.0/")


LONG = Limits(100_000, 600, 10)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        (LINK, True),
        ("https://jamen.do/t/1532771", True),
        ("https://www.jamendo.com/en/track/1", True),
        ("https://notjamendo.com/track/1", False),
        ("https://example.com/jamendo.com/track/1", False),
    ],
)
def test_links_are_taken_by_their_host(jamendo: Jamendo, url: str, taken: bool) -> None:
    assert jamendo.takes(url) is taken


@pytest.mark.parametrize("link", [LINK, "https://jamen.do/t/1532771"])
def test_a_track_is_fetched_with_its_licence(
    server: LinkServer, jamendo: Jamendo, tmp_path: Path, link: str
) -> None:
    fetched = jamendo.fetch(link, tmp_path, LONG)
    assert fetched.path.read_bytes() == TONE
    assert (fetched.title, fetched.artist, fetched.album) == (
        "Let Me Go",
        "Axl & Arth",
        "Let Me Go",
    )
    assert fetched.licence == "http://creativecommons.org/licenses/by-nc-sa/3.0/"
    assert (fetched.year, fetched.duration_s, fetched.source) == (2018, 194.0, "jamendo")
    assert fetched.creator == Creator(
        "jamendo", "461414", "Axl & Arth", "https://www.jamendo.com/artist/461414"
    )
    assert server.asked[0].query == {
        "client_id": "0123abcd",
        "format": "json",
        "id": "1532771",
        "audiodlformat": "flac",
    }


@pytest.mark.parametrize(
    "flags",
    [
        {"audiodownload_allowed": False, "audiodownload": ""},
        {"audiodownload_allowed": False},
        {"audiodownload": ""},
        {"audiodownload_allowed": None},
    ],
)
def test_what_its_artist_does_not_let_be_downloaded_is_not(
    server: LinkServer, jamendo: Jamendo, tmp_path: Path, flags: dict[str, Any]
) -> None:
    server.at["/v3.0/tracks/"] = answer(track(server, **flags))
    with pytest.raises(SourceRefused, match="does not let this track be downloaded"):
        jamendo.fetch(LINK, tmp_path, LONG)
    assert server.paths() == ["/v3.0/tracks/"]


def test_a_track_too_long_is_not_fetched(
    server: LinkServer, jamendo: Jamendo, tmp_path: Path, limits: Limits
) -> None:
    with pytest.raises(AudioTooLong, match="194 s"):
        jamendo.fetch(LINK, tmp_path, limits)
    assert server.paths() == ["/v3.0/tracks/"]


@pytest.mark.parametrize(("code", "why"), [(5, "client id"), (11, "client id"), (6, "too often")])
def test_what_jamendo_refuses_is_told_without_the_key(
    server: LinkServer, jamendo: Jamendo, tmp_path: Path, code: int, why: str
) -> None:
    server.at["/v3.0/tracks/"] = answer(code=code)
    with pytest.raises(SourceUnavailable, match=why) as refusal:
        jamendo.fetch(LINK, tmp_path, LONG)
    assert "0123abcd" not in refusal.value.message


@pytest.mark.parametrize(
    "reply",
    [answer(), answer(code=3), as_json([]), Reply(b"<html>", "text/html"), Reply(status=404)],
)
def test_an_answer_of_no_use_is_a_link_that_failed(
    server: LinkServer, jamendo: Jamendo, tmp_path: Path, reply: Reply
) -> None:
    server.at["/v3.0/tracks/"] = reply
    with pytest.raises(LinkFailed):
        jamendo.fetch(LINK, tmp_path, LONG)


def test_a_link_that_names_no_track_is_told(jamendo: Jamendo, tmp_path: Path) -> None:
    with pytest.raises(LinkFailed, match="names no track"):
        jamendo.fetch("https://www.jamendo.com/album/404140/let-me-go", tmp_path, LONG)


def test_a_file_that_lies_inside_is_not_fetched(
    server: LinkServer, inside: LinkServer, tmp_path: Path
) -> None:
    server.at["/v3.0/tracks/"] = answer(track(server, audiodownload=f"{inside.url}/secret.wav"))
    api = Web(Guard().trusting(server.url))
    with pytest.raises(LinkRefused):
        Jamendo(api, Web(Guard()), "0123abcd", f"{server.url}/v3.0").fetch(LINK, tmp_path, LONG)


def test_its_catalogue_is_searched(server: LinkServer, jamendo: Jamendo) -> None:
    assert jamendo.search("Let Me Go", "Axl", Deadline(5)) == [
        Match(
            source="jamendo",
            title="Let Me Go",
            artist="Axl & Arth",
            url="https://www.jamendo.com/track/1532771",
            album="Let Me Go",
            year=2018,
            duration_s=194.0,
            licence="http://creativecommons.org/licenses/by-nc-sa/3.0/",
            picture_url="https://usercontent.jamendo.com?type=album&id=404140",
        )
    ]
    assert server.asked[0].query["namesearch"] == "Let Me Go"
    assert server.asked[0].query["artist_name"] == "Axl"


def test_an_artist_is_asked_for(server: LinkServer, jamendo: Jamendo) -> None:
    server.at["/v3.0/artists/"] = answer(
        {
            "id": "461414",
            "name": "Axl & Arth",
            "website": "",
            "joindate": "2014-01-09",
            "image": "https://usercontent.jamendo.com?type=artist&id=461414",
            "shareurl": "https://www.jamendo.com/artist/461414",
        }
    )
    assert jamendo.creator("461414", Deadline(5)) == Creator(
        "jamendo",
        "461414",
        "Axl & Arth",
        "https://www.jamendo.com/artist/461414",
        {"picture_url": "https://usercontent.jamendo.com?type=artist&id=461414"},
    )


def test_without_its_key_it_says_so_and_asks_nobody(server: LinkServer, tmp_path: Path) -> None:
    web = Web(Guard([server.host]))
    jamendo = Jamendo(web, web, "", server.url)
    assert jamendo.present() == "SHAZAM_JAMENDO_CLIENT_ID is not set."
    with pytest.raises(SourceUnavailable, match="SHAZAM_JAMENDO_CLIENT_ID is not set"):
        jamendo.fetch(LINK, tmp_path, LONG)
    assert server.connections == 0
