"""Frames of any rate, format and channels → one channel at 16 kHz."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler

from engine.sound.recording import is_rate

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

RATE = 16_000
Samples = npt.NDArray[np.float32]

_MAX_CHANGES = 16  # a stream may change its rate or channels, but not at every packet


class Mixer:
    """Takes frames in their order; `mixed` gives what they were."""

    def __init__(self) -> None:
        self._count = 0
        self._parts: list[npt.NDArray[np.float32]] = []
        self._kind: tuple[Any, ...] = ()
        self._gathered: AudioFifo | None = None
        self._resampler: AudioResampler | None = None
        self._changes = 0

    @property
    def count(self) -> int:
        """How many samples there are by now, nearly."""
        waiting = self._gathered.samples if self._gathered else 0
        return self._count + (waiting * RATE // self._kind[2] if waiting else 0)

    def add(self, frame: AudioFrame) -> None:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._kind:
            self._change(kind)
        # Time is told by the count of samples: stamps may be anything.
        frame.pts = None
        assert self._gathered is not None
        self._gathered.write(frame)
        if self._gathered.samples >= frame.sample_rate:
            self._resample(self._gathered.read())

    def mixed(self, most: int | None) -> Samples:
        """All that was added, at most so many samples."""
        self._flush()
        if not self._parts:
            return np.zeros(0, np.float32)
        wide = max(part.shape[1] for part in self._parts)
        parts = [np.pad(part, ((0, 0), (0, wide - part.shape[1]))) for part in self._parts]
        both = np.concatenate(parts)[:most]
        power = np.einsum("nc,nc->c", both, both, dtype=np.float64)
        # Equal where only one channel sounds: then the mean is the same sound.
        chosen = 1 if wide == 2 and power[1] > 2 * power[0] else 0
        return np.ascontiguousarray(both[:, chosen])

    def _change(self, kind: tuple[Any, ...]) -> None:
        self._flush()
        self._changes += 1
        if self._changes > _MAX_CHANGES or not is_rate(kind[2]):
            raise ValueError(f"cannot follow {kind}")
        # Packed: PyAV looks for planes beyond the eight that a frame has.
        self._resampler = AudioResampler(format="flt", rate=RATE)
        # A second at once goes five times as fast as frames of 20 ms.
        self._gathered = AudioFifo()
        self._kind = kind

    def _flush(self) -> None:
        if self._gathered is not None and self._resampler is not None:
            self._resample(self._gathered.read())
            self._resample(None)
            self._gathered = self._resampler = None

    def _resample(self, frame: AudioFrame | None) -> None:
        assert self._resampler is not None
        for made in self._resampler.resample(frame):
            if made is not None and made.samples:
                values = made.to_ndarray().reshape(made.samples, made.layout.nb_channels)
                self._parts.append(_two_ways(values))
                self._count += made.samples


def _two_ways(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(N, C) of any value → (N, 1) as it is, or (N, 2): the mean, and what is left where channels
    cancel each other; −1…1."""
    # In a file of floats there may be anything.
    values = np.clip(np.nan_to_num(values, posinf=1, neginf=-1), -1, 1)
    if values.shape[1] == 1:
        return values
    mean = values.mean(1)
    other = (values[:, 0] - values[:, 1]) / 2 if values.shape[1] == 2 else values[:, 0]
    return np.stack([mean, other], 1)
