"""Response models: the shapes of what is answered about the library."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from engine.library.records import Failure as Reason
from engine.serving.http.exchange import current_language
from engine.sound.service.schemas import TrackModel

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Accepted(BaseModel):
    """What was asked for is written down."""

    job_id: str
    track_id: int
    status_url: str
    events_url: str
    state: State


class Failure(BaseModel):
    code: str
    message: str


def failure(error: Reason | None) -> Failure | None:
    """Why a job failed, in the language of who asks."""
    if error is None:
        return None
    return Failure(code=error.code, message=current_language().told(error.code, error.message))


class JobModel(BaseModel):
    job_id: str
    state: State
    step: str | None = Field(description="what is being done, or was done last")
    progress: float = Field(ge=0, le=1, description="of the whole job")
    track_id: int
    attempt: int
    source: str
    url: str | None
    error: Failure | None
    created_at: datetime
    updated_at: datetime


class SampleModel(BaseModel):
    """A track of the library. What is not known is null."""

    sample_id: int = Field(description="the same as track_id")
    track_id: int
    status: Literal["processing", "ready", "failed", "cancelled"]
    job_id: str | None
    error: Failure | None
    title: str | None
    artist: str | None
    album: str | None
    year: int | None
    genre: str | None
    creator: str | None
    duration_s: float | None
    bpm: float | None
    key: str | None
    loudness_lufs: float | None
    energy: float | None
    danceability: float | None
    details: dict[str, Any]
    source: str
    filename: str | None = Field(description="of what was uploaded, as its sender called it")
    url: str | None
    licence: str | None
    audio_shared: bool
    downloads: int
    created_at: datetime
    ready_at: datetime | None
    audio_url: str | None
    waveform_url: str | None
    preview_url: str | None


class SamplesPage(BaseModel):
    total: int
    samples: list[SampleModel]


class Download(BaseModel):
    """A link to a file, good until then for whoever has it."""

    url: str
    expires_at: datetime
    format: Literal["mp3", "wav"]
    filename: str
    downloads: int = Field(description="how often it was asked for, this time included")


class Twin(BaseModel):
    """A track of the catalogue that is the same recording."""

    track: TrackModel
    score: float = Field(ge=-1, le=1, description="how well both agree along their sound")
    offset_s: float = Field(description="where in that track this one begins")


class Matches(BaseModel):
    library: list[Twin]
    outside: list[dict[str, Any]] = Field(description="what outside catalogues know of it")


class Results(BaseModel):
    track_id: int
    status: Literal["processing", "ready", "failed", "cancelled"]
    sample: SampleModel
    matches: Matches


class Deleted(BaseModel):
    track_id: int
    deleted: Literal[True] = True


class Part(BaseModel):
    """One thing that the library stands on."""

    ok: bool
    what: str | None = None
    error: str | None = None


class WorkerPart(Part):
    workers: int = Field(default=0, description="processes that work, by their last heartbeat")
    queued: int = Field(default=0, description="jobs; where the library is private, the caller's")
    running: int = 0


class SourcePart(BaseModel):
    present: bool
    missing: str | None = Field(default=None, description="what would have to be set")


class LibraryHealth(BaseModel):
    """Everything by its name."""

    status: Literal["healthy", "degraded"]
    library: Literal["shared", "private"]
    database: Part
    storage: Part
    worker: WorkerPart
    sources: dict[str, SourcePart]
    waiting_to_be_heard_again: int = Field(
        description="tracks that other networks have heard than those that are served"
    )


class LibraryPart(BaseModel):
    """What is served of the library, beside others."""

    library: Literal["shared", "private"]
    ready: bool
    held: int = Field(
        description="tracks that were added since the artifact was made and that the caller finds"
    )
    waiting_to_be_heard_again: int
