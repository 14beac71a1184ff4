"""`engine/library/sources/apart.py`: yt-dlp inside a fence that it cannot take down."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import PROJECT
from link_server import LinkServer

from engine.library.sources import apart
from engine.library.sources.apart import Asked, Refusal


def inside_fence(script: str, server: LinkServer | None = None, **more: str) -> list[str]:
    """What a script prints that runs in a process with a fence; `fence` is at hand."""
    begin = (
        "import os, socket, subprocess, json\n"
        "from engine.library.sources.apart import *\n"
        "def tried(do):\n"
        "    try:\n"
        "        print('done', do())\n"
        "    except BaseException as error:\n"
        "        print(type(error).__name__)\n"
        f"fence = Fence(Guard({[server.host] if server else []!r}))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", begin + script.format(**more)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ran.stdout.splitlines()


def test_nothing_private_is_reached_whatever_is_tried(
    server: LinkServer, inside: LinkServer
) -> None:
    said = inside_fence(
        "fence.raise_it()\n"
        "tried(lambda: socket.create_connection(('127.0.0.1', {trusted})).close())\n"
        "tried(lambda: socket.create_connection(('127.0.0.1', {port})))\n"
        "tried(lambda: socket.create_connection(('localhost', {port})))\n"
        "tried(lambda: socket.create_connection(('0x7f.1', {port})))\n"
        "tried(lambda: socket.socket().connect(('127.0.0.1', {port})))\n"
        "tried(lambda: socket.socket().connect_ex(('127.0.0.1', {port})))\n"
        "tried(lambda: socket.socket(socket.AF_INET6).connect(('::1', {port})))\n"
        "tried(lambda: socket.socket(socket.AF_UNIX).connect('/tmp/none'))\n"
        "tried(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port})))\n"
        "print(len(fence.refused))\n",
        server,
        trusted=str(server.port),
        port=str(inside.port),
    )
    assert said == [
        "done None",
        *["gaierror"] * 3,
        *["PermissionError"] * 5,
        "7",
    ]
    assert server.connections == 1


def test_a_name_that_is_rebound_between_looking_and_connecting_is_caught(
    inside: LinkServer,
) -> None:
    said = inside_fence(
        "answers = ['93.184.215.14', '127.0.0.1']\n"
        "def lie(host, port, *args, **more):\n"
        "    return [(2, 1, 6, '', (answers.pop(0), port))]\n"
        "fence._resolve = lie\n"
        "fence.raise_it()\n"
        "print(socket.getaddrinfo('rebinding.example', {port})[0][4][0])\n"
        "tried(lambda: socket.create_connection(('rebinding.example', {port})))\n"
        # … and by what keeps the first name and an address of its own.
        "tried(lambda: socket.socket().connect(('127.0.0.1', {port})))\n",
        port=str(inside.port),
    )
    assert said == ["93.184.215.14", "gaierror", "PermissionError"]


def test_no_program_is_started_but_the_one_that_youtube_needs() -> None:
    said = inside_fence(
        "fence.raise_it()\n"
        "tried(lambda: subprocess.run(['/bin/true']))\n"
        "tried(lambda: subprocess.run(['ffmpeg', '-version']))\n"
        "tried(lambda: os.system('true'))\n"
        "tried(lambda: os.fork())\n"
        "tried(lambda: os.execv('/bin/true', ['true']))\n"
        "tried(lambda: os.posix_spawn('/bin/true', ['true'], {{}}))\n"
        # Not installed here, so looked for, and not found.
        "tried(lambda: subprocess.run(['/nowhere/deno']))\n"
    )
    assert said == [*["PermissionError"] * 6, "FileNotFoundError"]


def test_memory_files_and_time_are_bounded(tmp_path: Path) -> None:
    said = inside_fence(
        "bound(Asked('', '', 1000, 0, 7, []))\n"
        "tried(lambda: len(bytearray(3 << 30)))\n"
        "tried(lambda: open({file!r}, 'wb', buffering=0).write(bytes(1000)))\n"
        "tried(lambda: open({file!r}, 'ab', buffering=0).write(b'x'))\n"
        "print(resource.getrlimit(resource.RLIMIT_CPU))\n",
        file=str(tmp_path / "file"),
    )
    assert said == ["MemoryError", "done 1000", "OSError", "(7, 12)"]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a child of its parent's end")
def test_it_dies_with_who_started_it() -> None:
    child = (
        "import os, time; from engine.library.sources.apart import die_with\n"
        "die_with(os.getppid()); print(1, flush=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys\n"
        f"command = [sys.executable, '-c', {child!r}]\n"
        "one = subprocess.Popen(command, stdout=subprocess.PIPE)\n"
        "one.stdout.readline(); print(one.pid, flush=True); sys.stdin.read()\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", parent],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    pid = int(started.stdout.readline())
    started.kill()
    started.communicate()
    until = time.monotonic() + 30
    while psutil.pid_exists(pid) and time.monotonic() < until:
        if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)


ASKED = Asked("http://x/", "/nowhere", 1_000, 60, 10, [])


def test_facts_have_our_names() -> None:
    info = {
        "extractor_key": "Youtube",
        "webpage_url": "https://www.youtube.com/watch?v=x",
        "title": "Artist - Track (official)",
        "track": "Track",
        "artists": ["One", "Two"],
        "uploader": "OneVEVO",
        "channel": "One",
        "channel_id": "UCx",
        "channel_url": "https://www.youtube.com/channel/UCx",
        "channel_follower_count": 7,
        "upload_date": "20200131",
        "duration": 61.5,
        "thumbnail": "https://i.ytimg.com/x.jpg",
        "license": "Creative Commons Attribution license (reuse allowed)",
        "vcodec": "none",
        "ext": "webm",
    }
    told = apart._told(info)
    assert json.loads(json.dumps(told)) == {
        "source": "youtube",
        "url": "https://www.youtube.com/watch?v=x",
        "title": "Track",
        "artist": "One, Two",
        "album": None,
        "year": 2020,
        "genre": None,
        "licence": "Creative Commons Attribution license (reuse allowed)",
        "duration_s": 61.5,
        "picture_url": "https://i.ytimg.com/x.jpg",
        "media_type": "audio/webm",
        "handle": "UCx",
        "creator": "One",
        "creator_url": "https://www.youtube.com/channel/UCx",
        "followers": 7,
    }


@pytest.mark.parametrize(
    ("info", "code"),
    [
        (None, "link_failed"),
        ({"_type": "playlist", "entries": []}, "link_failed"),
        ({"_type": "multi_video"}, "link_failed"),
        ({"is_live": True}, "link_failed"),
        ({"live_status": "is_upcoming"}, "link_failed"),
        ({"duration": 60.5}, "audio_too_long"),
        ({"filesize": 1_001}, "link_too_large"),
    ],
)
def test_what_is_no_track_is_refused_before_it_is_fetched(
    info: dict[str, object] | None, code: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        apart._refuse_what_is_no_track(info, ASKED)
    assert refusal.value.code == code


def test_a_track_within_limits_is_none_of_these() -> None:
    apart._refuse_what_is_no_track({"duration": 60, "filesize": 1_000, "is_live": False}, ASKED)
    apart._refuse_what_is_no_track({"duration": None}, ASKED)


def failures() -> list[tuple[Exception, str]]:
    from yt_dlp.networking.exceptions import TransportError
    from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError

    def wrapped(error: Exception) -> DownloadError:
        return DownloadError(str(error), (type(error), error, None))

    # As `YoutubeDL` hands them: https://github.com/yt-dlp/yt-dlp, extractor/youtube/_video.py.
    gone = [
        "[youtube] x: Private video. Sign in if you've been granted access to this video",
        "[youtube] x: Sign in to confirm your age. This video may be inappropriate",
        "[youtube] x: Sign in to confirm you're not a bot.",
        "[youtube] x: Video unavailable. This video has been removed by the uploader",
        "[youtube] x: Video unavailable. This video contains content from UMG, who has blocked it",
        "[youtube] x: Join this channel to get access to members-only content",
        "[x] This video is DRM protected",
    ]
    return [
        *((wrapped(ExtractorError(words, expected=True)), "source_refused") for words in gone),
        (wrapped(GeoRestrictedError("not in your country")), "source_refused"),
        (wrapped(UnsupportedError("http://x/")), "link_failed"),
        (wrapped(TransportError("refused")), "link_failed"),
        (wrapped(ExtractorError("Requested format is something else")), "link_failed"),
        (OSError(errno.EFBIG, "File too large"), "link_too_large"),
        (wrapped(OSError(errno.EFBIG, "File too large")), "link_too_large"),
        (OSError(errno.ENOSPC, "No space left on device"), "storage_full"),
    ]


def test_what_needs_a_javascript_engine_that_is_not_there_is_told_as_such() -> None:
    from yt_dlp.networking.exceptions import TransportError
    from yt_dlp.utils import DownloadError, ExtractorError

    no_format = ExtractorError("[youtube] x: Requested format is not available.", expected=True)
    private = ExtractorError("[youtube] x: Private video", expected=True)
    away = TransportError("refused")
    for warned, error, code in (
        (True, no_format, "source_unavailable"),
        (False, no_format, "link_failed"),
        (True, private, "source_refused"),
        (True, away, "link_failed"),
    ):
        said = apart._Said()
        if warned:  # as extractor/youtube/_video.py says it
            said.warning("[youtube] No supported JavaScript runtime could be found. Only deno is …")
        wrapped = DownloadError(str(error), (type(error), error, None))
        assert apart._named(wrapped, said, ASKED).code == code


@pytest.mark.parametrize(("error", "code"), failures())
def test_failures_of_yt_dlp_have_our_names(error: Exception, code: str) -> None:
    refusal = apart._named(error, apart._Said(), ASKED)
    assert refusal.code == code
    assert refusal.message.endswith((".",))
    assert "http" not in refusal.message
