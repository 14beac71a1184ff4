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


def asked(before_s: float, after_s: float) -> tuple[int, bool]:
    """The status of an answer that begins and ends so late, with a deadline of 0.2 s; whether all
    of it came."""
    start, body = json_messages(200, b"{}")

    async def api(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(before_s)
        await send(start)
        await asyncio.sleep(after_s)
        await send(body)

    limit = BodyLimit(10, lambda: InvalidRequest("too large"))
    made = Front(
        api,
        api=api,
        routes=["/"],
        probes={},
        free=(),
        bodies=BodyLimits(limit),
        settings=Settings(timeout_s=0.2),
        metrics=lambda: Metrics([]),
        artifact_id=lambda _: "none",
        languages=Languages(),
    )
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    try:
        asyncio.run(made(scope, receive, send))
    except TimeoutError:
        return sent[0]["status"], False
    return sent[0]["status"], not sent[-1].get("more_body")


def test_an_answer_that_does_not_begin_in_time_is_a_504() -> None:
    assert asked(0.5, 0) == (504, True)


def test_an_answer_that_has_begun_may_be_read_for_longer() -> None:
    assert asked(0.1, 0.5) == (200, True)


def test_an_answer_that_is_never_read_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "READ_WITHIN", 1)
    assert asked(0.1, 0.5) == (200, False)
