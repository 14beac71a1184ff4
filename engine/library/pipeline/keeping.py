"""What a worker does beside its jobs: it says that it lives, takes over from the dead, and keeps
rows and workflows in agreement."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from dbos import DBOS, DBOSClient, WorkflowStatus
from sqlalchemy.exc import SQLAlchemyError

from engine.base.database import which_file
from engine.base.errors import DatabaseUnavailable, JobFinished, JobNotFound
from engine.library.pipeline.durable import PIPELINE, job_of
from engine.library.pipeline.lease import BEAT_S, STOPS_S, Lease
from engine.library.pipeline.line import Job, Line
from engine.library.pipeline.running import Running
from engine.library.tables import ACTIVE

logger = logging.getLogger("shazam.work")

WATCH_S, ENQUEUE_S, ADOPT_S, LOST_S, AGREE_S = 0.5, 2.0, 3.0, 5.0, 10.0
# A workflow that DBOS began and no thread of ours has, is lost when it was so twice.
_BLOCK = 500
T = TypeVar("T")


class Keeper:
    """Of all lines of work of a worker. `died` is called once: where another worker has declared
    this one dead, or where the file of DBOS's `tables` is not that which it began with, as the rows
    of jobs tell the next worker all that it needs."""

    def __init__(
        self,
        client: DBOSClient,
        lines: Sequence[Line],
        running: Running,
        lease: Lease,
        tables: Path | None,
        died: Callable[[], None],
    ) -> None:
        self._lines, self._running, self._lease, self._died = lines, running, lease, died
        self._client = client
        self._beat_at = time.monotonic()
        self._suspects: set[str] = set()
        self._tables, self._file = tables, tables and which_file(tables)

    async def keep(self) -> None:
        """For ever; each in its own time, whatever becomes of another."""
        await asyncio.gather(
            self._each(BEAT_S, self.beat),
            self._each(WATCH_S, self.watch),
            self._each(ENQUEUE_S, self.enqueue),
            self._each(ADOPT_S, self.adopt),
            self._each(LOST_S, self.find_lost),
            self._each(AGREE_S, self.agree),
        )

    async def _each(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await do()
            except (DatabaseUnavailable, SQLAlchemyError, OSError) as error:
                self._lease.forget()
                logger.warning("%s has to wait: %s", do.__name__, type(error).__name__)
            except Exception:
                logger.exception("%s failed", do.__name__)
            if do == self.beat:
                self._stop_if_unheard()
            await asyncio.sleep(seconds)

    async def beat(self) -> None:
        """Say that this worker lives, where what it works by is still there."""
        if self._tables is not None and which_file(self._tables) != self._file:
            logger.error("DBOS's file is gone: this worker ends, and the next one makes it anew")
            self._died()
        begun = time.monotonic()
        if not await asyncio.wait_for(self._lease.renew(), STOPS_S / 3):
            logger.error("another worker has declared this one dead: it ends")
            self._died()
        self._beat_at = begun
        for line in self._lines:
            line.bench.pool.resume()

    def _stop_if_unheard(self) -> None:
        """Before others may take it for dead, nothing of it must run any more."""
        if time.monotonic() - self._beat_at > STOPS_S:
            for line in self._lines:
                line.bench.pool.pause()

    async def watch(self) -> None:
        """End what is wanted no more: cancelled, deleted, or tried again meanwhile."""
        at = self._running.wanted()
        if not at:
            return
        ids, jobs = [job_of(one)[0] for one in at], dict[str, Job]()
        for line in self._lines:
            jobs |= await line.rows.several(ids)
        for workflow in at:
            job_id, attempt = job_of(workflow)
            job = jobs.get(job_id)
            if job is None or job.attempt != attempt or job.state not in ACTIVE:
                self._running.give_up(workflow)
                for line in self._lines:
                    line.bench.pool.cancel(workflow)

    async def enqueue(self) -> None:
        """Begin what was accepted by a process that died before it said so here."""
        for line in self._lines:
            for job in await line.rows.not_enqueued():
                await self._start(line, job)

    async def _start(self, line: Line, job: Job) -> None:
        await _blocking(line.start, self._client, job)
        await line.rows.enqueued(job.job_id, job.attempt)

    async def adopt(self) -> None:
        """Put what dead workers were at into the queue again."""
        others = {other.worker: other for other in await self._lease.others()}
        for other in list(others.values()):
            if self._lease.is_dead(other) and await self._lease.bury(other):
                logger.warning("the worker %s is dead", other.worker)
                del others[other.worker]
        pending = await _blocking(
            self._client.list_workflows,
            status="PENDING",
            app_version=PIPELINE,
            load_input=False,
            load_output=False,
        )
        known = {self._lease.worker, *others}
        ids = (one.executor_id for one in pending)
        dead = sorted({one for one in ids if one is not None and one not in known})
        if dead:
            # Read again: a worker that began after the first look has its row by now.
            alive = {other.worker for other in await self._lease.others()}
            dead = [one for one in dead if one not in alive]
            # It compares and sets: two who do this at once do it once.
            await _blocking(DBOS._recover_pending_workflows, dead)

    async def find_lost(self) -> None:
        """Put into the queue again what DBOS believes to run here, and what no thread is at: its
        end could not be written down."""
        mine = await _blocking(
            self._client.list_workflows,
            status="PENDING",
            executor_id=self._lease.worker,
            load_input=False,
            load_output=False,
        )
        queues = {one.workflow_id: one.queue_name or self._lines[0].named.queue for one in mine}
        suspects = {workflow for workflow in queues if workflow not in self._running}
        for workflow in suspects & self._suspects:
            logger.warning("%s was lost, and begins again", workflow)
            await _blocking(self._hand_back, workflow, queues[workflow])
        self._suspects = suspects

    def _hand_back(self, workflow: str, queue: str) -> None:
        """Into its queue again, where this worker still has it; blocking."""
        self._client._sys_db.reenqueue_for_recovery(workflow, [self._lease.worker], queue)

    async def agree(self) -> None:
        """Rows that say a job goes on, and whose workflow does not, get their end."""
        for line in self._lines:
            told = await line.rows.active()
            jobs = [job for job in told if job.enqueued_attempt == job.attempt]
            for begin in range(0, len(jobs), _BLOCK):
                block = jobs[begin : begin + _BLOCK]
                found = await self._workflows(job.workflow_id for job in block)
                for job in block:
                    with contextlib.suppress(JobFinished, JobNotFound):  # meanwhile
                        await self._settle(line, job, found.get(job.workflow_id))

    async def _workflows(self, ids: Iterable[str]) -> dict[str, WorkflowStatus]:
        found = await _blocking(
            self._client.list_workflows,
            workflow_ids=list(ids),
            load_input=False,
            load_output=False,
        )
        return {one.workflow_id: one for one in found}

    async def _settle(self, line: Line, job: Job, workflow: WorkflowStatus | None) -> None:
        jobs, of = line.rows, (job.job_id, job.attempt)
        if workflow is None:
            await self._start(line, job)
        elif workflow.status == "SUCCESS":
            await jobs.done(*of)
        elif workflow.status == "ERROR":
            await jobs.fail(*of, "internal", "Something went wrong on our side. Try again later.")
        elif workflow.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
            await jobs.fail(
                *of,
                "worker_lost",
                "The workers die of this recording. Send it in another format.",
            )
        elif workflow.status == "CANCELLED":
            await jobs.cancel(job.job_id)
        elif workflow.app_version != PIPELINE:
            await self._begin_anew(line, job, workflow)

    async def _begin_anew(self, line: Line, job: Job, workflow: WorkflowStatus) -> None:
        """A workflow of another version, and of no worker that lives, is followed by this one's."""
        versions = {other.facts.get("pipeline") for other in await self._lease.others()}
        if workflow.app_version not in versions:
            await _blocking(self._client.cancel_workflow, workflow.workflow_id)
            await self._start(line, await line.rows.begin_anew(job.job_id, job.attempt))


async def _blocking(call: Callable[..., T], *arguments: object, **named: object) -> T:
    return await asyncio.to_thread(partial(call, *arguments, **named))
