"""A link to a file of sound or a video itself."""

from __future__ import annotations

import re
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from engine.base.errors import EmptyFile, LinkFailed
from engine.library.sources.source import Deadline, Fetched, Limits
from engine.library.sources.web import Answer, Web, WebPage

NAME = "direct"
FILE = "source"
# What servers call files that they do not know.
UNKNOWN = {"", "application/octet-stream", "binary/octet-stream", "application/force-download"}
SOUND = {"application/ogg", "application/mp4", "application/x-ogg", "application/x-flac"}
PAGES = {"text/html", "application/xhtml+xml"}
# A page of addresses, not sound; yt-dlp follows them.
LISTS = {
    *("application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl"),
    *("audio/x-mpegurl", "application/dash+xml", "audio/x-scpls"),
}
_PAGE = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)", re.IGNORECASE)
_LIST = re.compile(rb"\s*#EXTM3U")
LOOKED_AT = 1_024


class Direct:
    """Any http or https link that answers with a file."""

    name = NAME

    def __init__(self, web: Web) -> None:
        self._web = web

    def present(self) -> str | None:
        return None

    def takes(self, url: str) -> bool:
        return urlsplit(url.strip()).scheme.lower() in ("http", "https")

    def fetch(self, url: str, into: Path, limits: Limits) -> Fetched:
        deadline = Deadline(limits.timeout_s, limits.cancelled)
        path = into / FILE
        answer = self._web.download(url, path, limits, deadline, refuse_other_than_sound)
        refuse_page(path)
        return Fetched(
            path=path,
            source=NAME,
            url=url,
            media_type=answer.media_type,
            title=_title(answer),
        )


def refuse_other_than_sound(answer: Answer) -> None:
    """By what a server calls it, before it is read."""
    media_type = answer.media_type
    if media_type in PAGES | LISTS:
        raise _page()
    known = media_type.startswith(("audio/", "video/")) or media_type in UNKNOWN | SOUND
    if not known:
        raise LinkFailed(
            f"The link leads to {media_type[:60]!r}, which is neither sound nor a video. Give the "
            "link of the file itself."
        )


def refuse_page(path: Path) -> None:
    """By its first bytes: many servers call everything a stream of octets."""
    with path.open("rb") as file:
        start = file.read(LOOKED_AT)
    if not start:
        raise EmptyFile("The file behind the link is empty.")
    if _PAGE.match(start) or _LIST.match(start):
        raise _page()


def _page() -> WebPage:
    return WebPage(
        "The link leads to a page, not to a file of sound. Give the link of the file itself, or "
        "download it and upload it here."
    )


def _title(answer: Answer) -> str | None:
    """The file's name as the server tells it, or as it stands in the link, without its ending."""
    message = Message()
    message["Content-Disposition"] = answer.headers.get("content-disposition", "")
    name = message.get_filename() or unquote(urlsplit(answer.url).path)
    stem = PurePosixPath(name.replace("\\", "/")).stem
    words = " ".join("".join(c if c.isprintable() else " " for c in stem).split())
    return words[:200] or None
