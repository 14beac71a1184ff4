"""`sound/service/asking.py`: what callers meet while sound opens, fails and is opened anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from engine.base.errors import ArtifactNotFound, AudioTooShort, NotReady
from engine.serving.watch.metrics import Metrics
from engine.sound.service import asking
from engine.sound.service.asking import RATE, SUBJECT, AsyncSound
from engine.sound.service.forms import WantedTracks
from engine.sound.service.settings import SoundSettings


class Search:
    """An opened artifact, as much as is asked of it here."""

    artifact_id, encoder_name, total_tracks = "0123456789abcdef", "fake", 3
    artifact = type("Artifact", (), {"unverified": ()})

    def __init__(self) -> None:
        self.fails: Exception | None = None

    def identify(self, samples: Any) -> int:
        if self.fails:
            raise self.fails
        return len(samples)


class Decoder:
    """A recording of so many seconds is its number."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.asked: list[dict[str, Any]] = []

    def decode(self, data: bytes, **asked: Any) -> Any:
        self.asked.append(asked)
        return np.zeros(round(float(data) * RATE), np.float32)

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


@pytest.mark.parametrize("lost", [False, True])
def test_a_call_that_fails_is_looked_into(lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Search] = []

    def golden(_: Search) -> None:
        if lost:
            raise RuntimeError("another answer")

    monkeypatch.setattr(asking, "_answers_golden", golden)

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
            with pytest.raises(AudioTooShort, match=r"0\.9 seconds; 1 are"):
                await sound.identify(b"0.9")
            with pytest.raises(AudioTooShort, match=r"2\.5 seconds; 3 are"):
                await sound.alike(b"2.5", WantedTracks())
            assert isinstance(sound._decoder, Decoder)
            asked = sound._decoder.asked[0]
            assert (asked["first_s"], asked["max_s"]) == (60, 600)

    asyncio.run(ask())
