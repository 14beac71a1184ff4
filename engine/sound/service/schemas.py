"""Response models: the shapes of what is answered about sound."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer

Reason = Literal["too_short", "too_quiet", "no_agreement"]


Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class TrackModel(BaseModel):
    """A track. A field the catalogue lacks is null."""

    track_id: int
    title: str | None
    artist: str | None
    album: str | None
    album_id: int | None = Field(description="of the catalogue of covers")
    year: int | None
    genre: str | None
    duration_s: float | None
    bpm: float | None
    key: str | None
    licence: str | None
    audio_url: str | None = Field(description="null where it may not be heard, or is not there")
    waveform_url: str | None


class TrackResult(TrackModel):
    similarity_score: float = Field(description="cosine, −1 to 1")


class SimilarTrack(TrackResult):
    because: str | None = Field(description="what both have in common, in words")


class SoundSearchResponse(BaseModel):
    success: Literal[True] = True
    query_type: Literal["sound", "text"] = "sound"
    artifact: str
    query: str | None = Field(default=None, description="the words, where there are any")
    results: list[TrackResult]

    @model_serializer(mode="wrap")
    def _without_empty_query(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = handler(self)
        if body.get("query") is None:
            body.pop("query", None)
        return body


class SimilarTracksResponse(BaseModel):
    success: Literal[True] = True
    query_type: Literal["track"] = "track"
    artifact: str
    results: list[SimilarTrack]


class SoundEvidence(BaseModel):
    """What proves it: where in the track the clip begins, and how much of it agreed."""

    offset_s: float = Field(description="where in the track the clip begins, ± 0.1 s")
    votes: int = Field(ge=0, description="moments of the clip that lie where they must")
    clip_s: float = Field(ge=0, description="how much was listened to")
    speed: float = Field(gt=0, description="how fast it was played: 1.02 is 2 % faster")


class Candidate(TrackModel):
    offset_s: float
    votes: int


class IdentifySoundResponse(BaseModel):
    decision: Literal["match", "no_match"]
    confidence: float = Field(
        ge=0, le=1, description="of all answers given with 0.9, nine in ten are right"
    )
    track: TrackModel | None = Field(description="null unless it is a match")
    evidence: SoundEvidence | None = Field(description="null unless it is a match")
    candidates: list[Candidate]
    reason: Reason | None = Field(
        default=None, description="why there is no match; left out where there is one"
    )

    @model_serializer(mode="wrap")
    def _without_reason(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        body: dict[str, Any] = handler(self)
        if body.get("reason") is None:
            body.pop("reason", None)
        return body


_TRACK = {
    "track_id": 17,
    "title": "Night Garden",
    "artist": "The Lanterns",
    "album": "Slow Rooms",
    "album_id": 40,
    "year": 1974,
    "genre": "jazz",
    "duration_s": 31.5,
    "bpm": 92.0,
    "key": "D minor",
    "licence": "CC0-1.0",
    "audio_url": "/api/tracks/17/audio",
    "waveform_url": "/api/tracks/17/waveform",
}
_MATCH = {
    "decision": "match",
    "confidence": 0.998,
    "track": _TRACK,
    "evidence": {"offset_s": 12.3, "votes": 14, "clip_s": 8.0, "speed": 1.0},
    "candidates": [{**_TRACK, "offset_s": 12.3, "votes": 14}],
}
# FastAPI drops every null from the document, so an example without a match would mislead.
IDENTIFY_EXAMPLES = {"match": {"summary": "It is this track", "value": _MATCH}}


class TracksPage(BaseModel):
    total: int
    tracks: list[TrackModel]


class Waveform(BaseModel):
    duration_s: float | None
    peaks: list[Pair] = Field(description="[lowest, highest] of equal parts, −1…1")


class SoundPart(BaseModel):
    """What is served of sound; nulls where it cannot answer (yet)."""

    total_tracks: int
    artifact: str | None
    encoder: str | None


class SoundHealth(BaseModel):
    """Of a service of sound alone."""

    status: Literal["healthy", "degraded"]
    artifact: str | None
    encoder: str | None
    sound: SoundPart
