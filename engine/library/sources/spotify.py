"""Spotify: what a track is called, by client credentials. It gives no audio.

    POST {SHAZAM_SPOTIFY_TOKEN_URL}   Authorization: Basic id:secret, grant_type=client_credentials
    200 {"access_token", "token_type": "Bearer", "expires_in": 3600}
    GET {SHAZAM_SPOTIFY_URL}/tracks/ID, /search?q=track:… artist:…&type=track, /artists/ID
    429 with Retry-After in seconds, over a window of 30 s

https://developer.spotify.com/documentation/web-api. Previews of 30 s are gone for new applications
since 2024-11-27, as are features and recommendations. The audio is therefore that of the same track
at Jamendo, where it is there and may be had; else the file has to be uploaded.
"""

from __future__ import annotations

import base64
import re
import threading
import time
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from engine.base.errors import LinkFailed, SourceRefused, SourceUnavailable
from engine.library.sources.jamendo import Jamendo
from engine.library.sources.source import Creator, Deadline, Fetched, Limits, Match
from engine.library.sources.web import Web, host_of

NAME = "spotify"
ID, SECRET = "SHAZAM_SPOTIFY_CLIENT_ID", "SHAZAM_SPOTIFY_CLIENT_SECRET"
# https://open.spotify.com/intl-de/track/ID, spotify:track:ID
_TRACK = re.compile(r"(?:^|/)track/([0-9A-Za-z]{22})/?$")
MOST_MATCHES = 5
# A token is not used for the last of its time: it has to arrive, too.
MARGIN_S = 60
# Two catalogues cut silence off in different places.
SAME_WITHIN_S = 4.0


