"""The steps of an attempt, one after another, whatever line of work it is of: DBOS writes down each
one's end, and so does the job's row. What was ended is not done again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from dbos import DBOS
from dbos import error as engine_errors
from sqlalchemy.exc import SQLAlchemyError

from engine.base.errors import DatabaseUnavailable, ShazamError, WorkerLost
from engine.library.pipeline.durable import StepFailed, workflow_id
from engine.library.pipeline.line import Line, Task, Told
from engine.library.pipeline.pool import Cancelled
from engine.library.pipeline.running import Running

logger = logging.getLogger("shazam.work")

# A step that was begun so often in one attempt has taken its workers along.
MOST_RUNS = 8
_REPORT_S = 0.5


class Stepping:
    """A line of work in this process: what its workflows do."""

    def __init__(self, line: Line, running: Running) -> None:
        self.line, self.running = line, running

    def all(
        self,
        job_id: str,
        attempt: int,
        skipped: Callable[[str, dict[str, Told]], bool] = lambda step, told: False,
    ) -> None:
        """A workflow: all steps of one attempt but those that are `skipped` for what was told
        before. What it does depends on that, and on nothing else."""
        with self.running.at(workflow_id(job_id, attempt)):
            told: dict[str, Told] = {}
            try:
                for step in self.line.steps:
                    if not skipped(step, told):
                        told[step] = DBOS.run_step(
                            {"name": step}, self.run, step, job_id, attempt, told
                        )
            except Exception as failure:
                # As it was raised here, or as DBOS wrote it down before this process began.
                code, message = getattr(failure, "code", None), getattr(failure, "message", None)
                if not (isinstance(code, str) and isinstance(message, str)):
                    raise
                DBOS.run_step({"name": "fail"}, self.fail, job_id, attempt, code, message)
                raise
            DBOS.run_step({"name": "done"}, self.done, job_id, attempt)

    def done(self, job_id: str, attempt: int) -> bool:
        line = self.line
        return line.bench.rows(lambda: line.rows.done(job_id, attempt))

    def fail(self, job_id: str, attempt: int, code: str, message: str) -> bool:
        line = self.line
        line.bench.clear(job_id)
        failed = line.bench.rows(lambda: line.rows.fail(job_id, attempt, code, message))
        if failed:
            line.failed(job_id, code)
        return failed

    def run(self, step: str, job_id: str, attempt: int, told: dict[str, Told]) -> Told:
        """One step, its begin and its end in the job's row. Raises `StepFailed`."""
        at = workflow_id(job_id, attempt)
        try:
            return self._step(step, job_id, attempt, told)
        except Cancelled:
            self.line.bench.clear(job_id)
            if not self.running.stopped:
                self._give_up(at)
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

    def _step(self, step: str, job_id: str, attempt: int, told: dict[str, Told]) -> Told:
        line, bench = self.line, self.line.bench
        at = workflow_id(job_id, attempt)
        report = _Report(line, step, job_id, attempt)
        begun = bench.rows(lambda: line.rows.begin(job_id, attempt, step, report.before))
        if begun is None or not self.running.wants(at):
            raise Cancelled(at)
        if begun.result is not None and self._holds(begun.result):
            return begun.result
        if begun.runs_of_attempt > MOST_RUNS:
            raise WorkerLost(
                f"The worker died {MOST_RUNS} times in the step {step} of this recording. Send it "
                "in another format."
            )
        logger.info("%s begins %s", at, step)
        job = bench.rows(lambda: line.rows.get(job_id, None))
        result = line.do(step, Task(job, told, report, self.running.unwanted(at)))
        seals = bench.objects.seals(result.get("objects", {}).values())
        result = {**result, "pipeline": line.version, "seals": seals}
        self._end(step, job_id, attempt, result)
        logger.info("%s ended %s", at, step)
        return result

    def _end(self, step: str, job_id: str, attempt: int, result: Told) -> None:
        """Write a step's end down. Raises `Cancelled` where the job is no longer this attempt's."""
        rows, bench = self.line.rows, self.line.bench
        while not bench.rows(lambda: rows.end(job_id, attempt, step, result)):
            # A database that came back without its last second knows of no begin.
            if bench.rows(lambda: rows.begin(job_id, attempt, step)) is None:
                raise Cancelled(workflow_id(job_id, attempt))

    def _holds(self, result: Told) -> bool:
        """Whether what an earlier run, or an earlier attempt, told of this step is still so."""
        keys = result.get("objects", {}).values()
        whole = self.line.bench.objects.are_whole(keys, result.get("seals"))
        return whole and result.get("pipeline") == self.line.version

    def _give_up(self, workflow: str) -> None:
        """DBOS shall know it too: a workflow that stops, and whose row says that it runs, is waited
        for in vain."""
        while True:
            try:
                return self.line.bench.client.cancel_workflow(workflow)
            except SQLAlchemyError as error:
                logger.warning("%s cannot be cancelled yet: %s", workflow, error)
                time.sleep(1)


class _Report:
    """Takes a step's 0…1 and tells the row, now and then, how far the job is."""

    def __init__(self, line: Line, step: str, job_id: str, attempt: int) -> None:
        self._line, self._of = line, (job_id, attempt, step)
        self.before = sum(line.shares[one] for one in line.steps[: line.steps.index(step)])
        self._share = line.shares[step]
        self._next = time.monotonic() + _REPORT_S

    def __call__(self, share: float) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _REPORT_S
        progress = self.before + self._share * share
        try:
            self._line.bench.loop.wait(lambda: self._line.rows.progress(*self._of, progress))
        except DatabaseUnavailable:
            return  # the next report tells it


class Quiet(logging.Filter):
    """DBOS tells each end of a workflow that is not a result with a trace; ours have names."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return type(error).__name__ not in _EXPECTED


_EXPECTED = {"StepFailed", "PortableWorkflowError", "DBOSAwaitedWorkflowCancelledError"}
