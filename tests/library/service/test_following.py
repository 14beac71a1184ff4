"""`engine/library/service/following.py`: news of jobs, to each who waits for them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.base.errors import DatabaseUnavailable
from engine.library.records import Job
from engine.library.service import following as module
from engine.library.service.following import Events, Following

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def job(job_id: str = "one", state: Any = "queued", progress: float = 0.0, at_s: int = 0) -> Job:
    values = {field.name: None for field in dataclasses.fields(Job)}
    told = {"job_id": job_id, "attempt": 1, "state": state, "progress": progress, "track_id": 7}
    return Job(**{**values, **told, "updated_at": BEGAN + timedelta(seconds=at_s)})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKS_EVERY_S", 0.01)


class Rows:
    """What is asked of the database, and how often."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = {one.job_id: one for one in jobs}
        self.asked: list[list[str]] = []
        self.away = 0

    async def several(self, job_ids: Iterable[str]) -> Mapping[str, Job]:
        self.asked.append(sorted(job_ids))
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable("away")
        return {i: self.jobs[i] for i in job_ids if i in self.jobs}


async def news(following: Following, of: Job, into: list[Any]) -> None:
    async for one in following.follow(of):
        into.append(one and (one.state, one.progress))


def test_each_change_is_told_once_and_the_end_is_the_last() -> None:
    async def run() -> None:
        rows = Rows(job())
        rows.away = 2
        heard: list[Any] = []
        task = asyncio.create_task(news(Following(rows.several), job(), heard))
        for state, progress in (("running", 0.1), ("running", 0.5), ("done", 1.0)):
            await asyncio.sleep(0.08)
            rows.jobs["one"] = job(state=state, progress=progress)
        await asyncio.wait_for(task, 1)
        assert heard == [("queued", 0.0), ("running", 0.1), ("running", 0.5), ("done", 1.0)]

    asyncio.run(run())


def test_all_who_wait_are_one_question_and_nobody_is_none() -> None:
    async def run() -> None:
        rows = Rows(job("one"), job("two"))
        following = Following(rows.several)
        heard: list[list[Any]] = [[], [], []]
        follows = zip((job("one"), job("two"), job("one")), heard, strict=True)
        tasks = [asyncio.create_task(news(following, of, into)) for of, into in follows]
        await asyncio.sleep(0.05)
        assert rows.asked[-1] == ["one", "two"]
        rows.jobs = {"one": job("one", "failed"), "two": job("two", "cancelled")}
        await asyncio.wait_for(asyncio.gather(*tasks), 1)
        assert [one[-1][0] for one in heard] == ["failed", "cancelled", "failed"]
        await asyncio.sleep(0.03)
        count = len(rows.asked)
        await asyncio.sleep(0.05)
        assert len(rows.asked) == count
        later: list[Any] = []
        rows.jobs["one"] = job("one", "done")
        await asyncio.wait_for(news(following, job("one"), later), 1)
        assert later == [("queued", 0.0), ("done", 0.0)]

    asyncio.run(run())


def test_a_job_that_is_deleted_is_the_end() -> None:
    async def run() -> None:
        rows = Rows(job())
        heard: list[Any] = []
        task = asyncio.create_task(news(Following(rows.several), job(), heard))
        await asyncio.sleep(0.03)
        rows.jobs.clear()
        await asyncio.wait_for(task, 1)
        # Its follower is told of an end, not left to guess.
        assert heard == [("queued", 0.0), ("cancelled", 0.0)]

    asyncio.run(run())


def test_what_was_known_before_is_not_told_after_what_is_newer() -> None:
    async def run() -> None:
        rows = Rows(job("one", "running", 0.3))
        following = Following(rows.several)
        first: list[Any] = []
        waits = asyncio.create_task(news(following, job("one", "running", 0.3), first))
        await asyncio.sleep(0.03)
        rows.jobs["one"] = job("one", "done", 1.0, at_s=2)
        late: list[Any] = []
        await asyncio.wait_for(news(following, rows.jobs["one"], late), 1)
        assert late == [("done", 1.0)]
        await asyncio.wait_for(waits, 1)

    asyncio.run(run())


def test_silence_is_a_comment_and_events_are_as_browsers_read_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.03)

    async def run() -> str:
        rows = Rows(job())
        following = Following(rows.several)

        async def told() -> Any:
            async for one in following.follow(job()):
                yield None if one is None else (one.state, {"state": one.state, "é": "“"})

        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        asked = asyncio.create_task(Events(told())({}, None, send))  # type: ignore[arg-type]
        await asyncio.sleep(0.1)
        rows.jobs["one"] = job(state="done")
        await asyncio.wait_for(asked, 1)
        assert dict(sent[0]["headers"])[b"content-type"].startswith(b"text/event-stream")
        assert not sent[-1].get("more_body")
        return b"".join(message.get("body", b"") for message in sent).decode()

    text = asyncio.run(run())
    events = [part.split("\n") for part in text.split("\n\n") if part]
    assert events[0] == ["retry: 2000"]
    assert [": nothing new"] in events
    assert events[1][0] == "id: queued"
    assert json.loads(events[-1][1].removeprefix("data: ")) == {"state": "done", "é": "“"}


def test_who_goes_is_not_waited_for() -> None:
    async def run() -> None:
        rows = Rows(job())
        following = Following(rows.several)
        heard: list[Any] = []
        task = asyncio.create_task(news(following, job(), heard))
        await asyncio.sleep(0.03)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.03)
        assert following._followers == {}

    asyncio.run(run())
