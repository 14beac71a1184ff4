"""SIGKILL of a worker at every step of a reference and of a take, before, amid and after each
write: nothing is lost, and nothing that had ended is done again.

Each worker is killed at one point of a job of its own, and goes on with what others left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from choir import Choir
from dying_worker import TASKS
from workers import clip

from engine.voice.pipeline.named import SHARES

pytestmark = pytest.mark.skipif(
    not os.environ.get("NO_SKIP"), reason="takes minutes; make test-optional runs it"
)

# A point where the end of a step is not written down: it runs once more.
AGAIN = ("begin", "middle", "written")
POINTS = ("begin", "middle", "written", "ended", "after")


def cases(kind: str) -> list[tuple[str, str]]:
    return [
        (step, point)
        for step in SHARES[kind]  # type: ignore[index]
        for point in POINTS
        if point != "middle" or f"{kind}.{step}" in TASKS
    ]


def expected(kind: str, step: str, point: str) -> dict[str, int]:
    runs = dict.fromkeys(SHARES[kind], 1)  # type: ignore[index]
    return runs | ({step: 2} if point in AGAIN else {})


@pytest.fixture
def choir(database_url: str, tmp_path: Path) -> Iterator[Choir]:
    made = Choir(database_url, tmp_path)
    yield made
    made.close()


@pytest.mark.timeout(1_200)
def test_a_worker_killed_anywhere_loses_and_repeats_nothing_of_a_reference(choir: Choir) -> None:
    sessions = []
    for number, (step, point) in enumerate(cases("reference")):
        session = choir.start(clip(number))
        sessions.append(session)
        assert session.preparing is not None
        choir.worker(f"reference.{step}:{point}", DIES_OF=session.preparing.job_id).killed()
        assert choir.now(session).state == "preparing"
    choir.worker()
    for session, (step, point) in zip(sessions, cases("reference"), strict=True):
        ready = choir.until_state(session, "ready", "failed")
        assert ready.state == "ready", (step, point)
        assert choir.runs_of(ready.preparing) == expected("reference", step, point), (step, point)
        assert ready.lyrics is not None


@pytest.mark.timeout(1_200)
def test_a_worker_killed_anywhere_loses_and_repeats_nothing_of_a_take(choir: Choir) -> None:
    ready = [choir.start(clip(0)) for _ in cases("take")]  # the first is remembered for all
    helper = choir.worker()
    for session in ready:
        choir.until_state(session, "ready")
    assert helper.stop() == 0
    sessions = []
    for number, (step, point) in enumerate(cases("take")):
        session = choir.sing(ready[number], clip(100 + number))
        sessions.append(session)
        assert session.judging is not None
        choir.worker(f"take.{step}:{point}", DIES_OF=session.judging.job_id).killed()
        assert choir.now(session).state == "analyzing"
    choir.worker()
    for session, (step, point) in zip(sessions, cases("take"), strict=True):
        done = choir.until_state(session, "done", "failed")
        assert done.state == "done", (step, point)
        assert choir.runs_of(done.judging) == expected("take", step, point), (step, point)
        assert done.results is not None
        assert (done.score, len(done.results["jury"])) == (78.0, 3)
        assert done.reference_id == choir.now(ready[0]).reference_id
