"""This worker's sound and its answers: made when it starts, found by routes and typed APIs."""

from __future__ import annotations

from engine.base.errors import NotReady
from engine.serving.watch.metrics import Metrics
from engine.sound.service import start
from engine.sound.service.answers import NOTHING_YET, SoundAnswers, health_of
from engine.sound.service.asking import STARTING, AsyncSound
from engine.sound.service.schemas import SoundHealth, SoundPart


class RunningSound:
    """`capability.Running` of sound; its health beside others is a part, alone it is all."""

    sound: AsyncSound | None = None
    answers: SoundAnswers | None = None

    def start(self, metrics: Metrics) -> None:
        self.sound = AsyncSound(start.settings(), metrics)
        self.answers = SoundAnswers(self.sound)
        self.sound.start()

    async def settled(self) -> None:
        if self.sound is not None:
            await self.sound.settled()

    async def stop(self) -> None:
        if self.sound is not None:
            await self.sound.stop()

    @property
    def artifact_id(self) -> str:
        return self.sound.artifact_id if self.sound is not None else "none"

    @property
    def failed(self) -> bool:
        return self.sound is not None and self.sound.failed

    def look_into(self, error: Exception) -> None:
        if self.sound is not None:
            self.sound.look_into(error)

    def check_ready(self) -> None:
        answers().check_ready()

    def health(self) -> SoundHealth:
        return health_of(self.part(), ready=self.sound is not None and self.sound.ready)

    def part(self) -> SoundPart:
        return self.answers.part() if self.answers is not None else NOTHING_YET


RUNNING = RunningSound()


def answers() -> SoundAnswers:
    """This worker's one `SoundAnswers`. Raises `NotReady` while it has not begun to open: beside
    other capabilities it waits for its turn."""
    if RUNNING.answers is None:
        raise NotReady(STARTING, retry_after_s=2)
    return RUNNING.answers
