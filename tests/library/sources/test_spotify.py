"""`engine/library/sources/spotify.py`, against a server that answers as Spotify documents.

https://developer.spotify.com/documentation/web-api/reference/get-track,
https://developer.spotify.com/documentation/web-api/tutorials/client-credentials-flow
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from library.jamendo_answers import answer, track
from link_server import TONE, LinkServer, Reply, as_json

from engine.base.errors import LinkFailed, SourceRefused, SourceUnavailable
from engine.library.sources.guard import Guard
from engine.library.sources.jamendo import Jamendo
from engine.library.sources.source import Creator, Deadline, FetchCancelled, Limits, Match
from engine.library.sources.spotify import Spotify
from engine.library.sources.web import Web

ID = "11dFghVXANMlKmJXsNCbNl"
LINK = f"https://open.spotify.com/track/{ID}?si=abc"
TRACK: dict[str, Any] = {
    "id": ID,
    "name": "Let me go!",
    "duration_ms": 194_400,
    "explicit": False,
    "artists": [
        {
            "id": "6sFIWsNpZYqfjUpaCgueju",
            "name": "Axl & Arth",
            "external_urls": {"spotify": "https://open.spotify.com/artist/6sFIWsNpZYqfjUpaCgueju"},
        }
    ],
    "album": {
        "name": "Let Me Go",
        "release_date": "2018-04-13",
        "release_date_precision": "day",
        "images": [{"url": "https://i.scdn.co/image/x", "height": 640, "width": 640}],
    },
    "external_urls": {"spotify": f"https://open.spotify.com/track/{ID}"},
    "preview_url": None,
    "is_local": False,
}
FOUND = Match(
    source="spotify",
    title="Let me go!",
    artist="Axl & Arth",
    url=f"https://open.spotify.com/track/{ID}",
    album="Let Me Go",
    year=2018,
    duration_s=194.4,
    picture_url="https://i.scdn.co/image/x",
)
LONG = Limits(100_000, 600, 10)


def token(number: int = 1, lasts_s: int = 3_600) -> Reply:
    return as_json(
        {"access_token": f"NgCXRK-{number}", "token_type": "Bearer", "expires_in": lasts_s}
    )


@pytest.fixture
def spotify(server: LinkServer) -> Spotify:
    server.at["/api/token"] = token()
    server.at[f"/v1/tracks/{ID}"] = as_json(TRACK)
    server.at["/v3.0/tracks/"] = answer(track(server))
    server.at["/download/track/1532771/flac/"] = Reply(TONE, "audio/flac")
    return made(server)


def made(server: LinkServer, jamendo_id: str = "0123abcd", secret: str = "hidden") -> Spotify:
    web = Web(Guard([server.host]))
    jamendo = Jamendo(web, web, jamendo_id, f"{server.url}/v3.0")
    return Spotify(web, "me", secret, jamendo, f"{server.url}/v1", f"{server.url}/api/token")


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        (LINK, True),
        (f"spotify:track:{ID}", True),
        (f"https://open.spotify.com/intl-de/track/{ID}", True),
        ("https://open.spotify.com/album/x", True),
        (f"https://open.spotify.com.example.org/track/{ID}", False),
        (f"https://example.org/open.spotify.com/track/{ID}", False),
    ],
)
def test_links_are_taken_by_their_host(spotify: Spotify, url: str, taken: bool) -> None:
    assert spotify.takes(url) is taken


@pytest.mark.parametrize(
    "link", [LINK, f"spotify:track:{ID}", f"https://open.spotify.com/intl-de/track/{ID}/"]
)
def test_a_link_is_named_by_client_credentials(
    server: LinkServer, spotify: Spotify, link: str
) -> None:
    assert spotify.track(link, Deadline(5)) == TRACK
    asked, told = server.asked
    assert (asked.method, asked.path) == ("POST", "/api/token")
    assert asked.body == "grant_type=client_credentials"
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(b"me:hidden").decode()
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert told.headers["authorization"] == "Bearer NgCXRK-1"


def test_a_token_is_asked_for_once_by_all_threads(server: LinkServer, spotify: Spotify) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(spotify.track, LINK, Deadline(5)) for _ in range(8)]:
            done.result()
    assert server.paths().count("/api/token") == 1
    assert len(server.asked) == 9


def test_a_token_that_ends_is_asked_for_anew(server: LinkServer, spotify: Spotify) -> None:
    server.at["/api/token"] = [token(1, lasts_s=30), token(2)]
    for _ in range(3):
        spotify.track(LINK, Deadline(5))
    bearers = [one.headers["authorization"] for one in server.asked if "tracks" in one.path]
    assert bearers == ["Bearer NgCXRK-1", "Bearer NgCXRK-2", "Bearer NgCXRK-2"]


def test_a_token_that_is_refused_is_asked_for_anew_once(
    server: LinkServer, spotify: Spotify
) -> None:
    expired = as_json({"error": {"status": 401, "message": "The access token expired"}}, 401)
    server.at["/api/token"] = [token(1), token(2)]
    server.at[f"/v1/tracks/{ID}"] = [expired, as_json(TRACK)]
    assert spotify.track(LINK, Deadline(5)) == TRACK
    server.at[f"/v1/tracks/{ID}"] = expired
    with pytest.raises(SourceUnavailable, match="refuses us"):
        spotify.track(LINK, Deadline(5))


def test_what_spotify_asks_to_wait_is_waited(server: LinkServer, spotify: Spotify) -> None:
    busy = as_json({"error": {"status": 429}}, 429, **{"Retry-After": "1"})
    server.at[f"/v1/tracks/{ID}"] = [busy, as_json(TRACK)]
    began = time.monotonic()
    spotify.track(LINK, Deadline(60))
    assert 1.0 <= time.monotonic() - began < 50


def test_audio_is_that_of_the_same_track_where_it_may_be_had(
    server: LinkServer, spotify: Spotify, tmp_path: Path
) -> None:
    fetched = spotify.fetch(LINK, tmp_path, LONG)
    assert fetched.path.read_bytes() == TONE
    assert (fetched.source, fetched.title) == ("spotify", "Let Me Go")
    assert fetched.url == "https://www.jamendo.com/track/1532771"
    assert fetched.licence == "http://creativecommons.org/licenses/by-nc-sa/3.0/"
    assert fetched.creator == Creator(
        "spotify",
        "6sFIWsNpZYqfjUpaCgueju",
        "Axl & Arth",
        "https://open.spotify.com/artist/6sFIWsNpZYqfjUpaCgueju",
    )


@pytest.mark.parametrize(
    "other",
    [
        {"name": "Let Me Go (live)"},
        {"artist_name": "Somebody Else"},
        {"duration": 189},
        {"audiodownload_allowed": False},
    ],
)
def test_audio_of_another_track_is_not_taken_for_it(
    server: LinkServer, spotify: Spotify, tmp_path: Path, other: dict[str, Any]
) -> None:
    server.at["/v3.0/tracks/"] = answer(track(server, **other))
    with pytest.raises(SourceRefused, match="Upload the file") as refusal:
        spotify.fetch(LINK, tmp_path, LONG)
    assert refusal.value.details == {"title": "Let me go!", "artist": "Axl & Arth"}
    assert "“Let me go!” by Axl & Arth" in refusal.value.message
    assert "/download/track/1532771/flac/" not in server.paths()


def test_without_a_source_of_audio_the_file_is_asked_for(
    server: LinkServer, spotify: Spotify, tmp_path: Path
) -> None:
    with pytest.raises(SourceRefused, match="Upload the file"):
        made(server, jamendo_id="").fetch(LINK, tmp_path, LONG)
    assert "/v3.0/tracks/" not in server.paths()


@pytest.mark.parametrize("kind", ["album", "playlist", "artist", "episode"])
def test_a_link_that_names_no_track_is_told(spotify: Spotify, tmp_path: Path, kind: str) -> None:
    with pytest.raises(LinkFailed, match="names no track"):
        spotify.fetch(f"https://open.spotify.com/{kind}/{ID}", tmp_path, LONG)


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (as_json({"error": {"status": 404, "message": "Resource not found"}}, 404), LinkFailed),
        (as_json({"error": {"status": 400, "message": "Invalid base62 id"}}, 400), LinkFailed),
        (as_json({"error": {"status": 403}}, 403), SourceUnavailable),
        (Reply(b"<html>", "text/html"), LinkFailed),
    ],
)
def test_refusals_of_the_api_are_named(
    server: LinkServer, spotify: Spotify, reply: Reply, failure: type[Exception]
) -> None:
    server.at[f"/v1/tracks/{ID}"] = reply
    with pytest.raises(failure):
        spotify.track(LINK, Deadline(5))


def test_wrong_credentials_are_told_and_nothing_of_them_is_shown(
    server: LinkServer, spotify: Spotify, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.at["/api/token"] = as_json({"error": "invalid_client"}, 400)
    with pytest.raises(SourceUnavailable, match="SHAZAM_SPOTIFY_CLIENT_SECRET") as refusal:
        spotify.track(LINK, Deadline(5))
    server.at["/api/token"] = Reply(status=503)
    with pytest.raises(LinkFailed):
        spotify.track(LINK, Deadline(5))
    shown = refusal.value.message + caplog.text
    assert "hidden" not in shown
    assert base64.b64encode(b"me:hidden").decode() not in shown


def test_what_is_told_to_spotify_goes_to_nobody_else(
    server: LinkServer, spotify: Spotify, inside: LinkServer
) -> None:
    server.at[f"/v1/tracks/{ID}"] = Reply(status=302, headers={"Location": f"{inside.url}/x"})
    with pytest.raises(LinkFailed, match="elsewhere"):
        spotify.track(LINK, Deadline(5))


def test_its_catalogue_is_searched(server: LinkServer, spotify: Spotify) -> None:
    server.at["/v1/search"] = as_json({"tracks": {"items": [TRACK, None], "total": 1}})
    assert spotify.search('Let "me" go', "Axl", Deadline(5)) == [FOUND]
    assert server.asked[-1].query == {
        "q": 'track:"Let  me  go" artist:"Axl"',
        "type": "track",
        "limit": "5",
    }


def test_an_artist_is_asked_for(server: LinkServer, spotify: Spotify) -> None:
    server.at["/v1/artists/6sFI"] = as_json(
        {
            "id": "6sFI",
            "name": "Axl & Arth",
            "genres": [],
            "followers": {"href": None, "total": 7},
            "images": [{"url": "https://i.scdn.co/image/y"}],
            "external_urls": {"spotify": "https://open.spotify.com/artist/6sFI"},
        }
    )
    assert spotify.creator("6sFI", Deadline(5)) == Creator(
        "spotify",
        "6sFI",
        "Axl & Arth",
        "https://open.spotify.com/artist/6sFI",
        {"picture_url": "https://i.scdn.co/image/y", "followers": 7},
    )


def test_without_its_keys_it_says_which_are_missing(server: LinkServer, tmp_path: Path) -> None:
    one = made(server, secret="")
    assert one.present() == "SHAZAM_SPOTIFY_CLIENT_SECRET is not set."
    with pytest.raises(SourceUnavailable, match="SHAZAM_SPOTIFY_CLIENT_SECRET is not set"):
        one.fetch(LINK, tmp_path, LONG)
    assert server.connections == 0


def test_who_wants_it_no_more_is_let_go(server: LinkServer, spotify: Spotify) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(FetchCancelled):
        spotify.track(LINK, Deadline(5, cancelled))
