"""`sound/service/asking.py`: what callers meet while sound opens, fails and is opened anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from engine.base.errors import (
    ArtifactNotFound,
    AudioTooShort,
    NotReady,
    Overloaded,
    ShazamError,
)
from engine.serving.watch.metrics import Metrics
from engine.sound.service import asking
from engine.sound.service.answers import SoundAnswers, health_of
from engine.sound.service.asking import RATE, SUBJECT, AsyncSound
from engine.sound.service.forms import WantedTracks
from engine.sound.service.settings import SoundSettings


class Search:
    """An opened artifact, as much as is asked of it here."""

    artifact_id, encoder_name, total_tracks = "0123456789abcdef", "fake", 3
    artifact = type("Artifact", (), {"unverified": (), "refuse_changed": staticmethod(list)})

    def __init__(self) -> None:
        self.fails: Exception | None = None

    def seen_by(self, caller: str) -> Search:
        return self

    def identify(self, samples: Any) -> int:
        if self.fails:
            raise self.fails
        return len(samples)


class Decoder:
    """A recording of so many seconds is its number."""

    refused: ShazamError | None = None

    def __init__(self, *_: Any, **__: Any) -> None:
        self.asked: list[dict[str, Any]] = []
        self.check()

    def decode(self, data: bytes, **asked: Any) -> Any:
        self.check()
        self.asked.append(asked)
        return np.zeros(round(float(data) * RATE), np.float32)

    def check(self) -> None:
        if Decoder.refused:
            raise Decoder.refused

    def close(self) -> None: ...


@asynccontextmanager
async def opened(open_search: Callable[..., Any]) -> AsyncIterator[AsyncSound]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "open_search", open_search)
        patch.setattr("engine.sound.apart.Decoder", Decoder)
        patch.setattr("engine.serving.work.readiness.RETRY_S", (0.01, 0.01))
        sound = AsyncSound(SoundSettings(timeout_s=5), Metrics([SUBJECT]))
        sound.start()
        try:
            yield sound
        finally:
            await sound.stop()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.01)


def test_sound_that_is_still_opening_is_not_waited_for() -> None:
    async def ask() -> None:
        wait = asyncio.Event()
        loop = asyncio.get_running_loop()

        def slow(_: Any) -> Search:
            asyncio.run_coroutine_threadsafe(wait.wait(), loop).result(5)
            return Search()

        async with opened(slow) as sound:
            with pytest.raises(NotReady) as refusal:
                await sound.identify(b"5")
            assert refusal.value.headers() == {"Retry-After": "2"}
            assert not sound.ready
            assert not sound.failed
            wait.set()
            await sound.settled()
            assert await sound.identify(b"5") == 5 * RATE

    asyncio.run(ask())


def test_sound_that_cannot_be_opened_says_why_and_is_tried_again() -> None:
    async def ask() -> None:
        tries: list[int] = []

        def late(_: Any) -> Search:
            tries.append(1)
            if len(tries) < 3:
                raise ArtifactNotFound("nothing is there yet")
            return Search()

        async with opened(late) as sound:
            await sound.settled()
            assert sound.failed
            with pytest.raises(NotReady, match="nothing is there yet"):
                await sound.identify(b"5")
            await until(lambda: sound.ready)
            assert not sound.failed

    asyncio.run(ask())


@pytest.mark.parametrize("refusal", [Overloaded("no process"), NotReady("does not start")])
def test_without_decoders_tracks_are_told_of_and_they_are_tried_again(
    refusal: ShazamError, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        async with opened(lambda _: Search()) as sound:
            await sound.settled()
            assert sound.ready
            monkeypatch.setattr(Decoder, "refused", refusal)
            with pytest.raises(type(refusal), match=refusal.message):
                await sound.identify(b"5")
            await until(lambda: sound.failed)
            assert not sound.ready
            assert health_of(SoundAnswers(sound).part(), ready=sound.ready).status == "degraded"
            assert sound.about.tracks == 3
            with pytest.raises(NotReady, match=refusal.message):
                sound.check_ready()
            with pytest.raises(NotReady, match=refusal.message):
                await sound.identify(b"5")
            monkeypatch.setattr(Decoder, "refused", None)
            await until(lambda: sound.ready)
            assert not sound.failed
            assert await sound.identify(b"5") == 5 * RATE

    asyncio.run(ask())


def test_sound_opens_without_decoders_and_hears_once_they_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask() -> None:
        monkeypatch.setattr(Decoder, "refused", NotReady("does not start"))
        async with opened(lambda _: Search()) as sound:
            await sound.settled()
            assert (sound.ready, sound.failed, sound.about.tracks) == (False, True, 3)
            monkeypatch.setattr(Decoder, "refused", None)
            await until(lambda: sound.ready)
            assert await sound.identify(b"5") == 5 * RATE

    asyncio.run(ask())


@pytest.mark.parametrize("lost", [False, True])
def test_a_call_that_fails_is_looked_into(lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Search] = []

    def golden(_: Search) -> None:
        if lost:
            raise RuntimeError("another answer")

    monkeypatch.setattr(asking, "_check_again", golden)

    async def ask() -> None:
        async with opened(lambda _: made.append(Search()) or made[-1]) as sound:
            await sound.settled()
            made[0].fails = RuntimeError("secret words of a library")
            with pytest.raises(NotReady) as refusal:
                await sound.identify(b"5")
            assert "secret" not in refusal.value.message
            made[0].fails = None
            await until(lambda: len(made) == 2 and sound.ready if lost else sound.ready)
            assert await sound.identify(b"5") == 5 * RATE
            assert len(made) == 1 + lost

    asyncio.run(ask())


def test_how_much_is_listened_to_and_how_little_is_too_short() -> None:
    async def ask() -> None:
        async with opened(lambda _: Search()) as sound:
            await sound.settled()
            assert await sound.identify(b"1") == RATE
            with pytest.raises(AudioTooShort, match=r"0\.9 seconds; 3 are"):
                await sound.identify(b"0.9")
            with pytest.raises(AudioTooShort, match=r"2\.5 seconds; 3 are"):
                await sound.alike(b"2.5", WantedTracks())
            decoder: Any = sound._ears.now
            asked = decoder.asked[0]
            assert (asked["first_s"], asked["max_s"]) == (60, 600)

    asyncio.run(ask())
