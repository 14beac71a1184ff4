"""How energetic a recording is and how well one could dance to it: two numbers, 0…1.

They are ours: nobody's ratings were learned from, and other services' of the same name differ.

**Energy** is the mean of three, each 0…1, none of which changes with the volume:

- *density*, how little its loudness falls behind its peaks: 1 − (peak in dBFS − loudness in LUFS −
  6) / 18. A modern rock record has 8 dB between them, a string quartet 20.
- *strokes* a second, over 8.
- *brightness*, log₂ of the spectrum's centre over 250 Hz, over 4: 0 at 250 Hz, 1 at 4 kHz.

**Danceability** is √(regularity × pace), 0 where there is no beat:

- *regularity*, how alike the strokes of a beat and of the next are (autocorrelation), over 0.6.
- *pace*, exp(−½ (log₂(bpm / 120) / 0.6)²): 1 at 120 beats a minute, 0.25 at 60 and at 240.
"""

from __future__ import annotations

import numpy as np

from engine.library.analysis.blocks import RATE, Samples
from engine.library.analysis.tempo import FPS, Strokes, Tempo

_LEAST_CREST_DB, _CREST_DB = 6.0, 18.0
_MOST_STROKES = 8.0  # a second
_DARK_HZ, _OCTAVES = 250.0, 4.0
_REGULAR = 0.6
_PACE_BPM, _PACE_OCTAVES = 120.0, 0.6
_NEAR = 3  # frames on both sides among which a stroke is the highest
_STANDS_OUT = 1.0  # deviations above the mean


class Brightness:
    """Takes samples in their order; `hz` is where the middle of their spectrum lies."""

    def __init__(self) -> None:
        self._amplitude = self._weighted = 0.0

    def add(self, mono: Samples) -> None:
        """(M,) float32 at 16 kHz."""
        if len(mono) < 2:
            return
        spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
        self._amplitude += float(spectrum.sum())
        self._weighted += float(spectrum @ np.fft.rfftfreq(len(mono), 1 / RATE))

    @property
    def hz(self) -> float:
        """The mean frequency, each counted by its amplitude; 0 of silence."""
        return self._weighted / self._amplitude if self._amplitude else 0.0


def strokes_per_s(strokes: Strokes) -> float:
    """(F,) → how many stand out, a second."""
    if len(strokes) <= 2 * _NEAR:
        return 0.0
    around = np.lib.stride_tricks.sliding_window_view(strokes, 2 * _NEAR + 1)
    here = strokes[_NEAR:-_NEAR]
    high = here > strokes.mean() + _STANDS_OUT * strokes.std()
    return float(np.count_nonzero(high & (here == around.max(1)))) * FPS / len(strokes)


def energy(crest_db: float, strokes: float, centre_hz: float) -> float:
    """Peak over loudness in dB, strokes a second, the spectrum's centre in Hz → 0…1."""
    density = 1 - (crest_db - _LEAST_CREST_DB) / _CREST_DB
    brightness = np.log2(max(centre_hz, 1.0) / _DARK_HZ) / _OCTAVES
    return float(np.clip([density, strokes / _MOST_STROKES, brightness], 0, 1).mean())


def danceability(found: Tempo) -> float:
    """0…1; 0 where no beat stands out."""
    if found.bpm is None:
        return 0.0
    pace = np.exp(-0.5 * (np.log2(found.bpm / _PACE_BPM) / _PACE_OCTAVES) ** 2)
    return float(np.sqrt(np.clip(found.regularity / _REGULAR, 0, 1) * pace))
