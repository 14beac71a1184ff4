"""Genius: its API tells which page holds the words of a song, and the page holds them.

    GET {SHAZAM_GENIUS_URL}/search?q=TITLE ARTIST      Authorization: Bearer SHAZAM_GENIUS_TOKEN
    200 {"response": {"hits": [{"type": "song", "result": {"title", "url", "instrumental",
         "lyrics_state", "primary_artist": {"name"}}}]}}
    GET that url    <div data-lyrics-container="true">First line<br/>…</div>, one or several

https://docs.genius.com/#search-h2; the API itself gives no words.
"""

from __future__ import annotations

import re
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from engine.base.errors import LinkFailed, SourceUnavailable
from engine.library.sources.source import Deadline, Limits
from engine.library.sources.web import Answer, Web, host_of, is_under
from engine.voice.lyrics.lines import Lyrics, parsed
from engine.voice.lyrics.song import Song, is_called

NAME = "genius"
VARIABLE = "SHAZAM_GENIUS_TOKEN"
MOST_PAGE_BYTES = 4 << 20
# "[Verse 1: Somebody]" is said of the words, and sung by nobody.
_HEADING = re.compile(r"^\[[^\]]{0,200}\]$", re.MULTILINE)


class Genius:
    """`api` asks its API, `web` the pages that the API names."""

    name = NAME

    def __init__(self, api: Web, web: Web, token: str, url: str) -> None:
        self._api, self._web, self._token, self._url = api, web, token, url

    def present(self) -> str | None:
        return None if self._token else f"{VARIABLE} is not set."

    def find(self, song: Song, deadline: Deadline) -> Lyrics | None:
        page = self._page_of(song, deadline)
        if page is None:
            return None
        return parsed(_words(self._read(page, deadline)), NAME)

    def _page_of(self, song: Song, deadline: Deadline) -> str | None:
        query = {"q": f"{song.title or ''} {song.artist or ''}".strip()}
        told = {"Authorization": f"Bearer {self._token}"}
        answer, data = self._api.json(f"{self._url}/search", deadline, query=query, headers=told)
        if answer.status in (401, 403):
            raise SourceUnavailable(f"Genius refuses our token ({VARIABLE}).")
        response = data.get("response") if isinstance(data, dict) else None
        hits = response.get("hits") if isinstance(response, dict) else None
        if answer.status != 200 or not isinstance(hits, list):
            raise LinkFailed(f"Genius answers {answer.status}, and nothing of use.")
        return next((url for hit in hits if (url := self._fitting(hit, song)) is not None), None)

    def _fitting(self, hit: Any, song: Song) -> str | None:
        result = hit.get("result") if isinstance(hit, dict) else None
        if not isinstance(result, dict) or result.get("instrumental") is True:
            return None
        artist = result.get("primary_artist")
        name = artist.get("name") if isinstance(artist, dict) else ""
        url = str(result.get("url") or "")
        # Whoever answers for the API must not lead us anywhere else.
        own = is_under(host_of(url), "genius.com") or host_of(url) == host_of(self._url)
        called = is_called(song, str(result.get("title") or ""), str(name or ""))
        return url if own and called else None

    def _read(self, url: str, deadline: Deadline) -> str:
        limits = Limits(MOST_PAGE_BYTES, 0, deadline.left_s)
        with tempfile.TemporaryDirectory(prefix="shazam-lyrics-") as folder:
            path = Path(folder) / "page.html"
            self._web.download(url, path, limits, deadline, _refuse_other_than_pages)
            return path.read_text("utf-8", "replace")


def _refuse_other_than_pages(answer: Answer) -> None:
    if answer.media_type != "text/html":
        raise LinkFailed("Genius sends no page where one should be.")


def _words(page: str) -> str:
    reader = _Containers()
    reader.feed(page)
    reader.close()
    return _HEADING.sub("", "".join(reader.text))


class _Containers(HTMLParser):
    """The text of what a page marks as words of a song."""

    _ALONE = ("br", "img", "hr", "input", "meta", "link")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        # Elements that are open inside a container, and of those the ones passed over.
        self._depth, self._passed = 0, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in self._ALONE:
            if tag == "br" and self._depth and not self._passed:
                self.text.append("\n")
        elif self._depth:
            self._depth += 1
            if self._passed or told.get("data-exclude-from-selection") == "true":
                self._passed += 1
        elif told.get("data-lyrics-container") == "true":
            self._depth = 1

    def handle_endtag(self, tag: str) -> None:
        if tag in self._ALONE or not self._depth:
            return
        self._depth -= 1
        self._passed = max(0, self._passed - 1)
        if not self._depth:
            self.text.append("\n")

    def handle_data(self, data: str) -> None:
        if self._depth and not self._passed:
            self.text.append(data.replace("\n", " "))  # a line ends at <br> alone
