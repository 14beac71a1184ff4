"""Music of a few seconds, made on the spot: notes of plucked strings over a drum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 16_000


def tune(seed: int, seconds: float) -> NDArray[np.float32]:
    """(N,) float32 at 16 kHz: another seed plays other notes at other times."""
    rng = np.random.default_rng([seed, 71])
    samples = np.zeros(round((seconds + 1) * RATE), np.float32)
    at, key = 0.0, rng.uniform(120, 240)
    while at < seconds:
        for _ in range(int(rng.integers(1, 4))):
            note = _string(key * 2 ** (int(rng.integers(0, 30)) / 12), rng)
            start = round(at * RATE)
            stop = min(len(samples), start + len(note))
            samples[start:stop] += note[: stop - start]
        at += float(rng.choice([0.12, 0.18, 0.25, 0.4]))
    return samples[: round(seconds * RATE)] * np.float32(0.1)


def _string(hz: float, rng: np.random.Generator) -> NDArray[np.float32]:
    t = np.arange(round(0.6 * RATE)) / RATE
    decay = rng.uniform(3, 9)
    parts = [
        np.sin(2 * np.pi * hz * n * t) * np.exp(-decay * n**0.5 * t) / n
        for n in range(1, 7)
        if hz * n < RATE / 2
    ]
    return np.sum(parts, axis=0).astype(np.float32)
