"""A voice → its pitch every 16 ms, by swift-f0 (Nieradzik, 2025): 0.1 MB, MIT.

The network is the package's own, run by OpenVINO as everything else is. How it is asked, window by
window, is the package's way too: each sees as many frames on both sides as reach into its answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engine.base.inference import compile_network, import_openvino, locale_kept
from engine.library.analysis.blocks import RATE, Samples, mono
from engine.voice.ear.heard import FRAME_S, Array, Pitch

MODEL = "model.onnx"
LOWEST_HZ, HIGHEST_HZ = 46.875, 2_093.75  # what it knows
HOP = round(FRAME_S * RATE)
_WINDOW = 1_875  # frames, 30 s
_AHEAD, _BACK = 10, 11  # frames that reach into an answer
# Digital silence lies on the floor of its spectrum, which it never saw: it answers with voices.
_SILENCE = 1e-3


class PitchNetwork:
    """swift-f0, compiled; not for two threads at once."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """`folder` holds `MODEL`."""
        options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        with locale_kept():
            model = str(folder / MODEL)
            self._model = compile_network(import_openvino().Core(), model, options)

    def pitch(self, samples: Samples) -> Pitch:
        """(N,) float32 mono at 16 kHz → a frame for each 256 samples, at least one."""
        count = max(1, len(samples) // HOP)
        samples = np.pad(samples, (0, max(0, count * HOP - len(samples))))
        parts = [*self._windows(samples, count)]
        hz, sure = (np.concatenate([part[at] for part in parts]) for at in range(2))
        loudest = np.abs(samples[: count * HOP].reshape(count, HOP)).max(1)
        sure[loudest < _SILENCE] = 0
        return Pitch((FRAME_S * np.arange(count)).astype(np.float32), hz, sure)

    def _windows(self, samples: Samples, count: int) -> Iterator[tuple[Array, Array]]:
        for start in range(0, count, _WINDOW):
            end, back = min(start + _WINDOW, count), min(start, _BACK)
            last = (end + _AHEAD) * HOP if end < count else len(samples)
            given = samples[(start - back) * HOP : last]
            asked = (given[None], np.float32(LOWEST_HZ), np.float32(HIGHEST_HZ))
            told = self._model(list(asked))
            hz, sure = (np.asarray(told[at][0], np.float32) for at in range(2))
            yield hz[back : back + end - start], sure[back : back + end - start]


def level(samples: Samples) -> Array:
    """(N,) float32 at 16 kHz → (T,) dB of full scale, the power of the 32 ms about each frame."""
    count = max(1, len(samples) // HOP)
    samples = np.pad(samples, (0, max(0, count * HOP - len(samples))))
    power = np.square(samples[: count * HOP].reshape(count, HOP), dtype=np.float64).mean(1)
    both = (np.concatenate([power[:1], power[:-1]]) + power) / 2
    return np.asarray(10 * np.log10(both + 1e-10), np.float32)


def whole(path: Path) -> Samples:
    """A recording as (N,) float32 mono at 16 kHz: 64 KB a second. Raises as `mono` does."""
    return np.concatenate([*mono(path)])
