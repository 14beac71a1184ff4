"""The ear's steps: files in, files and small JSON out, for a process of its own.

Each may run twice, and writes a file whole or not at all. Networks are kept from one call to the
next: a process works for many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.errors import NotReady
from engine.base.machine import usable_cores
from engine.library.analysis.blocks import Samples
from engine.voice.ear.alignment import Alignment
from engine.voice.ear.heard import SURE, Line, Pitch, Word
from engine.voice.ear.melody import Melody
from engine.voice.ear.pitch import PitchNetwork, level, whole
from engine.voice.models import Part, present

Report = Callable[[float], None]
Facts = dict[str, Any]

MOST_THREADS = 4
WORDS_S, WORDS_SHARE = 20.0, 0.2  # and so much of a recording's length may its words take
LOST = 0.2  # confidence below which a voice is called lost, or was never there
_CURVE_S = 0.1
_VOICE_DB = (-17.0, -9.0)  # of the recording: some music taken for a voice; a voice among music
_TONAL = (0.05, 0.35)  # share of a voice's energy that has a pitch


def separate(
    source: str,
    vocals: str,
    instrumentals: str,
    *,
    models: str,
    report: Report,
    pitch: str | None = None,
) -> Facts:
    """A recording → two FLAC files; and the pitch of the voice as the file `pitch`, for `listen`,
    where `pitched` is told. Raises `NotReady` where the model is not there."""
    from engine.voice.ear import separation

    network, threads = _separator(models), _threads()
    made = separation.separate(
        Path(source), Path(vocals), Path(instrumentals), network, at_once=threads, report=report
    )
    tonal, heard = _tonal(Path(vocals), models)
    if heard is not None and pitch is not None:
        heard.save(Path(pitch), Path(vocals))
    confidence = _between(made.kept_db, *_VOICE_DB) * tonal
    return {
        "duration_s": round(made.duration_s, 3),
        "confidence": round(confidence, 3),
        "kept_db": made.kept_db,
        "lost": confidence < LOST,
        "pitched": heard is not None and pitch is not None,
    }


def listen(
    vocals: str,
    instrumentals: str | None,
    melody: str,
    *,
    models: str,
    report: Report,
    pitch: str | None = None,
) -> Facts:
    """A voice, and the music behind it where it was taken out → `melody`, what it is compared by.
    Without the model of pitch: by chroma, loudness and strokes alone. `pitch` is what `separate`
    heard in the voice; one of another voice is not used."""
    from engine.voice.ear import melody as melodies

    voice, music = _both(vocals, instrumentals)
    report(0.3)
    network = None if present(Path(models))["pitch"] else _pitches(models)
    alone = None if pitch is None else Pitch.load(Path(pitch), Path(vocals))
    heard = melodies.listen(voice, music, network, alone)
    heard.save(Path(melody))
    return {
        "duration_s": round(heard.duration_s, 3),
        "voiced_s": round(float(heard.sure.sum()) * heard.duration_s / max(1, len(heard)), 2),
        "curve": _curve(heard) if network else None,
        "pitch": network is not None,
    }


def words(
    vocals: str,
    instrumentals: str | None,
    *,
    models: str,
    language: str | None = None,
    lyrics: Sequence[str] = (),
    report: Report,
) -> Facts:
    """What is sung. Of `lyrics`, line by line, words that are in the sound are told though they
    were misheard. Raises `NotReady` where the model is not there."""
    voice, music = _both(vocals, instrumentals)
    length_s = len(voice) / 16_000
    told = _recogniser(models).words(
        voice,
        music,
        language=language,
        lyrics=lyrics,
        most_s=WORDS_S + WORDS_SHARE * length_s,
        report=lambda done_s: report(done_s / max(length_s, 1.0)),
    )
    return {
        "language": told.language,
        "words": [word.to_json() for word in told.words],
        "complete": told.complete,
        "voice_s": round(told.voice_s, 2),
    }


def align(user_melody: str, reference_melody: str, alignment: str, *, report: Report) -> Facts:
    from engine.voice.ear import alignment as alignments

    found = alignments.align(Melody.load(Path(user_melody)), Melody.load(Path(reference_melody)))
    found.save(Path(alignment))
    return {
        "latency_s": round(found.latency_s, 3),
        "latency_by": found.by,
        "octave": found.octave,
        "transposition": found.transposition,
        "same": round(found.same, 3),
    }


def score(
    user_melody: str,
    reference_melody: str,
    alignment: str,
    *,
    words: Sequence[Mapping[str, Any]] | None,
    lyrics: Sequence[Mapping[str, Any]] | None,
    reference_words: Sequence[Mapping[str, Any]] | None = None,
    transposition: int = 0,
    offset_s: float = 0.0,
    separation: Mapping[str, float | None] | None = None,
    report: Report,
) -> Facts:
    """The results of the contract without the jury. `separation` is the confidence of `separate`
    for user and reference, None where nothing was separated; a voice that is lost is not heard, and
    beside none nobody can be judged."""
    from engine.voice.ear import score as scoring

    sure = dict(separation or {})
    lost = [who for who, one in sure.items() if one is not None and one < LOST]
    user = Melody.load(Path(user_melody))
    if "user" not in lost and scoring.is_noise(user):
        lost.append("user")
    found = scoring.score(
        user,
        Melody.load(Path(reference_melody)),
        Alignment.load(Path(alignment)),
        words=_words(words),
        reference_words=_words(reference_words),
        lyrics=None if lyrics is None else [Line.of(line) for line in lyrics],
        transposition=transposition,
        offset_s=offset_s,
        lost=lost,
    )
    return {**found, "separation": sure, "lost": lost}


def _words(told: Sequence[Mapping[str, Any]] | None) -> list[Word] | None:
    return None if told is None else [Word.of(word) for word in told]


def _both(vocals: str, instrumentals: str | None) -> tuple[Samples, Samples | None]:
    """(N,) float32 mono at 16 kHz each, decoded side by side."""
    if instrumentals is None:
        return whole(Path(vocals)), None
    with ThreadPoolExecutor(1, "decodes") as beside:
        music = beside.submit(whole, Path(instrumentals))
        return whole(Path(vocals)), music.result()


def _tonal(vocals: Path, models: str) -> tuple[float, Pitch | None]:
    """0…1: how much of a voice's energy has a pitch, and that pitch; 1 where nobody can tell."""
    if present(Path(models))["pitch"]:
        return 1.0, None
    samples = whole(vocals)
    pitch = _pitches(models).pitch(samples)
    power = 10 ** (level(samples).astype(np.float64) / 10)
    share = float(power[pitch.confidence >= SURE].sum() / max(power.sum(), 1e-12))
    return _between(share, *_TONAL), pitch


