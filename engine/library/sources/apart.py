"""yt-dlp in a process of its own: `python -m engine.library.sources.apart`, started by `youtube`.

    stdin   one JSON object, `Asked`
    stdout  one JSON object: what was fetched, or `{"code", "message"}` of a failure

yt-dlp runs code for some 1,800 sites, follows whatever they say, and may start programs. Here it
may connect to what a `Guard` admits and to nothing else, start no program but the JavaScript engine
that YouTube needs (`deno`, where it is installed), and write no file beyond a size. That is held by
an audit hook, which cannot be taken out again, and by limits of the system. Whoever started this
process has it killed at the deadline; should that process die, this one does too.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import resource
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.base.errors import LinkRefused
from engine.library.sources.guard import FIRST_FREE_PORT, WEB_PORTS, Guard, is_public

FILE = "source"
PAGE = "page"
# yt-dlp's modules take 150 MB; a page or a playlist of fragments is read into memory.
MOST_MEMORY = 1 << 30
SOCKET_S = 20
PROGRAMS = {"deno"}
PR_SET_PDEATHSIG = 1
# Sound alone where there is such, plain HTTP before fragments; never two files to be joined.
FORMAT = "bestaudio[protocol^=http]/best[protocol^=http]/bestaudio/best"

GONE = re.compile(
    r"private|removed|taken down|terminated|copyright|unavailable|not available|no longer|deleted|"
    r"members[- ]only|join this channel|sign in|log ?in|age[- ]restrict|confirm your age|drm|"
    r"premium|purchase|paid|account",
    re.IGNORECASE,
)
# Not what its owner says of it: nothing of it that can be fetched was found.
FORMATLESS = re.compile(r"requested format|only images are|no video formats", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """What this process is told."""

    url: str
    folder: str
    max_bytes: int
    max_s: float
    cpu_s: int
    trusted: list[str]


class Refusal(Exception):
    """A named failure: its code and words go to who asked."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Fence:
    """What may be connected to, and what was tried besides."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self._resolve = guard, socket.getaddrinfo
        self._trusted: set[tuple[str, int]] = set()
        self.refused: list[str] = []

    def raise_it(self) -> None:
        """From now on, in this process, for good."""
        setattr(socket, "getaddrinfo", self._getaddrinfo)  # noqa: B010 (mypy knows its overloads)
        sys.addaudithook(self._hook)

    def _getaddrinfo(self, host: Any, port: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        found = self._resolve(host, port, *args, **more)
        addresses = [(str(row[4][0]), int(row[4][1])) for row in found]
        if self._guard.is_trusted(name, int(port or 0)):
            self._trusted.update(addresses)
        elif not all(is_public(address) for address, _ in addresses):
            self.refused.append(name)
            raise socket.gaierror(socket.EAI_NONAME, "not on the public internet")
        return found

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and not self._may_connect(args[1]):
            self.refused.append(str(args[1]))
            raise PermissionError("not on the public internet")
        if event in ("socket.sendto", "socket.sendmsg", "socket.bind"):
            raise PermissionError(f"{event} is not for yt-dlp")
        if event == "subprocess.Popen":
            if Path(os.fsdecode(args[0])).name not in PROGRAMS:
                raise PermissionError("no programs here")
        elif event in ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"):
            raise PermissionError("no programs here")

    def _may_connect(self, address: Any) -> bool:
        if not isinstance(address, tuple):
            return False  # a Unix socket
        host, port = str(address[0]), int(address[1])
        if (host, port) in self._trusted:
            return True
        return is_public(host) and (port in WEB_PORTS or port >= FIRST_FREE_PORT)


def bound(asked: Asked) -> None:
    """Limits of the system on this process and what it starts; and its life is its parent's."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (asked.max_bytes, asked.max_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (asked.cpu_s, asked.cpu_s + 5))
    # Not of addresses: JavaScript engines reserve many gigabytes that they never touch.
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))


