"""What a worker's steps work with: rows, objects, processes, and a folder for what is in hand."""

from __future__ import annotations

import asyncio
import math
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dbos import DBOSClient

from engine.base.errors import ObjectNotFound
from engine.library.creators import Creators
from engine.library.database import Database, waiting
from engine.library.jobs import Jobs
from engine.library.objects import Objects
from engine.library.pipeline.places import Places
from engine.library.pipeline.pool import Pool
from engine.library.samples import Samples
from engine.library.settings import LibrarySettings
from engine.library.sources.sources import Sources

T = TypeVar("T")


class Loop:
    """An event loop in a thread of its own, for threads that block."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="rows", daemon=True)
        self._thread.start()

    def wait(self, awaited: Callable[[], Awaitable[T]]) -> T:
        """What it gives, once it is there. From any thread but the loop's own."""

        async def call() -> T:
            return await awaited()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@dataclass(frozen=True)
class Bench:
    """`artifact` is the folder of what hears; `scratch` goes when the worker does."""

    settings: LibrarySettings
    loop: Loop
    database: Database
    jobs: Jobs
    samples: Samples
    creators: Creators
    sources: Sources
    objects: Objects
    pool: Pool
    places: Places
    client: DBOSClient
    artifact: Path
    scratch: Path

    def rows(self, call: Callable[[], Awaitable[T]]) -> T:
        """What a question to the rows gives; a database that is away is waited for."""
        return self.loop.wait(lambda: waiting(call, within_s=math.inf))

    def folder(self, job_id: str) -> Path:
        """What is in hand for a job, on this machine alone."""
        made = self.scratch / job_id
        made.mkdir(parents=True, exist_ok=True)
        return made

    def clear(self, job_id: str) -> None:
        shutil.rmtree(self.scratch / job_id, ignore_errors=True)

    @contextmanager
    def at_hand(self, job_id: str, *keys: str) -> Iterator[Path]:
        """The object of the first of `keys` that is there, as a file not to be changed: the one
        that this worker made, or one brought here."""
        kept = self.scratch / job_id / keys[0].rpartition("/")[2]
        if kept.is_file():
            yield kept
            return
        for key in keys:
            try:
                with self.objects.local(key, self.folder(job_id)) as path:
                    yield path
                    return
            except ObjectNotFound:
                if key == keys[-1]:
                    raise
