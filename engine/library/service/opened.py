"""What a process that answers for the library holds open: rows, objects, the workers' queue."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from engine.base.errors import AudioNotFound
from engine.library.database import Database, waiting
from engine.library.jobs import Jobs
from engine.library.objects import Objects
from engine.library.pipeline.client import Pipeline
from engine.library.quota import Quota
from engine.library.retention import Retention
from engine.library.samples import Sample, Samples
from engine.library.settings import LibrarySettings
from engine.library.signing import sign
from engine.library.sources.sources import Sources
from engine.library.workers import Workers

T = TypeVar("T")

# How long a request waits for a database or a store that is away for a moment.
PATIENCE_S = 15.0
FILES = "/api/v1/files/"
# What no system takes in the name of a file.
_NO_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]')
MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "preview": "audio/mpeg"}


@dataclass(frozen=True)
class Library:
    """Opened by `open`; belongs to the event loop it was opened on."""

    settings: LibrarySettings
    database: Database
    objects: Objects
    pipeline: Pipeline
    sources: Sources
    jobs: Jobs
    samples: Samples
    quota: Quota
    retention: Retention
    workers: Workers
    secret: bytes

    @classmethod
    async def open(cls, settings: LibrarySettings) -> Library:
        """Raises `DatabaseUnavailable`, `DatabaseTooNew`, `StorageUnavailable`."""
        database = await Database.open(settings.database)
        try:
            secret = await database.secret("links")
            objects = await asyncio.to_thread(
                Objects.open,
                settings.storage,
                patience_s=PATIENCE_S,
                public_url=settings.storage_public_url,
            )
            quota = Quota.of(database, settings)
            return cls(
                settings,
                database,
                objects,
                Pipeline(settings.database),
                Sources.of(settings),
                Jobs(database, private=settings.private, quota=quota),
                Samples(database, private=settings.private),
                quota,
                Retention(database),
                Workers(database),
                secret,
            )
        except BaseException:
            await database.close()
            raise

    async def close(self) -> None:
        self.objects.stop()
        await self.pipeline.close()
        await self.database.close()

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """`call()`, again while the database is away for a moment; it must bear that."""
        return await waiting(call, within_s=PATIENCE_S)

    def link(self, key: str, filename: str, media_type: str) -> str:
        """An address of an object for whoever has it, for `SHAZAM_LINK_S`; a path of this service
        where the store hands nothing out. May ask the store: not for an event loop."""
        seconds = self.settings.link_s
        given = self.objects.link(key, seconds, filename, media_type)
        if given is not None:
            return given
        query = urlencode(sign(self.secret, key, seconds, filename).query())
        return f"{FILES}{key}?{query}"

    def audio(self, sample: Sample) -> Path | str:
        """The file of a sample's audio, or a link to it. Raises `AudioNotFound`."""
        key = sample.objects["mp3"]
        path = checked(self.objects.path(key), sample)
        return path or self.link(key, filename_of(sample, "mp3"), "audio/mpeg")


def checked(path: Path | None, sample: Sample) -> Path | None:
    """A file of a sample; None where it is none on this machine. Raises `AudioNotFound` where
    nothing is in it: an answer of 0 bytes would be played for nothing."""
    with contextlib.suppress(OSError):
        if path is None or path.stat().st_size:
            return path
    raise AudioNotFound(
        f"The file of track {sample.track_id}'s audio is gone from the library's storage, or "
        "empty. Send the recording again: it is made anew."
    )


def filename_of(sample: Sample, ending: str) -> str:
    """What a file of a sample is saved as."""
    named = " - ".join(part for part in (sample.artist or sample.creator, sample.title) if part)
    kept = "".join(
        " " if letter in '\\/:*?"<>|' or ord(letter) < 32 else letter for letter in named
    )
    return f"{' '.join(kept.split()).strip('.')[:120] or f'track {sample.track_id}'}.{ending}"
