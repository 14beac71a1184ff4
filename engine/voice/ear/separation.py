"""A recording of any length → the voice in it, and the rest, in files of their own.

A network tells the voice's share of each bin of the spectrum, twelve seconds at a time; what is not
the voice is the rest, so that both together are the recording again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.library.analysis.blocks import Samples
from engine.sound.network import Network
from engine.voice.ear.sounds import RATE, Flac, stereo
from engine.voice.ear.unet import BINS, FRAMES, HOP, WINDOW

_BEFORE = WINDOW - HOP  # samples that windows share; the first window ends with the first HOP
_STEP = FRAMES * HOP
_EVEN = 1.5  # what four squares of Hann's window add up to, a quarter apart
_LEAST = 1e-12
LEVEL = 0.3  # root mean square, to which what the network hears is brought (benchmarks/voice.md)
_QUIET, _MOST_GAIN = 0.01, 300.0


@dataclass(frozen=True)
class Separated:
    """How long a recording is, and its voice's energy over all of it, in dB: 0 where nothing else
    sounds, −120 where no voice does."""

    duration_s: float
    kept_db: float


def separate(
    source: Path,
    vocals: Path,
    instrumentals: Path,
    network: Network,
    *,
    at_once: int = 1,
    report: Callable[[float], None] | None = None,
) -> Separated:
    """A recording, read twice → two FLAC files, two channels at 44.1 kHz, as long as it.

    `at_once`: inputs of the network, 12 s each, that are held at a time. `report` is told 0…1.
    Raises as `stereo` does.
    """
    seconds_long, gain = _gain(source)
    told, done, power, voiced = report or (lambda _: None), 0, 0.0, 0.0
    with Flac(vocals) as sung, Flac(instrumentals) as rest:
        for mixed, voice in _parts(source, network, gain, at_once):
            sung.add(voice)
            rest.add(mixed - voice)
            power += float(np.square(mixed, dtype=np.float64).sum())
            voiced += float(np.square(voice, dtype=np.float64).sum())
            done += len(mixed)
            told(done / RATE / seconds_long)
    kept_db = 10 * float(np.log10(voiced / max(power, _LEAST) + _LEAST))
    return Separated(done / RATE, round(kept_db, 2))


def _gain(source: Path) -> tuple[float, float]:
    """How long a recording is, in seconds, and what brings it to the level at which the network
    tells voices best. At a twentieth of that it takes nearly all of them for music."""
    powers, count = [], 0
    for samples in stereo(source):
        powers.append(float(np.square(samples, dtype=np.float64).mean()))
        count += len(samples)
    heard = np.array(powers)
    loud = heard[heard > _QUIET * heard.max()]
    level = float(np.sqrt(loud.mean())) if len(loud) else 0.0
    return max(count, 1) / RATE, LEVEL / max(level, LEVEL / _MOST_GAIN)


def _parts(
    source: Path, network: Network, gain: float, at_once: int
) -> Iterator[tuple[Samples, Samples]]:
    """A recording and its voice, (N, 2) float32 each, from one place on to the next."""
    have, tail = (np.zeros((_BEFORE, 2), np.float32) for _ in range(2))
    waiting, count, length, at = [have], _BEFORE, 0, -_BEFORE

    def next_part(have: Samples) -> tuple[Samples, Samples]:
        nonlocal waiting, count, tail, at
        voice, tail = _voice(have, tail, network, gain)
        begins, ends = max(0, -at), min(len(voice), length - at)
        rest = have[len(voice) :]
        waiting, count, at = [rest], len(rest), at + len(voice)
        return have[begins:ends], voice[begins:ends]

    for samples in stereo(source):
        waiting.append(samples)
        count, length = count + len(samples), length + len(samples)
        if count >= at_once * _STEP + _BEFORE:
            yield next_part(np.concatenate(waiting))
    while at < length:
        missing = -(count - _BEFORE) % _STEP
        yield next_part(np.pad(np.concatenate(waiting), ((0, missing or _STEP), (0, 0))))


def _voice(have: Samples, tail: Samples, network: Network, gain: float) -> tuple[Samples, Samples]:
    """(P, 2), `_BEFORE` samples and some more → the voice in as many whole steps of them as there
    are, and what the next ones begin with; `tail` is that of those before."""
    steps = (len(have) - _BEFORE) // _STEP
    framed = np.lib.stride_tricks.sliding_window_view(have, WINDOW, axis=0)[::HOP][: steps * FRAMES]
    frames = framed.reshape(steps, FRAMES, 2, WINDOW)  # a copy, four times what there is
    spectrum = np.fft.rfft(frames * _hann(), axis=3)
    heard = spectrum[..., :BINS].transpose(0, 2, 1, 3)
    [share] = network.run(np.float32(gain) * np.abs(heard))
    spectrum[..., :BINS] *= share.transpose(0, 2, 1, 3)
    spectrum[..., BINS:] = 0
    back = np.fft.irfft(spectrum, WINDOW, axis=3) * (_hann() / np.float32(_EVEN))
    made = np.zeros((steps * FRAMES + _BEFORE // HOP, HOP, 2), np.float32)
    made[: _BEFORE // HOP] = tail.reshape(-1, HOP, 2)
    quarters = back.reshape(steps * FRAMES, 2, WINDOW // HOP, HOP).transpose(2, 0, 3, 1)
    for at, quarter in enumerate(quarters):
        made[at : at + len(quarter)] += quarter
    whole = made.reshape(-1, 2)
    return whole[: steps * _STEP], whole[steps * _STEP :].copy()


@functools.cache
def _hann() -> npt.NDArray[np.float32]:
    """(4096,), one that repeats: its squares, a quarter apart, add up to `_EVEN`."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
