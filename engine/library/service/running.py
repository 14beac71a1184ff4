"""This worker's library: opened when it starts, found by routes."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from engine.base.errors import DatabaseUnavailable, NotReady, ShazamError
from engine.library.growing import Growing, name_of, refuse_foreign
from engine.library.service import start
from engine.library.service.answers import LibraryAnswers
from engine.library.service.figures import Figures
from engine.library.service.health import Found, health_of
from engine.library.service.opened import Library
from engine.library.service.schemas import LibraryPart
from engine.serving.http.exchange import current_caller
from engine.serving.watch.metrics import Metrics
from engine.serving.work.readiness import Readiness
from engine.sound.search import SoundSearch
from engine.sound.service import running as sound

logger = logging.getLogger("shazam")

OPENING = "The library is being opened; everything else may answer already. Try again shortly."


class RunningLibrary:
    """`capability.Running` of the library. What is wrong with it is told by its own health: covers
    and sound answer without it."""

    library: Library | None = None
    answers: LibraryAnswers | None = None
    growing: Growing | None = None
    _readiness: Readiness[Library] | None = None
    _figures: Figures | None = None
    _beside: tuple[asyncio.Task[None], ...] = ()

    def start(self, metrics: Metrics) -> None:
        self._figures = Figures(metrics)
        self._readiness = Readiness(
            self._open,
            lambda library, _: library.database.ready(),
            explain=lambda _: DatabaseUnavailable(OPENING),
            starting=OPENING,
            limit_s=start.settings().timeout_s,
        )
        self._readiness.start()

    async def _open(self) -> Library:
        settings = start.settings()
        library = await Library.open(settings)
        try:
            await self._refuse_foreign(library)
        except BaseException:
            await library.close()
            raise
        growing = Growing(
            library.samples, library.objects, _search, library.audio, private=settings.private
        )
        self.library, self.growing = library, growing
        self.answers = LibraryAnswers(library, growing, sound.answers())
        assert self._figures is not None
        at_it = (growing.run(), self._figures.keep(library))
        self._beside = tuple(asyncio.create_task(one) for one in at_it)
        logger.info("the library is open: %s, %s", library.database, library.objects.name)
        return library

    async def _refuse_foreign(self, library: Library) -> None:
        """Raises `ArtifactError`. Where sound is not open yet, nobody can tell."""
        with contextlib.suppress(NotReady):
            search, name = _search(), await name_of(library.database)
            await asyncio.to_thread(refuse_foreign, search, name)

    async def settled(self) -> None:
        if self._readiness is not None:
            await self._readiness.settled()

    async def stop(self) -> None:
        if self._readiness is not None:
            self._readiness.stop()
        for task in self._beside:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self.answers is not None:
            await self.answers.close()
        if self.library is not None:
            await self.library.close()

    @property
    def artifact_id(self) -> str:
        return sound.RUNNING.artifact_id

    @property
    def failed(self) -> bool:
        return False

    def look_into(self, error: Exception) -> None:
        """What failed of sound is sound's: nothing here is opened anew."""
        if sound.RUNNING.sound is not None:
            sound.RUNNING.look_into(error)

    def check_ready(self) -> None:
        answers()

    @property
    def failure(self) -> ShazamError | None:
        """Why nothing is open."""
        return None if self._readiness is None else self._readiness.failure

    def health(self) -> LibraryPart:
        return self.part()

    def part(self) -> LibraryPart:
        settings, growing, caller = start.settings(), self.growing, current_caller()
        return LibraryPart(
            library="private" if settings.private else "shared",
            ready=self.answers is not None,
            held=growing.held(caller) if growing else 0,
            waiting_to_be_heard_again=growing.waits(caller) if growing else 0,
        )

    async def asked_health(self) -> Found:
        """Never raises."""
        failure = self.failure.message if self.failure else OPENING
        return await health_of(start.settings(), self.library, self.growing, failure)


RUNNING = RunningLibrary()


def answers() -> LibraryAnswers:
    """This worker's one `LibraryAnswers`. Raises `NotReady` while nothing is open, with the
    reason."""
    if RUNNING.answers is None:
        failure = RUNNING.failure
        if isinstance(failure, NotReady):
            raise failure
        raise NotReady(failure.message if failure else OPENING, retry_after_s=2)
    return RUNNING.answers


def _search() -> SoundSearch:
    """What is open of sound. Raises `NotReady`."""
    if sound.RUNNING.sound is None:
        raise NotReady(OPENING)
    return sound.RUNNING.sound.whole
