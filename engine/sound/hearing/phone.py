"""A recording, played by a loudspeaker in a room, as a phone among people hears and sends it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engine.sound.hearing import codec as codecs
from engine.sound.hearing import noise

Samples = npt.NDArray[np.float32]

LONGEST_SHIFT = 0.02  # of the speed


@dataclass(frozen=True)
class Place:
    """Where and how it is heard. What is None is not simulated."""

    # Of one room, at the rate of what is played: from the loudspeaker, and from the noise.
    responses: tuple[Samples, Samples] | None
    snr_db: float | None
    noise: str = "babble"  # babble | street | pink, or two of them joined by +
    codec: str | None = None
    speed: float = 1.0  # 1.02: faster and higher, as a record player is
    # Corners of what loudspeaker and microphone pass, Hz, and the slopes of both, poles of 6 dB.
    lowest_hz: float = 150.0
    highest_hz: float = 3_800.0
    poles: int = 2
    ripple_db: tuple[float, ...] = ()  # gains at even distances on the mel scale
    level_db: float = -20.0  # of the mean square, full scale being 0
    drive_db: float = 0.0  # louder than the loudspeaker can, softly clipped
    recordings: Samples | None = field(default=None, compare=False, repr=False)

    def heard(self, samples: Samples, rate: int, rng: np.random.Generator) -> Samples:
        """(N,) at `rate` → (N / speed,) at `rate`, the first sample's place kept."""
        out = self.played(samples, rate, rng)
        if self.codec:
            out = codecs.coded(out, rate, self.codec)
        return out

    def played(self, samples: Samples, rate: int, rng: np.random.Generator) -> Samples:
        """The same before the codec."""
        music = faster(samples, self.speed)
        if self.drive_db > 0:
            music = clipped(music, self.drive_db)
        near, elsewhere = self.responses or (None, None)
        longest = max((len(r) for r in self.responses or ()), default=rate)
        size = noise.fast_length(len(music) + longest)
        heard = self._through(music, near, size, rate)
        if self.snr_db is not None:
            around = self._noise(rng, len(music), rate)
            disturbing = self._through(around, elsewhere, size, rate)
            music_level = float(np.sqrt(np.mean(np.square(heard))))
            loud = np.float32(music_level * 10 ** (-self.snr_db / 20))
            heard = heard + noise.normal(disturbing) * loud
        level = np.float32(10 ** (self.level_db / 20))
        return np.asarray(np.clip(noise.normal(heard) * level, -1, 1))

    def _through(self, samples: Samples, response: Samples | None, size: int, rate: int) -> Samples:
        """Room and bands, both as products of spectra."""
        spectrum = np.fft.rfft(samples, size)
        if response is not None:
            spectrum *= np.fft.rfft(response, size)
        spectrum *= self._band(size, rate)
        return np.asarray(np.fft.irfft(spectrum, size)[: len(samples)], np.float32)

    def _band(self, size: int, rate: int) -> npt.NDArray[np.float32]:
        hz, mel = _scales(size, rate)
        low = 1 / np.sqrt(1 + (np.float32(self.lowest_hz) / hz) ** (2 * self.poles))
        high = 1 / np.sqrt(1 + (hz / np.float32(self.highest_hz)) ** (4 * self.poles))
        gain = low * high
        if self.ripple_db:
            knots = np.linspace(0, mel[-1], len(self.ripple_db), dtype=np.float32)
            ripple = np.interp(mel, knots, self.ripple_db).astype(np.float32)
            gain = gain * np.exp(ripple * np.float32(np.log(10) / 20))
        return np.asarray(gain, np.float32)

    def _noise(self, rng: np.random.Generator, samples: int, rate: int) -> Samples:
        total = np.zeros(samples, np.float32)
        for kind in self.noise.split("+"):
            total += {
                "babble": lambda: noise.babble(rng, samples, rate, self.recordings),
                "street": lambda: noise.street(rng, samples, rate),
                "pink": lambda: noise.coloured(rng, samples, rate, 1.0),
            }[kind]()
        return total


def invent(
    rng: np.random.Generator,
    *,
    responses: tuple[Samples, Samples] | None,
    snr_db: float | None,
    codec: str | None = None,
    speed: float = 1.0,
    recordings: Samples | None = None,
) -> Place:
    """A place like those where people hold up their phones."""
    kinds = ("babble", "street", "pink", "babble+pink", "babble+street")
    return Place(
        responses=responses,
        snr_db=snr_db,
        noise=str(rng.choice(kinds, p=(0.3, 0.15, 0.1, 0.3, 0.15))),
        codec=codec,
        speed=speed,
        lowest_hz=float(rng.uniform(60, 400)),
        highest_hz=float(rng.uniform(2_800, 4_500)),
        poles=int(rng.integers(1, 4)),
        ripple_db=tuple(float(db) for db in rng.normal(0, rng.uniform(0, 5), 9)),
        level_db=float(rng.uniform(-45, -8)),
        drive_db=float(max(0.0, rng.uniform(-20, 12))),
        recordings=recordings,
    )


def faster(samples: Samples, speed: float) -> Samples:
    """(N,) → (N / speed,): sample i is what was at i · speed, by cubic interpolation."""
    if speed == 1.0:
        return samples
    at = np.arange(0, len(samples) - 3, speed)
    index = at.astype(int)
    part = (at - index).astype(np.float32)
    before, here, after, later = (samples[np.maximum(index + k, 0)] for k in (-1, 0, 1, 2))
    # Catmull & Rom (1974).
    a = 1.5 * (here - after) + 0.5 * (later - before)
    b = before - 2.5 * here + 2 * after - 0.5 * later
    return np.asarray(((a * part + b) * part + 0.5 * (after - before)) * part + here, np.float32)


def clipped(samples: Samples, drive_db: float) -> Samples:
    """Through a hyperbolic tangent that the loudest tenth of a per cent exceeds by `drive_db`."""
    peak = float(np.quantile(np.abs(samples), 0.999))
    if peak <= 0:
        return samples
    gain = np.float32(10 ** (drive_db / 20) / peak)
    return np.asarray(np.tanh(samples * gain) / gain)


@functools.lru_cache(maxsize=64)
def _scales(size: int, rate: int) -> tuple[Samples, Samples]:
    """Hz (at least 1) and mel of an FFT's bins."""
    hz = np.maximum(np.fft.rfftfreq(size, 1 / rate), 1.0).astype(np.float32)
    return hz, np.log1p(hz / np.float32(700))
