"""A recording, however long → its sound a second at a time, for ears that remember little.

Loudness needs its channels at 48 kHz; tempo and key hear one channel at 16 kHz, brought to one
loudness, so that nothing depends on the volume.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import numpy.typing as npt
from av.audio.fifo import AudioFifo
from av.audio.resampler import AudioResampler

from engine.base.errors import AudioTooShort
from engine.sound.advice import ADVICE
from engine.sound.recording import opened

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

    from engine.sound.recording import Recording

WIDE_RATE = 48_000  # Hz, of the channels
RATE = 16_000  # Hz, of the one channel
Samples = npt.NDArray[np.float32]


def seconds(path: Path, rate: int = WIDE_RATE, name: str = "") -> Iterator[Samples]:
    """Its channels: (N, 1 or 2) float32 at `rate` Hz, −1…1, finite; N is a second's, but for the
    last. Failures call it `name`, or as its file is called.

    More than two channels are mixed to two. Raises `UnreadableAudio`, `InvalidRequest` (empty),
    `AudioTooShort` (not one sample).
    """
    count = 0
    name = name or path.name
    with opened(path, name) as recording:
        for wide in _seconds(recording, rate):
            count += len(wide)
            yield wide
    if not count:
        raise AudioTooShort(f"{name} holds no sound at all. {ADVICE}")


def mono(path: Path) -> Iterator[Samples]:
    """The same as one channel: (M,) float32 at 16 kHz. Raises as `seconds` does.

    M is not N / 3: the resampler holds some back and gives them with the next or the last.
    """
    resampler = AudioResampler(format="flt", layout="mono", rate=RATE)
    for wide in seconds(path):
        yield _resampled(resampler, _frame(_one_channel(wide)))
    yield _resampled(resampler, None)


def _seconds(recording: Recording, rate: int) -> Iterator[Samples]:
    resampler, layout, gathered = None, None, AudioFifo()
    for frame in recording.sound():
        if resampler is None or layout is None:
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            resampler = AudioResampler(format="flt", layout=layout, rate=rate)
        frame.pts = None  # time is told by the count of samples: stamps may be anything
        for made in resampler.resample(frame):
            made.pts = None
            gathered.write(made)
        while gathered.samples >= rate:
            yield _values(gathered.read(rate))
    for made in resampler.resample(None) if resampler is not None else ():
        made.pts = None
        gathered.write(made)
    last = gathered.read() if gathered.samples else None
    if last is not None:
        yield _values(last)


def _values(frame: AudioFrame | None) -> Samples:
    assert frame is not None
    values: Samples = frame.to_ndarray().reshape(frame.samples, frame.layout.nb_channels)
    # In a file of floats there may be anything.
    return np.asarray(np.clip(np.nan_to_num(values, posinf=1, neginf=-1), -1, 1), np.float32)


def _one_channel(wide: Samples) -> Samples:
    """(N, 1 or 2) → (N,): the mean, or half the difference where the channels cancel each other."""
    if wide.shape[1] == 1:
        return wide[:, 0]
    half = np.float32(0.5)
    mean, other = half * (wide[:, 0] + wide[:, 1]), half * (wide[:, 0] - wide[:, 1])
    return other if np.dot(other, other) > 2 * np.dot(mean, mean) else mean


def _frame(samples: Samples) -> AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples)[None], "flt", "mono")
    frame.sample_rate = WIDE_RATE
    return frame


def _resampled(resampler: AudioResampler, frame: AudioFrame | None) -> Samples:
    made = [one.to_ndarray()[0] for one in resampler.resample(frame) if one is not None]
    return np.concatenate(made) if made else np.zeros(0, np.float32)


class Framer:
    """Samples as they come → overlapping frames, as if they had come at once."""

    def __init__(self, window: int, hop: int) -> None:
        self._window, self._hop = window, hop
        # The first frame is centred on the first sample.
        self._kept: Samples = np.zeros(window // 2, np.float32)

    def add(self, samples: Samples) -> Samples:
        """(M,) → (F, window) float32, read-only: the frames that are complete by now."""
        have = np.concatenate([self._kept, samples])
        count = max(0, (len(have) - self._window) // self._hop + 1)
        self._kept = have[count * self._hop :]
        if not count:
            return np.zeros((0, self._window), np.float32)
        return np.lib.stride_tricks.sliding_window_view(have, self._window)[:: self._hop][:count]

    def end(self) -> Samples:
        """(F, window): the last frames, up to the one centred on the last sample."""
        return self.add(np.zeros(self._window // 2, np.float32))