def die_with(parent: int) -> None:
    """Be killed as soon as the process that started this one is gone."""
    with contextlib.suppress(OSError, AttributeError):  # Linux alone has it
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def fetch(asked: Asked) -> dict[str, Any]:
    """A file in `asked.folder`, and what its page tells; raises `Refusal`."""
    fence = Fence(Guard(asked.trusted))
    fence.raise_it()
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import YoutubeDLError

    said = _Said()
    try:
        with YoutubeDL(_options(asked, said)) as tool:
            info = tool.extract_info(asked.url, download=False)
            _refuse_what_is_no_track(info, asked)
            info = tool.process_ie_result(info, download=True)
    except (YoutubeDLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if fence.refused:
            raise _private() from error
        raise _named(error, said, asked) from error
    files = sorted(Path(asked.folder).glob(f"{FILE}.*"))
    if len(files) != 1 or files[0].suffix == ".part":
        raise _too_large(asked) if said.too_large else _nothing()
    return {"file": files[0].name, **_told(info)}


def _options(asked: Asked, said: _Said) -> dict[str, Any]:
    def bounded(progress: dict[str, Any]) -> None:
        if (progress.get("downloaded_bytes") or 0) > asked.max_bytes:
            raise _too_large(asked)

    return {
        "format": FORMAT,
        "outtmpl": {"default": f"{FILE}.%(ext)s"},
        "paths": {"home": asked.folder},
        "max_filesize": asked.max_bytes,
        "progress_hooks": [bounded],
        "logger": said,
        "noprogress": True,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "playlist_items": "1:2",
        "cachedir": False,
        "proxy": "",
        "socket_timeout": SOCKET_S,
        "retries": 3,
        "fragment_retries": 3,
        "extractor_retries": 2,
        "skip_unavailable_fragments": False,
        "fixup": "never",
        "external_downloader": {"default": "native"},
        "ffmpeg_location": "/nonexistent",
        "updatetime": False,
        "overwrites": True,
        "js_runtimes": {name: {} for name in PROGRAMS},
    }


class _Said:
    """What yt-dlp would print, the last of it kept."""

    def __init__(self) -> None:
        self.last, self.too_large, self.no_engine = "", False, False

    def debug(self, message: str) -> None:
        # It ends such a download without an error.
        self.too_large |= "larger than max-filesize" in message
        print(message, file=sys.stderr)

    def info(self, message: str) -> None:
        self.debug(message)

    def warning(self, message: str) -> None:
        self.no_engine |= "No supported JavaScript runtime" in message
        self.debug(message)

    def error(self, message: str) -> None:
        self.last = message
        self.debug(message)


def _refuse_what_is_no_track(info: dict[str, Any] | None, asked: Asked) -> None:
    if not info:
        raise _nothing()
    if info.get("_type", "video") != "video":
        raise Refusal(
            "link_failed",
            "The link leads to several recordings. Give the link of one of them.",
        )
    if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming", "post_live"):
        raise Refusal(
            "link_failed",
            "The link leads to something live, which has no end yet. Try again later.",
        )
    if (info.get("duration") or 0) > asked.max_s:
        raise Refusal(
            "audio_too_long",
            f"It lasts {info['duration']:,.0f} s, and at most {asked.max_s:,.0f} are taken.",
        )
    if (info.get("filesize") or 0) > asked.max_bytes:
        raise _too_large(asked)


def _told(info: dict[str, Any]) -> dict[str, Any]:
    """Plain facts out of yt-dlp's, under our names."""
    source = str(info.get("extractor_key") or "").lower()
    # A page that is no site yt-dlp knows tells the date of a file, and no name worth keeping.
    known = source not in ("", "generic", "html5mediaembed")
    year = info.get("release_year") or (str(info.get("upload_date") or "")[:4] if known else "")
    handle = info.get("channel_id") or info.get("uploader_id") or info.get("uploader")
    artist = info.get("artist") or ", ".join(info.get("artists") or [])
    return {
        "source": source if known else PAGE,
        "url": info.get("webpage_url"),
        "title": info.get("track") or info.get("title"),
        "artist": artist or info.get("uploader"),
        "album": info.get("album"),
        "year": int(year) if str(year).isdigit() else None,
        "genre": info.get("genre"),
        "licence": info.get("license"),
        "duration_s": info.get("duration"),
        "picture_url": info.get("thumbnail"),
        "media_type": f"{'audio' if info.get('vcodec') == 'none' else 'video'}/{info.get('ext')}",
        "handle": handle,
        "creator": info.get("channel") or info.get("uploader"),
        "creator_url": info.get("channel_url") or info.get("uploader_url"),
        "followers": info.get("channel_follower_count"),
    }


def _named(error: Exception, said: _Said, asked: Asked) -> Refusal:
    """yt-dlp's failures under our names. Its words are for the log: they hold addresses and advice
    to who sits at a terminal."""
    from yt_dlp.networking.exceptions import HTTPError, TransportError
    from yt_dlp.utils import GeoRestrictedError, UnsupportedError

    causes = list(_causes(error))
    words = f"{error} {said.last}"
    if any(isinstance(one, OSError) and one.errno == 27 for one in causes):  # EFBIG
        return _too_large(asked)
    if any(isinstance(one, OSError) and one.errno in (28, 122) for one in causes):
        return Refusal("storage_full", "The disk of this machine is full: free some of it.")
    if any(isinstance(one, UnsupportedError) for one in causes):
        return _nothing()
    if any(isinstance(one, GeoRestrictedError) for one in causes):
        return Refusal("source_refused", "Its source does not give it to the country we are in.")
    status = next((one.status for one in causes if isinstance(one, HTTPError)), None)
    if status is not None and status not in (401, 403, 451):
        return Refusal("link_failed", f"The link's server answers {status}. Check the link.")
    if status is None and any(isinstance(one, TransportError) for one in causes):
        return Refusal("link_failed", "The link's server cannot be reached. Try again later.")
    refused = GONE.search(words) is not None and not FORMATLESS.search(words)
    if said.no_engine and (status == 403 or (status is None and not refused)):
        return Refusal(
            "source_unavailable",
            "YouTube gives this one to a JavaScript engine alone, and this service has none: its "
            "operator installs deno. Upload the file, if you have it.",
        )
    if status is not None or refused:
        return Refusal(
            "source_refused",
            "Its source does not give it: it is private, removed, for members or adults alone, or "
            "not for such as us. Upload the file, if you have it.",
        )
    return _nothing()


def _causes(error: BaseException) -> Any:
    """An error, and those behind it, by each of the ways in which yt-dlp keeps them."""
    seen: list[BaseException] = []
    todo: list[Any] = [error]
    while todo:
        one = todo.pop(0)
        if not isinstance(one, BaseException) or one in seen:
            continue
        seen.append(one)
        kept = getattr(one, "exc_info", None)
        todo += [one.__cause__, one.__context__, getattr(one, "cause", None)]
        todo.append(kept[1] if isinstance(kept, tuple) and len(kept) > 1 else None)
    return seen


def _nothing() -> Refusal:
    return Refusal(
        "link_failed",
        "Nothing that sounds was found behind the link. Give the link of a file or of one "
        "recording, or upload the file.",
    )


def _too_large(asked: Asked) -> Refusal:
    return Refusal(
        "link_too_large",
        f"What lies behind the link has more than {asked.max_bytes / 1e6:,.0f} MB. Give a shorter "
        "or smaller one.",
    )


def _private() -> Refusal:
    return Refusal(
        LinkRefused.code,
        "The link leads to an address that is not on the public internet, and links are followed "
        "only there. Upload the file instead.",
    )


def main() -> None:
    told = json.load(sys.stdin)
    die_with(told.pop("parent"))
    asked = Asked(**told)
    bound(asked)
    # What yt-dlp prints all the same must not stand before our answer.
    answer, sys.stdout = sys.stdout, sys.stderr
    try:
        result = fetch(asked)
    except Refusal as refusal:
        result = {"code": refusal.code, "message": refusal.message}
    json.dump(result, answer)
    answer.flush()


def question(asked: Asked) -> bytes:
    """What stdin has to hold."""
    return json.dumps({**asdict(asked), "parent": os.getpid()}).encode()


if __name__ == "__main__":
    main()
