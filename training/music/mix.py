"""A song on paper → samples: played with human hands, balanced, in a room, at one loudness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import fftconvolve, lfilter

from training.music.drums import DRUMS
from training.music.instruments import note
from training.music.score import Note, Part, Song
from training.music.theory import hertz
from training.music.waves import RATE, Rng, Samples, bent, count, noise, through

LOUDNESS = -16.0  # LUFS, what streaming services play mono speech and music at on phones
CEILING = 10 ** (-2.0 / 20)  # Opus overshoots what it was given by up to 1.5 dB
_TAIL_S = 3.0


def render(song: Song, first_s: float | None = None) -> Samples:
    """(N,) in −CEILING…CEILING at `RATE`; of `first_s` only what begins before is played."""
    seconds = _tempo_map(song)
    end_s = min(seconds(song.beats), first_s or np.inf)
    n = count(end_s + _TAIL_S)
    dry, wet = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for part in song.parts.values():
        bus = _balanced(_played(part, song, seconds, n), part, song)
        dry += bus
        wet += bus * np.float32(part.wet)
    return mastered(dry + _reverberated(wet, song.room_s, song.rng), song, end_s)


def _tempo_map(song: Song) -> Callable[[float], float]:
    """beat → seconds: the tempo wanders a little and, where a song says so, slows at its end."""
    grid = np.arange(0, song.beats + 16, 0.25)
    wander = np.cumsum(song.rng.normal(0, 1, len(grid)))
    wander = uniform_filter1d(wander, 33) - np.linspace(wander[0], wander[-1], len(grid))
    wander /= max(1e-9, float(np.abs(wander).max()))
    late = np.clip((grid - (song.beats - song.metre)) / song.metre, 0, 1)
    beat_s = 60 / song.tempo * (1 + song.drift * wander) * (1 + song.slowing * late**2)
    at = np.concatenate([[0.0], np.cumsum(beat_s * 0.25)[:-1]]) + 0.06

    def seconds(beat: float) -> float:
        whole, part = divmod(beat, song.swing_unit)
        share = part / song.swing_unit
        if share < 0.5:
            share *= song.swing / 0.5
        else:
            share = song.swing + (share - 0.5) * (1 - song.swing) / 0.5
        return float(np.interp((whole + share) * song.swing_unit, grid, at))

    return seconds


def _played(part: Part, song: Song, seconds: Callable[[float], float], n: int) -> Samples:
    bus = np.zeros(n, np.float32)
    for given in part.notes:
        if seconds(given.at) > n / RATE - _TAIL_S:
            continue
        at = seconds(given.at) + float(song.rng.normal(0, 1)) * part.jitter_s
        force = float(np.clip(given.force * (1 + 0.09 * song.rng.normal()), 0.08, 1.0))
        held = seconds(given.at + given.beats) - seconds(given.at) if given.beats else 0.0
        sound = _sound(part, given, max(0.04, held), force, song.rng)
        start = max(0, round(at * RATE))
        end = min(n, start + len(sound))
        if end > start:
            bus[start:end] += sound[: end - start] * np.float32(force**1.2)
    return bus


def _sound(part: Part, given: Note, held: float, force: float, rng: Rng) -> Samples:
    if given.drum:
        return DRUMS[given.drum](force, rng)
    sound = note(part.instrument, hertz(given.pitch), held, force, rng)
    if given.slide:
        time = min(0.09, held / 3)
        return bent(sound, lambda t: given.slide * np.exp(-t / time))
    return sound


def _balanced(bus: Samples, part: Part, song: Song) -> Samples:
    """Through its effects, then to its level: dB of the loudest quarter of what it plays."""
    for effect in part.effects:
        bus = effect(bus, song)
    heard = _blocks(_weighted(bus))
    heard = heard[heard > 1e-3 * max(1e-9, heard.max())]
    if not len(heard):
        return bus
    loud = np.sqrt(np.mean(np.sort(heard)[-max(1, len(heard) // 4) :]))
    return bus * np.float32(0.1 * 10 ** (part.level / 20) / max(loud, 1e-6))


def _reverberated(wet: Samples, room_s: float, rng: Rng) -> Samples:
    """Early echoes of six walls and a tail that darkens; `room_s` to −60 dB."""
    length = room_s * 1.1
    tail = noise(length, rng)
    t = np.arange(len(tail), dtype=np.float32) / RATE
    bright = through("low", 7000, tail) * np.exp(-t * 6.9 / (room_s * 0.55))
    dark = through("low", 1800, tail) * np.exp(-t * 6.9 / room_s)
    impulse = through("high", 180, (bright * 0.6 + dark * 1.2) * np.clip(t / 0.012, 0, 1))
    for late in rng.uniform(0.006, 0.045, 6):
        impulse[int(late * RATE)] += np.float32(rng.choice([-1, 1]) * 0.7)
    impulse /= np.sqrt(np.sum(impulse**2))
    return fftconvolve(wet, impulse)[: len(wet)].astype(np.float32)


# the desk


def _weighted(samples: Samples) -> Samples:
    """K-weighting of ITU-R BS.1770: a head that gains 4 dB of treble, and no rumble."""
    return through("high", 38, through("shelf", 1500, samples, 0.707, 4.0), 0.5)


def _blocks(samples: Samples, seconds: float = 0.4) -> NDArray[np.float64]:
    """Mean squares of blocks that overlap by three quarters."""
    size, hop = count(seconds), count(seconds / 4)
    total = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, max(1, len(samples) - size), hop)
    ends = np.minimum(starts + size, len(samples))
    return (total[ends] - total[starts]) / (ends - starts)


def loudness(samples: Samples) -> float:
    """Integrated loudness of mono, LUFS: gated at −70, then 10 LU below the mean (BS.1770-4)."""
    power = _blocks(_weighted(samples))
    level = -0.691 + 10 * np.log10(power + 1e-12)
    if not (level > -70).any():
        return -70.0
    gate = -0.691 + 10 * np.log10(power[level > -70].mean()) - 10
    return float(-0.691 + 10 * np.log10(power[level > max(-70.0, gate)].mean()))


def _compressed(samples: Samples, ratio: float, threshold: float = 0.14) -> Samples:
    hop = count(0.005)
    power = np.add.reduceat(samples.astype(np.float64) ** 2, np.arange(0, len(samples), hop)) / hop
    level = np.sqrt(lfilter([0.12], [1, -0.88], power))
    gain = np.minimum(1, (threshold / np.maximum(level, 1e-6))) ** (1 - 1 / ratio)
    smooth = lfilter([0.1], [1, -0.9], gain - 1) + 1
    return samples * np.interp(
        np.arange(len(samples)), np.arange(len(smooth)) * hop, smooth
    ).astype(np.float32)


def _limited(samples: Samples, ceiling: float) -> Samples:
    """Turned down for the 4 ms around each peak that would pass."""
    width = count(0.004) | 1
    peak = maximum_filter1d(np.abs(samples), width)
    gain = np.minimum(1, ceiling / np.maximum(peak, 1e-6))
    return samples * uniform_filter1d(gain, width).astype(np.float32)


def mastered(samples: Samples, song: Song, end_s: float) -> Samples:
    """Compressed, at `LOUDNESS`, limited, faded, and cut where it has died away."""
    samples = through("high", 28, samples)
    samples = samples * np.float32(10 ** ((LOUDNESS - loudness(samples)) / 20))
    samples = _compressed(samples, song.squeeze)
    for _ in range(3):  # the limiter takes some of it away again
        samples = samples * np.float32(10 ** ((LOUDNESS - loudness(samples)) / 20))
        samples = _limited(samples, CEILING)
    t = np.arange(len(samples)) / RATE
    stop = min(t[-1], end_s + 0.4 * _TAIL_S)
    samples = samples * np.clip((stop - t) / song.fade_s, 0, 1).astype(np.float32)
    heard = np.flatnonzero(np.sqrt(_blocks(samples, 0.1)) > 0.003)
    return np.clip(samples[: (int(heard[-1]) + 4) * count(0.025)], -CEILING, CEILING)
