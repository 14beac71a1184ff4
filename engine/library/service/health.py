"""Whether what the library stands on answers: each by its name, none for longer than a moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from engine.base.errors import ShazamError
from engine.library.growing import Growing
from engine.library.service.opened import Library
from engine.library.service.schemas import LibraryHealth, Part, SourcePart, WorkerPart
from engine.library.settings import LibrarySettings

logger = logging.getLogger("shazam")

WITHIN_S = 3.0
# Workers say every few seconds that they live.
BEAT_WITHIN_S = 30.0


async def health_of(
    settings: LibrarySettings, library: Library | None, growing: Growing | None, failure: str
) -> LibraryHealth:
    """What there is; `failure` says why nothing is open. Never raises."""
    absent = Part(ok=False, error=failure)
    if library is None:
        database = storage = absent
        worker = WorkerPart(ok=False, error=failure)
        sources: dict[str, SourcePart] = {}
    else:
        database, storage, worker = await asyncio.gather(
            _asked(library.database.ready(), str(library.database)),
            _asked(asyncio.to_thread(library.objects.check), library.objects.name),
            _working(library),
        )
        sources = {
            name: SourcePart(present=missing is None, missing=missing)
            for name, missing in library.sources.states().items()
        }
    healthy = database.ok and storage.ok and worker.ok
    return LibraryHealth(
        status="healthy" if healthy else "degraded",
        library="private" if settings.private else "shared",
        database=database,
        storage=storage,
        worker=worker,
        sources=sources,
        waiting_to_be_heard_again=len(growing.waiting) if growing else 0,
    )


async def _asked(question: Awaitable[object], what: str) -> Part:
    try:
        await asyncio.wait_for(question, WITHIN_S)
    except ShazamError as error:
        return Part(ok=False, what=what, error=error.message)
    except TimeoutError:
        return Part(ok=False, what=what, error=f"It does not answer within {WITHIN_S:g} s.")
    except Exception as error:
        logger.exception("health could not be asked")
        return Part(ok=False, what=what, error=f"It cannot be asked ({type(error).__name__}).")
    return Part(ok=True, what=what)


async def _working(library: Library) -> WorkerPart:
    """The workers that live, and what waits for them."""
    workers = 0
    counts: dict[Any, int] = {}

    async def ask() -> None:
        nonlocal workers, counts
        workers = len(await library.workers.alive(BEAT_WITHIN_S))
        counts = dict(await library.jobs.counts())

    asked = await _asked(ask(), "python -m engine work")
    if asked.ok and not workers:
        asked = Part(
            ok=False,
            what=asked.what,
            error="No worker has said for 30 s that it lives. Start one: python -m engine work.",
        )
    return WorkerPart(
        **asked.model_dump(),
        workers=workers,
        queued=counts.get("queued", 0),
        running=counts.get("running", 0),
    )
