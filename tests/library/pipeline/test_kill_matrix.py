"""SIGKILL of a worker at every step, before, amid and after each of its writes; and of who answers.

Each worker is killed at one point of a job of its own, and goes on with what others left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from workers import PROJECT, TESTS, House, clip

from engine.library.pipeline.durable import STEPS

pytestmark = pytest.mark.skipif(
    not os.environ.get("NO_SKIP"), reason="takes minutes; make test-optional runs it"
)

CHILDREN = ("decode", "analyse", "waveform", "listen")
# A point where the end of a step is not written down: it runs once more.
AGAIN = ("begin", "middle", "written")
CASES = [
    (step, point)
    for step in STEPS
    for point in ("begin", "middle", "written", "ended", "after")
    if point != "middle" or step in CHILDREN
]


@pytest.mark.timeout(1_200)
def test_a_worker_killed_anywhere_loses_and_repeats_nothing(house: House) -> None:
    jobs = []
    for number, (step, point) in enumerate(CASES):
        jobs.append(house.send(clip(number)))
        house.worker(f"{step}:{point}", DIES_OF=jobs[-1].job_id).killed()
        assert house.job(jobs[-1]).state == "running"
    house.worker()
    for job in jobs:
        house.ended(job)
    for (step, point), job in zip(CASES, jobs, strict=True):
        expected = dict.fromkeys(STEPS, 1) | ({step: 2} if point in AGAIN else {})
        assert house.runs(job) == expected, (step, point)
        assert house.job(job).state == "done", (step, point)
        assert house.sample(job).status == "ready", (step, point)
    assert house.strays(*jobs) == []


@pytest.mark.parametrize("after", ["row", "workflow"])
def test_who_answers_may_be_killed_after_the_row(house: House, after: str) -> None:
    """Its job is begun by a worker, once."""
    submission = house.put(clip(1))
    lines = [
        "import os, signal",
        "from pathlib import Path",
        "from workers import House",
        "from engine.library.jobs import Submission",
        f"house = House({house.database!r}, Path({str(house.storage.parent)!r}))",
        f"job = house.submit({submission!r})",
        "print(job.job_id, flush=True)",
        "house.loop.wait(lambda: house.pipeline.start(job.job_id, 1))" if after != "row" else "",
        "os.kill(os.getpid(), signal.SIGKILL)",
    ]
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{TESTS}"}
    ran = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert ran.returncode == -signal.SIGKILL
    job = house.submit(submission)  # the same content is the same job
    assert job.job_id == ran.stdout.strip()
    house.worker()
    assert house.ended(job).state == "done"
    assert set(house.runs(job).values()) == {1}
    assert house.strays(job) == []
