"""Samples → how much of each pitch there is → the key that most of a recording is in.

Peaks of the spectrum, each counted for its own pitch and as a harmonic of lower ones (after Gómez,
2006), in fifths of a semitone until the tuning of the recording is known. What twelve pitch classes
then hold is compared with how often music of each key has them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.library.analysis.blocks import RATE, Framer, Samples

Array = npt.NDArray[np.float64]

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MODES = ("major", "minor")
# How well a pitch class fits a key, as listeners told (Krumhansl and Kessler, 1982); upwards from
# the tonic. Counts of scores (Temperley; Albrecht and Shanahan) did no better on what was tuned on.
_FITS = (
    (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
)

_WINDOW, _HOP = 8_192, 4_096  # samples: half a second, in which a semitone at 110 Hz is told apart
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 4_000.0
_PARTS = 5  # of a semitone
_PITCHES = 128  # MIDI's, 69 is 440 Hz
_FAINT, _LEAST = 1e-3, 1e-5  # of a frame's highest peak, and of full scale: no tone
_HARMONICS, _DECAY = 5, 0.8
_FIRST, _LAST, _BASS = 36, 96, 52  # C2; C7; below E3 is the bass
_BASS_WEIGHT = 0.4
_EDGES, _EDGE_WEIGHT = 20, 0.1  # the first and last twentieth tell the tonic
_LEAST_UNEVEN = 0.093  # deviation of the twelve classes over their mean; up to 0.091 of noise
_SURE = 0.25  # of correlation that the best key is ahead


class Pitches:
    """Takes samples in their order; `end` gives what pitches they held."""

    def __init__(self) -> None:
        self._framer = Framer(_WINDOW, _HOP)
        self._held: list[npt.NDArray[np.float32]] = []

    def add(self, mono: Samples) -> None:
        """(M,) float32 at 16 kHz; what comes together is kept as one."""
        self._take(self._framer.add(mono))

    def end(self) -> npt.NDArray[np.float32]:
        """(T, 640) float32: amplitude of the peaks at each fifth of a semitone, about a second
        a row."""
        self._take(self._framer.end())
        return np.array(self._held, np.float32).reshape(-1, _PITCHES * _PARTS)

    def _take(self, frames: Samples) -> None:
        if not len(frames):
            return
        spectrum = np.abs(np.fft.rfft(frames * _hann(), axis=1)) * (4 / _WINDOW)
        low, high = (round(hz * _WINDOW / RATE) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
        left, here, right = (spectrum[:, low + n : high + n] for n in (-1, 0, 1))
        floor = np.maximum(_LEAST, _FAINT * here.max(1, keepdims=True))
        at = (here > left) & (here >= right) & (here > floor)
        bins = low + np.nonzero(at)[1] + _between(left[at], here[at], right[at])
        pitch = 69 + 12 * np.log2(bins * RATE / _WINDOW / 440)
        places = np.rint(pitch * _PARTS).astype(np.int64)
        total = np.bincount(places, here[at], _PITCHES * _PARTS)
        self._held.append(total.astype(np.float32))


def _between(left: Samples, here: Samples, right: Samples) -> Samples:
    """Where between bins a peak is, −½…½: the parabola through three logarithms."""
    a, b, c = (np.log(one + 1e-9) for one in (left, here, right))
    return np.asarray(np.clip(0.5 * (a - c) / (a - 2 * b + c - 1e-9), -0.5, 0.5), np.float32)


@functools.cache
def _hann() -> Samples:
    return np.hanning(_WINDOW).astype(np.float32)


@dataclass(frozen=True)
class Key:
    """`name` as "F# minor", None where nothing has a pitch. `confidence` 0…1: how far it is ahead
    of the next."""

    name: str | None
    confidence: float


def key(held: npt.NDArray[np.float32]) -> Key:
    """(T, 640) as `Pitches` tells → the key that fits best."""
    classes = _classes(_tuned(held))
    if not classes.any() or classes.std() < _LEAST_UNEVEN * classes.mean():
        return Key(None, 0.0)
    even = (classes - classes.mean()) / classes.std()
    fits = _profiles() @ even / 12
    second, best = np.argsort(fits)[-2:]
    name = f"{NAMES[best % 12]} {_MODES[best // 12]}"
    return Key(name, float(np.clip((fits[best] - fits[second]) / _SURE, 0, 1)))


def _tuned(held: npt.NDArray[np.float32]) -> Array:
    """(T, 640) → (T, 128): the nearest semitone of the recording's own tuning."""
    around = held.sum(0, dtype=np.float64).reshape(_PITCHES, _PARTS).sum(0)
    turn = np.exp(2j * np.pi * np.arange(_PARTS) / _PARTS)
    off = np.angle((around * turn).sum()) / (2 * np.pi)  # semitones
    exact = np.arange(_PITCHES * _PARTS) / _PARTS - off
    nearest = np.clip(np.rint(exact), 0, _PITCHES - 1).astype(np.int64)
    spread = np.zeros((_PITCHES * _PARTS, _PITCHES))
    spread[np.arange(len(exact)), nearest] = np.cos(np.pi * (exact - nearest)).clip(0)
    return held @ spread


def _classes(pitches: Array) -> Array:
    """(T, 128) → (12,): pitch classes with what their harmonics say, beginning, end and bass more.

    All 0 where nothing sounds.
    """
    heard = pitches.copy()
    heard[:, :_FIRST] = heard[:, _LAST:] = 0
    told = np.zeros_like(heard)
    for harmonic in range(1, _HARMONICS + 1):
        below = round(12 * np.log2(harmonic))
        told[:, : _PITCHES - below] += _DECAY ** (harmonic - 1) * heard[:, below:]
    total, edge = told.sum(0), max(1, len(told) // _EDGES)
    edges = told[:edge].sum(0) + told[-edge:].sum(0)
    bass = np.where(np.arange(_PITCHES) < _BASS, total, 0)
    return _folded(total) + _EDGE_WEIGHT * _folded(edges) + _BASS_WEIGHT * _folded(bass)


def _folded(pitches: Array) -> Array:
    """(128,) → (12,), their sum 1 or 0."""
    classes = np.bincount(np.arange(_PITCHES) % 12, pitches, 12).astype(np.float64)
    return classes / (classes.sum() or 1)


@functools.cache
def _profiles() -> Array:
    """(24, 12) of mean 0 and deviation 1: twelve major keys from C on, twelve minor."""
    even = [(np.array(one) - np.mean(one)) / np.std(one) for one in _FITS]
    return np.array([np.roll(one, tonic) for one in even for tonic in range(12)])
