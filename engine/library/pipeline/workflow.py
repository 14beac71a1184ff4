"""A job as a durable workflow: DBOS writes down each step's end, and goes on there after a death.

Imported by a worker alone: DBOS registers a workflow where its function is made.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from dbos import DBOS
from dbos import error as engine_errors
from sqlalchemy.exc import SQLAlchemyError

from engine.base.errors import DatabaseUnavailable, ShazamError, WorkerLost
from engine.library.pipeline.bench import Bench
from engine.library.pipeline.durable import (
    MOST_RECOVERIES,
    PIPELINE,
    STEPS,
    WORKFLOW,
    StepFailed,
    workflow_id,
)
from engine.library.pipeline.pool import Cancelled
from engine.library.pipeline.running import Running
from engine.library.pipeline.steps import RUN, Told, Work

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
# A step that was begun so often in one attempt has taken its workers along.
MOST_RUNS = 8
_REPORT_S = 0.5


@dataclass
class _Here:
    """What the workflow, a function that a database names, finds in its process."""

    bench: Bench | None = None
    running: Running | None = None


_here = _Here()


def work_at(bench: Bench, running: Running) -> None:
    """Give the workflows of this process what their steps work with."""
    _here.bench, _here.running = bench, running


@DBOS.workflow(name=WORKFLOW, max_recovery_attempts=MOST_RECOVERIES)
def track(job_id: str, attempt: int) -> None:
    """All steps of one attempt; what it does depends on what they answered, and on nothing else."""
    _, running = _at()
    with running.at(workflow_id(job_id, attempt)):
        told: dict[str, Told] = {}
        try:
            for step in STEPS:
                if step == "clean" or "same" not in told.get("fetch", {}):
                    told[step] = DBOS.run_step({"name": step}, _run, step, job_id, attempt, told)
        except Exception as failure:
            # As it was raised here, or as DBOS wrote it down before this process began.
            code, message = getattr(failure, "code", None), getattr(failure, "message", None)
            if not (isinstance(code, str) and isinstance(message, str)):
                raise
            DBOS.run_step({"name": "fail"}, _fail, job_id, attempt, code, message)
            raise
        DBOS.run_step({"name": "done"}, _done, job_id, attempt)


def _at() -> tuple[Bench, Running]:
    assert _here.bench is not None
    assert _here.running is not None
    return _here.bench, _here.running


def _done(job_id: str, attempt: int) -> bool:
    bench, _ = _at()
    return bench.rows(lambda: bench.jobs.done(job_id, attempt))


def _fail(job_id: str, attempt: int, code: str, message: str) -> bool:
    bench, _ = _at()
    bench.clear(job_id)
    return bench.rows(lambda: bench.jobs.fail(job_id, attempt, code, message))


def _run(step: str, job_id: str, attempt: int, told: dict[str, Told]) -> Told:
    """One step, its begin and its end in the job's row. Raises `StepFailed`."""
    at = workflow_id(job_id, attempt)
    try:
        return _step(step, job_id, attempt, told)
    except Cancelled:
        bench, running = _at()
        bench.clear(job_id)
        if not running.stopped:
            _give_up(bench, at)
        # DBOS writes down no end of this step.
        raise engine_errors.DBOSWorkflowCancelledError(f"{at} is wanted no more here") from None
    except ShazamError as error:
        logger.info("%s failed in %s: %s", at, step, error.code)
        raise StepFailed(error.code, error.message) from error
    except Exception as error:
        logger.exception("%s failed in %s", at, step)
        raise StepFailed(
            "internal", "Something went wrong on our side. Try again later."
        ) from error


def _step(step: str, job_id: str, attempt: int, told: dict[str, Told]) -> Told:
    bench, running = _at()
    at, jobs = workflow_id(job_id, attempt), bench.jobs
    report = _Report(bench, step, job_id, attempt)
    begun = bench.rows(lambda: jobs.begin(job_id, attempt, step, report.before))
    if begun is None or not running.wants(at):
        raise Cancelled(at)
    if begun.result is not None and _holds(bench, begun.result):
        return begun.result
    if begun.runs_of_attempt > MOST_RUNS:
        raise WorkerLost(
            f"The worker died {MOST_RUNS} times in the step {step} of this recording. Send it in "
            "another format."
        )
    logger.info("%s begins %s", at, step)
    job = bench.rows(lambda: jobs.get(job_id, None))
    result = RUN[step](Work(bench, job, told, report, running.unwanted(at)))
    result = {**result, "pipeline": PIPELINE}
    _end(bench, step, job_id, attempt, result)
    logger.info("%s ended %s", at, step)
    return result


def _end(bench: Bench, step: str, job_id: str, attempt: int, result: Told) -> None:
    """Write a step's end down. Raises `Cancelled` where the job is no longer this attempt's."""
    jobs = bench.jobs
    while not bench.rows(lambda: jobs.end(job_id, attempt, step, result)):
        # A database that came back without its last second knows of no begin.
        if bench.rows(lambda: jobs.begin(job_id, attempt, step)) is None:
            raise Cancelled(workflow_id(job_id, attempt))


def _holds(bench: Bench, result: Told) -> bool:
    """Whether what an earlier run, or an earlier attempt, told of this step is still so."""
    keys = result.get("objects", {}).values()
    return result.get("pipeline") == PIPELINE and all(bench.objects.exists(key) for key in keys)


def _give_up(bench: Bench, workflow: str) -> None:
    """DBOS shall know it too: a workflow that stops, and whose row says that it runs, is waited
    for in vain."""
    while True:
        try:
            return bench.client.cancel_workflow(workflow)
        except SQLAlchemyError as error:
            logger.warning("%s cannot be cancelled yet: %s", workflow, error)
            time.sleep(1)


class _Report:
    """Takes a step's 0…1 and tells the row, now and then, how far the job is."""

    def __init__(self, bench: Bench, step: str, job_id: str, attempt: int) -> None:
        self._bench, self._of = bench, (job_id, attempt, step)
        self.before = sum(SHARES[one] for one in STEPS[: STEPS.index(step)])
        self._share = SHARES[step]
        self._next = time.monotonic() + _REPORT_S

    def __call__(self, share: float) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _REPORT_S
        progress = self.before + self._share * share
        try:
            self._bench.loop.wait(lambda: self._bench.jobs.progress(*self._of, progress))
        except DatabaseUnavailable:
            return  # the next report tells it


class Quiet(logging.Filter):
    """DBOS tells each end of a workflow that is not a result with a trace; ours have names."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return type(error).__name__ not in _EXPECTED


_EXPECTED = {"StepFailed", "PortableWorkflowError", "DBOSAwaitedWorkflowCancelledError"}
