"""A voice that sings known notes: vowels of formants, with vibrato and slides between notes; music
beside it. What it sings is the truth that ears are measured with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
RATE = 44_100

# Hz, dB, and width in Hz of five formants, of a tenor's vowels (after Csound's manual, appendix D).
VOWELS = {
    "a": ((650, 0, 80), (1080, -6, 90), (2650, -7, 120), (2900, -8, 130), (3250, -22, 140)),
    "e": ((400, 0, 70), (1700, -14, 80), (2600, -12, 100), (3200, -14, 120), (3580, -20, 120)),
    "i": ((290, 0, 40), (1870, -15, 90), (2800, -18, 100), (3250, -20, 120), (3540, -30, 120)),
    "o": ((400, 0, 40), (800, -10, 80), (2600, -12, 100), (2800, -12, 120), (3000, -26, 120)),
    "u": ((350, 0, 40), (600, -20, 60), (2700, -17, 100), (2900, -14, 120), (3300, -26, 120)),
}


@dataclass(frozen=True)
class Note:
    """`midi` (69 is 440 Hz) from `start_s` for `length_s`, on a vowel."""

    start_s: float
    length_s: float
    midi: float
    vowel: str = "a"


@dataclass(frozen=True)
class Sung:
    """`samples` (N,) at `RATE`, and the pitch at each of them in Hz, 0 where nobody sings."""

    samples: npt.NDArray[np.float32]
    hz: Array


def moved(
    notes: Sequence[Note], *, cents: float = 0, late_s: float | Sequence[float] = 0
) -> list[Note]:
    """The same notes, detuned, or late by so much: all, or each by its own."""
    delays = np.broadcast_to(np.asarray(late_s, float), len(notes))
    return [
        replace(note, midi=note.midi + cents / 100, start_s=note.start_s + delay)
        for note, delay in zip(notes, delays, strict=True)
    ]


def melody(seed: int, count: int = 24, *, start_s: float = 0.5, low: int = 52) -> list[Note]:
    """Notes of a major scale, in steps and a few leaps, in phrases of eight, as songs have them."""
    random = np.random.default_rng(seed)
    scale = low + np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16, 17, 19])
    beat = float(random.uniform(0.38, 0.55))
    at, degree, notes = start_s, int(random.integers(2, 8)), []
    for number in range(count):
        last = number % 8 == 7
        length = beat * (2 if last else float(random.choice([0.5, 1, 1, 1.5])))
        notes.append(Note(at, 0.92 * length, float(scale[degree]), str(random.choice([*VOWELS]))))
        at += length + (beat * 2 if last else 0)
        degree = int(np.clip(degree + random.choice([-2, -1, -1, 0, 1, 1, 2, 3, -3]), 0, 11))
    return notes


def sing(
    notes: Sequence[Note],
    length_s: float,
    *,
    seed: int = 0,
    vibrato_cents: float = 30,
    breath: float = 0.01,
) -> Sung:
    """Harmonics of a voice below 8 kHz, each as loud as the vowel's formants let it be."""
    random = np.random.default_rng(seed)
    count = round(length_s * RATE)
    midi, loud, vowel = np.zeros(count), np.zeros(count), np.full(count, -1)
    names = [*VOWELS]
    before = notes[0].midi if notes else 60.0
    for note in notes:
        begin = round(note.start_s * RATE)
        end = min(count, begin + round(note.length_s * RATE))
        if end - begin < 64 or begin < 0:
            continue
        time = np.arange(end - begin) / RATE
        slide = (before - note.midi) * np.exp(-time / 0.02) if abs(before - note.midi) < 13 else 0
        swing = np.clip((time - 0.2) / 0.2, 0, 1) * vibrato_cents / 100
        phase = 2 * np.pi * (5.5 * time + random.uniform())
        midi[begin:end] = note.midi + slide + swing * np.sin(phase)
        rise, fall = np.clip(time / 0.03, 0, 1), np.clip((time[-1] - time) / 0.05, 0, 1)
        loud[begin:end] = np.minimum(rise, fall) * (0.85 + 0.15 * random.uniform())
        vowel[begin:end] = names.index(note.vowel)
        before = note.midi
    hz = np.where(vowel >= 0, 440 * 2 ** ((midi - 69) / 12), 0.0)
    samples = _harmonics(hz, vowel, loud, random, breath)
    return Sung(samples, hz)


