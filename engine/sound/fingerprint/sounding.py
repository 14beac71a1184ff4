"""Samples → vectors, with zeros where nothing sounds.

A network has a vector for silence too, and it is everybody's neighbour: a pause in one piece is the
pause in another. Where a window is silent it says nothing.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.sound.fingerprint.align import Vectors

Samples = NDArray[np.float32]

RATE = 16_000  # Hz, of `engine.sound.audio`
# Below this nothing sounds: ten steps of 16 bits, what a converter makes of a closed microphone.
SILENT_DBFS = -70.0
# Nor so far below the clip's own loud parts: there is the noise of its making alone.
_BELOW_LOUD_DB = 50.0


class Embeds(Protocol):
    """What an index needs of a network: `Fingerprinter`."""

    dimension: int
    window_s: float

    def embed(self, samples: Samples, step_s: float = ...) -> Vectors:
        """(N,) at 16 kHz → (F, D) float32 unit rows; row i is of [i · step_s, i · step_s +
        window_s)."""
        ...


def levels(samples: Samples, step_s: float, window_s: float, count: int) -> NDArray[np.float64]:
    """(N,) at 16 kHz → (count,) loudness of each window, dB below full scale (RMS), −120 at
    least."""
    squares = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    begins = np.rint(np.arange(count) * step_s * RATE).astype(np.int64)
    ends = np.minimum(begins + round(window_s * RATE), len(samples))
    begins = np.minimum(begins, len(samples))
    power = (squares[ends] - squares[begins]) / np.maximum(ends - begins, 1)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)), np.float64)


def sounding_vectors(
    fingerprinter: Embeds, samples: Samples, step_s: float
) -> tuple[Vectors, NDArray[np.float64]]:
    """(N,) samples at 16 kHz → (F, D) unit rows, zeros where a window is silent, and the (F,)
    loudness of the windows in dB below full scale."""
    vectors = fingerprinter.embed(samples, step_s)
    loudness = levels(samples, step_s, fingerprinter.window_s, len(vectors))
    if not len(vectors):
        return vectors, loudness
    least = max(SILENT_DBFS, float(np.quantile(loudness, 0.95)) - _BELOW_LOUD_DB)
    return np.where(loudness[:, None] >= least, vectors, np.float32(0)), loudness
