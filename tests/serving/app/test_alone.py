"""`engine/serving/app/alone.py`: BentoML behind a process that answers without it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.serving.app import alone

HTTP = {"type": "http", "path": "/schema.json"}


async def nothing(*_: Any) -> None:
    """Takes what an ASGI application takes."""


def test_bentoml_is_made_once_and_again_where_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(service: str) -> Any:
        made.append(service)
        if len(made) == 1:
            raise OSError("no disk")
        return nothing

    monkeypatch.setattr(alone, "_bentoml_app", make)

    async def scenario() -> None:
        behind = alone._Behind(nothing, "service:ShazamVisual")
        with pytest.raises(OSError, match="no disk"):
            await behind(HTTP, nothing, nothing)
        # The first who asks goes before it is there; the others wait for the same.
        gone = asyncio.create_task(behind(HTTP, nothing, nothing))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(*(behind(HTTP, nothing, nothing) for _ in range(5)))

    asyncio.run(scenario())
    assert made == ["service:ShazamVisual"] * 2


def test_the_routes_begin_and_end_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "_bentoml_app", lambda _: pytest.fail("not needed"))
    asyncio.run(alone._Behind(nothing, "service:ShazamVisual")({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
