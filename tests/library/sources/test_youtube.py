"""`engine/library/sources/youtube.py`: pages through yt-dlp, in a process that can be ended."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import psutil
import pytest
from link_server import TONE, LinkServer, Reply, redirect
from object_stores import optional

from engine.base.errors import LinkFailed, LinkRefused, LinkTimeout, LinkTooLarge
from engine.library.sources.guard import Guard
from engine.library.sources.source import FetchCancelled, Limits
from engine.library.sources.youtube import YouTube, _environment


@pytest.fixture
def youtube(server: LinkServer) -> YouTube:
    return YouTube(Guard([server.host]), [server.host])


LONG = Limits(max_bytes=100_000, max_s=60, timeout_s=60)


def page(*names: str) -> Reply:
    sounds = "".join(f'<audio src="{name}"></audio>' for name in names)
    text = f"<!doctype html><title>Songs</title><body>{sounds}"
    return Reply(text.encode(), "text/html; charset=utf-8")


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://www.youtube.com/watch?v=dQw4w9WgXcQ", True),
        ("https://youtu.be/dQw4w9WgXcQ", True),
        ("https://music.youtube.com/watch?v=x", True),
        ("https://M.YouTube.com./shorts/x", True),
        ("https://soundcloud.com/a/b", True),
        ("https://notyoutube.com/watch?v=x", False),
        ("https://youtube.com.example.org/", False),
        ("https://example.org/?u=youtube.com", False),
        ("nonsense", False),
    ],
)
def test_links_are_taken_by_their_host(youtube: YouTube, url: str, taken: bool) -> None:
    assert youtube.takes(url) is taken


def test_sound_is_found_in_a_page(server: LinkServer, youtube: YouTube, tmp_path: Path) -> None:
    server.at["/page"] = page("/tone.wav")
    fetched = youtube.fetch(f"{server.url}/page", tmp_path, LONG)
    assert fetched.path.read_bytes() == TONE
    assert fetched.path.parent == tmp_path
    assert (fetched.source, fetched.media_type) == ("page", "audio/wav")
    assert fetched.title is not None
    assert "Songs" in fetched.title
    assert fetched.year is None


@optional
def test_a_file_too_large_is_told(server: LinkServer, youtube: YouTube, tmp_path: Path) -> None:
    server.at["/large"] = page("/large.wav")
    server.at["/large.wav"] = Reply(bytes(300_000), length="")  # it does not say how large it is
    with pytest.raises(LinkTooLarge, match="more than"):
        youtube.fetch(f"{server.url}/large", tmp_path, LONG)


def test_a_page_leads_nowhere_inside(
    server: LinkServer, inside: LinkServer, youtube: YouTube, tmp_path: Path
) -> None:
    server.at["/page"] = page("/redirected.wav")
    server.at["/redirected.wav"] = redirect(f"http://localhost:{inside.port}/secret.wav")
    with pytest.raises(LinkRefused, match="not on the public internet"):
        youtube.fetch(f"{server.url}/page", tmp_path, LONG)
    with pytest.raises(LinkRefused):
        youtube.fetch(f"{inside.url}/secret.wav", tmp_path, LONG)


def hangs(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(20)


def children() -> list[psutil.Process]:
    return [
        one
        for one in psutil.Process().children(recursive=True)
        if one.status() != psutil.STATUS_ZOMBIE and "engine.library.sources.apart" in one.cmdline()
    ]


def test_the_process_is_gone_at_the_deadline_and_when_nobody_waits(
    server: LinkServer, youtube: YouTube, tmp_path: Path
) -> None:
    server.at["/page"] = hangs
    began = time.monotonic()
    with pytest.raises(LinkTimeout):
        youtube.fetch(f"{server.url}/page", tmp_path, Limits(100_000, 60, 0.5))
    assert time.monotonic() - began < 15
    assert children() == []
    limits = Limits(100_000, 60, 60, threading.Event())
    threading.Timer(0.5, limits.cancelled.set).start()
    with pytest.raises(FetchCancelled):
        youtube.fetch(f"{server.url}/page", tmp_path, limits)
    assert children() == []


def test_a_process_that_dies_is_a_link_that_failed(
    youtube: YouTube,
    server: LinkServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("engine.library.sources.youtube.question", lambda _: b"no question")
    with pytest.raises(LinkFailed, match="could not be read"):
        youtube.fetch(f"{server.url}/page", tmp_path, LONG)
    assert "yt-dlp ended with 1" in caplog.text


def test_the_process_has_neither_keys_nor_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHAZAM_RAPIDAPI_KEY", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "DATABASE_URL"):
        monkeypatch.setenv(name, "hidden")
    environment = _environment("/somewhere")
    assert "hidden" not in environment.values()
    assert environment["HOME"] == "/somewhere"


def test_without_yt_dlp_it_is_absent(youtube: YouTube, monkeypatch: pytest.MonkeyPatch) -> None:
    assert youtube.present() is None
    monkeypatch.setattr("engine.library.sources.youtube.is_installed", lambda _: False)
    assert youtube.present() == (
        "yt-dlp is not installed. Run: pip install -r requirements/library.lock"
    )
