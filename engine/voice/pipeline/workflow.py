"""References, takes and words as durable workflows.

Imported by a worker alone: DBOS registers a workflow where its function is made.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dbos import DBOS

from engine.library.pipeline.durable import MOST_RECOVERIES
from engine.library.pipeline.line import Line, Shared, Task, Told
from engine.library.pipeline.running import Running
from engine.library.pipeline.stepping import Stepping
from engine.voice.jobs import VoiceJobs
from engine.voice.pipeline.kit import Kit
from engine.voice.pipeline.named import (
    LINKS,
    LINKS_AT_ONCE,
    LINKS_OF_ONE,
    NAMED,
    SHARES,
    VERSION,
    queue_of,
)
from engine.voice.pipeline.steps import RUN, Work
from engine.voice.tables import KINDS, Kind


@dataclass
class _Here:
    """What the workflows, functions that a database names, find in their process."""

    stepping: dict[Kind, Stepping] = field(default_factory=dict)


_here = _Here()


def lines_at(kit: Kit, running: Running) -> tuple[Line, ...]:
    """Voice's lines of work in this process."""

    def do(step: str, task: Task) -> Told:
        return RUN[step](Work(kit, task))

    links = Shared(LINKS, LINKS_AT_ONCE, LINKS_OF_ONE)
    lines = {
        kind: Line(
            NAMED[kind],
            VERSION,
            SHARES[kind],
            VoiceJobs(kit.bench.database, kind),
            kit.bench,
            do,
            shared=links if kind == "reference" else None,
            queue_of=queue_of,
        )
        for kind in KINDS
    }
    _here.stepping = {kind: Stepping(line, running) for kind, line in lines.items()}
    return tuple(lines.values())


@DBOS.workflow(name=NAMED["reference"].workflow, max_recovery_attempts=MOST_RECOVERIES)
def reference(job_id: str, attempt: int) -> None:
    _here.stepping["reference"].all(job_id, attempt)


@DBOS.workflow(name=NAMED["take"].workflow, max_recovery_attempts=MOST_RECOVERIES)
def take(job_id: str, attempt: int) -> None:
    _here.stepping["take"].all(job_id, attempt)


@DBOS.workflow(name=NAMED["words"].workflow, max_recovery_attempts=MOST_RECOVERIES)
def words(job_id: str, attempt: int) -> None:
    _here.stepping["words"].all(job_id, attempt)
