"""Samples → strokes over time → the tempo that most of a recording keeps.

    mel bands ─what grew in 20 ms→ strokes ┬─Fourier→ how fast they come, and multiples of it
                                           └─autocorrelation→ after how long, and multiples of it

One has a beat's subdivisions and the other its bars; where both are high is the beat (after
Peeters, 2006). A prior of one octave about 115 beats a minute chooses between halves and doubles.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.library.analysis.blocks import RATE, Framer, Samples
from engine.sound.encoder.mel import MelBands

Array = npt.NDArray[np.float64]
Strokes = npt.NDArray[np.float32]

HOP = 160  # samples: 100 frames a second
FPS = RATE / HOP
LOWEST_BPM, HIGHEST_BPM = 40.0, 240.0

_WINDOW, _BANDS = 1024, 48
_MEL = MelBands(RATE, _WINDOW, HOP, _BANDS, lowest_hz=30.0, highest_hz=8_000.0)
_LOUDNESS = 1e4 / _WINDOW  # of power before its logarithm: what is 80 dB down is no stroke
_STILL = 0.01  # deviation of what grows, in tenfolds of power, in a steady tone and less
_LAG = 2  # frames over which a stroke grows
_GROUPS = ((0, 8), (8, 20), (20, 34), (34, _BANDS))  # mel bands: bass, low, middle, high

_PER_OCTAVE = 120  # tempi that are tried
_TEMPI = LOWEST_BPM / 4 * 2 ** (np.arange(7 * _PER_OCTAVE) / _PER_OCTAVE)
_LENGTH, _STEP = 1_000, 100  # frames of a piece in which a tempo is steady, and to the next piece
_FAINT = 0.01  # of the usual power of strokes: a piece below it has none
_FFT = 4_096
_TOGETHER = 64  # pieces transformed at once: 4 MB
_LEAST_S = 4.0  # shorter sound has no tempo
# How often the same comes again after so many beats (a bar is of two, three or four), and how often
# there is a stroke so many times a beat.
_BARS = ((1, 1.0), (2, 0.5), (4, 0.25), (3, 0.3))
_PARTS = ((1, 1.0), (2, 1.0))
_USUAL_BPM, _OCTAVES = 115.0, 0.75
_LEAST_REGULAR = 0.03  # noise of a minute has 0.02
_FINE_LENGTH, _FINE = 4_000, 0.03  # frames and share of the tempo for the second look


class Onsets:
    """Takes samples in their order; `end` gives when something begins."""

    def __init__(self) -> None:
        self._framer = Framer(_WINDOW, HOP)
        self._before: Samples | None = None
        self._grown: list[Samples] = []

    def add(self, mono: Samples) -> None:
        """(M,) float32 at 16 kHz."""
        self._take(self._framer.add(mono))

    def end(self) -> Strokes:
        """(F,) float32, not negative, 100 a second: how much begins then; every group of bands
        counts alike. All 0 where nothing does."""
        self._take(self._framer.end())
        grown = np.concatenate(self._grown) if self._grown else np.zeros((0, len(_GROUPS)))
        if not len(grown):
            return np.zeros(0, np.float32)
        return np.asarray((grown / (grown.std(0) + _STILL)).sum(1), np.float32)

    def _take(self, frames: Samples) -> None:
        if not len(frames):
            return
        bands = np.log10(1 + _LOUDNESS * _MEL.power(frames))
        if self._before is None:
            self._before = np.repeat(bands[:1], _LAG, 0)
        bands = np.concatenate([self._before, bands])
        self._before = bands[-_LAG:]
        grown = np.maximum(0, bands[_LAG:] - bands[:-_LAG])
        self._grown.append(np.stack([grown[:, a:b].mean(1) for a, b in _GROUPS], 1))


@dataclass(frozen=True)
class Tempo:
    """`bpm` is None where no beat stands out. `regularity` 0…1: the autocorrelation of strokes a
    beat apart, the mean over the recording."""

    bpm: float | None
    regularity: float


def tempo(strokes: Strokes) -> Tempo:
    """(F,) → the tempo of most of it, between 40 and 240."""
    if len(strokes) < _LEAST_S * FPS or not strokes.any():
        return Tempo(None, 0.0)
    above = _above_usual(strokes)
    often, after = _periodicity(above)
    bars = np.sum([w * _shifted(after, -np.log2(n)) for n, w in _BARS], axis=0)
    parts = np.sum([w * _shifted(often, np.log2(n)) for n, w in _PARTS], axis=0)
    best = int(np.argmax(bars * parts * _prior()))
    regularity = float(np.clip(after[best], 0, 1))
    if regularity < _LEAST_REGULAR:
        return Tempo(None, regularity)
    return Tempo(_refined(above, float(_TEMPI[best])), regularity)


def _above_usual(strokes: Strokes) -> Array:
    """(F,) → (F,), not negative: what stands out of two seconds around, its level made even."""
    around = np.hanning(201)
    out = strokes - np.convolve(strokes, around / around.sum(), "same")[: len(strokes)]
    level = np.sqrt(np.convolve(out**2, np.full(400, 1 / 400), "same"))
    level = level[(len(level) - len(out)) // 2 :][: len(out)]
    return np.asarray(np.maximum(0, out / (level + 0.1 * level.mean() + 0.05)))


def _pieces(strokes: Array, length: int, step: int) -> Array:
    """(F,) → (P, length) , a view: every `step` frames a piece."""
    padded = np.pad(strokes, (0, max(0, length - len(strokes))))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::step]


def _periodicity(strokes: Array) -> tuple[Array, Array]:
    """(F,) → two of (tempi,), 0…1: Fourier's magnitude and the autocorrelation, of each piece of
    ten seconds, the mean of all."""
    pieces, window = _pieces(strokes, _LENGTH, _STEP), np.hanning(_LENGTH)
    often, after = np.zeros(_FFT // 2 + 1), np.zeros(_LENGTH)
    for start in range(0, len(pieces), _TOGETHER):
        some = pieces[start : start + _TOGETHER]
        some = some - some.mean(1, keepdims=True)
        power = np.square(some).sum(1, keepdims=True) + _FAINT * _LENGTH
        spectrum = np.abs(np.fft.rfft(some * window, _FFT, axis=1))
        often += (spectrum / np.sqrt(power * np.square(window).sum())).sum(0)
        whole = np.abs(np.fft.rfft(some, 2 * _LENGTH, axis=1)) ** 2
        after += (np.fft.irfft(whole, axis=1)[:, :_LENGTH] / power).sum(0)
    after *= _LENGTH / np.maximum(_LENGTH - np.arange(_LENGTH), _LENGTH / 4)
    hz = _TEMPI / 60
    return (
        np.interp(hz / FPS * _FFT, np.arange(len(often)), often / len(pieces)),
        np.maximum(0, np.interp(FPS / hz, np.arange(_LENGTH), after / len(pieces), right=0.0)),
    )


def _shifted(values: Array, octaves: float) -> Array:
    """(tempi,) → at each tempo the value of the one so many octaves above; 0 beyond the ends."""
    by = round(octaves * _PER_OCTAVE)
    padded = np.pad(values, (max(0, -by), max(0, by)))
    return padded[by:] if by >= 0 else padded[:by]


@functools.cache
def _prior() -> Array:
    near = np.exp(-0.5 * (np.log2(_TEMPI / _USUAL_BPM) / _OCTAVES) ** 2)
    return np.where((_TEMPI >= LOWEST_BPM) & (_TEMPI <= HIGHEST_BPM), near, 0)


def _refined(strokes: Array, bpm: float) -> float:
    """The tempo within 3 % of `bpm` at which strokes, beats and half beats of 40 s agree most."""
    length = min(_FINE_LENGTH, len(strokes))
    pieces = _pieces(strokes, length, max(1, length // 2))
    tried = bpm * np.linspace(1 - _FINE, 1 + _FINE, 121)
    time_s = np.arange(length) / FPS
    agreed = np.zeros(len(tried))
    for part, weight in _PARTS:
        waves = np.exp(-2j * np.pi * part * tried[:, None] / 60 * time_s) * np.hanning(length)
        for piece in pieces:
            agreed += weight * np.abs(waves @ (piece - piece.mean()))
    return float(tried[np.argmax(agreed)])
