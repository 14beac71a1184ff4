"""What rows of voice are read as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from engine.library.records import Failure, failure_of
from engine.library.tables import ACTIVE, State
from engine.voice.lyrics.lines import Lyrics
from engine.voice.tables import Kind

SessionState = Literal["preparing", "ready", "recorded", "analyzing", "done", "failed"]


@dataclass(frozen=True)
class VoiceJob:
    """A job as it was when it was asked about."""

    job_id: str
    kind: Kind
    session_id: str | None
    owner: str
    attempt: int
    state: State
    step: str | None
    progress: float
    error: Failure | None
    asked: dict[str, Any]
    track_id: int | None
    result: dict[str, Any] | None
    enqueued_attempt: int
    created_at: datetime
    updated_at: datetime

    @property
    def workflow_id(self) -> str:
        """What the workers' engine knows this attempt by."""
        return f"{self.job_id}.{self.attempt}"

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE


@dataclass(frozen=True)
class Session:
    """A session as it was when it was asked about; `reference` is what was made of what is sung
    beside (step → what it told), once that is known."""

    session_id: str
    owner: str
    title: str | None
    artist: str | None
    album: str | None
    bpm: float | None
    track_id: int | None
    url: str | None
    audio_shared: bool
    source: dict[str, Any]
    reference_id: str | None
    words: str | None
    lyrics_offset_s: float
    recording: dict[str, Any] | None
    results: dict[str, Any] | None
    score: float | None
    analyzed_at: datetime | None
    created_at: datetime
    silent_at: datetime | None
    lyrics: Lyrics | None = None
    analysis: int | None = None  # which one `results` are of, where one was asked for
    jobs: Mapping[Kind, VoiceJob] | None = None
    reference: Mapping[str, dict[str, Any]] | None = None

    @property
    def preparing(self) -> VoiceJob | None:
        """The job that makes the reference ready."""
        return (self.jobs or {}).get("reference")

    @property
    def has_no_reference(self) -> bool:
        """Whether the reference could not be had, so that another one is needed."""
        return self.preparing is None or self.preparing.state in ("failed", "cancelled")

    @property
    def judging(self) -> VoiceJob | None:
        """The job that judges a take; None before it was asked for."""
        return (self.jobs or {}).get("take")

    @property
    def take(self) -> str | None:
        """The take that came last."""
        return None if self.recording is None else str(self.recording["take"])

    @property
    def told(self) -> VoiceJob | None:
        """The job whose state is the session's: that of the take that came last, where it is
        judged or was, else that of the reference."""
        judging = self.judging
        if judging is not None and (judging.is_active or judging.asked.get("take") == self.take):
            return judging
        return self.preparing

    @property
    def state(self) -> SessionState:
        job = self.told
        if job is not None and job.state in ("failed", "cancelled"):
            return "failed"
        if job is not None and job.kind == "take":
            return "done" if job.state == "done" else "analyzing"
        if self.recording is not None:
            return "recorded"
        return "ready" if job is not None and job.state == "done" else "preparing"

    def lines(self) -> Lyrics | None:
        """Its words, moved as was asked for; they end as the reference does."""
        if self.lyrics is None:
            return None
        moved = self.lyrics.moved(self.lyrics_offset_s)
        duration_s = (self.reference or {}).get("fetch", {}).get("duration_s")
        return moved if duration_s is None else moved.ended(duration_s)

    @property
    def judged_take(self) -> str | None:
        """The take whose results are here; None where there are none."""
        return None if self.results is None else self.results.get("take")

    @property
    def judges_the_last(self) -> bool:
        """Whether the results are of the take that came last, beside the reference there is now."""
        asked = {} if self.judging is None else self.judging.asked
        return self.judged_take is not None and self.judged_take == self.take == asked.get("take")

    def of(
        self, jobs: Mapping[Kind, VoiceJob], reference: Mapping[str, dict[str, Any]] | None
    ) -> Session:
        return replace(self, jobs=jobs, reference=reference)


def voice_job_of(row: Any) -> VoiceJob:
    values = {one.name: getattr(row, one.name) for one in fields(VoiceJob) if one.name != "error"}
    return VoiceJob(**values, error=failure_of(row))


_FURTHER = ("lyrics", "analysis", "jobs", "reference")


def session_of(row: Any) -> Session:
    named = (one.name for one in fields(Session) if one.name not in _FURTHER)
    lyrics = None if row.lyrics is None else Lyrics.of_json(row.lyrics)
    analysis = getattr(row, "analysis", None)
    return Session(**{name: getattr(row, name) for name in named}, lyrics=lyrics, analysis=analysis)
