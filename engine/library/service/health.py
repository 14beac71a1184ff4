"""Whether what the library stands on answers: each by its name, none for longer than a moment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass

from engine.base.errors import ShazamError
from engine.library.growing import Growing
from engine.library.service.figures import BEAT_WITHIN_S, WITHIN_S, Standing, standing_of
from engine.library.service.opened import Library
from engine.library.service.schemas import LibraryHealth, Part, SourcePart, WorkerPart
from engine.library.settings import LibrarySettings
from engine.serving.http.exchange import current_caller, current_language

logger = logging.getLogger("shazam")

# Where workers are scaled with the queue there are none while there is nothing to do, and one that
# is needed has to be scheduled, and its image fetched: only then does nobody come.
NOBODY_COMES_S = 300.0


@dataclass(frozen=True)
class Found:
    """What was found, and whether the library can be asked for what it is there for."""

    told: LibraryHealth
    works: bool


async def health_of(
    settings: LibrarySettings, library: Library | None, growing: Growing | None, failure: str
) -> Found:
    """What there is; `failure` says why nothing is open. Never raises."""
    stuck = False
    if library is None:
        database = storage = Part(ok=False, error=_said(failure))
        worker = WorkerPart(ok=False, error=_said(failure))
        sources: dict[str, SourcePart] = {}
    else:
        database, storage, (worker, stuck) = await asyncio.gather(
            _asked(library.database.ready(), str(library.database)),
            _asked(asyncio.to_thread(library.objects.check), library.objects.name),
            _working(library),
        )
        sources = {
            name: SourcePart(present=missing is None, missing=missing and _said(missing))
            for name, missing in library.sources.states().items()
        }
    works = database.ok and storage.ok and not stuck
    told = LibraryHealth(
        status="healthy" if works and worker.ok else "degraded",
        library="private" if settings.private else "shared",
        database=database,
        storage=storage,
        worker=worker,
        sources=sources,
        waiting_to_be_heard_again=growing.waits(current_caller()) if growing else 0,
    )
    return Found(told, works)


def _said(english: str) -> str:
    """The same to whoever asks, in their language."""
    return current_language().said(english) or english


async def _asked(question: Awaitable[object], what: str) -> Part:
    try:
        await asyncio.wait_for(question, WITHIN_S)
    except ShazamError as error:
        return Part(ok=False, what=what, error=_said(error.message))
    except TimeoutError:
        return Part(ok=False, what=what, error=_said(f"It does not answer within {WITHIN_S:g} s."))
    except Exception as error:
        logger.exception("health could not be asked")
        said = _said(f"It cannot be asked ({type(error).__name__}).")
        return Part(ok=False, what=what, error=said)
    return Part(ok=True, what=what)


async def _working(library: Library) -> tuple[WorkerPart, bool]:
    """The workers that live, and what of the caller's waits for them; whether work waits and
    nobody comes."""
    standing: list[Standing] = []
    own = {}

    async def ask() -> None:
        standing.append(await standing_of(library))
        own.update(await library.jobs.tally(current_caller()))

    part, stuck = await _asked(ask(), "python -m engine work"), False
    if not part.ok:
        return WorkerPart(**part.model_dump()), True
    now = standing[0]
    if not now.workers:
        stuck = now.waits_s > NOBODY_COMES_S
        part = Part(ok=False, what=part.what, error=_said(STUCK if stuck else NONE_ALIVE))
    return WorkerPart(
        **part.model_dump(),
        workers=now.workers,
        queued=own["queued"].count,
        running=own["running"].count,
    ), stuck


NONE_ALIVE = (
    f"None alive: no worker has said for {BEAT_WITHIN_S:g} s that it lives. What is added waits "
    "for one: python -m engine work, or whatever scales them with the queue."
)
STUCK = (
    f"None alive, and work has waited for more than {NOBODY_COMES_S / 60:g} minutes. Start a "
    "worker: python -m engine work."
)
