from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.base.errors import DatabaseUnavailable
from engine.library.pipeline import durable
from engine.library.pipeline.client import Pipeline, prepare

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pipeline(database_url: str) -> AsyncIterator[Pipeline]:
    prepare(database_url)
    prepare(database_url)  # as each process does that starts
    made = Pipeline(database_url)
    yield made
    await made.close()


def _workflows(pipeline: Pipeline) -> list[tuple[str, str, str | None]]:
    found = pipeline._client.list_workflows()
    return [(one.workflow_id, one.status, one.app_version) for one in found]


async def test_an_attempt_is_begun_once_however_often_it_is_asked_for(pipeline: Pipeline) -> None:
    for _ in range(3):
        await pipeline.start("a1", 1)
    assert _workflows(pipeline) == [("a1.1", "ENQUEUED", durable.PIPELINE)]
    await pipeline.start("a1", 2)
    assert [one[0] for one in _workflows(pipeline)] == ["a1.1", "a1.2"]


async def test_a_cancelled_attempt_is_not_begun_again(pipeline: Pipeline) -> None:
    await pipeline.start("a1", 1)
    await pipeline.cancel("a1", 1)
    await pipeline.start("a1", 1)
    await pipeline.cancel("a1", 7)  # which nobody began
    assert [one[1] for one in _workflows(pipeline)] == ["CANCELLED"]


async def test_what_is_asked_before_there_are_tables_is_refused_by_name(database_url: str) -> None:
    early = Pipeline(database_url)
    with pytest.raises(DatabaseUnavailable, match="begun as soon as"):
        await early.start("a1", 1)
    await early.close()


async def test_a_database_that_is_away_is_told_at_once() -> None:
    away = Pipeline("postgresql://shazam@127.0.0.1:9/none")
    with pytest.raises(DatabaseUnavailable):
        await away.start("a1", 1)
    await away.close()


def test_what_is_pinned_is_what_rows_were_written_with() -> None:
    """A change here leaves what is in the queue to nobody: see deploy/README.md."""
    names = (durable.APPLICATION, durable.WORKFLOW, durable.QUEUE, durable.LINKS.queue)
    assert names == ("shazam-library", "library.track", "library.tracks", "library.links")
    assert durable.job_of(durable.workflow_id("a1", 12)) == ("a1", 12)


@pytest.mark.parametrize(
    ("database", "where"),
    [
        ("sqlite:///build/studio/library.sqlite", "sqlite:///build/studio/library.dbos.sqlite"),
        ("sqlite:///build/stu.dio/library", "sqlite:///build/stu.dio/library.dbos"),
        ("postgresql://a@b/c", "postgresql+psycopg://a@b/c"),
    ],
)
def test_the_engines_tables_lie_beside_ours(database: str, where: str) -> None:
    assert durable.address_of(database).render_as_string() == where
