"""Samples → log-mel frames, as the networks of music were trained on: a spectrum as the ear has it.

The scale is Slaney's (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above, every band
of the same area. In numpy, as a service has no librosa; tests compare with frozen values of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_LINEAR_HZ, _BREAK_HZ = 200 / 3, 1_000.0  # a mel below 1 kHz, and where that ends
_STEP = np.log(6.4) / 27  # a mel above it, of the frequency's logarithm


@dataclass(frozen=True)
class MelBands:
    """A front end's numbers; what differs in one of them is another front end."""

    rate: int
    window: int  # samples of a frame, which is a power of two
    hop: int  # samples from a frame to the next
    bands: int
    lowest_hz: float
    highest_hz: float

    def power(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """(…, F, window) samples of each frame → (…, F, bands) float32, not negative."""
        spectrum = np.fft.rfft(frames * _hann(self.window))
        energy = spectrum.real**2 + spectrum.imag**2
        return energy.astype(np.float32) @ _filters(self)


def _to_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ / _LINEAR_HZ + np.log(np.maximum(hz, 1e-9) / _BREAK_HZ) / _STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, above)


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ * np.exp(_STEP * (mel - _BREAK_HZ / _LINEAR_HZ))
    return np.where(mel * _LINEAR_HZ < _BREAK_HZ, mel * _LINEAR_HZ, above)


@lru_cache(maxsize=4)
def _hann(window: int) -> NDArray[np.float32]:
    """Periodic, as spectra want it: (window,) in 0…1."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)


@lru_cache(maxsize=4)
def _filters(bands: MelBands) -> NDArray[np.float32]:
    """(window / 2 + 1, bands) float32: triangles that overlap by half, each of area 1."""
    limits = _to_mel(np.array([bands.lowest_hz, bands.highest_hz], np.float64))
    corners = _to_hz(np.linspace(limits[0], limits[1], bands.bands + 2))
    bins = np.linspace(0, bands.rate / 2, bands.window // 2 + 1)[:, None]
    low, middle, high = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * (2 / (high - low))).astype(np.float32)
