"""`engine/library/sources/sources.py`: who takes a link, and what becomes of it."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library.jamendo_answers import answer, track
from link_server import TONE, LinkServer, Reply, as_json

from engine.base.errors import InvalidRequest, LinkRefused, SourceUnavailable
from engine.library.settings import LibrarySettings
from engine.library.sources.direct import Direct
from engine.library.sources.guard import Guard
from engine.library.sources.source import Creator, Fetched, Limits, Source
from engine.library.sources.sources import Sources
from engine.library.sources.web import Web, WebPage


@pytest.fixture
def keys(server: LinkServer) -> LibrarySettings:
    return dataclasses.replace(
        LibrarySettings(),
        trusted_hosts=(server.host,),
        jamendo_client_id="0123abcd",
        spotify_client_id="me",
        spotify_client_secret="hidden",
        rapidapi_key="key",
        jamendo_url=f"{server.url}/v3.0",
        spotify_url=f"{server.url}/v1",
        spotify_token_url=f"{server.url}/api/token",
        tiktok_url=server.url,
    )


NONE_MISSING = {"youtube": None, "tiktok": None, "spotify": None, "jamendo": None, "direct": None}


def test_each_source_tells_whether_it_is_there(keys: LibrarySettings) -> None:
    assert Sources.of(keys).states() == NONE_MISSING
    assert Sources.of(LibrarySettings()).states() == {
        **NONE_MISSING,
        "tiktok": "SHAZAM_RAPIDAPI_KEY is not set.",
        "spotify": "SHAZAM_SPOTIFY_CLIENT_ID and SHAZAM_SPOTIFY_CLIENT_SECRET are not set.",
        "jamendo": "SHAZAM_JAMENDO_CLIENT_ID is not set.",
    }


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://youtu.be/x", "youtube"),
        ("https://soundcloud.com/a/b", "youtube"),
        ("https://vm.tiktok.com/x/", "tiktok"),
        ("https://open.spotify.com/track/x", "spotify"),
        ("spotify:track:x", "spotify"),
        ("https://www.jamendo.com/track/1/x", "jamendo"),
        (" https://example.com/a.mp3\n", "direct"),
    ],
)
def test_a_link_goes_to_the_source_that_takes_it(
    keys: LibrarySettings, url: str, name: str
) -> None:
    assert Sources.of(keys).check(url) == name


def test_a_route_of_one_source_takes_its_links_alone(keys: LibrarySettings) -> None:
    sources = Sources.of(keys)
    assert sources.check("https://youtu.be/x", "youtube") == "youtube"
    with pytest.raises(
        InvalidRequest, match=r"no link of youtube\. Send it to /api/v1/process/submit"
    ):
        sources.check("https://open.spotify.com/track/x", "youtube")
    with pytest.raises(InvalidRequest, match="no link of spotify"):
        sources.check("https://youtu.be/x", "spotify")


@pytest.mark.parametrize(
    "url", ["", "x", "file:///etc/passwd", "http://127.0.0.1/", "http://a:22/"]
)
def test_what_is_no_link_to_follow_is_refused_before_it_is_a_job(
    keys: LibrarySettings, url: str
) -> None:
    with pytest.raises(LinkRefused):
        Sources.of(keys).check(url)


def test_a_link_of_a_source_without_its_key_is_told_and_not_tried_otherwise() -> None:
    with pytest.raises(SourceUnavailable, match="SHAZAM_RAPIDAPI_KEY is not set"):
        Sources.of(LibrarySettings()).check("https://www.tiktok.com/@a/video/1")


class Pages:
    """Finds a song in any page, as yt-dlp may."""

    name = "pages"

    def present(self) -> str | None:
        return None

    def takes(self, url: str) -> bool:
        return False

    def fetch(self, url: str, into: Path, limits: Limits) -> Fetched:
        assert list(into.iterdir()) == []
        (into / "song.wav").write_bytes(TONE)
        return Fetched(into / "song.wav", "page", url, "audio/wav")


def test_a_page_is_read_as_a_page_and_nothing_of_the_first_try_is_left(
    server: LinkServer, tmp_path: Path, limits: Limits
) -> None:
    guard = Guard([server.host])
    sources = Sources(guard, [Direct(Web(guard))], Pages())
    for media_type in ("text/html", "audio/mpeg"):
        server.at["/page"] = Reply(b"<!doctype html><p>", media_type)
        fetched = sources.fetch(f" {server.url}/page\n", tmp_path, limits)
        assert (fetched.source, fetched.url) == ("page", f"{server.url}/page")
        assert list(tmp_path.iterdir()) == [fetched.path]


def test_a_page_stays_a_page_where_yt_dlp_is_not_installed(
    server: LinkServer,
    keys: LibrarySettings,
    tmp_path: Path,
    limits: Limits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.library.sources.youtube.is_installed", lambda _: False)
    server.at["/page"] = Reply(b"<html>", "text/html")
    with pytest.raises(WebPage, match="link of the file itself"):
        Sources.of(keys).fetch(f"{server.url}/page", tmp_path, limits)


def test_other_catalogues_are_searched_and_one_that_fails_is_passed_over(
    server: LinkServer, keys: LibrarySettings, caplog: pytest.LogCaptureFixture
) -> None:
    server.at["/v3.0/tracks/"] = answer(track(server))
    server.at["/api/token"] = as_json({"error": "invalid_client"}, 400)
    found = Sources.of(keys).search("Let Me Go", "Axl & Arth")
    assert [(match.source, match.title) for match in found] == [("jamendo", "Let Me Go")]
    assert "spotify cannot be searched" in caplog.text
    assert Sources.of(LibrarySettings()).search("Let Me Go", "Axl & Arth") == []


def test_a_creator_is_asked_for_again_where_its_source_can(
    server: LinkServer, keys: LibrarySettings
) -> None:
    server.at["/user/info"] = as_json(
        {"code": 0, "data": {"user": {"uniqueId": "a", "nickname": "New"}, "stats": {}}}
    )
    sources = Sources.of(keys)
    known = Creator("tiktok", "a", "Old", None, {"picture_url": "p"})
    asked = sources.creator(known)
    assert (asked.name, asked.facts) == ("New", {"picture_url": "p"})
    # Of one that is gone, or whose source cannot be asked, what was known stays.
    server.at["/user/info"] = as_json({"code": -1, "msg": "unique_id is invalid"})
    assert sources.creator(known) == known
    other = Creator("youtube", "UCx", "One")
    assert sources.creator(other) == other


def test_each_source_is_one(keys: LibrarySettings) -> None:
    kept: list[Source] = Sources.of(keys)._sources
    assert [one.name for one in kept] == list(NONE_MISSING)


PIECES = [
    *("http://", "https://", "HTTP:", "//", "/", "\\", "@", "#", "?", ":", "%00", "%0d%0a", "\r\n"),
    *("\t", " ", "[", "]", "[::1]", "127.0.0.1", "localhost", "example.com", "0x7f.1", "xn--", "ü"),
    *(
        "。",
        "①",
        "\u200b",
        "\x00",
        "\ud800",
        ":80",
        ":65536",
        ":-1",
        ":²",
        "a" * 300,
        "..",
        "me:x@",
    ),
    *("fe80::1%25eth0", "spotify:", "track/", "youtu.be", "[v1.x]", "jamendo.com/track/1"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join))
def test_whatever_is_sent_as_a_link_is_refused_by_name_where_all_names_lead_inside(
    link: str,
) -> None:
    sources = Sources.of(LibrarySettings(), resolve=lambda host, port: ["127.0.0.1"])
    try:
        name = sources.check(link)
    except (LinkRefused, SourceUnavailable):
        return
    if name == "youtube":
        return  # its fence is tried in test_apart
    with tempfile.TemporaryDirectory() as folder, pytest.raises(LinkRefused):
        sources.fetch(link, Path(folder), Limits(1_000, 10, 2))
