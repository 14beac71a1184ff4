"""A file → everything that is measured of it, by two passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.library.analysis import key as keys
from engine.library.analysis import tempo as tempi
from engine.library.analysis.blocks import RATE, WIDE_RATE, mono, seconds
from engine.library.analysis.loudness import Meter
from engine.library.analysis.measures import Brightness, danceability, energy, strokes_per_s

_HEARD_LUFS = -16.0  # at which tempo and key hear everything


@dataclass(frozen=True)
class Analysis:
    """What is measured of a recording, rounded to what the measure is good for; no number is
    infinite or none.

    `bpm` is None where no beat stands out or it is shorter than 4 s, `key` where nothing has a
    pitch ("F# minor": of C, C#, D, Eb, E, F, F#, G, Ab, A, Bb, B), `loudness_lufs` where it is
    `silent`: nothing reaches −70 LUFS. Confidences, `energy` and `danceability` are 0…1.
    """

    duration_s: float
    bpm: float | None
    bpm_confidence: float
    key: str | None
    key_confidence: float
    loudness_lufs: float | None
    peak_dbfs: float | None
    energy: float
    danceability: float
    silent: bool


def analyse(path: Path, progress: Callable[[float], None] | None = None) -> Analysis:
    """A recording, read twice: how loud it is, then all else. 300 KB a minute are kept of it.

    `progress` is told how many seconds of it are done. Raises `UnreadableAudio`, `InvalidRequest`
    (empty), `AudioTooShort` (not one sample).
    """
    told = progress or (lambda _: None)
    meter, count = Meter(), 0
    for wide in seconds(path):
        meter.add(wide)
        count += len(wide)
        told(count / WIDE_RATE / 2)
    meter.end()
    duration_s, lufs, peak_dbfs = count / WIDE_RATE, meter.lufs, meter.peak_dbfs
    if lufs is None or peak_dbfs is None:
        told(duration_s)
        return Analysis(duration_s, None, 0.0, None, 0.0, None, peak_dbfs, 0.0, 0.0, silent=True)
    bright, onsets, pitches, heard = Brightness(), tempi.Onsets(), keys.Pitches(), 0
    gain = np.float32(10 ** ((_HEARD_LUFS - lufs) / 20))
    for samples in mono(path):
        for ear in (bright, onsets, pitches):
            ear.add(gain * samples)
        heard += len(samples)
        told((duration_s + heard / RATE) / 2)
    strokes = onsets.end()
    beat, tonic = tempi.tempo(strokes), keys.key(pitches.end())
    return Analysis(
        duration_s=duration_s,
        bpm=None if beat.bpm is None else round(beat.bpm, 1),
        bpm_confidence=round(beat.regularity, 3) if beat.bpm is not None else 0.0,
        key=tonic.name,
        key_confidence=round(tonic.confidence, 3),
        loudness_lufs=round(lufs, 2),
        peak_dbfs=round(peak_dbfs, 2),
        energy=round(energy(peak_dbfs - lufs, strokes_per_s(strokes), bright.hz), 3),
        danceability=round(danceability(beat), 3),
        silent=False,
    )
