"""This worker's voice: it stands on the library beside it, and removes audio in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from engine.base.errors import NotReady, ShazamError
from engine.library.service import running as library
from engine.library.service.opened import Library
from engine.library.workers import Worker
from engine.serving.watch.metrics import Metrics
from engine.sound.search import SoundSearch
from engine.sound.service import running as sound
from engine.voice.lyrics.found import LyricsSources
from engine.voice.references import References
from engine.voice.removing import Removing
from engine.voice.service import start
from engine.voice.service.answers import VoiceAnswers
from engine.voice.service.health import part_of
from engine.voice.service.schemas import VoicePart
from engine.voice.sessions import Sessions

logger = logging.getLogger("shazam")

OPENING = "Voice is being opened; everything else may answer already. Try again shortly."
LOOK_S = 5.0
_AGAIN_S = 0.5
# Workers say every few seconds that they live.
BEAT_WITHIN_S = 30.0


class RunningVoice:
    """`capability.Running` of voice. What is wrong with it is told by its own part of health."""

    answers: VoiceAnswers | None = None
    workers: Sequence[Worker] | None = None
    _lyrics: LyricsSources | None = None
    _beside: asyncio.Task[None] | None = None
    _opened: asyncio.Event

    def start(self, metrics: Metrics) -> None:
        self._opened = asyncio.Event()
        self._beside = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """Opened once the library is; then what is done beside answers, until the end."""
        opened = await self._open()
        await asyncio.gather(self._remove(opened), self._look(opened))

    async def _open(self) -> Library:
        while (opened := library.RUNNING.library) is None or sound.RUNNING.answers is None:
            await asyncio.sleep(_AGAIN_S)
        settings = start.settings()
        lyrics = self.lyrics(opened)
        self.answers = VoiceAnswers(
            opened, sound.RUNNING.answers, _search, lyrics, settings.voice_audio_s
        )
        self._opened.set()
        return opened

    def lyrics(self, opened: Library) -> LyricsSources:
        settings = start.settings()
        if self._lyrics is None:
            self._lyrics = LyricsSources.of(
                settings.lrclib_url,
                settings.genius_url,
                settings.genius_token,
                opened.settings.trusted_hosts,
            )
        return self._lyrics

    async def _remove(self, opened: Library) -> None:
        await Removing(
            Sessions(opened.database),
            References(opened.database),
            opened.objects,
            audio_s=start.settings().voice_audio_s,
            keep_days=opened.settings.keep_days,
        ).run()

    async def _look(self, opened: Library) -> None:
        """Who works, for health, which asks nobody itself."""
        while True:
            try:
                self.workers = await opened.workers.alive(BEAT_WITHIN_S)
            except ShazamError:
                self.workers = None
            await asyncio.sleep(LOOK_S)

    async def settled(self) -> None:
        """The library has tried to open before; without it there is no voice."""
        if library.RUNNING.library is not None:
            await self._opened.wait()

    async def stop(self) -> None:
        if self._beside is not None:
            self._beside.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beside
        if self.answers is not None:
            await self.answers.close()

    @property
    def artifact_id(self) -> str:
        return sound.RUNNING.artifact_id

    @property
    def failed(self) -> bool:
        return False

    def look_into(self, error: Exception) -> None:
        library.RUNNING.look_into(error)

    def check_ready(self) -> None:
        answers()

    def health(self) -> VoicePart:
        return self.part()

    def part(self) -> VoicePart:
        settings = start.settings()
        lyrics = self._lyrics
        states, troubles = (lyrics.states(), lyrics.troubles.told()) if lyrics else ({}, {})
        return part_of(settings, self.workers, states, troubles)


RUNNING = RunningVoice()


def _search() -> SoundSearch:
    """What is open of sound now: another one after it has healed itself. Raises `NotReady`."""
    if sound.RUNNING.sound is None:
        raise NotReady(OPENING, retry_after_s=2)
    return sound.RUNNING.sound.whole


def answers() -> VoiceAnswers:
    """This worker's one `VoiceAnswers`. Raises `NotReady` while nothing is open, with the
    reason."""
    library.answers()
    if RUNNING.answers is None:
        raise NotReady(OPENING, retry_after_s=2)
    return RUNNING.answers
