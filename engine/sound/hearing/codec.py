"""What recorders and messengers do to sound: encoded, decoded again, its delay taken out."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import av
import numpy as np

from engine.sound.audio import RATE, Samples, decode, encode, resample


@dataclass(frozen=True)
class Codec:
    """A container and an encoder of ffmpeg, kbit a second, and the rate that it works at, Hz."""

    container: str
    encoder: str
    kbit: int
    rate: int


CODECS = {
    "opus-12k": Codec("ogg", "libopus", 12, 16_000),
    "opus-24k": Codec("ogg", "libopus", 24, 48_000),
    "opus-32k": Codec("webm", "libopus", 32, 48_000),
    "aac-32k": Codec("mp4", "aac", 32, 16_000),
    "aac-64k": Codec("mp4", "aac", 64, 44_100),
    "mp3-48k": Codec("mp3", "libmp3lame", 48, 22_050),
    "amr-nb": Codec("amr", "libopencore_amrnb", 12, 8_000),
}


@functools.cache
def available() -> tuple[str, ...]:
    """Names of those that this ffmpeg can encode."""
    return tuple(name for name, one in CODECS.items() if one.encoder in av.codecs_available)


def coded(samples: Samples, rate: int, name: str) -> Samples:
    """(N,) at `rate` Hz, −1…1 → (N,) at `rate`, as it comes back, in step to a few ms."""
    late = int(_delay_s(name) * rate)
    back = _there_and_back(np.pad(samples, (0, late)), rate, CODECS[name])
    return _of_length(back[late:], len(samples))


@functools.cache
def _delay_s(name: str) -> float:
    """What this codec is late by after its file has told of it: measured once, on noise."""
    rng = np.random.default_rng(0)
    hz = np.fft.rfftfreq(RATE, 1 / RATE)
    spectrum = rng.standard_normal(len(hz)) * ((hz > 300) & (hz < 3_000))
    # Louder and fainter, so that a codec of speech has something to keep in time.
    t = np.arange(RATE) / RATE
    noise = np.fft.irfft(spectrum * np.exp(2j * np.pi * rng.random(len(hz))))
    noise *= np.sin(2 * np.pi * 3 * t + 5 * t**2) ** 4
    sound = np.pad(0.2 * noise / noise.std(), RATE // 2).astype(np.float32)
    back = _of_length(_there_and_back(sound, RATE, CODECS[name]), len(sound))
    size = 2 * len(sound)
    likeness = np.fft.irfft(np.fft.rfft(back, size) * np.conj(np.fft.rfft(sound, size)))
    return int(np.abs(likeness[: RATE // 4]).argmax()) / RATE


def _there_and_back(samples: Samples, rate: int, codec: Codec) -> Samples:
    limited = np.clip(resample(samples, rate, codec.rate), -1, 1)
    sent = encode(limited, codec.rate, codec.container, codec.encoder, kbit=codec.kbit)
    return resample(decode(sent), RATE, rate)


def _of_length(samples: Samples, length: int) -> Samples:
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
