"""The sources of one service: which are there, which takes a link, what outside catalogues hold."""

from __future__ import annotations

import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from engine.base.errors import InvalidRequest, ShazamError, SourceUnavailable
from engine.library.settings import LibrarySettings
from engine.library.sources.direct import Direct
from engine.library.sources.guard import Guard, Resolve
from engine.library.sources.jamendo import Jamendo
from engine.library.sources.source import (
    Catalogue,
    Creator,
    Deadline,
    Fetched,
    Limits,
    Match,
    Source,
)
from engine.library.sources.spotify import Spotify
from engine.library.sources.tiktok import TikTok
from engine.library.sources.web import Web, WebPage
from engine.library.sources.youtube import YouTube

logger = logging.getLogger("shazam")


class Sources:
    """`sources`: who takes a link first. The last takes any; `pages` reads what turned out to be a
    page."""

    def __init__(self, guard: Guard, sources: list[Source], pages: Source) -> None:
        self._guard, self._sources, self._pages = guard, sources, pages

    @classmethod
    def of(cls, settings: LibrarySettings, resolve: Resolve | None = None) -> Sources:
        """Those of these settings; without its key a source is there and says so."""
        guard = Guard(settings.trusted_hosts, resolve)
        web = Web(guard)
        youtube = YouTube(guard, settings.trusted_hosts)
        jamendo = Jamendo(
            Web(guard.trusting(settings.jamendo_url)),
            web,
            settings.jamendo_client_id,
            settings.jamendo_url,
        )
        spotify = Spotify(
            Web(guard.trusting(settings.spotify_url, settings.spotify_token_url)),
            settings.spotify_client_id,
            settings.spotify_client_secret,
            jamendo,
            settings.spotify_url,
            settings.spotify_token_url,
        )
        tiktok = TikTok(
            Web(guard.trusting(settings.tiktok_url)),
            web,
            settings.rapidapi_key,
            settings.tiktok_url,
        )
        return cls(guard, [youtube, tiktok, spotify, jamendo, Direct(web)], youtube)

    def states(self) -> dict[str, str | None]:
        """Each source by name: None, or why it is absent."""
        return {source.name: source.present() for source in self._sources}

    def check(self, url: str, name: str | None = None) -> str:
        """Which source takes a link; raises what its form alone is refused for (`LinkRefused`,
        `SourceUnavailable`; `InvalidRequest` where source `name` does not take it)."""
        return self._taking(url, name).name

    def fetch(self, url: str, into: Path, limits: Limits, name: str | None = None) -> Fetched:
        """What lies behind a link, in the folder `into`; raises as `Source.fetch` does."""
        url = url.strip()
        source = self._taking(url, name)
        try:
            return source.fetch(url, into, limits)
        except WebPage:
            if self._pages.present() is not None:
                raise
        for left in into.iterdir():
            left.unlink()
        return self._pages.fetch(url, into, limits)

    def search(self, title: str, artist: str, within_s: float = 5.0) -> list[Match]:
        """What outside catalogues hold of this title and artist, all asked at once; one that fails
        is passed over."""
        asked = [
            source
            for source in self._sources
            if isinstance(source, Catalogue) and source.present() is None
        ]

        def found(source: Catalogue) -> list[Match]:
            try:
                return source.search(title, artist, Deadline(within_s))
            except ShazamError as error:
                logger.warning("%s cannot be searched: %s", source.name, error.message)
                return []

        if not asked:
            return []
        with ThreadPoolExecutor(len(asked)) as pool:
            return [match for matches in pool.map(found, asked) for match in matches]

    def creator(self, known: Creator, within_s: float = 10.0) -> Creator:
        """What its source tells of a creator now; what was known where it tells nothing."""
        for source in self._sources:
            ask = getattr(source, "creator", None)
            if source.name == known.source and ask is not None and source.present() is None:
                with contextlib.suppress(ShazamError):
                    told = ask(known.handle, Deadline(within_s))
                    if isinstance(told, Creator):
                        return replace(told, facts={**known.facts, **told.facts})
        return known

    def _taking(self, url: str, name: str | None) -> Source:
        url = url.strip()
        if not url.startswith("spotify:"):
            self._guard.admit(url)
        for source in self._sources:
            if not source.takes(url) or (name is not None and source.name != name):
                continue
            if reason := source.present():
                raise SourceUnavailable(f"Links of this source are not taken here: {reason}")
            return source
        raise InvalidRequest(
            f"This is no link of {name or 'any source'}. Send it to /api/v1/process/submit, which "
            "takes links of all sources."
        )
