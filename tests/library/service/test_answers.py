"""`engine/library/service/answers.py`: what the page may play from where."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from engine.base.errors import StorageUnavailable
from engine.library.service import answers as module
from engine.library.service.answers import LibraryAnswers
from engine.serving.http.page import page_policy

pytestmark = pytest.mark.anyio


def answers(link: Any) -> LibraryAnswers:
    """Of a library whose storage makes links by `link`."""
    library: Any = SimpleNamespace(
        jobs=SimpleNamespace(several=None), objects=SimpleNamespace(link=lambda *_: link())
    )
    unused: Any = None
    return LibraryAnswers(library, unused, unused)


@pytest.mark.parametrize(
    ("link", "origin"),
    [
        (
            "https://mine.s3.eu-west-3.amazonaws.com/library/nothing?X-Amz-Signature=0a",
            "https://mine.s3.eu-west-3.amazonaws.com",
        ),
        ("http://127.0.0.1:8333/mine/library/nothing?X-Amz=0a", "http://127.0.0.1:8333"),
        ("https://storage.googleapis.com/mine/nothing?X-Goog=0a", "https://storage.googleapis.com"),
    ],
)
async def test_the_page_may_play_from_the_bucket_that_links_lead_to(link: str, origin: str) -> None:
    found = await answers(lambda: link).origins()
    assert found == (origin,)
    assert f"media-src 'self' blob: {origin};" in page_policy(found)


async def test_what_this_service_sends_itself_is_nowhere_else() -> None:
    assert await answers(lambda: None).origins() == ()


async def test_a_page_does_not_wait_for_a_cloud_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ORIGIN_WITHIN_S", 0.01)
    slow = answers(lambda: time.sleep(0.2) or "https://mine.example/nothing")
    assert await slow.origins() == ()
    monkeypatch.setattr(module, "ORIGIN_WITHIN_S", 5)
    assert await slow.origins() == ("https://mine.example",)


async def test_a_storage_that_failed_is_asked_again() -> None:
    said = ["https://mine.example/nothing"]

    def link() -> str:
        if len(said) == 1:
            said.append("failed")
            raise StorageUnavailable("It does not answer.")
        return said[0]

    mine = answers(link)
    assert await mine.origins() == ()
    assert await mine.origins() == ("https://mine.example",)