class Spotify:
    """`jamendo` is where audio may come from."""

    name = NAME

    def __init__(
        self,
        api: Web,
        client_id: str,
        secret: str,
        jamendo: Jamendo,
        url: str,
        token_url: str,
    ) -> None:
        self._api, self._client_id, self._secret = api, client_id, secret
        self._jamendo, self._url, self._token_url = jamendo, url.rstrip("/"), token_url
        self._token, self._good_until = "", 0.0
        self._lock = threading.Lock()

    def present(self) -> str | None:
        missing = [
            name for name, value in ((ID, self._client_id), (SECRET, self._secret)) if not value
        ]
        if not missing:
            return None
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set."

    def takes(self, url: str) -> bool:
        return host_of(url) in ("open.spotify.com", "play.spotify.com") or _is_uri(url)

    def fetch(self, url: str, into: Path, limits: Limits) -> Fetched:
        deadline = Deadline(limits.timeout_s, limits.cancelled)
        track = self.track(url, deadline)
        found = _match(track)
        same = self._same_elsewhere(found, deadline)
        if same is None:
            raise SourceRefused(
                f"“{found.title[:100]}” by {found.artist[:100]}: Spotify tells what it is called "
                "and gives no audio, and it is not found where it may be downloaded. Upload the "
                "file, if you have it.",
                title=found.title,
                artist=found.artist,
            )
        fetched = self._jamendo.download(same, into, limits, deadline)
        return replace(
            fetched,
            source=NAME,
            album=fetched.album or found.album,
            year=fetched.year or found.year,
            creator=_creator(track) or fetched.creator,
            picture_url=fetched.picture_url or found.picture_url,
        )

    def track(self, url: str, deadline: Deadline) -> dict[str, Any]:
        """What Spotify tells of the track that a link names."""
        path = url.strip().replace(":", "/") if _is_uri(url) else urlsplit(url.strip()).path
        named = _TRACK.search(path)
        if named is None:
            raise LinkFailed("This link of Spotify names no track. Give the link of one track.")
        return self._asked(f"/tracks/{named[1]}", {}, deadline)

    def search(self, title: str, artist: str, deadline: Deadline) -> list[Match]:
        words = [f'track:"{_plain(title)}"'] + ([f'artist:"{_plain(artist)}"'] if artist else [])
        query = {"q": " ".join(words), "type": "track", "limit": str(MOST_MATCHES)}
        told = self._asked("/search", query, deadline).get("tracks") or {}
        return [_match(track) for track in told.get("items") or [] if isinstance(track, dict)]

    def creator(self, handle: str, deadline: Deadline) -> Creator | None:
        """What Spotify tells of an artist, by id, now."""
        artist = self._asked(f"/artists/{handle}", {}, deadline)
        pictures, followers = artist.get("images") or [], artist.get("followers") or {}
        facts = {
            "picture_url": pictures[0].get("url") if pictures else None,
            "followers": followers.get("total"),
            "genres": artist.get("genres") or None,
        }
        known = {key: value for key, value in facts.items() if value is not None}
        return Creator(NAME, handle, artist.get("name"), _address(artist), known)

    def _same_elsewhere(self, wanted: Match, deadline: Deadline) -> dict[str, Any] | None:
        """The same track at Jamendo, where it may be had: by title, artist and length."""
        if self._jamendo.present() is not None:
            return None
        for track in self._jamendo.found(wanted.title, wanted.artist, deadline):
            lengths = float(track.get("duration") or 0), wanted.duration_s or 0.0
            same = (
                _folded(str(track.get("name"))) == _folded(wanted.title)
                and _folded(str(track.get("artist_name"))) == _folded(wanted.artist)
                and abs(lengths[0] - lengths[1]) <= SAME_WITHIN_S
            )
            if same and track.get("audiodownload_allowed") is True:
                return track
        return None

    def _asked(self, path: str, query: dict[str, str], deadline: Deadline) -> dict[str, Any]:
        if reason := self.present():
            raise SourceUnavailable(f"Links of Spotify are not taken here: {reason}")
        for fresh in (False, True):
            told = {"Authorization": f"Bearer {self._access(deadline, fresh=fresh)}"}
            answer, data = self._api.json(self._url + path, deadline, query=query, headers=told)
            if answer.status != 401:
                break
        if answer.status in (401, 403):
            raise SourceUnavailable(f"Spotify refuses us ({ID}, {SECRET}).")
        if answer.status in (400, 404):
            raise LinkFailed("Spotify has nothing of this name (any more). Check the link.")
        if answer.status != 200 or not isinstance(data, dict):
            raise LinkFailed(f"Spotify answers {answer.status}, and nothing of use.")
        return data

    def _access(self, deadline: Deadline, *, fresh: bool) -> str:
        """A token, kept until shortly before it ends; one thread asks for all."""
        with self._lock:
            if not fresh and time.monotonic() < self._good_until:
                return self._token
            pair = base64.b64encode(f"{self._client_id}:{self._secret}".encode()).decode("ascii")
            answer, data = self._api.json(
                self._token_url,
                deadline,
                headers={"Authorization": f"Basic {pair}"},
                form={"grant_type": "client_credentials"},
            )
            token = data.get("access_token") if isinstance(data, dict) else None
            if answer.status != 200 or not isinstance(token, str) or not token.isascii():
                raise SourceUnavailable(f"Spotify refuses our credentials ({ID}, {SECRET}).")
            lasts_s = float(data.get("expires_in") or 0)
            self._token, self._good_until = token, time.monotonic() + lasts_s - MARGIN_S
            return token


def _match(track: dict[str, Any]) -> Match:
    album = track.get("album") or {}
    pictures = album.get("images") or []
    year = str(album.get("release_date") or "")[:4]
    return Match(
        source=NAME,
        title=str(track.get("name") or ""),
        artist=", ".join(str(one.get("name")) for one in track.get("artists") or []),
        url=_address(track) or f"https://open.spotify.com/track/{track.get('id')}",
        album=album.get("name"),
        year=int(year) if year.isdigit() else None,
        duration_s=track["duration_ms"] / 1000 if track.get("duration_ms") else None,
        picture_url=pictures[0].get("url") if pictures else None,
    )


def _creator(track: dict[str, Any]) -> Creator | None:
    for artist in track.get("artists") or []:
        if artist.get("id"):
            return Creator(NAME, artist["id"], artist.get("name"), _address(artist))
    return None


def _address(told: dict[str, Any]) -> str | None:
    return (told.get("external_urls") or {}).get("spotify")


def _is_uri(url: str) -> bool:
    return url.strip().startswith("spotify:")


def _plain(words: str) -> str:
    return words.replace('"', " ").strip()[:100]


def _folded(words: str) -> str:
    """Words as two catalogues may both write them: no accents, no case, no marks."""
    plain = unicodedata.normalize("NFKD", words).casefold()
    return "".join(c for c in plain if c.isalnum())
