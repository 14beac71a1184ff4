"""A library with its rows, its objects and its workers, each worker a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.base.errors import ShazamError
from engine.library.database import Database, waiting
from engine.library.jobs import Job, Jobs, Submission
from engine.library.objects import Objects
from engine.library.pipeline.bench import Loop
from engine.library.pipeline.client import Pipeline, prepare, queue_of
from engine.library.samples import Sample, Samples
from engine.sound.audio import encode

TESTS = Path(__file__).parent
PROJECT = TESTS.parent


class Worker:
    """`python -m engine work`, or what dies at a point (`dying_worker`); its log goes to `log`."""

    def __init__(
        self, environment: dict[str, str], log: Path, dies_at: str = "", concurrency: int = 1
    ) -> None:
        arguments = [dies_at, "--concurrency", f"{concurrency}"]
        with log.open("ab") as file:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "dying_worker", *arguments],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": f"{PROJECT}:{TESTS}", **environment},
                stdout=file,
                stderr=file,
            )
        self.pid = self._popen.pid
        self._log = log

    @property
    def lives(self) -> bool:
        return self._popen.poll() is None

    def killed(self, within_s: float = 60) -> None:
        """Wait until it has killed itself."""
        assert self._popen.wait(within_s) == -signal.SIGKILL, self._log.read_text()[-3000:]

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def wait(self, within_s: float) -> int:
        """Its exit status, once it has ended."""
        return self._popen.wait(within_s)

    def stop(self, within_s: float = 20) -> int:
        self._popen.terminate()
        return self._popen.wait(within_s)


class House:
    """A library as a process that answers has it; `close` ends its workers, too."""

    def __init__(self, database: str, folder: Path, storage: str = "") -> None:
        self.database, self.storage = database, folder / "objects"
        self._stored_at = storage or str(self.storage)
        self._folder, self.loop = folder, Loop()
        self.rows = self.loop.wait(lambda: Database.open(database))
        self.jobs, self.samples = Jobs(self.rows), Samples(self.rows)
        self.objects = Objects.open(self._stored_at)
        prepare(database)
        self.pipeline = Pipeline(database)
        self._workers: list[Worker] = []

    def close(self) -> None:
        for worker in self._workers:
            worker.kill()
        self.loop.wait(self.pipeline.close)
        self.loop.wait(self.rows.close)
        self.loop.stop()

    def worker(self, dies_at: str = "", *, concurrency: int = 1, **environment: str) -> Worker:
        variables = {
            "SHAZAM_LIBRARY": "shared",
            "SHAZAM_DATABASE": self.database,
            "SHAZAM_STORAGE": self._stored_at,
            **environment,
        }
        made = Worker(variables, self._folder / "workers.log", dies_at, concurrency)
        self._workers.append(made)
        return made

    @property
    def pid(self) -> int:
        """Of the last worker."""
        return self._workers[-1].pid

    def stop(self) -> int:
        """Tell the last worker to end; its exit status."""
        return self._workers[-1].stop()

    def put(self, data: bytes) -> Submission:
        """A file that was sent, in the store; not a row yet."""
        sha256 = hashlib.sha256(data).hexdigest()
        key = f"uploads/{sha256}"
        self.objects.put(key, data)
        return Submission("", "upload", sha256=sha256, upload_key=key, size=len(data))

    def submit(self, submission: Submission) -> Job:
        """Its row; no workflow yet."""
        return self.loop.wait(lambda: self.jobs.submit(submission))

    def begin(self, job: Job) -> None:
        self.loop.wait(lambda: self.pipeline.start(job.job_id, job.attempt, *queue_of(job)))
        self.loop.wait(lambda: self.jobs.enqueued(job.job_id, job.attempt))

    def send(self, data: bytes) -> Job:
        """All three, as the service does it."""
        job = self.submit(self.put(data))
        self.begin(job)
        return job

    def cancel(self, job: Job) -> None:
        self.loop.wait(lambda: self.jobs.cancel(job.job_id))
        self.loop.wait(lambda: self.pipeline.cancel(job.job_id, job.attempt))

    def retry(self, job: Job) -> Job:
        again = self.loop.wait(lambda: self.jobs.retry(job.job_id))
        self.begin(again)
        return again

    def job(self, job: Job) -> Job:
        return self.loop.wait(lambda: waiting(lambda: self.jobs.get(job.job_id)))

    def sample(self, job: Job) -> Sample:
        return self._sample(self.job(job).track_id)

    def _sample(self, track_id: int) -> Sample:
        return self.loop.wait(lambda: self.samples.get(track_id, None))

    def runs(self, job: Job) -> dict[str, int]:
        """How often each step was run."""
        steps = self.loop.wait(lambda: self.jobs.steps(job.job_id))
        return {name: step.runs for name, step in steps.items()}

    def until(self, job: Job, is_so: Callable[[Job], bool], within_s: float = 60) -> Job:
        deadline = time.monotonic() + within_s
        while not is_so(now := self.job(job)):
            assert time.monotonic() < deadline, f"{now}\n{self.log()[-3000:]}"
            time.sleep(0.02)
        return now

    def ended(self, job: Job, within_s: float = 60) -> Job:
        return self.until(job, lambda now: now.state not in ("queued", "running"), within_s)

    def log(self) -> str:
        path = self._folder / "workers.log"
        return path.read_text() if path.exists() else ""

    def strays(self, *jobs: Job) -> list[str]:
        """Objects that no track of these jobs names."""
        named: set[str] = set()
        for job in jobs:
            with contextlib.suppress(ShazamError):
                named |= set(self.sample(job).objects.values())
        return sorted({stored.key for stored in self.objects.list()} - named)


def clip(seed: int, seconds: float = 2.0) -> bytes:
    """A WAV that no other seed has: noise in stereo at 16 kHz."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((round(16_000 * seconds), 2)) * 0.1
    return encode(noise.astype(np.float32), 16_000, "wav", "pcm_s16le")
