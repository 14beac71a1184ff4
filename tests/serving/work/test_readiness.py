"""`engine/serving/work/readiness.py`: open, be ready, notice, open anew."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from engine.base.errors import DigestMismatch, NotReady, ShazamError
from engine.serving.work import readiness
from engine.serving.work.readiness import Readiness

STARTING = "It is being opened."


class Thing:
    """What is opened: `open`, `check` and `verify` do as `plan` says, and all is written down."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.opens: list[Exception | None] = []  # what the next attempts raise; then nothing
        self.answers: Exception | None = None  # what a check raises
        self.hangs = False
        self.seen: list[Exception] = []  # what watching raises, once each
        self.damage: ShazamError | None = None
        self.verifies = False
        self.made = 0
        self.takes_s = 0.0

    async def open(self) -> int:
        await asyncio.sleep(self.takes_s)
        error = self.opens.pop(0) if self.opens else None
        if error is not None:
            raise error
        self.made += 1
        return self.made

    async def check(self, it: int, error: Exception) -> None:
        self.told.append(f"check {it} after {type(error).__name__}")
        if self.hangs:
            await asyncio.Event().wait()
        if self.answers is not None:
            raise self.answers

    def verify(self, it: int) -> Coroutine[Any, Any, None] | None:
        async def verifying() -> None:
            await asyncio.sleep(0)
            self.told.append(f"verify {it}")
            if self.damage is not None:
                raise self.damage

        return verifying() if self.verifies else None

    async def watch(self, it: int) -> None:
        self.told.append(f"watch {it}")
        await asyncio.sleep(0)
        if self.seen:
            raise self.seen.pop()

    def readiness(self, limit_s: float = 5.0, *, watched: bool = False) -> Readiness[int]:
        return Readiness(
            self.open,
            self.check,
            explain=lambda error: NotReady(f"It stopped ({type(error).__name__})."),
            starting=STARTING,
            limit_s=limit_s,
            verify=self.verify,
            watch=self.watch if watched else None,
            on_ready=lambda again: self.told.append("ready again" if again else "ready"),
            on_lost=lambda it: self.told.append(f"lost {it}"),
        )


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "RETRY_S", (0.01, 0.02))


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


async def until(what: Callable[[], bool]) -> None:
    while not what():
        await asyncio.sleep(0.001)


def test_it_is_not_ready_until_it_is_open_and_callers_wait_for_the_first_attempt() -> None:
    async def test() -> None:
        thing = Thing()
        ready = thing.readiness()
        with pytest.raises(NotReady, match=STARTING) as refusal:
            _ = ready.now
        assert refusal.value.retry_after_s == 2
        ready.start()
        ready.start()  # once is enough
        assert (ready.ready, ready.opening) == (False, True)
        assert await ready.opened() == 1
        assert (ready.ready, ready.now, ready.failure) == (True, 1, None)
        await until(lambda: not ready.opening)
        assert thing.told == ["ready"]

    run(test)


def test_an_opening_that_fails_is_told_by_name_and_tried_again() -> None:
    async def test() -> None:
        thing = Thing()
        thing.opens = [DigestMismatch("rows/0 is damaged."), OSError("secret words"), None]
        ready = thing.readiness()
        ready.start()
        with pytest.raises(NotReady, match="rows/0 is damaged"):
            await ready.opened()  # does not wait for the second attempt
        await until(lambda: isinstance(ready.failure, NotReady))
        with pytest.raises(NotReady, match=r"could not be loaded \(OSError\); see the log") as told:
            _ = ready.now
        assert "secret" not in told.value.message
        await until(lambda: ready.ready)
        assert (await ready.opened(), ready.failure) == (1, None)
        assert thing.told == ["ready again"]

    run(test)


def test_attempts_become_rarer_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    async def test() -> None:
        thing = Thing()
        thing.opens = [OSError()] * 5
        ready = thing.readiness()
        monkeypatch.setattr(readiness, "RETRY_S", (0.5, 3.0))
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "sleep", noted)
            ready.start()
            while not ready.ready:
                await sleep(0)
        assert [seconds for seconds in waits if seconds] == [0.5, 1.0, 2.0, 3.0, 3.0]

    run(test)


