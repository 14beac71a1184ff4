"""Requests → response models: one method an operation, shared by every way in."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from engine.base.errors import AudioNotFound, NotFound, NotReady
from engine.serving.http.exchange import current_language
from engine.serving.http.prefix import prefix_here
from engine.sound.service.asking import AsyncSound
from engine.sound.service.french import because
from engine.sound.service.schemas import (
    Candidate,
    IdentifySoundResponse,
    SimilarTrack,
    SimilarTracksResponse,
    SoundEvidence,
    SoundHealth,
    SoundPart,
    SoundSearchResponse,
    TrackModel,
    TrackResult,
    TracksPage,
    Waveform,
)

if TYPE_CHECKING:
    from engine.sound.catalogue import Track, Which
    from engine.sound.encoder.because import Common
    from engine.sound.fingerprint.align import Agreement
    from engine.sound.search import SoundHit
    from engine.sound.service.forms import WantedTracks

CANDIDATES = 5
# Of words so many letters are read; an encoder reads fewer.
MOST_TEXT = 2_000
Format = Literal["json", "png", "svg"]
# As the formats that a track may be kept in are called on the web.
MEDIA_TYPES = {
    ".opus": "audio/ogg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".webm": "audio/webm",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".caf": "audio/x-caf",
    ".wma": "audio/x-ms-wma",
}


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A track's audio on this disk, its media type and its version. Where it is of one that is
    `held`, it may be gone tomorrow, or another's business."""

    path: Path
    media_type: str
    etag: str
    held: bool = False


