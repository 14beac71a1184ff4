"""`engine/serving/http/front.py`: the deadline of a request, and of an answer that has begun."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.base.errors import InvalidRequest
from engine.base.settings import Settings
from engine.serving.http import front
from engine.serving.http.bodies import BodyLimit, BodyLimits
from engine.serving.http.front import Front
from engine.serving.http.languages import Languages
from engine.serving.http.messages import json_messages
from engine.serving.watch.metrics import Metrics


def front_of(api: Any, **told: Any) -> Front:
    limit = BodyLimit(10, lambda: InvalidRequest("too large"))
    return Front(
        api,
        **{
            "api": api,
            "routes": ["/"],
            "probes": {},
            "free": (),
            "bodies": BodyLimits(limit),
            "settings": Settings(timeout_s=0.2),
            "metrics": lambda: Metrics([]),
            "artifact_id": lambda _: "none",
            "languages": Languages(),
            **told,
        },
    )


def scope_of(path: str = "/", method: str = "GET") -> dict[str, Any]:
    return {"type": "http", "method": method, "path": path, "query_string": b"", "headers": []}


def asked(before_s: float, after_s: float) -> tuple[int, bool]:
    """The status of an answer that begins and ends so late, with a deadline of 0.2 s; whether all
    of it came."""
    start, body = json_messages(200, b"{}")

    async def api(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(before_s)
        await send(start)
        await asyncio.sleep(after_s)
        await send(body)

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    try:
        asyncio.run(front_of(api)(scope_of(), receive, send))
    except TimeoutError:
        return sent[0]["status"], False
    return sent[0]["status"], not sent[-1].get("more_body")


def test_an_answer_that_does_not_begin_in_time_is_a_504() -> None:
    assert asked(0.5, 0) == (504, True)


@pytest.mark.alone
def test_an_answer_that_has_begun_may_be_read_for_longer() -> None:
    assert asked(0.1, 0.5) == (200, True)


@pytest.mark.alone
def test_an_answer_that_is_never_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "READ_WITHIN", 1)
    assert asked(0.1, 0.5) == (200, False)


class Listening:
    """Callers who listen to `/news`, whose answer has a line a hundredth of a second."""

    def __init__(self, **told: Any) -> None:
        self.inside = 0
        self.front = front_of(self.api, listened=lambda path: path == "/news", **told)

    async def api(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while scope["path"] == "/news":
                await send({"type": "http.response.body", "body": b"new\n", "more_body": True})
                await asyncio.sleep(0.01)
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.inside -= 1

    def ask(
        self, path: str = "/news", method: str = "GET"
    ) -> tuple[asyncio.Task[None], list[Any], asyncio.Event]:
        sent: list[Any] = []
        gone = asyncio.Event()

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        return asyncio.create_task(self.front(scope_of(path, method), receive, send)), sent, gone


def test_who_listens_has_no_deadline_and_takes_no_place() -> None:
    async def run() -> None:
        news = Listening(settings=Settings(timeout_s=0.1, max_concurrency=1))
        heard = [news.ask() for _ in range(4)]
        await asyncio.sleep(0.3)
        assert news.inside == 4
        assert all(len(sent) > 5 for _, sent, _ in heard)
        other, sent, _ = news.ask("/")
        await other
        assert sent[0]["status"] == 200
        too_many, sent, _ = news.ask()
        await too_many
        assert sent[0]["status"] == 503
        for _, _, gone in heard:
            gone.set()
        await asyncio.gather(*[task for task, _, _ in heard])
        assert news.inside == 0

    asyncio.run(run())


def test_who_listens_is_let_go_when_the_process_is_to_end() -> None:
    async def run() -> None:
        news = Listening()
        task, sent, _ = news.ask()
        await asyncio.sleep(0.05)
        news.front.end()
        await asyncio.wait_for(task, 1)
        assert sent[-1] == {"type": "http.response.body", "body": b""}
        assert news.inside == 0
        late, sent, _ = news.ask()
        await asyncio.wait_for(late, 1)

    asyncio.run(run())


def test_the_head_of_what_goes_on_is_answered_at_once() -> None:
    async def run() -> None:
        news = Listening()
        task, sent, _ = news.ask(method="HEAD")
        await asyncio.wait_for(task, 1)
        assert sent[0]["status"] == 200
        assert all(not message.get("body") for message in sent[1:])

    asyncio.run(run())


@pytest.mark.alone
@pytest.mark.parametrize(
    ("pause_s", "size", "status"),
    [
        pytest.param(0.1, 2_000, 200, id="long"),
        pytest.param(0.4, 2_000, 504, id="stops"),
        pytest.param(0.1, 1, 504, id="trickles"),
    ],
)
def test_a_body_that_is_put_away_may_take_long_but_neither_stop_nor_trickle(
    pause_s: float, size: int, status: int
) -> None:
    parts = iter(range(4))

    async def api(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        for message in json_messages(200, b"{}"):
            await send(message)

    async def receive() -> Any:
        await asyncio.sleep(pause_s)
        left = next(parts, None)
        if left is None:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": bytes(size), "more_body": left != 3}

    async def run() -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        limit = BodyLimit(10_000, lambda: InvalidRequest("too large"), streamed=True)
        await front_of(api, bodies=BodyLimits(limit))(scope_of(method="POST"), receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(run()) == status
