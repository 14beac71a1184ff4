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
    notes: Sequence[Note], length_s: float, *, seed: int = 0, vibrato_cents: float = 50
) -> Sung:
    """A voice below 11 kHz: its harmonics are as loud as the vowel's formants let them be, vowels
    glide into each other, a note begins with a consonant, and no tone is quite steady. A network
    that knows voices takes anything plainer for an organ.
    """
    random = np.random.default_rng(seed)
    count = round(length_s * RATE)
    midi, loud, hiss = np.zeros(count), np.zeros(count), np.zeros(count)
    formants = np.zeros((count, 5, 3))
    before = notes[0].midi if notes else 60.0
    for note in notes:
        begin = round(note.start_s * RATE)
        end = min(count, begin + round(note.length_s * RATE))
        if begin < 0 or end - begin < 64:
            continue
        time = np.arange(end - begin) / RATE
        slide = (before - note.midi) * np.exp(-time / 0.04) if abs(before - note.midi) < 13 else 0
        swing = np.sin(2 * np.pi * (5.5 * time + random.uniform()))
        wide = np.clip((time - 0.15) / 0.2, 0, 1) * vibrato_cents / 100
        midi[begin:end] = note.midi + slide + wide * swing
        rise, fall = np.clip(time / 0.04, 0, 1), np.clip((time[-1] - time) / 0.06, 0, 1)
        loud[begin:end] = np.minimum(rise, fall) * (1 + 0.15 * swing) * random.uniform(0.7, 1)
        formants[begin:end] = VOWELS[note.vowel]
        _add(hiss, max(0.0, note.start_s - 0.035), _consonant(random), 0.15)
        before = note.midi
    sung = np.flatnonzero(midi)
    hz = np.zeros(count)
    if not len(sung):
        return Sung(np.zeros(count, np.float32), hz)
    hz[sung] = 440 * 2 ** ((midi[sung] + _drift(count, random)[sung] - 69) / 12)
    made = np.zeros(count)
    made[sung] = _harmonics(hz, sung, _gliding(formants, sung), random) * loud[sung]
    made = 0.5 * made / np.abs(made).max() + 0.5 * hiss
    return Sung(made.astype(np.float32), hz)


def _drift(count: int, random: np.random.Generator) -> Array:
    """Semitones by which a tone wanders: some cents, over a second or two."""
    steps = np.cumsum(random.normal(size=count // 441 + 2)) * 0.01
    steps -= np.convolve(steps, np.ones(200) / 200, "same")
    return np.interp(np.arange(count), 441 * np.arange(len(steps)), steps)


def _gliding(formants: Array, sung: npt.NDArray[np.int64]) -> Array:
    """(N, 5, 3) → (S, 5, 3): of the samples that are sung, each vowel on its way to the next."""
    width = round(0.08 * RATE)
    flat = formants.reshape(len(formants), -1)
    made = np.empty((len(sung), flat.shape[1]))
    for column in range(flat.shape[1]):
        filled = np.interp(np.arange(len(flat)), sung, flat[sung, column])
        total = np.cumsum(np.pad(filled, (width // 2 + 1, width - width // 2 - 1), "edge"))
        mean = (total[width - 1 :] - np.pad(total, (1, 0))[: len(total) - width + 1]) / width
        made[:, column] = mean[sung]
    return made.reshape(-1, 5, 3)


def _harmonics(
    hz: Array, sung: npt.NDArray[np.int64], formants: Array, random: np.random.Generator
) -> Array:
    shaky = np.convolve(random.normal(size=len(hz)), np.ones(200) / 200, "same") * 0.03
    phase = np.cumsum(2 * np.pi * hz * (1 + shaky) / RATE)[sung]
    tone, total = hz[sung], np.zeros(len(sung))
    # Loudness changes slowly: a value each 64 samples is enough.
    every = np.arange(0, len(sung), 64)
    slow, shape = tone[every], formants[every]
    centres, levels, widths = shape[..., 0], 10 ** (shape[..., 1] / 20), 1.3 * shape[..., 2]
    turn = np.exp(1j * phase).astype(np.complex64)
    turned = np.ones(len(sung), np.complex64)
    for number in range(1, int(11_000 / tone.min()) + 1):
        turned *= turn
        at = number * slow
        near = 1 / np.sqrt(1 + ((at[:, None] - centres) / widths) ** 2)
        level = 10 ** (-50 / 20) + (levels * near).sum(1)
        # −6 dB an octave: of the throat −12, of the lips +6.
        level = np.where(at < 11_000, level / number, 0)
        total += np.interp(np.arange(len(sung)), every, level) * turned.imag
    return total / np.abs(total).max() + 0.03 * random.normal(size=len(sung))


def _consonant(random: np.random.Generator) -> Array:
    """70 ms of noise about some pitch from 3 to 7 kHz."""
    count = round(0.07 * RATE)
    hz = np.fft.rfftfreq(count, 1 / RATE)
    near = np.exp(-(((hz - random.uniform(3_000, 7_000)) / 1_800) ** 2))
    made = np.fft.irfft(np.fft.rfft(random.normal(size=count)) * near, count) * np.hanning(count)
    return np.asarray(made / np.abs(made).max())


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
