"""What every way in shares, on a search that answers in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.covers.encoder.tokens import Tokenizer
from engine.covers.service.answers import Answers
from engine.covers.service.asking import SUBJECT, AsyncSearch
from engine.covers.service.schemas import EmbeddingsRequest, EmbeddingsResponse
from engine.covers.service.settings import CoverSettings
from engine.serving.watch.metrics import Metrics


@asynccontextmanager
async def answering(folder: Path) -> AsyncIterator[Answers]:
    settings = CoverSettings(artifact=str(folder), runtime="torch-cpu")
    search = AsyncSearch(settings, Metrics([SUBJECT]))
    search.start()
    try:
        await search.search()
        yield Answers(search, settings)
    finally:
        await search.stop()


def test_the_tokenizer_is_opened_once_and_never_holds_up_the_event_loop(
    tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    counted_by: list[str] = []
    made, count = Tokenizer.__init__, Tokenizer.count

    def open_noted(self: Tokenizer, path: Path, context_length: int) -> None:
        opened.append(path)
        made(self, path, context_length)

    def count_noted(self: Tokenizer, texts: Sequence[str]) -> int:
        counted_by.append(threading.current_thread().name)
        return count(self, texts)

    monkeypatch.setattr(Tokenizer, "__init__", open_noted)
    monkeypatch.setattr(Tokenizer, "count", count_noted)

    async def ask() -> set[int]:
        async with answering(tiny_artifact) as answers:
            request = EmbeddingsRequest(input=["a red cover", "jazz"])
            found = [await answers.embeddings(request) for _ in range(5)]
        return {one.usage.prompt_tokens for one in found}

    assert len(asyncio.run(ask())) == 1
    assert len(opened) == 1
    assert len(counted_by) == 5
    assert threading.main_thread().name not in counted_by


def test_a_bug_while_answering_is_a_500_and_not_the_callers_400(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model that refuses our own answer raises what a caller's mistake raises, too."""
    from starlette.testclient import TestClient

    from engine.covers.service import routes
    from engine.covers.service.capability import CAPABILITY
    from engine.serving.app.site import Site

    class Asked:
        async def beside(self, call: Callable[..., Any], *values: Any) -> Any:
            return call(*values)

        async def embeddings(self, request: EmbeddingsRequest) -> EmbeddingsResponse:
            return EmbeddingsResponse.model_validate({"data": "inside"})

    monkeypatch.setattr(routes, "answers", Asked)
    monkeypatch.setattr(routes, "search", Asked)
    client = TestClient(Site([CAPABILITY], CoverSettings()).api, raise_server_exceptions=False)
    answer = client.post("/v1/embeddings", json={"input": "jazz"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "inside" not in answer.text
    assert client.post("/v1/embeddings", json={"input": 7}).status_code == 400
