"""`engine/covers/service/asking.py`: the pipeline for many callers, in this process."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import draw_cover

from engine.base.errors import GoldenQueryFailed, NotReady
from engine.covers.golden import FIRST, GoldenQueries
from engine.covers.identify.identifier import Identifier
from engine.covers.search import CoverSearch
from engine.covers.service import start
from engine.covers.service.asking import SUBJECT, AsyncSearch
from engine.covers.service.settings import CoverSettings
from engine.serving.process import preload
from engine.serving.watch.metrics import Metrics


@asynccontextmanager
async def asking(folder: Path) -> AsyncIterator[AsyncSearch]:
    search = AsyncSearch(
        CoverSettings(artifact=str(folder), runtime="torch-cpu"), Metrics([SUBJECT])
    )
    search.start()
    try:
        await search.search()
        yield search
    finally:
        await search.stop()


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    draw_cover(number).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_identifier_is_made_once_however_many_ask(
    tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Identifier] = []
    opened = Identifier.open

    def noted(search: CoverSearch, *values: Any) -> Identifier:
        made.append(opened(search, *values))
        return made[-1]

    monkeypatch.setattr(Identifier, "open", noted)

    async def ask() -> None:
        async with asking(tiny_artifact) as search:
            await asyncio.gather(*(search.identify(picture(number)) for number in range(4)))
            await search.identify(picture(4))

    asyncio.run(ask())
    assert len(made) == 1


def test_a_start_asks_one_golden_query_and_the_others_end_the_answers_where_one_fails(
    tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, check = [], GoldenQueries.check

    def noted(self: GoldenQueries, encoder: Any, index: Any, among: slice) -> None:
        asked.append(among)
        check(self, encoder, index, among)
        if among != FIRST:
            raise GoldenQueryFailed("Golden picture 2 has changed.")

    monkeypatch.setattr(GoldenQueries, "check", noted)
    monkeypatch.setattr("engine.covers.service.asking.ASKED_AFTER_S", 0.05)
    given = CoverSettings(artifact=str(tiny_artifact), runtime="torch-cpu")
    monkeypatch.setattr(start, "settings", lambda: given)
    opening: Future[CoverSearch] = Future()
    opening.set_result(start.open_search())
    monkeypatch.setattr(preload, "take", lambda: opening)
    assert asked == [FIRST]

    async def ask() -> None:
        async with asking(tiny_artifact) as search:
            async with asyncio.timeout(20):
                while search.ready:
                    await asyncio.sleep(0.01)
            assert search.failed
            with pytest.raises(NotReady, match="picture 2 has changed"):
                await search.image_vector(picture(1))

    asyncio.run(ask())
    assert asked == [FIRST, slice(1, 2)]


def test_what_is_opened_anew_has_threads_of_its_own_and_answers(
    tiny_artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.serving.work.readiness.RETRY_S", (0.01, 0.01))

    async def ask() -> None:
        async with asking(tiny_artifact) as search:
            first = await search.search()
            expected = await search.image_vector(picture(1))
            assert first.encoder is not None
            monkeypatch.setattr(first.encoder, "embed_images", lambda _pixels: [])
            with pytest.raises(NotReady, match="being looked after"):
                await search.image_vector(picture(2))
            while search.ready:
                await asyncio.sleep(0.01)
            with pytest.raises(NotReady, match="stopped answering"):
                await search.image_vector(picture(2))
            while not search.ready:
                await asyncio.sleep(0.01)
            assert await search.search() is not first
            assert len(await search.image_vector(picture(2))) == len(expected)
            # What was asked before is remembered: another encoder of the same artifact is the same.
            assert await search.image_vector(picture(1)) is expected

    asyncio.run(ask())
