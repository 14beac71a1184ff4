"""This worker's search and its answers: made when it starts, found by routes and typed APIs."""

from __future__ import annotations

from engine.covers.service import start
from engine.covers.service.answers import Answers
from engine.covers.service.asking import AsyncSearch
from engine.covers.service.schemas import Health
from engine.covers.service.towers import RemoteEncoder
from engine.serving.app.capability import FindByWords
from engine.serving.watch.metrics import Metrics


class RunningCovers:
    """`capability.Running` of covers."""

    # Where the encoder runs in a process of its own: the way to it. Set before the start.
    remote_encoder: RemoteEncoder | None = None
    # What words find beside albums, where something is served that knows it. Set before the start.
    by_words: FindByWords | None = None
    search: AsyncSearch | None = None
    answers: Answers | None = None

    def start(self, metrics: Metrics) -> None:
        settings = start.settings()
        self.search = AsyncSearch(settings, metrics, self.remote_encoder)
        self.answers = Answers(self.search, settings, self.by_words)
        self.search.start()

    async def settled(self) -> None:
        await search().settled()

    async def stop(self) -> None:
        await search().stop()

    @property
    def artifact_id(self) -> str:
        return self.search.artifact_id if self.search is not None else "none"

    @property
    def failed(self) -> bool:
        return search().failed

    def look_into(self, error: Exception) -> None:
        if self.search is not None:
            self.search.look_into(error)

    def check_ready(self) -> None:
        search().about  # noqa: B018  raises NotReady

    def health(self) -> Health:
        return answers().health()

    part = health


RUNNING = RunningCovers()


def search() -> AsyncSearch:
    """This worker's search; made when the worker starts."""
    assert RUNNING.search is not None, "the worker has not started"
    return RUNNING.search


def answers() -> Answers:
    """This worker's one `Answers`; made when the worker starts."""
    assert RUNNING.answers is not None, "the worker has not started"
    return RUNNING.answers
