"""What stands between an instrument and the desk: amplifiers, pedals, echoes, automation.

Each is made with its settings and then takes (samples of the whole part, the song) → samples.
"""

from __future__ import annotations

import numpy as np

from training.music.score import Effect, Song
from training.music.waves import RATE, Samples, count, driven, moving, sine, through


def _level(samples: Samples) -> np.float32:
    return np.float32(max(1e-6, np.sqrt(np.mean(samples[np.abs(samples) > 1e-4] ** 2 + 1e-12))))


def amp(gain: float, bright_hz: float = 4200) -> Effect:
    """A valve amplifier and its loudspeaker. `gain` 2 sings, 12 is metal."""

    def effect(samples: Samples, song: Song) -> Samples:
        if not samples.any():
            return samples
        pushed = through("high", 130, samples / _level(samples) * np.float32(0.25))
        out = driven(through("peak", 900, pushed, 0.8, 5), gain)
        out = driven(out + np.float32(0.06), 1.3) - np.tanh(np.float32(0.078))
        out = through("low", bright_hz, through("low", bright_hz * 1.15, out))
        return through("high", 75, through("peak", 2400, out, 1.2, 4))

    return effect


def chorus(depth_ms: float = 3.0, rate: float = 0.8, level: float = 0.7) -> Effect:
    """A second player: the same, late by a time that moves."""

    def effect(samples: Samples, song: Song) -> Samples:
        n = len(samples)
        sweep = sine(rate, n / RATE, float(song.rng.random()))[:n]
        late = (9 + depth_ms * (1 + sweep)) * 1e-3 * RATE
        return samples + np.float32(level) * np.interp(
            np.arange(n) - late, np.arange(n), samples, left=0
        ).astype(np.float32)

    return effect


def phaser(rate: float = 0.25, low: float = 250, high: float = 2200) -> Effect:
    def effect(samples: Samples, song: Song) -> Samples:
        n = len(samples)
        sweep = 0.5 + 0.5 * sine(rate, n / RATE, float(song.rng.random()))[:n]
        where = (low * (high / low) ** sweep).astype(np.float32)
        out = samples
        for ratio in (1.0, 1.9):
            out = moving("all", np.clip(where * ratio, 50, 12_000), out, q=0.6)
        return (samples + out) * np.float32(0.7)

    return effect


def tremolo(rate: float = 5.5, depth: float = 0.5) -> Effect:
    def effect(samples: Samples, song: Song) -> Samples:
        wobble = sine(rate, len(samples) / RATE)[: len(samples)]
        return samples * (1 - np.float32(depth) * (0.5 + 0.5 * wobble))

    return effect


def echo(beats: float, feedback: float = 0.4, level: float = 0.35, dark_hz: float = 2500) -> Effect:
    """A tape: each repeat darker than the one before."""

    def effect(samples: Samples, song: Song) -> Samples:
        late = count(beats * 60 / song.tempo)
        out, repeat = samples.copy(), samples * np.float32(level)
        for _ in range(7):
            repeat = through(
                "low", dark_hz, np.concatenate([np.zeros(late, np.float32), repeat[:-late]])
            )
            out += repeat
            repeat = repeat * np.float32(feedback)
        return out

    return effect


def sweep(low: float, high: float, beats: float, q: float = 0.9, kind: str = "low") -> Effect:
    """A filter opened and shut by hand: a cycle about every `beats`, never the same one twice."""

    def effect(samples: Samples, song: Song) -> Samples:
        cycles = len(samples) / RATE * song.tempo / 60 / beats
        knots = max(4, round(cycles * 2))
        hand = np.where(np.arange(knots) % 2, 1.0, 0.0) + song.rng.normal(0, 0.25, knots)
        place = np.linspace(0, knots - 1, len(samples))
        ease = np.interp(place, np.arange(knots), np.clip(hand, 0, 1))
        return moving(kind, (low * (high / low) ** ease).astype(np.float32), samples, q=q)

    return effect


def duck(depth: float = 0.7, beats: float = 1.0, recover: float = 0.6) -> Effect:
    """Makes way for a bass drum on every `beats`."""

    def effect(samples: Samples, song: Song) -> Samples:
        period = beats * 60 / song.tempo * RATE
        since = (np.arange(len(samples)) % period) / period
        return samples * (1 - depth * np.exp(-since / recover * 3)).astype(np.float32)

    return effect


def crush(levels: int, hold: int) -> Effect:
    """Few bits, few samples a second."""

    def effect(samples: Samples, song: Song) -> Samples:
        peak = np.float32(max(1e-6, float(np.abs(samples).max())))
        kept = np.repeat(samples[::hold], hold)[: len(samples)] / peak
        return np.round(kept * levels) / np.float32(levels) * peak

    return effect


def ring(hz: float, level: float = 0.6) -> Effect:
    def effect(samples: Samples, song: Song) -> Samples:
        carrier = sine(hz, len(samples) / RATE)[: len(samples)]
        return samples * (1 - np.float32(level) + np.float32(level) * carrier)

    return effect


def cut(kind: str, hz: float, q: float = 0.707, gain_db: float = 0.0) -> Effect:
    def effect(samples: Samples, song: Song) -> Samples:
        return through(kind, hz, samples, q, gain_db)

    return effect


def grit(gain: float) -> Effect:
    """Distortion without a loudspeaker behind it."""

    def effect(samples: Samples, song: Song) -> Samples:
        return (
            driven(samples / _level(samples) * np.float32(0.25), gain) if samples.any() else samples
        )

    return effect


def backwards(beats: float) -> Effect:
    """The tape turned over, every `beats` on its own."""

    def effect(samples: Samples, song: Song) -> Samples:
        length = count(beats * 60 / song.tempo)
        out = samples.copy()
        for start in range(0, len(out) - length, length):
            out[start : start + length] = out[start : start + length][::-1]
        return out

    return effect
