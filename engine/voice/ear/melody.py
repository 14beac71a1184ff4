"""A voice and the music behind it → what two recordings are compared by, a frame each 16 ms."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from engine.library.analysis.blocks import RATE, Samples
from engine.voice.ear.heard import FRAME_S, SURE, Array, Pitch, save_arrays
from engine.voice.ear.pitch import HOP, PitchNetwork, level

_WINDOW = 1_024  # samples
_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 24, 80.0, 7_600.0
_FLOOR = 1e-6  # of power: what is fainter makes no stroke
_SMOOTH = 4  # frames, for chroma
_BLEND = 0.1  # of the music, where the voice alone is unsure
_BELOW_DB, _LEAST_DB = 30.0, -65.0  # a voice sounds to so much below its own level, and the floor
_LOUD = 95  # percentile of a voice's frames that is its own level
# A tone is astray that leaps away for less than so long, to where of what is sung within 1.5 s
# of it most is more than an octave off. One who yodels sings as much high as low.
_LEAP, _STRAY_S, _NEAR_S, _FAR, _MOST = 6.0, 0.6, 1.5, 12.0, 0.75


@dataclass(frozen=True)
class Melody:
    """(T,) float32 where nothing else is said, one a frame.

    `hz` and `confidence` as of `Pitch`, all 0 where no network heard them; `level_db` of the voice;
    `chroma` (T, 12): how much of each pitch class the voice has, rows of unit length or 0, from C;
    `strokes` (T,): how much louder the voice becomes; `beat` (T, 24): the same of the music behind
    it, band by band, all 0 where there is none.
    """

    hz: Array
    confidence: Array
    level_db: Array
    chroma: Array
    strokes: Array
    beat: Array

    def __len__(self) -> int:
        return len(self.hz)

    @property
    def duration_s(self) -> float:
        return len(self) * FRAME_S

    @property
    def midi(self) -> Array:
        """(T,): 69 is 440 Hz; something also where nobody sings, NaN where nothing was heard."""
        with np.errstate(divide="ignore"):
            midi = 69 + 12 * np.log2(self.hz / np.float32(440))
        return np.where(self.hz > 0, midi, np.nan).astype(np.float32)

    @property
    def sure(self) -> npt.NDArray[np.bool_]:
        return np.asarray((self.confidence >= SURE) & self.sounds)

    @property
    def sounds(self) -> npt.NDArray[np.bool_]:
        """(T,): where the voice is heard at all, by its level alone."""
        own = float(np.percentile(self.level_db, _LOUD)) if len(self) else _LEAST_DB
        return np.asarray(self.level_db > max(own - _BELOW_DB, _LEAST_DB))

    def save(self, path: Path) -> None:
        save_arrays(path, {field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as held:
            return cls(**{field.name: held[field.name] for field in fields(cls)})


def listen(
    voice: Samples,
    music: Samples | None,
    network: PitchNetwork | None,
    alone: Pitch | None = None,
) -> Melody:
    """(N,) float32 at 16 kHz each, as long as each other nearly → what is heard in them. `alone` is
    what the network heard in the voice, where that is known."""
    music = np.zeros(0, np.float32) if music is None else music
    music = np.pad(music, (0, max(0, len(voice) - len(music))))[: len(voice)]
    levels = level(voice)
    power = _band_power(voice, len(levels))
    nothing = np.zeros(len(levels), np.float32)
    heard = Pitch(nothing, nothing, nothing)
    if network is not None:
        heard = _blended(alone or network.pitch(voice), voice, music, network)
    made = Melody(
        hz=heard.hz,
        confidence=heard.confidence,
        level_db=levels,
        chroma=_chroma(voice, len(levels)),
        strokes=_strokes(power).sum(1),
        beat=_strokes(_band_power(music, len(levels))),
    )
    return replace(made, confidence=np.where(_astray(made), np.float32(0), made.confidence))


def _astray(melody: Melody) -> npt.NDArray[np.bool_]:
    """(T,): frames sure of tones that the network heard in an overtone or in what is behind the
    voice: for a short while, far from what surrounds them. Nobody is judged by them."""
    at = np.flatnonzero(melody.sure)
    midi, astray = melody.midi[at], np.zeros(len(melody), bool)
    if not len(at):
        return astray
    near = round(_NEAR_S / FRAME_S)
    leaps = np.flatnonzero((np.abs(np.diff(midi)) > _LEAP) | (np.diff(at) > near)) + 1
    edges = [0, *leaps.tolist(), len(at)]
    for begin, end in itertools.pairwise(edges):
        if (at[end - 1] - at[begin] + 1) * FRAME_S >= _STRAY_S:
            continue
        first, last = np.searchsorted(at, [at[begin] - near, at[end - 1] + near])
        around = np.concatenate([midi[first:begin], midi[end:last]])
        far = np.abs(around - np.median(midi[begin:end])) > _FAR
        astray[at[begin:end]] = len(around) and far.mean() > _MOST
    return astray


def _blended(alone: Pitch, voice: Samples, music: Samples, network: PitchNetwork) -> Pitch:
    """Of the voice alone; where that is unsure of itself, what is heard with a tenth of the music
    left in it. A network that takes voices out of music takes some of their harmonics, too."""
    if not music.any():
        return alone
    mixed = network.pitch(voice + np.float32(_BLEND) * music)
    hz = np.where(alone.confidence >= SURE, alone.hz, mixed.hz)
    return Pitch(alone.times_s, hz, alone.confidence)


def _frames(samples: Samples, count: int) -> npt.NDArray[np.float32]:
    """(N,) → (T, 1024), the first centred on the first sample."""
    half = _WINDOW // 2
    padded = np.pad(samples, (half, max(half, count * HOP + half - len(samples))))
    return np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::HOP][:count]


def _spectra(samples: Samples, count: int) -> npt.NDArray[np.float32]:
    """(T, 513) float32: power; a minute at a time, so that what is held stays small."""
    frames, hann = _frames(samples, count), np.hanning(_WINDOW).astype(np.float32)
    made = np.empty((count, _WINDOW // 2 + 1), np.float32)
    for at in range(0, count, 4_000):
        part = frames[at : at + 4_000] * hann
        made[at : at + len(part)] = np.square(np.abs(np.fft.rfft(part, axis=1)) * (4 / _WINDOW))
    return made


def _band_power(samples: Samples, count: int) -> Array:
    """(T, 24) float32: power in bands as wide as each other to the ear."""
    if not samples.any():
        return np.zeros((count, _BANDS), np.float32)
    return np.asarray(_spectra(samples, count) @ _bands(), np.float32)


def _strokes(power: Array) -> Array:
    """(T, 24) → (T, 24): how much louder each band becomes, in units of ten times as loud."""
    told = np.log10(power + _FLOOR)
    two = np.diff(told, prepend=told[:1], axis=0)
    return np.asarray(np.maximum(two, 0), np.float32)


def _chroma(samples: Samples, count: int) -> Array:
    power: Array = np.sqrt(_spectra(samples, count)) @ _classes()
    kernel = np.ones(_SMOOTH) / _SMOOTH
    smooth: Array = np.stack([np.convolve(one, kernel, "same") for one in power.T], 1)
    length = np.linalg.norm(smooth, axis=1, keepdims=True)
    made = np.where(length > 1e-4, smooth / np.maximum(length, 1e-9), 0)
    return np.asarray(made, np.float32)


@functools.cache
def _bands() -> npt.NDArray[np.float32]:
    """(513, 24): which bin belongs to which band."""
    hz = np.arange(_WINDOW // 2 + 1) * RATE / _WINDOW
    edges = np.geomspace(_LOWEST_HZ, _HIGHEST_HZ, _BANDS + 1)
    inside = (hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])
    for band in np.flatnonzero(~inside.any(0)):  # lower ones are narrower than a bin
        inside[np.abs(hz - edges[band]).argmin(), band] = True
    return inside.astype(np.float32)


@functools.cache
def _classes() -> npt.NDArray[np.float32]:
    """(513, 12): how much a bin tells of each pitch class, from 100 Hz to 2 kHz."""
    hz = np.arange(_WINDOW // 2 + 1) * RATE / _WINDOW
    heard = (hz > 100) & (hz < 2_000)
    midi = 69 + 12 * np.log2(np.where(heard, hz, 440) / 440)
    off = (midi[:, None] - np.arange(12) + 6) % 12 - 6
    return (np.exp(-(off**2)) * heard[:, None]).astype(np.float32)
