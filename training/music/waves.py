"""What instruments are built of: periodic waves, decaying partials, noise, envelopes, filters.

All samples are (N,) float32 at `RATE`; times are seconds, frequencies Hz.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter, lfilter_zi

RATE = 32_000
"""Nothing above 16 kHz is made: 32 kbit/s of Opus would not keep it."""
Samples = NDArray[np.float32]
Rng = np.random.Generator
_TABLE = 2048
_HIGHEST = 0.46 * RATE


def count(seconds: float) -> int:
    return max(1, round(seconds * RATE))


def clock(seconds: float) -> Samples:
    return np.arange(count(seconds), dtype=np.float32) / RATE


# periodic waves


@lru_cache(maxsize=512)
def _table(shape: str, harmonics: int) -> Samples:
    k = np.arange(1, harmonics + 1, dtype=np.float64)
    if shape == "saw":
        weights = 1 / k
    elif shape == "triangle":
        weights = np.where(k % 2, 1 / k**2, 0) * np.where(k % 4 == 3, -1, 1)
    elif shape.startswith("pulse"):
        weights = np.sin(np.pi * k * float(shape[5:])) / k
    elif shape.startswith("bars"):  # an organ's drawbars, or any list of harmonics
        given = np.array([float(share) for share in shape[4:].split()])
        weights = np.zeros(harmonics)
        weights[: len(given)] = given[:harmonics]
    else:
        raise ValueError(shape)
    angles = 2 * np.pi * np.arange(_TABLE) / _TABLE
    wave = np.sin(np.outer(angles, k)) @ weights
    return (wave / np.abs(wave).max()).astype(np.float32)


def wave(shape: str, hz: float | Samples, seconds: float, phase: float = 0.0) -> Samples:
    """A band-limited "saw", "triangle", "pulse0.25" or "bars1 0.5 …"; `hz` may vary in time."""
    n = count(seconds)
    highest = float(np.max(hz)) if isinstance(hz, np.ndarray) else hz
    table = _table(shape, max(1, min(160, int(_HIGHEST / highest))))
    if isinstance(hz, np.ndarray):
        turns = np.cumsum(hz.astype(np.float64) / RATE) + phase
    else:
        turns = np.arange(n) * (hz / RATE) + phase
    return table[(turns * _TABLE).astype(np.int64) % _TABLE]


def sine(hz: float | Samples, seconds: float, phase: float = 0.0) -> Samples:
    if isinstance(hz, np.ndarray):
        turns = np.cumsum(hz.astype(np.float64) / RATE)
    else:
        turns = np.arange(count(seconds)) * (hz / RATE)
    return np.sin(2 * np.pi * (turns + phase)).astype(np.float32)


def vibrato(
    hz: float, seconds: float, rng: Rng, cents: float = 18, rate: float = 5.4, after: float = 0.25
) -> Samples:
    """(N,) Hz: a player's pitch, its vibrato setting in `after` seconds from the start."""
    t = clock(seconds)
    depth = cents * np.clip((t - after) / 0.3, 0, 1) * rng.uniform(0.7, 1.3)
    speed = rate * rng.uniform(0.93, 1.07)
    drift = rng.normal(0, 3) + 6 * np.exp(-t / 0.03) * rng.normal()
    bend = depth * np.sin(2 * np.pi * (speed * t + rng.random())) + drift
    return (hz * 2 ** (bend / 1200)).astype(np.float32)


def modes(
    hz: NDArray[np.float64],
    decay_s: NDArray[np.float64],
    weights: NDArray[np.float64],
    seconds: float,
    rng: Rng | None = None,
) -> Samples:
    """Partials that ring and decay: what is struck or plucked. `decay_s`: time to 1/e.

    A partial's sample a·B + b is z^(a·B) times z^b, so all of them together are one product of
    matrices with √N columns in place of N sines each.
    """
    heard = hz < _HIGHEST
    hz, decay_s, weights = hz[heard], decay_s[heard], weights[heard]
    n = count(seconds)
    step = int(np.sqrt(n)) + 1
    phases = rng.random(len(hz)) if rng is not None else np.zeros(len(hz))
    rate = (2j * np.pi * hz - 1 / decay_s) / RATE
    coarse = np.exp(rate * (np.arange(step) * step)[:, None]).astype(np.complex64)
    fine = np.exp(rate[:, None] * np.arange(step)).astype(np.complex64)
    coarse *= (weights * np.exp(2j * np.pi * phases)).astype(np.complex64)
    return np.ascontiguousarray((coarse @ fine).imag.reshape(-1)[:n])


def noise(seconds: float, rng: Rng) -> Samples:
    return rng.standard_normal(count(seconds), dtype=np.float32) * np.float32(0.3)


# envelopes


def swell(
    seconds: float, attack: float, release: float, sustain: float = 1.0, decay: float = 0.15
) -> Samples:
    """(N,) 0…1: rises in `attack`, falls towards `sustain`, is let go `release` before the end."""
    t = clock(seconds)
    shape = np.minimum(1, t / max(attack, 1e-4))
    shape *= sustain + (1 - sustain) * np.exp(-np.maximum(0, t - attack) / decay)
    left = (t[-1] - t) / max(release, 1e-4)
    return (shape * np.clip(left, 0, 1) ** 1.5).astype(np.float32)


