"""A recording, however long → two channels at 44.1 kHz, a second at a time; and back to FLAC."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

import av
import numpy as np
import numpy.typing as npt

from engine.library.analysis.blocks import Samples, seconds

if TYPE_CHECKING:
    from types import TracebackType

    from av.audio.stream import AudioStream

RATE = 44_100
_FULL = 32_767  # of 16 bits


def stereo(path: Path, name: str = "") -> Iterator[Samples]:
    """(N, 2) float32 at 44.1 kHz, −1…1; N is a second's, but for the last. One channel is doubled.
    Failures call it `name`, or as its file is called.

    Raises `UnreadableAudio`, `InvalidRequest` (empty), `AudioTooShort` (not one sample).
    """
    for wide in seconds(path, RATE, name):
        yield wide if wide.shape[1] == 2 else np.repeat(wide, 2, axis=1)


class Flac:
    """A file of 16 bits that is there whole or not at all: written beside, and renamed at the end
    of the block unless that fails."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f".{path.name}.{os.getpid()}")
        self._output = av.open(str(self._beside), "w", format="flac")
        stream = cast("AudioStream", self._output.add_stream("flac", rate=RATE, layout="stereo"))
        stream.codec_context.thread_count = 1
        self._stream, self._written = stream, 0

    def add(self, samples: Samples) -> None:
        """(N, 2) float32; what is beyond −1…1 is cut."""
        if not len(samples):
            return
        whole = np.rint(np.clip(samples, -1, 1) * _FULL).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(_packed(whole), "s16", "stereo")
        frame.sample_rate, frame.pts = RATE, self._written
        self._written += len(samples)
        self._output.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._output.mux(self._stream.encode(None))
        finally:
            self._output.close()
        if kind is None:
            self._beside.replace(self._path)
        else:
            with contextlib.suppress(OSError):
                self._beside.unlink()


def _packed(whole: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    return np.ascontiguousarray(whole).reshape(1, -1)
