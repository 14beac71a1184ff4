"""An ear that hears nothing, for the tests of what is kept of singing: the forms are those of
`engine.voice.ear.tasks`, files are written, and what is told can be foreseen."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.voice.ear.heard import save_arrays

Report = Callable[[float], None]
PRESENT = {"separation": None, "pitch": None, "words": None}
CURVE = [[0.0, None], [0.1, 60.0], [0.2, 60.1]]


def listen_by_fakes() -> None:
    """Let the workers of this process hear by this module, but what ABSENT names."""
    from engine.voice.pipeline import extra, kit

    absent = os.environ.get("ABSENT", "").split(",")
    told = {name: "It is not there." if name in absent else None for name in PRESENT}
    kit.TASKS = __name__
    kit.present = extra.present = lambda _: told  # type: ignore[attr-defined]


def received(source: str, original: str, *, max_s: float, report: Report) -> dict[str, Any]:
    from engine.voice.pipeline.tasks import received as receive

    return receive(source, original, max_s=max_s, report=report)


def separate(
    source: str, vocals: str, instrumentals: str, *, models: str, report: Report, pitch: str
) -> dict[str, Any]:
    report(0.5)
    time.sleep(float(os.environ.get("SLOW", "0")))
    for name in (vocals, instrumentals):
        shutil.copy(source, name)
    save_arrays(Path(pitch), {"hz": np.zeros(8)})
    told = {"duration_s": 2.0, "confidence": 0.9, "kept_db": -3.0, "lost": False}
    return {**told, "pitched": True}


def listen(
    vocals: str,
    instrumentals: str | None,
    melody: str,
    *,
    models: str,
    report: Report,
    pitch: str | None,
) -> dict[str, Any]:
    assert Path(vocals).is_file()
    assert (pitch is None) == (instrumentals is None)
    assert pitch is None or Path(pitch).is_file()
    save_arrays(Path(melody), {"whole": np.array([instrumentals is None])})
    return {"duration_s": 2.0, "voiced_s": 1.0, "curve": CURVE, "pitch": True}


def words(
    vocals: str,
    instrumentals: str | None,
    *,
    models: str,
    language: str | None,
    lyrics: list[str],
    report: Report,
) -> dict[str, Any]:
    heard = [{"text": "la", "start_s": 0.5, "end_s": 0.7, "probability": 0.9}]
    return {"language": "en", "words": heard, "complete": True, "voice_s": 1.0}


def align(
    user_melody: str, reference_melody: str, alignment: str, *, report: Report
) -> dict[str, Any]:
    save_arrays(Path(alignment), {"at": np.zeros(1)})
    told = {"latency_s": 0.1, "latency_by": "voice", "octave": 0, "transposition": 2}
    return {**told, "same": 0.9}


def score(
    user_melody: str,
    reference_melody: str,
    alignment: str,
    *,
    words: list[Any] | None,
    lyrics: list[dict[str, Any]] | None,
    reference_words: list[Any] | None,
    transposition: int,
    offset_s: float,
    separation: dict[str, float | None],
    report: Report,
) -> dict[str, Any]:
    """78 points; one more for each semitone that was allowed."""
    for path in (user_melody, reference_melody, alignment):
        np.load(path).close()
    measured = words is not None and lyrics is not None
    told = {"pitch": {"score": 81.0, "weight": 0.4, "median_cents": -12.0, "within_50_cents": 0.7}}
    told["rhythm"] = {"score": 72.0, "weight": 0.3, "median_ms": 85.0}
    if measured:
        told["lyrics"] = {"score": 80.0, "weight": 0.3, "wer": 0.2}
    phrase = {"from_s": 0.0, "to_s": 2.0, "text": "la", "score": 80.0, "cents": [[0.5, -12.0]]}
    return {
        "score": 78.0 + transposition,
        **told,
        "not_measured": [] if measured else ["lyrics"],
        "phrases": [phrase],
        "coverage": {
            "recorded": 0.4,
            "sung": 1.0,
            "sure": 1.0,
            "sounds": True,
            "words": None if reference_words is None else float(len(reference_words)),
        },
        "separation": separation,
    }


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    "received": received,
    "separate": separate,
    "listen": listen,
    "words": words,
    "align": align,
    "score": score,
}