def _size_of(path: Path) -> int | None:
    """In bytes; None where nothing is there that can be read."""
    try:
        return path.stat().st_size
    except OSError:
        return None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A waveform as it is sent."""

    body: bytes
    media_type: str


class SoundAnswers:
    def __init__(self, sound: AsyncSound) -> None:
        self._sound = sound

    async def identify(self, data: bytes) -> IdentifySoundResponse:
        """Which track a recording is of, if any."""
        search = self._sound.now  # as it is now: what is found must still be known
        verdict = await self._sound.identify(data, search)
        known = search.tracks([one.track_id for one in verdict.candidates])
        match = verdict.best if verdict.decision == "match" else None
        return IdentifySoundResponse(
            decision=verdict.decision,
            confidence=round(verdict.confidence, 6),
            track=TrackModel(**self._fields(known[match.track_id])) if match else None,
            evidence=_evidence(match, verdict.clip_s) if match else None,
            candidates=[
                Candidate(
                    **self._fields(known[one.track_id]),
                    offset_s=_hundredths(one.offset_s),
                    votes=one.votes,
                )
                for one in verdict.candidates[:CANDIDATES]
                if one.track_id in known
            ],
            reason=verdict.reason,
        )

    async def alike(self, data: bytes, wanted: WantedTracks) -> SoundSearchResponse:
        return self._found("sound", await self._sound.alike(data, wanted))

    async def by_text(self, text: str, wanted: WantedTracks) -> SoundSearchResponse:
        """Raises `InvalidRequest` where the encoder knows no words."""
        return self._found("text", await self._sound.by_text(text[:MOST_TEXT], wanted), text)

    @property
    def knows_words(self) -> bool:
        """Whether words find tracks. Raises `NotReady`."""
        return self._sound.now.knows_words

    def _found(
        self, kind: Literal["sound", "text"], hits: Sequence[SoundHit], query: str | None = None
    ) -> SoundSearchResponse:
        return SoundSearchResponse(
            query_type=kind,
            artifact=self._sound.artifact_id,
            query=query,
            results=[
                TrackResult(**self._fields(hit.track), similarity_score=round(hit.similarity, 6))
                for hit in hits
            ],
        )

    async def similar(self, track_id: int, wanted: WantedTracks) -> SimilarTracksResponse:
        hits = await self._sound.neighbours(track_id, wanted)
        return SimilarTracksResponse(
            artifact=self._sound.artifact_id,
            results=[
                SimilarTrack(
                    **self._fields(hit.track),
                    similarity_score=round(hit.similarity, 6),
                    because=_because(hit.because) if hit.because else None,
                )
                for hit in hits
            ],
        )

    async def twins(self, track_id: int) -> list[tuple[TrackModel, float, float]]:
        """The tracks that are the same recording: each with how well they agree, −1 to 1, and where
        in it this one begins, seconds. None of one that is not found (yet)."""
        search = self._sound.now
        if not search.tracks([track_id]):
            return []
        found = await self._sound.beside(search.twins, track_id)
        known = search.tracks([one.track_id for one in found])
        return [
            (TrackModel(**self._fields(known[one.track_id])), one.score, one.offset_s)
            for one in found
        ]

    async def tracks(self, offset: int, limit: int, **which: Unpack[Which]) -> TracksPage:
        """A page of the tracks, of `which` alone."""
        search = self._sound.now
        page = await self._sound.beside(lambda: search.page(offset, limit, **which))
        return TracksPage(
            total=page.total, tracks=[TrackModel(**self._fields(one)) for one in page.tracks]
        )

    def track(self, track_id: int) -> TrackModel:
        """Raises `TrackNotFound`."""
        return TrackModel(**self._fields(self._sound.now.track(track_id)))

    async def audio(self, track_id: int) -> AudioFile | str:
        """A file of the artifact or of a track that is held, or the address where the audio is.
        Raises `TrackNotFound`, `AudioNotShared`, `AudioNotFound`, `NotReady` where the file is gone
        or was cut."""
        search = self._sound.now
        found = await asyncio.to_thread(search.audio, track_id)
        if isinstance(found, str):
            return found
        media_type = MEDIA_TYPES.get(found.suffix.lower(), "application/octet-stream")
        held = search.held_track(track_id)
        if held is not None:
            if await asyncio.to_thread(_size_of, found) is None:
                raise AudioNotFound(f"There is no audio of track {track_id} here.")
            return AudioFile(found, media_type, f'"{held.track.digest}"', held=True)
        name = found.relative_to(search.artifact.path).as_posix()
        entry = search.artifact.manifest.files[name]
        if await asyncio.to_thread(_size_of, found) != entry.size:
            # With this file's ETag it would be kept for a day, and found whole by nobody.
            raise NotReady(
                f"The audio of track {track_id} was cut or removed since the start. Copy its file "
                "again.",
                retry_after_s=60,
            )
        return AudioFile(found, media_type, f'"{entry.sha256[:16]}"')

    async def origins(self) -> tuple[str, ...]:
        """Of audio that is elsewhere. Raises `NotReady`."""
        return await self._sound.beside(self._sound.now.catalogue.origins)

    async def waveform(self, track_id: int, points: int) -> Waveform:
        """Raises `TrackNotFound`."""
        search = self._sound.now
        duration_s = search.track(track_id).duration_s
        return await self._sound.beside(_waveform, self._peaks(track_id), duration_s, points)

    async def drawn(self, track_id: int, points: int, kind: Format) -> Drawing:
        """The waveform as a picture. Raises `TrackNotFound`."""
        track = self._sound.now.track(track_id)
        title = f"Waveform of {track.title or f'track {track_id}'}"
        return await self._sound.beside(_drawn, self._peaks(track_id), points, kind, title)

    def waveform_etag(self, *asked: object) -> str:
        """The version of what is drawn of a track, as it was asked for."""
        told = "\0".join(map(str, (self._sound.artifact_id, *asked)))
        return f'"{hashlib.sha256(told.encode()).hexdigest()[:16]}"'

    def check_ready(self) -> None:
        """Raises `NotReady` where a search would not be answered."""
        self._sound.check_ready()

    def part(self) -> SoundPart:
        """What is served. Never raises."""
        if not self._sound.is_open:
            return NOTHING_YET
        about = self._sound.about
        return SoundPart(total_tracks=about.tracks, artifact=about.artifact, encoder=about.encoder)

    def _peaks(self, track_id: int) -> Any:
        peaks = self._sound.now.peaks(track_id)
        if peaks is None:
            raise NotFound(f"The catalogue holds track {track_id} but no waveform of it.")
        return peaks

    def is_held(self, track_id: int) -> bool:
        """Whether a track came while the artifact is served, and may go again."""
        return self._sound.now.held_track(track_id) is not None

    def _fields(self, track: Track) -> dict[str, Any]:
        here = f"{prefix_here()}/api/tracks/{track.track_id}"
        return {
            **{name: getattr(track, name) for name in _OWN_FIELDS},
            "audio_url": f"{here}/audio" if track.is_heard else None,
            "waveform_url": f"{here}/waveform",
        }


NOTHING_YET = SoundPart(total_tracks=0, artifact=None, encoder=None)


def health_of(part: SoundPart, *, ready: bool) -> SoundHealth:
    """Of a service of sound alone."""
    status: Literal["healthy", "degraded"] = "healthy" if ready else "degraded"
    return SoundHealth(status=status, artifact=part.artifact, encoder=part.encoder, sound=part)


_OWN_FIELDS = tuple(
    name for name in TrackModel.model_fields if name not in ("audio_url", "waveform_url")
)


def _evidence(match: Agreement, clip_s: float) -> SoundEvidence:
    return SoundEvidence(
        offset_s=_hundredths(match.offset_s),
        votes=match.votes,
        clip_s=round(clip_s, 2),
        speed=round(match.speed, 4),
    )


def _hundredths(seconds: float) -> float:
    """Rounded, and never −0.0, which JSON would show."""
    return round(seconds, 2) + 0.0


def _because(common: Common) -> str:
    return because(common) if current_language().code == "fr" else str(common)


def _waveform(kept: Any, duration_s: float | None, points: int) -> Waveform:
    from engine.sound.waveform import reduce

    rows = reduce(kept, points).tolist()
    return Waveform(
        duration_s=duration_s, peaks=[[round(low, 4), round(high, 4)] for low, high in rows]
    )


def _drawn(kept: Any, points: int, kind: Format, title: str) -> Drawing:
    from engine.sound.waveform import reduce, to_png, to_svg

    shown = reduce(kept, points)
    if kind == "svg":
        return Drawing(to_svg(shown, title).encode(), "image/svg+xml")
    return Drawing(to_png(shown), "image/png")