def _harmonics(
    hz: Array, vowel: npt.NDArray[np.int64], loud: Array, random: np.random.Generator, breath: float
) -> npt.NDArray[np.float32]:
    phase = np.cumsum(2 * np.pi * hz / RATE)
    sung = np.zeros(len(hz))
    voiced = np.flatnonzero(hz)
    if not len(voiced):
        return sung.astype(np.float32)
    f0, turned, which = hz[voiced], phase[voiced], vowel[voiced]
    total = np.zeros(len(voiced))
    for number in range(1, int(8_000 / max(60.0, f0.min())) + 1):
        at = number * f0
        audible = at < 8_000
        if not audible.any():
            break
        level = _envelopes(which, at) / number * audible  # −6 dB an octave: source and lips
        total += level * np.sin(number * turned)
    noise = random.normal(size=len(voiced)) * breath
    sung[voiced] = (total + noise) * loud[voiced]
    peak = np.abs(sung).max()
    return (0.5 * sung / (peak or 1)).astype(np.float32)


def _envelopes(vowel: npt.NDArray[np.int64], hz: Array) -> Array:
    """How loud a harmonic at `hz` is in its vowel, as amplitude."""
    made = np.zeros(len(hz))
    for number, formants in enumerate(VOWELS.values()):
        here = vowel == number
        at = hz[here]
        level = np.full(len(at), 10 ** (-50 / 20))
        for centre, decibel, width in formants:
            level += 10 ** (decibel / 20) / np.sqrt(1 + ((at - centre) / width) ** 2)
        made[here] = level
    return made


def backing(notes: Sequence[Note], length_s: float, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Plucked chords below a melody, a bass and a beat: (N,) at `RATE`, music without a voice."""
    random = np.random.default_rng(seed)
    count = round(length_s * RATE)
    made = np.zeros(count)
    beat = 0.5
    root = min((note.midi for note in notes), default=60.0) - 12
    steps = [0, 5, 7, 0, 9, 5, 7, 0]
    for number, begin_s in enumerate(np.arange(0, length_s - 0.1, beat)):
        chord = root + steps[(number // 4) % 8]
        for pitch in (chord, chord + 12, chord + 16, chord + 19):
            _add(made, begin_s, _pluck(440 * 2 ** ((pitch - 69) / 12), 0.9, random), 0.12)
        if number % 2 == 0:
            _add(made, begin_s, _drum(random), 0.25)
        _add(made, begin_s + beat / 2, _hiss(random), 0.08)
    peak = np.abs(made).max()
    return (0.5 * made / (peak or 1)).astype(np.float32)


def _add(made: Array, begin_s: float, sound: Array, gain: float) -> None:
    begin = round(begin_s * RATE)
    end = min(len(made), begin + len(sound))
    if end > begin:
        made[begin:end] += gain * sound[: end - begin]


def _pluck(hz: float, length_s: float, random: np.random.Generator) -> Array:
    time = np.arange(round(length_s * RATE)) / RATE
    made = np.zeros(len(time))
    for number in range(1, 9):
        fade = np.exp(-time * (2 + 1.5 * number))
        made += fade * np.sin(2 * np.pi * number * hz * time + random.uniform(0, 6)) / number
    return made * np.clip(time / 0.003, 0, 1)


def _drum(random: np.random.Generator) -> Array:
    time = np.arange(round(0.2 * RATE)) / RATE
    return np.asarray(
        np.sin(2 * np.pi * (50 + 60 * np.exp(-time * 40)) * time) * np.exp(-time * 20)
    )


def _hiss(random: np.random.Generator) -> Array:
    time = np.arange(round(0.06 * RATE)) / RATE
    noise = np.diff(random.normal(size=len(time)), prepend=0.0)
    return np.asarray(noise * np.exp(-time * 80))
