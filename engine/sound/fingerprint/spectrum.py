"""Samples → mel frames, 64 bands between 150 and 3,800 Hz, 64 frames a second.

8 kHz, because no more comes through a telephone and little more through a phone's loudspeaker.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float32]

RATE = 8_000  # Hz
HOP = 125  # samples: 15.625 ms, so that an eighth of a second is eight frames
LENGTH = 512  # samples of a frame
BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 150.0, 3_800.0
# Magnitude's square root: what noise adds to a loud band is small, and nothing depends on a floor.
POWER = 0.25
TOGETHER = 4_096  # frames transformed at once: 17 MB


def halve(samples: Samples) -> Samples:
    """(N,) at 16 kHz → ((N + 1) // 2,) at 8 kHz, sample i where 2 i was."""
    taps = _half_band()
    padded = np.pad(samples.astype(np.float32, copy=False), len(taps) // 2)
    return np.asarray(np.convolve(padded, taps, "valid")[::2], np.float32)


def frames(samples: Samples) -> Frames:
    """(N,) at 8 kHz → (T, 64) compressed mel; frame t is of the samples from t · 125 on.

    No padding: T is 0 where N < 512, otherwise (N − 512) // 125 + 1.
    """
    count = max(0, (len(samples) - LENGTH) // HOP + 1)
    out = np.empty((count, BANDS), np.float32)
    if not count:
        return out
    pieces = np.lib.stride_tricks.sliding_window_view(samples, LENGTH)[::HOP]
    for start in range(0, count, TOGETHER):
        spectrum = np.fft.rfft(pieces[start : start + TOGETHER] * _hann(), axis=1)
        power = spectrum.real**2 + spectrum.imag**2
        out[start : start + TOGETHER] = (power @ _mel()) ** POWER
    return out


@functools.cache
def _hann() -> Samples:
    phase = 2 * np.pi * np.arange(LENGTH) / LENGTH
    return np.asarray(0.5 - 0.5 * np.cos(phase), np.float32)


@functools.cache
def _mel() -> npt.NDArray[np.float32]:
    """(257, 64): triangles evenly spaced in mel (O'Shaughnessy 1987), each with sum 1."""

    def mel(hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
        return 2595 * np.log10(1 + np.asarray(hz, np.float64) / 700)

    edges = np.linspace(mel(LOWEST_HZ), mel(HIGHEST_HZ), BANDS + 2)
    bins = mel(np.arange(LENGTH // 2 + 1) * RATE / LENGTH)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.clip(np.minimum(rising, falling), 0, None)
    return np.asarray(weights / weights.sum(0), np.float32)


@functools.cache
def _half_band() -> npt.NDArray[np.float32]:
    """63 taps, a sinc under a Kaiser window: 3.6 kHz passes, 4.4 kHz is 60 dB down."""
    n = np.arange(-31, 32)
    taps = np.sinc(n / 2) * np.kaiser(63, 6.0)
    return np.asarray(taps / taps.sum(), np.float32)
