"""`engine/voice/service/health.py`: part by part, as the workers that live tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from engine.library.workers import Worker
from engine.voice.service.health import NO_WORKER, NOT_YET, part_of
from engine.voice.settings import VoiceSettings

WHOLE = {"separation": None, "pitch": None, "words": None}
WORDS = {"lrclib": None, "genius": "SHAZAM_GENIUS_TOKEN is not set."}


def worker(**voice: Any) -> Worker:
    at = datetime.now(UTC)
    return Worker("one", at, at, {"voice": voice} if voice else {})


def test_a_part_is_there_where_one_worker_has_it() -> None:
    lacks = {**WHOLE, "words": "Its model is not there."}
    told = part_of(VoiceSettings(), [worker(**lacks), worker(**WHOLE)], WORDS)
    assert told.status == "healthy"
    assert told.words.ok
    told = part_of(VoiceSettings(), [worker(**lacks)], WORDS)
    assert (told.status, told.words.missing) == ("degraded", "Its model is not there.")
    assert told.pitch.ok


def test_without_a_worker_nothing_is_heard() -> None:
    for workers in ([], [worker()]):
        told = part_of(VoiceSettings(), workers, WORDS)
        assert (told.status, told.worker.missing, told.pitch.missing) == (
            *("degraded", NO_WORKER),
            NO_WORKER,
        )
    assert part_of(VoiceSettings(), None, WORDS).worker.missing == NOT_YET


def test_who_comments_and_who_knows_words_is_told() -> None:
    settings = VoiceSettings(jury_fallback_url="http://jury:8000/v1")
    told = part_of(settings, [worker(**WHOLE)], {"lrclib": "x", "genius": "y"})
    assert told.jury.servers == ["second", "template"]
    assert told.jury.ok
    assert (told.lyrics.ok, told.lyrics.missing) == (False, "x y")
    assert told.status == "healthy", "words that nobody knows can be sent"