def fall(seconds: float, time: float) -> Samples:
    """(N,) from 1 down by e every `time` seconds, ending in silence."""
    t = clock(seconds)
    return (np.exp(-t / time) * np.clip((t[-1] - t) / 0.01, 0, 1)).astype(np.float32)


# filters


Biquad = tuple[NDArray[np.float64], NDArray[np.float64]]


def biquad(kind: str, hz: float, q: float = 0.707, gain_db: float = 0.0) -> Biquad:
    """Bristow-Johnson's second-order filters: "low", "high", "band", "notch", "peak", "shelf"."""
    angle = 2 * np.pi * min(max(hz, 12.0), 0.48 * RATE) / RATE
    cos, alpha = np.cos(angle), np.sin(angle) / (2 * q)
    level = 10 ** (gain_db / 40)
    if kind == "low":
        b, a = [(1 - cos) / 2, 1 - cos, (1 - cos) / 2], [1 + alpha, -2 * cos, 1 - alpha]
    elif kind == "high":
        b, a = [(1 + cos) / 2, -1 - cos, (1 + cos) / 2], [1 + alpha, -2 * cos, 1 - alpha]
    elif kind == "band":
        b, a = [alpha, 0, -alpha], [1 + alpha, -2 * cos, 1 - alpha]
    elif kind == "notch":
        b, a = [1, -2 * cos, 1], [1 + alpha, -2 * cos, 1 - alpha]
    elif kind == "all":
        b, a = [1 - alpha, -2 * cos, 1 + alpha], [1 + alpha, -2 * cos, 1 - alpha]
    elif kind == "peak":
        b = [1 + alpha * level, -2 * cos, 1 - alpha * level]
        a = [1 + alpha / level, -2 * cos, 1 - alpha / level]
    elif kind == "shelf":  # the treble
        root = 2 * np.sqrt(level) * alpha
        b = [
            level * (level + 1 + (level - 1) * cos + root),
            -2 * level * (level - 1 + (level + 1) * cos),
            level * (level + 1 + (level - 1) * cos - root),
        ]
        a = [
            level + 1 - (level - 1) * cos + root,
            2 * (level - 1 - (level + 1) * cos),
            level + 1 - (level - 1) * cos - root,
        ]
    else:
        raise ValueError(kind)
    return np.array(b) / a[0], np.array(a) / a[0]


def through(
    kind: str, hz: float, samples: Samples, q: float = 0.707, gain_db: float = 0.0
) -> Samples:
    b, a = biquad(kind, hz, q, gain_db)
    return lfilter(b, a, samples).astype(np.float32)


def moving(kind: str, hz: Samples, samples: Samples, q: float = 0.707, block: int = 256) -> Samples:
    """A filter whose frequency moves: `hz` (N,) is read once every `block` samples."""
    out = np.empty_like(samples)
    state = lfilter_zi(*biquad(kind, float(hz[0]), q)) * 0
    for start in range(0, len(samples), block):
        b, a = biquad(kind, float(hz[min(start, len(hz) - 1)]), q)
        piece, state = lfilter(b, a, samples[start : start + block], zi=state)
        out[start : start + block] = piece
    return out


# The first three formants of sung vowels, Hz, and their levels.
VOWELS: dict[str, tuple[tuple[float, float], ...]] = {
    "a": ((750, 1.0), (1150, 0.6), (2700, 0.3)),
    "o": ((450, 1.0), (800, 0.45), (2700, 0.12)),
    "u": ((330, 1.0), (720, 0.25), (2400, 0.06)),
    "e": ((450, 1.0), (1900, 0.4), (2600, 0.3)),
    "i": ((300, 1.0), (2200, 0.3), (3000, 0.25)),
}


def vowel(name: str, samples: Samples, size: float = 1.0) -> Samples:
    """Through the formants of a throat; `size` 1.15 is a woman's, 0.95 a man's."""
    out = through("low", 500 * size, samples) * np.float32(0.25)
    for hz, level in VOWELS[name]:
        out += through("band", hz * size, samples, q=7) * np.float32(level)
    return out


def driven(samples: Samples, gain: float) -> Samples:
    """Overdriven: soft up to `gain` 2, a fuzz from 10 on. (N,) in −1…1."""
    return np.tanh(samples * np.float32(gain)).astype(np.float32)


def bent(samples: Samples, semitones: Callable[[Samples], Samples]) -> Samples:
    """The same sound with its pitch moved by `semitones(t)`: slides, bends, dives."""
    t = np.arange(len(samples), dtype=np.float32) / RATE
    read = np.cumsum(2.0 ** (semitones(t).astype(np.float64) / 12)) - 1
    return np.interp(read, np.arange(len(samples)), samples, right=0.0).astype(np.float32)
