"""Jamendo: music of which its artists say what may be done with it.

    GET {SHAZAM_JAMENDO_URL}/tracks/?client_id=…&format=json&id=…          a track
    GET …/tracks/?…&namesearch=TITLE&artist_name=ARTIST                    a search
    200 {"headers": {"status": "success", "code": 0, "error_message": "", "results_count": 1},
         "results": [{"id", "name", "duration", "artist_id", "artist_name", "album_name",
         "releasedate", "license_ccurl", "image", "shareurl", "audiodownload",
         "audiodownload_allowed"}]}
    200 {"headers": {"status": "failed", "code": 5, …}}   client id; 6: too often; 11: suspended

https://developer.jamendo.com/v3.0/tracks and …/response-codes. `audiodownload_allowed` is the
artist's word since 2021, and `audiodownload` is empty where it is false: nothing is fetched then,
although the same file could be streamed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.base.errors import AudioTooLong, LinkFailed, SourceRefused, SourceUnavailable
from engine.library.sources.direct import FILE, refuse_other_than_sound, refuse_page
from engine.library.sources.source import Creator, Deadline, Fetched, Limits, Match
from engine.library.sources.web import Web, host_of, is_under

NAME = "jamendo"
VARIABLE = "SHAZAM_JAMENDO_CLIENT_ID"
# https://www.jamendo.com/track/1532771/let-me-go, https://jamen.do/t/1532771, …/en/track/…
_TRACK = re.compile(r"/(?:[a-z]{2}/)?(?:track|t)/(\d{1,12})(?:/|$)")
MOST_MATCHES = 10
BAD_CLIENT, TOO_OFTEN, SUSPENDED = 5, 6, 11


class Jamendo:
    """`api` asks Jamendo, `web` fetches from wherever it says."""

    name = NAME

    def __init__(self, api: Web, web: Web, client_id: str, url: str) -> None:
        self._api, self._web, self._client_id = api, web, client_id
        self._url = url.rstrip("/")

    def present(self) -> str | None:
        return None if self._client_id else f"{VARIABLE} is not set."

    def takes(self, url: str) -> bool:
        return is_under(host_of(url), "jamendo.com", "jamen.do")

    def fetch(self, url: str, into: Path, limits: Limits) -> Fetched:
        deadline = Deadline(limits.timeout_s, limits.cancelled)
        named = _TRACK.search(urlsplit(url).path)
        if named is None:
            raise LinkFailed("This link of Jamendo names no track. Give the link of one track.")
        found = self._tracks({"id": named[1]}, deadline)
        if not found:
            raise LinkFailed("Jamendo has no such track (any more).")
        return self.download(found[0], into, limits, deadline)

    def download(
        self, track: dict[str, Any], into: Path, limits: Limits, deadline: Deadline
    ) -> Fetched:
        """The file of a track as the API tells of it, where its artist lets it be had."""
        where = track.get("audiodownload") or ""
        if track.get("audiodownload_allowed") is not True or not where:
            raise SourceRefused(
                "The artist does not let this track be downloaded from Jamendo. Upload the file, "
                "if you have it."
            )
        if float(track.get("duration") or 0) > limits.max_s:
            raise AudioTooLong(
                f"It lasts {track['duration']} s, and at most {limits.max_s:,.0f} are taken."
            )
        path = into / FILE
        answer = self._web.download(where, path, limits, deadline, refuse_other_than_sound)
        refuse_page(path)
        match = _match(track)
        return Fetched(
            path=path,
            source=NAME,
            url=match.url,
            media_type=answer.media_type,
            title=match.title,
            artist=match.artist,
            album=match.album,
            year=match.year,
            creator=_creator(track),
            licence=match.licence,
            duration_s=match.duration_s,
            picture_url=match.picture_url,
        )

    def search(self, title: str, artist: str, deadline: Deadline) -> list[Match]:
        return [_match(track) for track in self.found(title, artist, deadline)]

    def found(self, title: str, artist: str, deadline: Deadline) -> list[dict[str, Any]]:
        """Tracks as the API tells of them, best first."""
        query = {"namesearch": title, "limit": str(MOST_MATCHES), "order": "relevance"}
        if artist:
            query["artist_name"] = artist
        return self._tracks(query, deadline)

    def creator(self, handle: str, deadline: Deadline) -> Creator | None:
        """What Jamendo tells of an artist, by id, now."""
        found = self._asked("/artists/", {"id": handle}, deadline)
        if not found:
            return None
        artist = found[0]
        facts = {"picture_url": artist.get("image"), "website": artist.get("website")}
        known = {key: value for key, value in facts.items() if value}
        return Creator(NAME, handle, artist.get("name"), artist.get("shareurl"), known)

    def _tracks(self, query: dict[str, str], deadline: Deadline) -> list[dict[str, Any]]:
        return self._asked("/tracks/", {"audiodlformat": "flac", **query}, deadline)

    def _asked(self, path: str, query: dict[str, str], deadline: Deadline) -> list[dict[str, Any]]:
        if reason := self.present():
            raise SourceUnavailable(f"Links of Jamendo are not taken here: {reason}")
        whole = {"client_id": self._client_id, "format": "json", **query}
        answer, data = self._api.json(self._url + path, deadline, query=whole)
        told = data.get("headers") if isinstance(data, dict) else None
        code = told.get("code") if isinstance(told, dict) else None
        if code in (BAD_CLIENT, SUSPENDED) or answer.status in (401, 403):
            raise SourceUnavailable(f"Jamendo refuses our client id ({VARIABLE}).")
        if code == TOO_OFTEN:
            raise SourceUnavailable("Jamendo has been asked too often by us. Try again later.")
        if answer.status != 200 or code != 0 or not isinstance(data.get("results"), list):
            raise LinkFailed(f"Jamendo answers {answer.status}, and nothing of use.")
        return [track for track in data["results"] if isinstance(track, dict)]


def _match(track: dict[str, Any]) -> Match:
    year = str(track.get("releasedate") or "")[:4]
    return Match(
        source=NAME,
        title=str(track.get("name") or ""),
        artist=str(track.get("artist_name") or ""),
        url=track.get("shareurl") or f"https://www.jamendo.com/track/{track.get('id')}",
        album=track.get("album_name") or None,
        year=int(year) if year.isdigit() else None,
        duration_s=float(track["duration"]) if track.get("duration") else None,
        licence=track.get("license_ccurl") or None,
        picture_url=track.get("image") or track.get("album_image") or None,
    )


def _creator(track: dict[str, Any]) -> Creator | None:
    handle = track.get("artist_id")
    if not handle:
        return None
    return Creator(
        NAME, str(handle), track.get("artist_name"), f"https://www.jamendo.com/artist/{handle}"
    )
