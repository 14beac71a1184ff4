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
    told = part_of(VoiceSettings(), [worker(**lacks), worker(**WHOLE)], WORDS, {})
    assert told.status == "healthy"
    assert told.words.ok
    told = part_of(VoiceSettings(), [worker(**lacks)], WORDS, {})
    assert (told.status, told.words.missing) == ("degraded", "Its model is not there.")
    assert told.pitch.ok


def test_without_a_worker_nothing_is_heard() -> None:
    for workers in ([], [worker()]):
        told = part_of(VoiceSettings(), workers, WORDS, {})
        assert (told.status, told.worker.missing, told.pitch.missing) == (
            *("degraded", NO_WORKER),
            NO_WORKER,
        )
    assert part_of(VoiceSettings(), None, WORDS, {}).worker.missing == NOT_YET


def test_who_comments_and_who_knows_words_is_told() -> None:
    settings = VoiceSettings(jury_fallback_url="http://jury:8000/v1")
    told = part_of(settings, [worker(**WHOLE)], {"lrclib": "x", "genius": "y"}, {})
    assert told.jury.servers == ["second", "template"]
    assert told.jury.ok
    assert (told.lyrics.ok, told.lyrics.missing) == (True, "x y"), "left out on purpose"
    assert told.status == "healthy"
    assert part_of(settings, [worker(**WHOLE)], {}, {}).lyrics.missing == NOT_YET


def test_a_server_that_does_not_answer_is_no_healthy_part() -> None:
    two = {"lrclib": None, "genius": None}
    told = part_of(VoiceSettings(), [worker(**WHOLE)], two, {"lrclib": "Nobody is there."})
    assert (told.status, told.lyrics.ok, told.lyrics.missing) == (
        *("healthy", True),
        "lrclib: Nobody is there.",
    )
    told = part_of(VoiceSettings(), [worker(**WHOLE)], WORDS, {"lrclib": "Nobody is there."})
    assert (told.status, told.lyrics.ok) == ("degraded", False)


def test_what_did_not_answer_a_worker_is_told_too() -> None:
    settings = VoiceSettings(jury_url="http://jury:8000/v1")
    troubles = {"lrclib": "Nobody is there.", "openai-compatible": "It answers 500."}
    told = part_of(settings, [worker(**WHOLE, troubles=troubles), worker(**WHOLE)], WORDS, {})
    assert (told.lyrics.ok, told.jury.ok, told.status) == (False, False, "degraded")
    assert told.jury.missing == "openai-compatible: It answers 500."
    assert told.jury.servers == ["openai-compatible", "template"]
