"""A library in which one sings: rows, objects and workers, each worker a process of its own whose
ear is `fake_ear`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

from workers import House, Worker

from engine.voice.jobs import VoiceJobs
from engine.voice.pipeline.named import queue_of
from engine.voice.records import Session, VoiceJob
from engine.voice.references import References
from engine.voice.sessions import Recording, Reference, Sessions, Wish, folder_of, new_id


class Choir(House):
    """As a process that answers has it; `close` ends its workers, too."""

    def __init__(self, database: str, folder: Path) -> None:
        super().__init__(database, folder)
        self.sessions, self.sung = Sessions(self.rows), VoiceJobs(self.rows)
        self.references = References(self.rows)

    def worker(self, dies_at: str = "", *, concurrency: int = 1, **environment: str) -> Worker:
        own = {"FAKE_EAR": "1", "SHAZAM_LRCLIB_URL": "none", **environment}
        return super().worker(dies_at, concurrency=concurrency, **own)

    def start(self, data: bytes, words: str | None = "la la") -> Session:
        """A session beside a file, its reference asked for."""
        session_id, sha256 = new_id(), hashlib.sha256(data).hexdigest()
        key = f"{folder_of(session_id)}/reference/source"
        self.objects.put(key, data)
        source = {"kind": "file", "key": key, "sha256": sha256}
        reference = Reference(source, title="Night Garden", words=words)
        session = self.loop.wait(lambda: self.sessions.start(session_id, "", reference))
        self._begin(session.preparing)
        return session

    def sing(self, session: Session, data: bytes, wish: Wish = Wish()) -> Session:
        """A take that is to be judged."""
        take = hashlib.sha256(data).hexdigest()[:16]
        key = f"{folder_of(session.session_id)}/{take}/recording"
        self.objects.put(key, data)
        recording = Recording(take, key, len(data))
        self.loop.wait(lambda: self.sessions.record(session.session_id, "", recording))
        asked = self.loop.wait(lambda: self.sessions.analyze(session.session_id, "", wish))
        self._begin(asked.judging)
        return asked

    def _begin(self, job: VoiceJob | None) -> None:
        assert job is not None
        if self.loop.wait(lambda: self.sung.may_begin(job.job_id)):
            self.loop.wait(lambda: self.pipeline.start(job.job_id, job.attempt, *queue_of(job)))
            self.loop.wait(lambda: self.sung.enqueued(job.job_id, job.attempt))

    def now(self, session: Session) -> Session:
        return self.loop.wait(lambda: self.sessions.get(session.session_id, None))

    def until_so(
        self, session: Session, is_so: Callable[[Session], bool], within_s: float = 60
    ) -> Session:
        deadline = time.monotonic() + within_s
        while not is_so(now := self.now(session)):
            assert time.monotonic() < deadline, f"{now}\n{self.log()[-3000:]}"
            time.sleep(0.02)
        return now

    def until_state(self, session: Session, *states: str, within_s: float = 60) -> Session:
        return self.until_so(session, lambda now: now.state in states, within_s)

    def runs_of(self, job: VoiceJob | None) -> dict[str, int]:
        """How often each step was run."""
        assert job is not None
        steps = self.loop.wait(lambda: self.sung.steps(job.job_id))
        return {name: step.runs for name, step in steps.items()}
