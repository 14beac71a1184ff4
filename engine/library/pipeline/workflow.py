"""A job as a durable workflow: DBOS writes down each step's end, and goes on there after a death.

Imported by a worker alone: DBOS registers a workflow where its function is made.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from dbos import DBOS

from engine.base import errors
from engine.base.errors import ShazamError
from engine.library.pipeline.bench import Bench
from engine.library.pipeline.client import queue_of
from engine.library.pipeline.durable import (
    LINKS,
    LINKS_AT_ONCE,
    LINKS_OF_ONE,
    MOST_RECOVERIES,
    PIPELINE,
    STEPS,
    TRACKS,
    WORKFLOW,
    workflow_id,
)
from engine.library.pipeline.line import Line, Shared, Task, Told
from engine.library.pipeline.running import Running
from engine.library.pipeline.stepping import Stepping
from engine.library.pipeline.steps import RUN, Work
from engine.library.pipeline.tidying import let_go_of_derived

logger = logging.getLogger("shazam.work")

# Of a job's progress, each step's share: about what it takes of a song of four minutes.
SHARES = {
    "fetch": 0.05,
    "decode": 0.35,
    "analyse": 0.30,
    "waveform": 0.05,
    "listen": 0.18,
    "store": 0.04,
    "catalogue": 0.02,
    "clean": 0.01,
}
assert tuple(SHARES) == STEPS
# Why a recording fails, by itself: the next attempt ends the same way.
HOPELESS = {
    one.code
    for one in (
        *(errors.EmptyFile, errors.NoSound, errors.UnreadableAudio),
        *(errors.AudioSilent, errors.AudioTooShort, errors.AudioTooLong),
    )
}


@dataclass
class _Here:
    """What the workflow, a function that a database names, finds in its process."""

    stepping: Stepping | None = None


_here = _Here()


def library_line(bench: Bench) -> Line:
    """A file or a link → a track."""

    def do(step: str, task: Task) -> Told:
        if step != "fetch":
            bench.places.take(task.job.workflow_id, task.unwanted)
        return RUN[step](Work(bench, task.job, task.told, task.report, task.unwanted))

    shared = Shared(LINKS, LINKS_AT_ONCE, LINKS_OF_ONE)
    return Line(
        *(TRACKS, PIPELINE, SHARES, bench.jobs, bench, do),
        failed=lambda job_id, code: _let_go(bench, job_id) if code in HOPELESS else None,
        shared=shared,
        queue_of=queue_of,
    )


def _let_go(bench: Bench, job_id: str) -> None:
    """What was made of a recording that fails each time it is tried is not kept: an hour of it is a
    gigabyte."""
    try:
        job = bench.loop.wait(lambda: bench.jobs.get(job_id, None))
        if job.sha256 is not None:
            sha256 = job.sha256
            bench.loop.wait(lambda: let_go_of_derived(bench, sha256))
    except ShazamError as error:  # the row goes after `keep_days`, and they with it
        logger.warning("files of the failed job %s stay for now: %s", job_id, error.message)


def work_at(line: Line, running: Running) -> None:
    """Give the workflows of this process what their steps work with."""
    _here.stepping = Stepping(line, running)


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
def track(job_id: str, attempt: int) -> None:
    """All steps of one attempt; of a content that the library holds already, the last alone."""
    assert _here.stepping is not None
    try:
        _here.stepping.all(
            job_id,
            attempt,
            lambda step, told: step != "clean" and "same" in told.get("fetch", {}),
        )
    finally:
        _here.stepping.line.bench.places.leave(workflow_id(job_id, attempt))
