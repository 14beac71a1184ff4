"""Sessions → response models."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from engine.library.service.schemas import failure
from engine.serving.http.prefix import prefix_here
from engine.voice.jury.facts import Language
from engine.voice.jury.jury import retold
from engine.voice.lyrics.lines import Lyrics
from engine.voice.reasons import reason_of, recorded_of
from engine.voice.records import Session, VoiceJob
from engine.voice.service.schemas import (
    AnalysisModel,
    Begun,
    LineModel,
    LyricsModel,
    PastResult,
    RecordingModel,
    ReferenceModel,
    ResultsModel,
    SessionModel,
    TakeModel,
    TaskModel,
    What,
)

STEMS: tuple[What, ...] = ("original", "vocals", "instrumentals")
# Which step of a reference tells where each is.
_MADE_BY: dict[What, str] = {
    "original": "fetch",
    "vocals": "separate_reference",
    "instrumentals": "separate_reference",
}


def at(session: Session) -> str:
    return f"{prefix_here()}/api/session/{session.session_id}"


def begun(session: Session, what: str) -> Begun:
    return Begun(
        session_id=session.session_id, state=session.state, status_url=f"{at(session)}/{what}"
    )


def session_model(session: Session, audio_s: float, audio: list[What]) -> SessionModel:
    """`audio` is what of its reference can be handed out."""
    job = session.told
    return SessionModel(
        session_id=session.session_id,
        state=session.state,
        step=job.step if job else None,
        progress=round(job.progress, 3) if job else 0.0,
        error=failure(job.error if job else None),
        track_id=session.track_id,
        url=session.url,
        title=session.title,
        artist=session.artist,
        bpm=session.bpm,
        created_at=session.created_at,
        audio_until=session.created_at + timedelta(seconds=audio_s),
        audio_removed=session.silent_at is not None,
        lyrics_offset_s=session.lyrics_offset_s,
        reference=_reference_model(session, audio),
        recording=_recording(session),
    )


def _reference_model(session: Session, audio: list[What]) -> ReferenceModel | None:
    job, facts = session.preparing, session.reference or {}
    if job is None:
        return None
    lyrics = session.lines()
    return ReferenceModel(
        state=job.state,
        step=job.step,
        progress=round(job.progress, 3),
        error=failure(job.error),
        duration_s=facts.get("fetch", {}).get("duration_s"),
        curve=facts.get("pitch_reference", {}).get("curve"),
        lyrics=None if lyrics is None else line_models(lyrics),
        audio=audio,
    )


def reference_audio(session: Session) -> dict[What, str]:
    """What of a reference may be heard and was made → where that is in the store."""
    if session.silent_at is not None or not session.audio_shared:
        return {}
    keys = {what: reference_key(session, what) for what in STEMS}
    return {what: key for what, key in keys.items() if key is not None}


def reference_key(session: Session, what: What) -> str | None:
    """Where it is in the store; None where it was not made."""
    made = (session.reference or {}).get(_MADE_BY[what], {})
    key: str | None = made.get("objects", {}).get(what)
    return key


def _recording(session: Session) -> RecordingModel | None:
    recording = session.recording
    if recording is None:
        return None
    return RecordingModel(size=recording["size"], received_at=recording["received_at"])


def analysis_model(session: Session) -> AnalysisModel:
    """How far the judging is; of one that waits for its reference, how far that is."""
    job = session.judging
    if job is None or not (job.is_active or job.asked.get("take") == session.take):
        return AnalysisModel(
            session_id=session.session_id, state="waiting", step=None, progress=0.0, error=None
        )
    preparing = session.preparing
    waits = job.state == "queued" and preparing is not None and preparing.is_active
    return AnalysisModel(
        session_id=session.session_id,
        state=job.state,
        step=preparing.step if waits and preparing else job.step,
        progress=round(job.progress, 3),
        error=failure(job.error),
    )


def results_model(session: Session, language: Language | None) -> ResultsModel:
    """What was written down of a take. What the jury's template says is said in `language`; None:
    in that of the analysis."""
    results: dict[str, Any] = dict(session.results or {})
    spoken = language or results.get("language", "en")
    results["jury"] = retold(results, session.title, session.artist, spoken)
    results["reason"] = reason_of(results)
    for name in ("session_id", "track_id", "title", "artist", "analyzed_at"):
        results[name] = getattr(session, name)
    results["take"] = _take(session)
    return ResultsModel(**results)


def _take(session: Session) -> TakeModel:
    """How what was judged stands to the take that came last."""
    job = session.told
    return TakeModel(
        is_last=session.judges_the_last,
        last_state=session.state,
        last_error=failure(job.error if job else None),
    )


def past_result(session: Session) -> PastResult:
    return PastResult(
        session_id=session.session_id,
        analysis=session.analysis or 0,
        track_id=session.track_id,
        title=session.title,
        artist=session.artist,
        score=session.score,
        recorded=recorded_of(session.results or {}),
        reason=reason_of(session.results or {}),
        created_at=session.created_at,
        analyzed_at=session.analyzed_at,
        results_url=f"{at(session)}/results?analysis={session.analysis or 0}",
    )


def line_models(lyrics: Lyrics) -> list[LineModel]:
    return [LineModel(text=one.text, from_s=one.from_s, to_s=one.to_s) for one in lyrics.lines]


def lyrics_model(lyrics: Lyrics, offset_s: float) -> LyricsModel:
    """`lyrics` has the offset in its times already."""
    return LyricsModel(
        source=lyrics.source, synced=lyrics.synced, offset_s=offset_s, lines=line_models(lyrics)
    )


def task_model(job: VoiceJob) -> TaskModel:
    return TaskModel(
        task_id=job.job_id,
        track_id=job.track_id or 0,
        state=job.state,
        step=job.step,
        progress=round(job.progress, 3),
        error=failure(job.error),
        status_url=f"{prefix_here()}/api/lyrics/word-timestamps/task/{job.job_id}",
    )
