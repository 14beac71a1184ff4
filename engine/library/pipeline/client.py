"""What a process that answers asks of the workers: to begin a job, to end one. Decodes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from dbos import DBOS, DBOSClient, EnqueueOptions
from sqlalchemy.exc import SQLAlchemyError

from engine.base.errors import DatabaseUnavailable
from engine.library.pipeline.durable import (
    LINKS,
    PIPELINE,
    TRACKS,
    Named,
    address_of,
    client_for,
    engine_for,
    workflow_id,
)
from engine.library.records import Job

_CONNECTIONS = 4
# Waits of an answer for the database: what is not begun now a worker begins soon.
_PATIENCE_S = 5.0
T = TypeVar("T")


class Pipeline:
    """Begins and ends workflows. For one event loop; any number of processes may have one."""

    def __init__(self, database: str) -> None:
        """`database` is `SHAZAM_DATABASE`; nothing is asked of it yet."""
        self._engine = engine_for(database, connections=_CONNECTIONS)
        self._client = client_for(self._engine, patient=False)

    async def start(
        self, job_id: str, attempt: int, named: Named = TRACKS, sharer: str | None = None
    ) -> None:
        """Begin an attempt of a job, once, however often this is called; `queue_of` tells the rest.
        Raises `DatabaseUnavailable`; the job's row is enough for a worker to begin it later."""
        await self._ask(partial(start, self._client, named, job_id, attempt, sharer))

    async def cancel(self, job_id: str, attempt: int) -> None:
        """End an attempt: a worker that is at it stops within two seconds. One that has ended, or
        was never begun, stays as it is. Raises `DatabaseUnavailable`."""
        await self._ask(partial(self._client.cancel_workflow, workflow_id(job_id, attempt)))

    async def close(self) -> None:
        await asyncio.to_thread(self._client.destroy)
        await asyncio.to_thread(self._engine.dispose)

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            return await asyncio.wait_for(asyncio.to_thread(question), _PATIENCE_S)
        except (SQLAlchemyError, TimeoutError, OSError) as error:
            # A table that is not there yet is a worker that never ran; it will find the row.
            raise DatabaseUnavailable(
                "The database does not answer. What was accepted is begun as soon as it does.",
                retry_after_s=2,
            ) from error


def prepare(database: str) -> None:
    """Make DBOS's tables, or bring them to its version. Safe to call from several processes."""
    DBOS.migrate(address_of(database).render_as_string(hide_password=False))


def queue_of(job: Job) -> tuple[Named, str | None]:
    """Where a job of the library waits, and with whom it shares the places there."""
    return (TRACKS, None) if job.url is None else (LINKS, job.owner or "all")


def start(
    client: DBOSClient, named: Named, job_id: str, attempt: int, sharer: str | None = None
) -> None:
    """See `Pipeline.start`; blocking. The same id twice is one workflow."""
    options: EnqueueOptions = {
        "workflow_name": named.workflow,
        "queue_name": named.queue,
        "workflow_id": workflow_id(job_id, attempt),
        "app_version": PIPELINE,
    }
    if sharer is not None:
        options["queue_partition_key"] = sharer
    client.enqueue(options, job_id, attempt)
