"""MERT: five seconds of music → a vector (Li et al., 2023; the v1 models of m-a-p, 95M and 330M).

Its published code is a HuBERT with options that no v1 model uses, so transformers' own HuBERT
computes it and no code of a stranger is run. Its weights are for non-commercial use (CC BY-NC 4.0).
Exported when the artifact is made (`making.export`); serving needs neither torch nor transformers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.sound.audio import RATE, resample
from engine.sound.encoder.encoder import Embedded, Kind, Samples
from engine.sound.encoder.windows import window_starts
from engine.sound.network import FOLDER, Network

SOUND = "sound.xml"
WINDOWS = 12  # of 5 s, heard of a recording
MERT_RATE, SECONDS = 24_000, 5


def windows_at_rate(samples: Samples, most: int) -> NDArray[np.float32]:
    """(N,) float32 at 16 kHz in −1…1 → (P, 120000) float32 at 24 kHz; 1 ≤ P ≤ `most`. What is
    shorter than 5 s is repeated."""
    length = SECONDS * RATE
    if len(samples) < length:
        samples = np.resize(samples, length) if len(samples) else np.zeros(length, np.float32)
    starts = window_starts(len(samples), length, most)
    heard = [resample(samples[start : start + length], RATE, MERT_RATE) for start in starts]
    return np.stack([np.resize(window, SECONDS * MERT_RATE) for window in heard])


class MertEncoder:
    """MERT on OpenVINO: the mean over time and over all its layers, as none was found best."""

    kind: Kind = "mert"
    tags: tuple[str, ...] = ()

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        windows: int,
        threads: int | None = None,
        cache: Path | None = None,
    ) -> None:
        """`folder` is an artifact's `encoder/`, which holds openvino/."""
        self.name = name
        self._windows = windows
        self._sound = Network(folder / FOLDER / SOUND, threads=threads, cache=cache)
        self.dimension = self._sound.dimension

    def embed(self, samples: Samples) -> Embedded:
        (rows,) = self._sound.run(windows_at_rate(samples, self._windows))
        return Embedded(rows.mean(axis=0))
