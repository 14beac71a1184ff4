"""A recording of any length → the voice in it, and the rest, in files of their own.

A network tells the voice's share of each bin of the spectrum, twelve seconds at a time; what is not
the voice is the rest, so that both together are the recording again. Spectra are made, the network
asked, and voices made of its answers each in a thread of its own: the network's cores wait for none
of it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.library.analysis.blocks import Samples
from engine.sound.network import Network
from engine.voice.ear.ahead import ahead
from engine.voice.ear.sounds import RATE, Flac, stereo
from engine.voice.ear.unet import BINS, FRAMES, HOP, WINDOW

_BEFORE = WINDOW - HOP  # samples that windows share; the first window ends with the first HOP
_STEP = FRAMES * HOP
_EVEN = 1.5  # what four squares of Hann's window add up to, a quarter apart
_LEAST = 1e-12
Spectrum = npt.NDArray[np.complex64]
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
        spectra = ahead(_spectra(source, at_once))
        for mixed, voice in _voices(ahead(_shares(spectra, network, gain))):
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


@dataclass(frozen=True)
class _Stretch:
    """A piece of a recording, (N, 2), which begins so many samples after the first of its frames;
    and (S, `FRAMES`, 2, `BINS`): the spectra of S inputs of the network, of whole steps."""

    mixed: Samples
    skipped: int
    spectrum: Spectrum


def _spectra(source: Path, at_once: int) -> Generator[_Stretch, None, None]:
    """A recording from one place on to the next, silence put before and behind."""
    waiting = [np.zeros((_BEFORE, 2), np.float32)]
    count, length, at = _BEFORE, 0, -_BEFORE

    def next_stretch(have: Samples) -> _Stretch:
        nonlocal waiting, count, at
        spectrum = _spectrum(have)
        covered = len(spectrum) * _STEP
        begins, ends = max(0, -at), min(covered, length - at)
        waiting, count, at = [have[covered:]], len(have) - covered, at + covered
        return _Stretch(have[begins:ends], begins, spectrum)

    for samples in stereo(source):
        waiting.append(samples)
        count, length = count + len(samples), length + len(samples)
        if count >= at_once * _STEP + _BEFORE:
            yield next_stretch(np.concatenate(waiting))
    while at < length:
        missing = -(count - _BEFORE) % _STEP
        yield next_stretch(np.pad(np.concatenate(waiting), ((0, missing or _STEP), (0, 0))))


def _spectrum(have: Samples) -> Spectrum:
    """(P, 2), `_BEFORE` samples and some more → of as many whole steps of them as there are."""
    steps = (len(have) - _BEFORE) // _STEP
    framed = np.lib.stride_tricks.sliding_window_view(have, WINDOW, axis=0)[::HOP][: steps * FRAMES]
    frames = framed.reshape(steps, FRAMES, 2, WINDOW) * _hann()  # four times what there is
    # What is above is of no voice, and would be half of what is held.
    return np.fft.rfft(frames, axis=3)[..., :BINS].astype(np.complex64)


def _shares(
    stretches: Generator[_Stretch, None, None], network: Network, gain: float
) -> Generator[_Stretch, None, None]:
    """Of each spectrum what the network takes for voice."""
    for stretch in stretches:
        heard = np.abs(stretch.spectrum.transpose(0, 2, 1, 3))
        heard *= np.float32(gain)
        [share] = network.run(heard)
        np.multiply(stretch.spectrum, share.transpose(0, 2, 1, 3), out=stretch.spectrum)
        yield stretch


def _voices(
    stretches: Generator[_Stretch, None, None],
) -> Generator[tuple[Samples, Samples], None, None]:
    """Each piece of a recording, (N, 2), and the voice in it, of that voice's spectra."""
    tail = np.zeros((_BEFORE, 2), np.float32)
    for stretch in stretches:
        voice, tail = _voice(stretch.spectrum, tail)
        begins = stretch.skipped
        yield stretch.mixed, voice[begins : begins + len(stretch.mixed)]


def _voice(spectrum: Spectrum, tail: Samples) -> tuple[Samples, Samples]:
    """(S, `FRAMES`, 2, `BINS`) → a voice, (S · `_STEP`, 2), and what the next one begins with;
    `tail` is that of the one before."""
    steps = len(spectrum)
    back = np.fft.irfft(spectrum, WINDOW, axis=3)
    back *= _hann() / np.float32(_EVEN)
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
