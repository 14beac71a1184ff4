"""Fingerprints of no sound: vectors that glide through 64 dimensions as those of music do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STEP_S = 0.5
_GRID_S = 0.05
_WINDOW_S = 1.0

Vectors = NDArray[np.float32]


class Tune:
    """A track as a function of time: vectors a second apart have nothing in common."""

    def __init__(self, seed: int, seconds: float, dimension: int = 64) -> None:
        rng = np.random.default_rng(seed)
        self.seconds = seconds
        points = rng.normal(size=(int((seconds + 2) / _GRID_S), dimension))
        window = np.hanning(int(_WINDOW_S / _GRID_S))
        self._path = np.stack([np.convolve(axis, window, "same") for axis in points.T], axis=1)

    def at(self, seconds: NDArray[np.float64]) -> Vectors:
        """(N,) moments → (N, D) unit rows."""
        place = np.clip(seconds / _GRID_S, 0, len(self._path) - 2)
        left = place.astype(int)
        share = (place - left)[:, None]
        rows = self._path[left] * (1 - share) + self._path[left + 1] * share
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def rows(self) -> Vectors:
        """As it is indexed."""
        return self.at(np.arange(0, self.seconds - _WINDOW_S, STEP_S))

    def clip(
        self,
        offset_s: float,
        clip_s: float,
        *,
        step_s: float = 0.125,
        speed: float = 1.0,
        noise: float = 0.0,
        seed: int = 0,
    ) -> Vectors:
        """What is heard of it from `offset_s` on: `noise` is the length of what is added to a
        vector of length 1."""
        heard = np.arange(0, clip_s - _WINDOW_S + 1e-6, step_s)
        rows = self.at(offset_s + speed * heard)
        added = np.random.default_rng(seed).normal(size=rows.shape) / np.sqrt(rows.shape[1])
        rows = rows + noise * added
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
