"""Channels at 48 kHz → how loud a recording is as a whole, in LUFS (EBU R 128), and its peak.

Integrated loudness of ITU-R BS.1770-4: K-weighted power of 400 ms blocks, gated at −70 LUFS and
10 LU below the mean of what is left. By ffmpeg's `ebur128`, which the decoder brings.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import numpy as np
from av.filter import Graph

from engine.library.analysis.blocks import WIDE_RATE

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

    from engine.library.analysis.blocks import Samples

GATE_LUFS = -70.0  # a block below it is silence to R 128
_BLOCK = WIDE_RATE * 4 // 10  # samples of the shortest sound that has a loudness


class Meter:
    """Takes samples in their order. One channel alone is 3 LU less loud than in both."""

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._channels = self._count = 0
        self._peak, self._lufs = 0.0, GATE_LUFS

    def add(self, wide: Samples) -> None:
        """(N, 1 or 2) float32 at 48 kHz, −1…1; as many channels each time."""
        if not len(wide):
            return
        if self._graph is None:
            self._channels = wide.shape[1]
            self._graph = _graph(self._layout)
        self._peak = max(self._peak, float(np.abs(wide).max()))
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(wide).reshape(1, -1), "flt", self._layout
        )
        frame.sample_rate, frame.pts = WIDE_RATE, self._count
        frame.time_base = Fraction(1, WIDE_RATE)
        self._count += len(wide)
        self._graph.push(frame)
        self._pull()

    def end(self) -> None:
        """Nothing follows: what is shorter than a block is measured as one that ends in silence."""
        if self._graph is None:
            return
        if self._count < _BLOCK:
            self.add(np.zeros((_BLOCK - self._count, self._channels), np.float32))
        self._graph.push(None)
        self._pull()

    @property
    def lufs(self) -> float | None:
        """None where no block reaches −70 LUFS."""
        return self._lufs if self._lufs > GATE_LUFS else None

    @property
    def peak_dbfs(self) -> float | None:
        """The largest sample, 0 at most; None where all are 0."""
        return 20 * float(np.log10(self._peak)) if self._peak else None

    @property
    def _layout(self) -> str:
        return ("mono", "stereo")[self._channels - 1]

    def _pull(self) -> None:
        assert self._graph is not None
        while True:
            try:
                told = cast("AudioFrame", self._graph.pull()).metadata
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            # The last frame, of less than 100 ms, tells nothing.
            self._lufs = float(told.get("lavfi.r128.I", self._lufs))


def _graph(layout: str) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=WIDE_RATE, format="flt", layout=layout, time_base=Fraction(1, WIDE_RATE)
    )
    meter, sink = graph.add("ebur128", "metadata=1:framelog=quiet"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    return graph
