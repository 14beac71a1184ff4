"""`engine/library/sources/tiktok.py`, against a server that answers as the service documents.

https://rapidapi.com/tikwm-tikwm-default/api/tiktok-scraper7, https://www.tikwm.com/api
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from link_server import TONE, LinkServer, Reply, as_json

from engine.base.errors import (
    AudioTooLong,
    LinkFailed,
    LinkRefused,
    SourceRefused,
    SourceUnavailable,
)
from engine.library.sources.guard import Guard
from engine.library.sources.source import Creator, Deadline, Limits
from engine.library.sources.tiktok import TikTok
from engine.library.sources.web import Web

LINK = "https://www.tiktok.com/@tiktok/video/7231338487075638570"


def post(server: LinkServer, **more: Any) -> dict[str, Any]:
    return {
        "id": "7231338487075638570",
        "region": "US",
        "title": "TikTok Sounds, collected #sounds",
        "cover": "https://p16-sign.tiktokcdn.com/cover.jpeg",
        "duration": 16,
        "play": f"{server.url}/play.mp4",
        "wmplay": f"{server.url}/watermarked.mp4",
        "hdplay": f"{server.url}/hd.mp4",
        "size": 1_644,
        "music": f"{server.url}/music.mp3",
        "music_info": {
            "id": "7231338504322648875",
            "title": "original sound - tiktok",
            "play": f"{server.url}/music.mp3",
            "author": "TikTok",
            "original": True,
            "duration": 16,
            "album": "",
        },
        "create_time": 1_683_668_420,
        "author": {
            "id": "107955",
            "unique_id": "tiktok",
            "nickname": "TikTok",
            "avatar": "https://p16-sign.tiktokcdn.com/avatar.jpeg",
        },
        **more,
    }


def answer(data: dict[str, Any]) -> Reply:
    return as_json({"code": 0, "msg": "success", "processed_time": 0.3, "data": data})


@pytest.fixture
def tiktok(server: LinkServer) -> TikTok:
    server.at["/"] = answer(post(server))
    server.at["/play.mp4"] = Reply(TONE, "video/mp4")
    server.at["/music.mp3"] = Reply(TONE + TONE, "audio/mpeg")
    web = Web(Guard([server.host]))
    return TikTok(web, web, "hidden-key", server.url)


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        (LINK, True),
        ("https://vm.tiktok.com/ZM2x/", True),
        ("https://tiktok.com/t/x", True),
        ("https://nottiktok.com/x", False),
    ],
)
def test_links_are_taken_by_their_host(tiktok: TikTok, url: str, taken: bool) -> None:
    assert tiktok.takes(url) is taken


def test_the_sound_of_a_video_is_fetched_with_who_posted_it(
    server: LinkServer, tiktok: TikTok, tmp_path: Path, limits: Limits
) -> None:
    fetched = tiktok.fetch(LINK, tmp_path, limits)
    assert fetched.path.read_bytes() == TONE
    assert (fetched.title, fetched.artist) == ("TikTok Sounds, collected #sounds", "TikTok")
    assert (fetched.source, fetched.url, fetched.year) == ("tiktok", LINK, 2023)
    assert (fetched.media_type, fetched.duration_s) == ("video/mp4", 16)
    assert fetched.creator == Creator(
        "tiktok",
        "tiktok",
        "TikTok",
        "https://www.tiktok.com/@tiktok",
        {"picture_url": "https://p16-sign.tiktokcdn.com/avatar.jpeg"},
    )
    asked = server.asked[0]
    assert asked.query == {"url": LINK, "hd": "1"}
    assert asked.headers["x-rapidapi-key"] == "hidden-key"
    assert asked.headers["x-rapidapi-host"] == server.host
    assert "x-rapidapi-key" not in server.asked[1].headers


def test_a_tune_that_has_a_name_is_called_by_it(
    server: LinkServer, tiktok: TikTok, tmp_path: Path, limits: Limits
) -> None:
    music = {"title": "Tune", "author": "Band", "album": "Album", "original": False}
    server.at["/"] = answer(post(server, music_info=music))
    fetched = tiktok.fetch(LINK, tmp_path, limits)
    assert (fetched.title, fetched.artist, fetched.album) == ("Tune", "Band", "Album")


def test_pictures_have_the_tune_under_them(
    server: LinkServer, tiktok: TikTok, tmp_path: Path, limits: Limits
) -> None:
    server.at["/"] = answer(post(server, images=["https://x/1.jpeg"], duration=0))
    assert tiktok.fetch(LINK, tmp_path, limits).path.read_bytes() == TONE + TONE


@pytest.mark.parametrize(
    ("reply", "failure", "why"),
    [
        (
            as_json({"code": -1, "msg": "Url parsing is failed! Please check url."}),
            LinkFailed,
            "Check",
        ),
        (as_json({"code": 0, "msg": "success"}), LinkFailed, "Check"),
        (
            as_json({"message": "You are not subscribed to this API."}, 403),
            SourceUnavailable,
            "key",
        ),
        (as_json({"message": "Invalid API key."}, 401), SourceUnavailable, "SHAZAM_RAPIDAPI_KEY"),
        (as_json({"message": "You have exceeded"}, 429), SourceUnavailable, "too often"),
        (Reply(b"<html>", "text/html"), LinkFailed, "200"),
        (as_json({"message": "x"}, 500), LinkFailed, "500"),
    ],
)
def test_refusals_of_the_service_are_named_without_the_key(
    server: LinkServer,
    tiktok: TikTok,
    tmp_path: Path,
    limits: Limits,
    caplog: pytest.LogCaptureFixture,
    reply: Reply,
    failure: type[Exception],
    why: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.at["/"] = reply
    with pytest.raises(failure, match=why) as refusal:
        tiktok.fetch(LINK, tmp_path, limits)
    assert "hidden-key" not in str(refusal.value) + caplog.text


def test_a_video_too_long_and_one_without_sound_are_not_fetched(
    server: LinkServer, tiktok: TikTok, tmp_path: Path, limits: Limits
) -> None:
    server.at["/"] = answer(post(server, duration=61))
    with pytest.raises(AudioTooLong):
        tiktok.fetch(LINK, tmp_path, limits)
    server.at["/"] = answer(post(server, play=""))
    with pytest.raises(SourceRefused):
        tiktok.fetch(LINK, tmp_path, limits)
    assert server.paths() == ["/", "/"]


def test_a_file_that_lies_inside_is_not_fetched(
    server: LinkServer, inside: LinkServer, tmp_path: Path, limits: Limits
) -> None:
    server.at["/"] = answer(post(server, play=f"{inside.url}/secret.wav"))
    api = Web(Guard().trusting(server.url))
    with pytest.raises(LinkRefused):
        TikTok(api, Web(Guard()), "hidden-key", server.url).fetch(LINK, tmp_path, limits)


def test_who_posts_is_asked_for(server: LinkServer, tiktok: TikTok) -> None:
    server.at["/user/info"] = answer(
        {
            "user": {
                "id": "107955",
                "uniqueId": "tiktok",
                "nickname": "TikTok",
                "avatarThumb": "a",
            },
            "stats": {"followerCount": 7, "videoCount": 3},
        }
    )
    assert tiktok.creator("tiktok", Deadline(5)) == Creator(
        "tiktok",
        "tiktok",
        "TikTok",
        "https://www.tiktok.com/@tiktok",
        {"picture_url": "a", "followers": 7, "tracks": 3},
    )
    assert server.asked[0].query == {"unique_id": "tiktok"}


def test_without_its_key_it_says_so_and_asks_nobody(
    server: LinkServer, tmp_path: Path, limits: Limits
) -> None:
    web = Web(Guard([server.host]))
    tiktok = TikTok(web, web, "", server.url)
    assert tiktok.present() == "SHAZAM_RAPIDAPI_KEY is not set."
    with pytest.raises(SourceUnavailable, match="SHAZAM_RAPIDAPI_KEY is not set"):
        tiktok.fetch(LINK, tmp_path, limits)
    assert server.connections == 0
