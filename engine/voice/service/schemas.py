"""Response models: the shapes of what is answered about voice. What is not known is null."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.library.service.schemas import Failure
from engine.sound.service.schemas import TrackModel
from engine.voice.reasons import Reason

Language = Literal["en", "fr"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
SessionState = Literal["preparing", "ready", "recorded", "analyzing", "done", "failed"]
What = Literal["original", "vocals", "instrumentals"]


class Begun(BaseModel):
    """What was asked for is written down."""

    session_id: str
    state: SessionState
    status_url: str


class LineModel(BaseModel):
    text: str
    from_s: float | None = Field(description="when it is sung, seconds into the reference")
    to_s: float | None


class ReferenceModel(BaseModel):
    """What is sung beside."""

    state: JobState
    step: str | None
    progress: float
    error: Failure | None
    duration_s: float | None
    curve: list[tuple[float, float | None]] | None = Field(
        description="[seconds, MIDI note | null] of its voice, each tenth of a second"
    )
    lyrics: list[LineModel] | None = Field(description="with the offset in their times")
    audio: list[What] = Field(description="what of it can be heard")


class RecordingModel(BaseModel):
    size: int = Field(description="bytes")
    received_at: datetime


class SessionModel(BaseModel):
    session_id: str
    state: SessionState
    step: str | None = Field(description="what is being done, or was done last")
    progress: float = Field(ge=0, le=1)
    error: Failure | None
    track_id: int | None
    url: str | None
    title: str | None
    artist: str | None
    bpm: float | None
    created_at: datetime
    audio_until: datetime = Field(description="its audio is removed by then; results stay")
    audio_removed: bool
    lyrics_offset_s: float
    reference: ReferenceModel | None
    recording: RecordingModel | None


class AnalysisModel(BaseModel):
    session_id: str
    state: Literal["waiting", "queued", "running", "done", "failed", "cancelled"] = Field(
        description="`waiting`: nobody asked for it yet"
    )
    step: str | None
    progress: float = Field(ge=0, le=1)
    error: Failure | None


class PartScore(BaseModel):
    """0…100, and its weight in the whole; more is told of each part by name."""

    model_config = ConfigDict(extra="allow")

    score: float
    weight: float


class Phrase(BaseModel):
    model_config = ConfigDict(extra="allow")

    from_s: float
    to_s: float
    text: str | None = None
    score: float | None = None
    cents: list[tuple[float, float | None]] = Field(
        description="[seconds, cents above the reference]"
    )


class Comment(BaseModel):
    persona: str
    comment: str
    by: Literal["openai-compatible", "second", "template"]
    language: Language = Field(
        description="of the comment: a template's is in the language of who asks, a server's in "
        "that of the analysis"
    )


class TakeModel(BaseModel):
    """Which take the results are of: one that came after it may wait, be judged, or have failed."""

    is_last: bool = Field(description="false where another recording, or reference, came since")
    last_state: SessionState = Field(description="of the session with the take that came last")
    last_error: Failure | None


class ResultsModel(BaseModel):
    """What a take was worth: engine/voice/README.md says what each number means."""

    model_config = ConfigDict(extra="allow")

    session_id: str
    track_id: int | None
    title: str | None
    artist: str | None
    analyzed_at: datetime | None
    score: float | None = Field(
        description="0…100, of what was recorded; null where nothing could be measured"
    )
    reason: Reason | None = Field(
        description="what stands before the number: nobody sang, or another song, or a part alone"
    )
    pitch: PartScore | None = None
    rhythm: PartScore | None = None
    lyrics: PartScore | None = None
    not_measured: list[str] = []
    phrases: list[Phrase] = []
    jury: list[Comment] = []
    take: TakeModel


class PastResult(BaseModel):
    """What came of one analysis; a session may have several."""

    session_id: str
    analysis: int
    track_id: int | None
    title: str | None
    artist: str | None
    score: float | None = Field(description="of what was recorded, however little it was")
    recorded: float | None = Field(
        description="0…1: how much of what the reference sings that is; null where nobody can tell"
    )
    reason: Reason | None
    created_at: datetime
    analyzed_at: datetime | None
    results_url: str


class History(BaseModel):
    results: list[PastResult]


class LyricsModel(BaseModel):
    source: str = Field(description="given, lrclib, genius")
    synced: bool = Field(description="whether every line has its times")
    offset_s: float
    lines: list[LineModel]


class OffsetModel(BaseModel):
    offset_s: float


class AudioModel(BaseModel):
    """What of a session can be heard: nothing once it was removed."""

    user: list[What]
    ref: list[What]


class TracksModel(BaseModel):
    total: int
    tracks: list[TrackModel]


class TaskModel(BaseModel):
    task_id: str
    track_id: int
    state: JobState
    step: str | None
    progress: float
    error: Failure | None
    status_url: str


class WordModel(BaseModel):
    text: str
    start_s: float
    end_s: float
    probability: float


class WordsModel(BaseModel):
    track_id: int
    language: str | None
    words: list[WordModel]


class Removed(BaseModel):
    session_id: str
    deleted: bool = True


class Part(BaseModel):
    """`ok`: it has what it was set up to have, and that answered when it was last asked. `missing`
    says what it lacks; beside `ok`, what was left out on purpose, or which of several does not
    answer."""

    ok: bool
    missing: str | None = None


class JuryPart(Part):
    servers: list[str] = Field(description="who is asked, in order; a template is never missing")


class VoicePart(BaseModel):
    """`healthy`: each of the parts is ok."""

    status: Literal["healthy", "degraded"]
    worker: Part
    separation: Part
    pitch: Part
    words: Part
    lyrics: Part
    jury: JuryPart
