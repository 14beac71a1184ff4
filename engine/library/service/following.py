"""Many who wait for news of their jobs → one question a moment, and to each what is new to it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace

from starlette.responses import Response

from engine.base.errors import ShazamError
from engine.library.records import Job
from engine.serving.http.messages import Receive, Scope, Send

logger = logging.getLogger("shazam")

LOOKS_EVERY_S = 0.4
# Proxies end a connection on which nothing comes for a minute.
HEARTBEAT_S = 15.0
# After how long a browser that lost the connection asks again.
RETRY_MS = 2_000
FINAL = ("done", "failed", "cancelled")

Ask = Callable[[Iterable[str]], Awaitable[Mapping[str, Job]]]


class Following:
    """What is new of the jobs that somebody follows, asked for all of them at once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._known: dict[str, Job] = {}
        self._followers: dict[str, int] = {}
        self._news = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None

    async def follow(self, job: Job) -> AsyncGenerator[Job | None]:
        """The job, then each change of it until it has ended; None where nothing was new for
        `HEARTBEAT_S`. One that is deleted with its track was cancelled."""
        job_id, seen = job.job_id, job
        known = self._known.get(job_id)
        if known is None or known.updated_at < job.updated_at:
            self._known[job_id] = job
        self._followers[job_id] = self._followers.get(job_id, 0) + 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield seen
            while seen.state not in FINAL:
                now = await self._next(job_id, seen)
                if now is None and job_id not in self._known:
                    yield replace(seen, state="cancelled")
                    return
                seen = now or seen
                yield now
        finally:
            self._leave(job_id)

    async def _next(self, job_id: str, seen: Job) -> Job | None:
        """The job once it is another than `seen`; None where it is gone, or after a while."""

        def changed() -> bool:
            return _told(self._known.get(job_id)) != _told(seen)

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(changed), HEARTBEAT_S)
            except TimeoutError:
                return None
            return self._known.get(job_id)

    def _leave(self, job_id: str) -> None:
        self._followers[job_id] -= 1
        if not self._followers[job_id]:
            del self._followers[job_id]
            self._known.pop(job_id, None)

    async def _look(self) -> None:
        while self._followers:
            await asyncio.sleep(LOOKS_EVERY_S)
            asked = [*self._followers]
            try:
                found = await self._ask(asked)
            except ShazamError as error:  # a database that is away comes back
                logger.debug("jobs cannot be looked at now: %s", error.message)
                continue
            async with self._news:
                for job_id in asked:
                    self._known.pop(job_id, None)
                    if job_id in found and job_id in self._followers:
                        self._known[job_id] = found[job_id]
                self._news.notify_all()

    def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()


def _told(job: Job | None) -> tuple[object, ...]:
    """What of a job is news."""
    if job is None:
        return ()
    return job.attempt, job.state, job.step, round(job.progress, 3), job.track_id


class Events(Response):
    """Server-sent events (text/event-stream): one with each thing that comes, a comment for each
    None. `events` gives ids and what is told; it ends when the caller goes or all is told."""

    def __init__(self, events: AsyncGenerator[tuple[str, object] | None]) -> None:
        # nginx would hold it back until it has a page full.
        told = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(None, 200, told, "text/event-stream")
        del self.headers["content-length"]
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await _say(send, f"retry: {RETRY_MS}\n\n")
        async with aclosing(self._events):  # also where the caller goes between two of them
            async for event in self._events:
                await _say(send, ": nothing new\n\n" if event is None else _event(*event))
        await send({"type": "http.response.body", "body": b""})


def _event(at: str, told: object) -> str:
    return f"id: {at}\ndata: {json.dumps(told, ensure_ascii=False)}\n\n"


async def _say(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
