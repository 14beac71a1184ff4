"""`engine/library/sources/direct.py` and `web.py`: a link to a file, whatever its server does."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from link_server import TONE, LinkServer, Reply, redirect

from engine.base.errors import (
    EmptyFile,
    LinkFailed,
    LinkRefused,
    LinkTimeout,
    LinkTooLarge,
    StorageFull,
)
from engine.library.sources import guard
from engine.library.sources.direct import Direct
from engine.library.sources.guard import Guard
from engine.library.sources.source import FetchCancelled, Fetched, Limits
from engine.library.sources.web import Web, WebPage


@pytest.fixture
def fetch(server: LinkServer, tmp_path: Path, limits: Limits) -> Callable[..., Fetched]:
    direct = Direct(Web(Guard([server.host])))

    def one(path: str, within: Limits = limits) -> Fetched:
        return direct.fetch(f"{server.url}{path}", tmp_path, within)

    return one


def test_a_file_is_fetched_with_what_its_server_tells(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/a/F%C3%BCr%20Elise.wav"] = Reply(TONE)
    fetched = fetch("/a/F%C3%BCr%20Elise.wav?token=1")
    assert fetched.path.read_bytes() == TONE
    assert (fetched.title, fetched.source, fetched.media_type) == (
        "Für Elise",
        "direct",
        "audio/wav",
    )
    assert server.asked[0].headers["accept-encoding"] == "identity"
    assert server.asked[0].headers["user-agent"].startswith("shazam-visual/")


def test_a_file_has_the_name_that_its_server_gives_it(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    told = {"Content-Disposition": "attachment; filename*=UTF-8''..%2F..%2FNo%CC%88%0A%C3%84x.mp3"}
    server.at["/download"] = Reply(TONE, "application/octet-stream", headers=told)
    assert fetch("/download").title == "No\u0308 Äx"


@pytest.mark.parametrize(
    "media_type",
    ["audio/mpeg", "video/mp4", "application/ogg", "application/octet-stream", "AUDIO/X-WAV; a=b"],
)
def test_what_may_be_sound_is_taken(
    server: LinkServer, fetch: Callable[..., Fetched], media_type: str
) -> None:
    server.at["/x"] = Reply(TONE, media_type)
    assert fetch("/x").path.read_bytes() == TONE


@pytest.mark.parametrize(
    ("reply", "failure", "why"),
    [
        (Reply(b"<p>", "text/html; charset=utf-8"), WebPage, "link of the file itself"),
        (Reply(b"#EXTM3U", "application/vnd.apple.mpegurl"), WebPage, "page"),
        (Reply(b" <!-- x --><!DOCTYPE HTML><p>", "audio/mpeg"), WebPage, "page"),
        (Reply(b"#EXTM3U\n", "application/octet-stream"), WebPage, "page"),
        (Reply(b"{}", "application/json"), LinkFailed, "'application/json', which is neither"),
        (Reply(b"x", "image/png"), LinkFailed, "neither sound nor a video"),
        (Reply(b"", "audio/mpeg"), EmptyFile, "empty"),
        (Reply(b"x", status=404), LinkFailed, "nothing behind the link"),
        (Reply(b"x", status=410), LinkFailed, "nothing behind the link"),
        (Reply(b"x", status=403), LinkFailed, "does not let us"),
        (Reply(b"x", status=401), LinkFailed, "does not let us"),
        (Reply(b"x", status=418), LinkFailed, "418"),
        (Reply(b"x", status=206), LinkFailed, "206"),
        (Reply(b"x", headers={"Content-Encoding": "gzip"}), LinkFailed, "compressed"),
        (Reply(b"x", length="100001"), LinkTooLarge, "more than 0 MB"),
        (Reply(b"x", length="9" * 19), LinkTooLarge, "more than"),
        (Reply(bytes(100_001), length=""), LinkTooLarge, "more than"),
    ],
)
def test_what_cannot_be_sound_is_refused_by_name_and_asked_for_once(
    server: LinkServer,
    fetch: Callable[..., Fetched],
    reply: Reply,
    failure: type[Exception],
    why: str,
) -> None:
    server.at["/x"] = reply
    with pytest.raises(failure, match=why):
        fetch("/x")
    assert server.paths() == ["/x"]


def test_a_file_of_just_the_size_that_is_taken_is_taken(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/x"] = Reply(bytes(100_000))
    assert fetch("/x").path.stat().st_size == 100_000


# What passes


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_server_that_stumbles_is_asked_again(
    server: LinkServer, fetch: Callable[..., Fetched], status: int
) -> None:
    server.at["/x"] = [Reply(status=status), Reply(status=status), Reply(TONE)]
    assert fetch("/x").path.read_bytes() == TONE


def test_a_server_that_never_gets_up_is_told_after_four_attempts(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/x"] = Reply(status=503)
    with pytest.raises(LinkFailed, match="answers 503, also when asked again"):
        fetch("/x")
    assert server.paths() == ["/x"] * 4


def test_a_file_that_ends_early_is_asked_for_again_from_its_beginning(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/x"] = [Reply(TONE[:500], length=str(len(TONE))), Reply(TONE)]
    assert fetch("/x").path.read_bytes() == TONE


def test_what_a_server_asks_to_wait_is_waited(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/x"] = [Reply(status=429, headers={"Retry-After": "1"}), Reply(TONE)]
    began = time.monotonic()
    fetch("/x")
    assert time.monotonic() - began >= 1.0


def test_who_asks_to_wait_beyond_the_deadline_is_not_waited_for(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/x"] = Reply(status=503, headers={"Retry-After": "3600"})
    began = time.monotonic()
    with pytest.raises(LinkFailed, match="503"):
        fetch("/x")
    assert time.monotonic() - began < 30


def test_no_server_is_told(server: LinkServer, tmp_path: Path, limits: Limits) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(LinkFailed, match="cannot be reached"):
        Direct(Web(Guard([host]))).fetch(f"http://{host}/x", tmp_path, limits)


# What does not end


def drip(part: bytes, head: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """`head`, then `part` ten times a second for as long as somebody reads."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(head)
        for _ in range(200):
            handler.wfile.write(part)
            time.sleep(0.1)

    return answer


HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n"


@pytest.mark.parametrize(
    ("part", "head"),
    [
        pytest.param(b"x", HEAD + b"\r\n", id="a byte at a time"),
        pytest.param(b"X-More: y\r\n", HEAD, id="headers without end"),
        pytest.param(b"", HEAD + b"\r\n", id="silence"),
        pytest.param(b"", b"", id="no answer at all"),
    ],
)
def test_a_link_that_never_ends_ends_at_the_deadline(
    server: LinkServer, fetch: Callable[..., Fetched], part: bytes, head: bytes
) -> None:
    server.at["/x"] = drip(part, head)
    began = time.monotonic()
    with pytest.raises(LinkTimeout, match=r"within 0\.5 s"):
        fetch("/x", Limits(100_000, 60, 0.5))
    assert time.monotonic() - began < 30


def test_a_link_that_drips_is_left_long_before_the_deadline(
    server: LinkServer, fetch: Callable[..., Fetched], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SLOW_S", 0.3)
    server.at["/x"] = drip(b"x", HEAD + b"\r\n")
    began = time.monotonic()
    with pytest.raises(LinkTimeout, match="did not come within"):
        fetch("/x", Limits(100_000, 60, 60))
    assert time.monotonic() - began < 30


def test_who_wants_it_no_more_waits_no_longer(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/x"] = drip(b"", HEAD + b"\r\n")
    limits = Limits(100_000, 60, 30, threading.Event())
    threading.Timer(0.2, limits.cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(FetchCancelled):
        fetch("/x", limits)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(("length", "last"), [(None, 1.0), ("", None)])
def test_how_far_it_is_is_told_by_bytes_where_its_length_is_known(
    server: LinkServer, fetch: Callable[..., Fetched], length: str | None, last: float | None
) -> None:
    server.at["/x"] = Reply(TONE * 60, length=length)
    heard: list[float] = []
    fetch("/x", Limits(100_000, 60, 30, report=heard.append))
    assert heard == sorted(heard)
    assert (heard[-1] if heard else None) == last
    assert last is None or 0 < heard[0] < 1


# Redirects


def test_redirects_are_followed(server: LinkServer, fetch: Callable[..., Fetched]) -> None:
    hops = ["/1", "/2", "/3", "/4", "/5", "/tone.wav"]
    for status, (here, there) in zip(
        (301, 302, 303, 307, 308), itertools.pairwise(hops), strict=True
    ):
        server.at[here] = redirect(there, status)
    fetched = fetch("/1")
    assert fetched.path.read_bytes() == TONE
    assert server.paths() == hops
    assert fetched.url == f"{server.url}/1"


def test_redirects_without_end_are_given_up(
    server: LinkServer, fetch: Callable[..., Fetched]
) -> None:
    server.at["/x"] = redirect("/x")
    with pytest.raises(LinkFailed, match="more than 5 redirects"):
        fetch("/x")
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    "to",
    [
        "http://{inside}/secret.wav",
        "//{inside}/secret.wav",
        "http://localhost:{port}/secret.wav",
        "http://[::ffff:127.0.0.1]:{port}/secret.wav",
        "http://me@{inside}/secret.wav",
        "http://0x7f.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://{inside}/x",
        "http://{inside}",
        "gopher://{inside}/_x",
        "http://[::1",
    ],
)
def test_a_redirect_to_where_links_may_not_lead_is_refused(
    server: LinkServer, inside: LinkServer, fetch: Callable[..., Fetched], to: str
) -> None:
    server.at["/x"] = redirect(to.format(inside=inside.host, port=inside.port))
    with pytest.raises(LinkRefused):
        fetch("/x")
    assert server.paths() == ["/x"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has /dev/full")
def test_a_full_disk_is_told(
    server: LinkServer, fetch: Callable[..., Fetched], tmp_path: Path
) -> None:
    (tmp_path / "source").symlink_to("/dev/full")
    server.at["/x"] = Reply(bytes(50_000))
    with pytest.raises(StorageFull):
        fetch("/x")
    assert server.paths() == ["/x"]