def test_one_failed_call_of_what_answers_changes_nothing() -> None:
    async def test() -> None:
        thing = Thing()
        ready = thing.readiness()
        ready.start()
        await ready.opened()
        ready.look_into(ValueError())
        ready.look_into(ValueError())  # one look at a time
        await until(lambda: "check 1 after ValueError" in thing.told)
        await asyncio.sleep(0.01)
        assert (ready.now, thing.made) == (1, 1)
        assert thing.told == ["ready", "check 1 after ValueError"]

    run(test)


@pytest.mark.parametrize("hangs", [False, True])
def test_what_does_not_answer_its_check_is_lost_and_opened_anew(hangs: bool) -> None:
    async def test() -> None:
        thing = Thing()
        ready = thing.readiness(limit_s=0.05)
        ready.start()
        await ready.opened()
        thing.answers, thing.hangs = RuntimeError("secret words"), hangs
        thing.takes_s = 0.1
        ready.look_into(MemoryError())
        await until(lambda: not ready.ready)
        name = "TimeoutError" if hangs else "RuntimeError"
        with pytest.raises(NotReady, match=rf"It stopped \({name}\)\."):
            await ready.opened()
        thing.answers, thing.hangs = None, False
        await until(lambda: ready.ready)
        assert ready.now == 2
        assert thing.told == ["ready", "check 1 after MemoryError", "lost 1", "ready again"]
        # And what is there now is looked after as well.
        thing.answers = RuntimeError()
        ready.look_into(KeyError())
        await until(lambda: thing.made == 3)

    run(test)


def test_a_failure_that_comes_when_all_is_lost_already_is_not_looked_into() -> None:
    async def test() -> None:
        thing = Thing()
        ready = thing.readiness()
        ready.look_into(ValueError())
        await asyncio.sleep(0.01)
        assert thing.told == []

    run(test)


@pytest.mark.parametrize("damaged", [False, True])
def test_what_is_verified_late_ends_all_for_good_where_it_is_damaged(damaged: bool) -> None:
    async def test() -> None:
        thing = Thing()
        thing.verifies = True
        thing.damage = DigestMismatch("rows/1 is damaged.") if damaged else None
        ready = thing.readiness()
        ready.start()
        assert await ready.opened() == 1  # which waits for no verification
        await until(lambda: "verify 1" in thing.told)
        await asyncio.sleep(0.05)  # longer than a next attempt would wait
        if not damaged:
            assert (ready.now, thing.told) == (1, ["ready", "verify 1"])
            return
        with pytest.raises(NotReady, match="rows/1 is damaged"):
            await ready.opened()
        assert (thing.made, thing.told) == (1, ["ready", "verify 1", "lost 1"])

    run(test)


def test_what_was_verified_is_not_verified_again_after_a_failure() -> None:
    async def test() -> None:
        thing = Thing()
        thing.verifies = True
        ready = thing.readiness()
        ready.start()
        await until(lambda: "verify 1" in thing.told)
        thing.answers = RuntimeError()
        ready.look_into(ValueError())
        await until(lambda: thing.made == 2)
        await asyncio.sleep(0.01)
        assert "verify 2" not in thing.told

    run(test)


def test_a_stop_ends_what_is_under_way() -> None:
    async def test() -> None:
        thing = Thing()
        thing.opens = [OSError()] * 1_000
        ready = thing.readiness()
        ready.start()
        await until(lambda: len(thing.opens) < 999)
        assert ready.opening
        ready.stop()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.01)
        left = len(thing.opens)
        await asyncio.sleep(0.05)
        assert (ready.opening, len(thing.opens)) == (False, left)

    run(test)


def test_what_is_seen_while_it_is_watched_is_looked_into() -> None:
    async def test() -> None:
        thing = Thing()
        ready = thing.readiness(watched=True)
        ready.start()
        await until(lambda: thing.told.count("watch 1") > 2)
        thing.seen = [OSError("a file looks otherwise")]
        await until(lambda: "check 1 after OSError" in thing.told)
        assert ready.now == 1
        before = len(thing.told)
        await until(lambda: "watch 1" in thing.told[before:])
        thing.answers, thing.seen = RuntimeError("cut"), [OSError("again")]
        await until(lambda: "lost 1" in thing.told and ready.ready)
        assert ready.now == 2
        thing.answers = None
        await until(lambda: "watch 2" in thing.told)
        assert "watch 1" not in thing.told[thing.told.index("watch 2") :]
        ready.stop()

    run(test)
