"""What the library reads from its environment, its service and its workers alike.

The whole table lies here, below all that reads it: a worker answers nobody and imports no service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar

from engine.base.settings import MEBI, SHARED, Settings, Variable, choice, integer, number

_SQLITE = "sqlite:///"
NONE, TOGETHER, PRIVATE = "none", "shared", "private"
DATABASE = "sqlite:///build/studio/library.sqlite"
STORAGE = "build/studio/objects"
TIKTOK = "https://tiktok-scraper7.p.rapidapi.com"
SPOTIFY = "https://api.spotify.com/v1"
SPOTIFY_TOKEN = "https://accounts.spotify.com/api/token"
JAMENDO = "https://api.jamendo.com/v3.0"


def sqlite_file(database: str) -> Path | None:
    """The file of a `SHAZAM_DATABASE` that is SQLite's."""
    return Path(database[len(_SQLITE) :]) if database.startswith(_SQLITE) else None


def _database(text: str) -> str:
    url = text.strip()
    if not re.fullmatch(r"sqlite:///.+|postgresql://\S+", url):
        raise ValueError("is neither sqlite:/// and a path nor postgresql:// and a server")
    return url


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    for host in hosts:
        if not re.fullmatch(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:\d{1,5})?", host):
            raise ValueError(f"{host[:100]!r} is no host, nor host:port")
    return hosts


def _address(text: str) -> str:
    url = text.strip().rstrip("/")
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", url):
        raise ValueError("is no http:// or https:// address without a query")
    return url


def _public(text: str) -> str:
    return "none" if text.strip() == "none" else _address(text)


def _api(name: str, example: str) -> Variable:
    return Variable(_address, example, f"Where {name} is; trusted as a host that links may lead to")


def _key(name: str) -> Variable:
    return Variable(str.strip, "0123abcd", f"{name}; unset: that source is absent", secret=True)


VARIABLES: dict[str, Variable] = {
    "library": Variable(
        choice(NONE, TOGETHER, PRIVATE),
        TOGETHER,
        "Whether tracks can be added while the service runs: `none`, `shared` by all callers, or "
        "`private`: a key sees and finds only what was added with it",
    ),
    "database": Variable(
        _database,
        "postgresql://shazam@db/shazam",
        "Where the library's rows are: `sqlite:///` and a path, or `postgresql://` and a server, "
        "which several services and workers may share",
        secret=True,  # a password may be in it
    ),
    "storage": Variable(
        str.strip,
        "s3://my-bucket/library",
        "Where the library's files are: a folder, or `s3://` or `gs://` and a bucket",
    ),
    "storage_public_url": Variable(
        _public,
        "https://files.example.com",
        "The address under which callers reach the S3 server of `SHAZAM_STORAGE`, for links to "
        "files; unset: the one the service uses; `none`: they do not, files go through the service",
    ),
    "max_source_bytes": Variable(
        integer(1_024, 1 << 34), "104857600", "Largest file or link that is added, in bytes"
    ),
    "max_source_s": Variable(integer(10, 86_400), "900", "Longest track that is added, in seconds"),
    "source_timeout_s": Variable(
        number(1, 86_400), "120", "Longest that fetching a link may take, in seconds"
    ),
    "trusted_hosts": Variable(
        _hosts,
        "media.internal:8080",
        "Hosts, each with its port where it matters, that links may lead to although their "
        "addresses are private; comma-separated",
    ),
    "quota_jobs": Variable(
        integer(0, 1_000_000_000), "100", "Tracks that one key may add a day; 0 is no limit"
    ),
    "quota_bytes": Variable(
        integer(0, 1 << 50),
        "1073741824",
        "Bytes that one key may send a day, or have links bring; 0 is no limit",
    ),
    "link_s": Variable(
        integer(10, 604_800), "60", "How long a link to a file of the library is good, in seconds"
    ),
    "keep_days": Variable(
        number(0.01, 3_650),
        "7",
        "How long what failed or was cancelled is kept to be tried again, in days",
    ),
    "rapidapi_key": _key("Key of RapidAPI, for TikTok"),
    "spotify_client_id": _key("Client id at Spotify, for what its links are called"),
    "spotify_client_secret": _key("The secret of that client"),
    "jamendo_client_id": _key("Client id at Jamendo, for its music"),
    "tiktok_url": _api("that service of RapidAPI", "https://tiktok.internal"),
    "spotify_url": _api("Spotify's API", "https://spotify.internal/v1"),
    "spotify_token_url": _api("what gives Spotify's tokens", "https://spotify.internal/token"),
    "jamendo_url": _api("Jamendo's API", "https://jamendo.internal/v3.0"),
    **SHARED,
}


@dataclass(frozen=True)
class LibrarySettings(Settings):
    """All settings of one process that answers for the library, or works for it."""

    variables: ClassVar[Mapping[str, Variable]] = VARIABLES

    library: str = NONE
    database: str = DATABASE
    storage: str = STORAGE
    storage_public_url: str = ""
    max_source_bytes: int = 200 * MEBI
    max_source_s: int = 3_600
    source_timeout_s: float = 600.0
    trusted_hosts: tuple[str, ...] = ()
    quota_jobs: int = 0
    quota_bytes: int = 0
    link_s: int = 300
    keep_days: float = 30.0
    rapidapi_key: str = ""
    spotify_client_id: str = ""
    spotify_client_secret: str = ""
    jamendo_client_id: str = ""
    tiktok_url: str = TIKTOK
    spotify_url: str = SPOTIFY
    spotify_token_url: str = SPOTIFY_TOKEN
    jamendo_url: str = JAMENDO

    @property
    def private(self) -> bool:
        """Whether a key sees only what was added with it."""
        return self.library == PRIVATE


assert {field.name for field in fields(LibrarySettings)} == set(VARIABLES)
