"""A line of work: what its jobs are made of, as workers do it. The library's own is `workflow`'s.

A room above that has work of its own brings it as an `Extra` (`open_extra` in its
`pipeline/extra.py`): queues, rows and processes of its own, in the same worker.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from dbos import DBOSClient

from engine.base.places import ENGINE
from engine.library.ledger import Begun
from engine.library.pipeline.bench import Bench
from engine.library.pipeline.client import start
from engine.library.pipeline.durable import Named
from engine.library.pipeline.running import Running

Told = dict[str, Any]


class Job(Protocol):
    """What a worker has to know of any job."""

    @property
    def job_id(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def enqueued_attempt(self) -> int: ...
    @property
    def workflow_id(self) -> str: ...


class Rows(Protocol):
    """Jobs of one line, as they are written down: see `engine.library.jobs.Jobs`."""

    async def begin(
        self, job_id: str, attempt: int, step: str, progress: float | None = None
    ) -> Begun | None: ...
    async def progress(self, job_id: str, attempt: int, step: str, progress: float) -> bool: ...
    async def end(
        self, job_id: str, attempt: int, step: str, result: Mapping[str, Any]
    ) -> bool: ...
    async def done(self, job_id: str, attempt: int) -> bool: ...
    async def fail(self, job_id: str, attempt: int, code: str, message: str) -> bool: ...
    async def get(self, job_id: str, owner: str | None = None) -> Any: ...
    async def cancel(self, job_id: str, owner: str | None = None) -> Any: ...
    async def begin_anew(self, job_id: str, attempt: int) -> Any: ...
    async def several(self, job_ids: Iterable[str]) -> Mapping[str, Job]: ...
    async def active(self) -> Iterable[Job]: ...
    async def not_enqueued(self) -> Iterable[Job]: ...
    async def enqueued(self, job_id: str, attempt: int) -> None: ...


@dataclass(frozen=True)
class Task:
    """One step of one attempt of a job, and what those before it told."""

    job: Any
    told: dict[str, Told]
    report: Callable[[float], None]  # 0…1 of the step
    unwanted: threading.Event

    def wanted(self) -> bool:
        return not self.unwanted.is_set()


@dataclass(frozen=True)
class Shared:
    """A queue whose places, so many at once in a worker, are shared: `of_one` sharer has some."""

    named: Named
    at_once: int
    of_one: int


@dataclass(frozen=True)
class Line:
    """`version` is that of what its steps tell; `shares` of a job's progress are its steps', in
    their order; the processes of `bench` are this line's own."""

    named: Named
    version: str
    shares: Mapping[str, float]
    rows: Rows
    bench: Bench
    do: Callable[[str, Task], Told]
    # Told of a job that has failed, and by which code; may be told twice.
    failed: Callable[[str, str], None] = lambda job_id, code: None
    # Where some of its jobs wait instead, by whom they share its places with.
    shared: Shared | None = None
    queue_of: Callable[[Any], tuple[Named, str | None]] | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(self.shares)

    def start(self, client: DBOSClient, job: Job) -> None:
        """Tell DBOS of an attempt; blocking. The same one twice is one workflow."""
        named, sharer = (self.named, None) if self.queue_of is None else self.queue_of(job)
        start(client, named, job.job_id, job.attempt, sharer)


async def _nothing() -> None:
    return


@dataclass(frozen=True)
class Extra:
    """What a room above brings to a worker: lines of work, what its row tells of them, asked each
    time that it says that it lives, and what is done `beside` them, for ever."""

    lines: tuple[Line, ...]
    facts: Callable[[], Mapping[str, Any]] = dict
    beside: Callable[[], Awaitable[None]] = _nothing


def extras(bench: Bench, running: Running, concurrency: int) -> list[Extra]:
    """Those of all rooms that are installed. Found where they lie, as this room names none of those
    above it."""
    names = [path.parts[-3] for path in sorted(ENGINE.glob("*/pipeline/extra.py"))]
    rooms = [import_module(f"engine.{name}.pipeline.extra") for name in names]
    return [room.open_extra(bench, running, concurrency) for room in rooms]