def _between(value: float, none: float, whole_: float) -> float:
    return min(1.0, max(0.0, (value - none) / (whole_ - none)))


def _curve(heard: Melody) -> list[list[float | None]]:
    """[seconds, MIDI or None where nobody surely sings], ten a second."""
    midi, sure = heard.midi, heard.sure
    made: list[list[float | None]] = []
    for number in range(int(heard.duration_s / _CURVE_S)):
        at = min(len(heard) - 1, round(number * _CURVE_S * len(heard) / heard.duration_s))
        made.append([round(number * _CURVE_S, 1), round(float(midi[at]), 2) if sure[at] else None])
    return made


def _threads() -> int:
    return min(MOST_THREADS, usable_cores())


def _folder(models: str, part: Part) -> Path:
    missing = present(Path(models))[part]
    if missing is not None:
        raise NotReady(f"The {part} of voices cannot be done here: {missing}", retry_after_s=60)
    return Path(models) / part


@lru_cache(maxsize=1)
def _separator(models: str) -> Any:
    from engine.voice.ear.unet import open_network

    return open_network(_folder(models, "separation"), threads=_threads())


@lru_cache(maxsize=1)
def _pitches(models: str) -> PitchNetwork:
    return PitchNetwork(_folder(models, "pitch"), threads=_threads())


@lru_cache(maxsize=1)
def _recogniser(models: str) -> Any:
    from engine.voice.ear.words import Recogniser

    return Recogniser(_folder(models, "words"), threads=_threads())


TASKS: dict[str, Callable[..., Facts]] = {
    "separate": separate,
    "listen": listen,
    "words": words,
    "align": align,
    "score": score,
}
