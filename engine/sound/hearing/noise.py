"""What else is heard where music plays: voices, streets, kitchens; all made here, from a seed.

Recordings of real voices can be given where there are any; the benchmark does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

# Formants of vowels between [i], [a] and [u], Hz: Peterson & Barney (1952), men.
VOWELS = np.array(
    [
        (270, 2290, 3010),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1090, 2440),
        (570, 840, 2410),
        (440, 1020, 2240),
        (300, 870, 2240),
    ],
    np.float64,
)
FORMANT_WIDTHS_HZ = (90.0, 110.0, 170.0)


def coloured(rng: np.random.Generator, samples: int, rate: int, slope: float) -> Samples:
    """(N,) of mean square 1, its power as frequency to the −`slope`: 1 is pink, 2 brown."""
    size = fast_length(samples)
    hz = np.fft.rfftfreq(size, 1 / rate).astype(np.float32)
    shape = np.maximum(hz, 40.0) ** np.float32(-slope / 2)
    shape[hz < 40] = 0
    phases = rng.standard_normal((len(hz), 2), np.float32).view(np.complex64)[:, 0]
    return normal(np.fft.irfft(phases * shape, size)[:samples])


def babble(
    rng: np.random.Generator, samples: int, rate: int, recordings: Samples | None = None
) -> Samples:
    """(N,) of mean square 1: three to nine people at once, near and far.

    `recordings`: (M,) speech at `rate`, anybody's one after the other; invented where None.
    """
    total = np.zeros(samples, np.float32)
    for _ in range(int(rng.integers(3, 10))):
        if recordings is not None and len(recordings) > samples:
            start = int(rng.integers(len(recordings) - samples))
            voice = recordings[start : start + samples].astype(np.float32)
        else:
            voice = speech(rng, samples, rate)
        total += normal(voice) * np.float32(10 ** (rng.uniform(-12, 0) / 20))
    return normal(total)


def street(rng: np.random.Generator, samples: int, rate: int) -> Samples:
    """(N,) of mean square 1: rumble, cars that pass, now and then something that clatters."""
    total = coloured(rng, samples, rate, rng.uniform(1.0, 2.0)) * np.float32(rng.uniform(0.3, 1))
    t = np.arange(samples, dtype=np.float32) / rate
    for _ in range(int(rng.integers(0, 4))):
        passing, width = rng.uniform(0, samples / rate), rng.uniform(0.5, 2.5)
        near = 1 / (1 + ((t - np.float32(passing)) / np.float32(width)) ** 2)
        total += coloured(rng, samples, rate, rng.uniform(0.5, 1.5)) * near
    for _ in range(int(rng.poisson(samples / rate * 0.4))):
        total += clatter(rng, samples, rate) * np.float32(rng.uniform(1, 5))
    return normal(total)


def clatter(rng: np.random.Generator, samples: int, rate: int) -> Samples:
    """(N,) of peak about 1: one blow on something with a few resonances."""
    length = min(samples, int(rng.uniform(0.03, 0.3) * rate))
    start = int(rng.integers(max(samples - length, 1)))
    t = np.arange(length, dtype=np.float32) / rate
    blow = np.zeros(length, np.float32)
    for hz in rng.uniform(300, rate * 0.45, int(rng.integers(2, 7))):
        blow += np.sin(2 * np.pi * hz * t) * np.exp(-t * rng.uniform(15, 150))
    out = np.zeros(samples, np.float32)
    out[start : start + length] = blow / max(float(np.abs(blow).max()), 1e-9)
    return out


def speech(rng: np.random.Generator, samples: int, rate: int) -> Samples:
    """(N,): one voice that says nothing: pulses of the glottis through vowels, hisses, pauses."""
    syllable = rng.uniform(0.13, 0.28)
    count = int(samples / rate / syllable) + 2
    knots = np.arange(count) * syllable
    t = np.arange(samples) / rate
    pitch = rng.uniform(85, 250) * 2 ** (rng.normal(0, 0.15, count))
    f0 = np.interp(t, knots, pitch)
    pulses = np.diff(np.floor(np.cumsum(f0) / rate), prepend=0.0)
    loud = np.interp(t, knots, rng.uniform(0.2, 1, count) * (rng.random(count) > 0.25))
    loud *= (0.1 + 0.9 * np.abs(np.sin(np.pi * t / syllable))) * loud
    hiss = rng.standard_normal(samples) * np.interp(t, knots, (rng.random(count) > 0.75) * 0.02)
    stretch = rng.uniform(0.9, 1.2)
    voiced = _through_vowels(rng, (pulses + hiss) * loud, rate, syllable, stretch)
    return voiced.astype(np.float32)


def _through_vowels(
    rng: np.random.Generator,
    source: npt.NDArray[np.float64],
    rate: int,
    syllable_s: float,
    stretch: float,
) -> npt.NDArray[np.float64]:
    """The source through one vowel's resonances a syllable, overlapping by half."""
    hop = int(syllable_s * rate / 2)
    size = fast_length(4 * hop)
    window = np.hanning(2 * hop + 1)[:-1]
    padded = np.pad(source, (hop, 3 * hop))
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop]
    hz = np.fft.rfftfreq(size, 1 / rate)
    formants = VOWELS[rng.integers(len(VOWELS), size=len(pieces))] * stretch
    gains = sum(
        loud / (1 + ((hz - formants[:, k, None]) / width) ** 2)
        for k, (width, loud) in enumerate(zip(FORMANT_WIDTHS_HZ, (1.0, 0.5, 0.25), strict=True))
    )
    through = np.fft.irfft(np.fft.rfft(pieces * window, size) * gains, size)
    out = np.zeros(len(pieces) * hop + size)
    for at, piece in enumerate(through):
        out[at * hop : at * hop + size] += piece
    return out[hop : hop + len(source)]


def normal(samples: npt.NDArray[np.floating]) -> Samples:
    """Mean square 1, or silence as it is."""
    level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return (samples / level if level > 0 else samples).astype(np.float32)


def fast_length(samples: int) -> int:
    """The next product of a power of two with 1, 3, 5 or 9: FFTs of these are fast."""
    return min(odd << max(0, int(np.ceil(np.log2(samples / odd)))) for odd in (1, 3, 5, 9))
