"""One stroke on something that has no pitch to play a tune on: (force 0…1, rng) → samples.

Membranes are a few low partials that fall in pitch, cymbals noise and a crowd of high partials.
Levels are those of a kit as a drummer balances it: the bass drum near 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.music.waves import (
    Rng,
    Samples,
    clock,
    driven,
    fall,
    modes,
    noise,
    sine,
    swell,
    through,
    wave,
)

Stroke = Callable[[float, Rng], Samples]


def _skin(start: float, end: float, drop: float, ring: float, click: float, rng: Rng) -> Samples:
    """A membrane: its pitch falls from `start` to `end` Hz within `drop` s."""
    length = ring * 4
    t = clock(length)
    detune = 2 ** (rng.normal(0, 0.15) / 12)
    pitch = (detune * (end + (start - end) * np.exp(-t / drop))).astype(np.float32)
    out = sine(pitch, length) * fall(length, ring)
    tick = through("high", 1200, noise(0.02, rng)) * fall(0.02, 0.004) * np.float32(click)
    out[: len(tick)] += tick[: len(out)]
    return out


def _kick(force: float, rng: Rng) -> Samples:
    return _skin(150, 52, 0.03, 0.1, 0.9, rng)


def _soft_kick(force: float, rng: Rng) -> Samples:
    return through("low", 1500, _skin(95, 50, 0.03, 0.12, 0.3, rng)) * np.float32(0.85)


def _machine_kick(force: float, rng: Rng) -> Samples:
    return driven(_skin(230, 47, 0.035, 0.13, 0.5, rng), 2.2)


def _deep_kick(force: float, rng: Rng) -> Samples:
    """The long one of the drum machine that hip hop never put away."""
    return driven(_skin(130, 44, 0.04, 0.28, 0.4, rng), 1.5)


def _metal_kick(force: float, rng: Rng) -> Samples:
    out = _skin(170, 58, 0.02, 0.07, 1.5, rng)
    return through("peak", 3500, out, 1.2, 5)


def _hard_kick(force: float, rng: Rng) -> Samples:
    return driven(_skin(260, 50, 0.03, 0.12, 1.5, rng), 7) * np.float32(0.9)


def _wires(length: float, time: float, low: float, rng: Rng) -> Samples:
    return through("high", low, noise(length, rng)) * fall(length, time)


def _snare(force: float, rng: Rng) -> Samples:
    head = np.array([186.0, 331.0, 470.0]) * rng.uniform(0.98, 1.02)
    shell = modes(head, np.array([0.07, 0.05, 0.03]),
                  np.array([0.5, 0.3, 0.2]), 0.35, rng)  # fmt: skip
    return shell * np.float32(0.8) + _wires(0.35, 0.05 + 0.04 * force, 1400, rng) * np.float32(1.5)


def _fat_snare(force: float, rng: Rng) -> Samples:
    shell = modes(np.array([160.0, 240.0]), np.array([0.12, 0.08]), np.array([0.6, 0.3]), 0.4, rng)
    return driven(shell + _wires(0.4, 0.09, 900, rng) * np.float32(1.4), 1.4)


def _gated_snare(force: float, rng: Rng) -> Samples:
    """As much room as there is, cut off at once."""
    length = 0.34
    body = modes(np.array([180.0, 290.0]), np.array([0.15, 0.1]), np.array([0.6, 0.3]), length, rng)
    room = through("low", 7000, through("high", 500, noise(length, rng))) * np.float32(1.6)
    gate = np.clip((0.26 - clock(length)) / 0.025, 0, 1)
    return ((body + room * (0.35 + 0.65 * fall(length, 0.06))) * gate).astype(np.float32)


def _machine_snare(force: float, rng: Rng) -> Samples:
    body = sine(190, 0.25) * fall(0.25, 0.05) + sine(330, 0.25) * fall(0.25, 0.03)
    return body * np.float32(0.5) + _wires(0.25, 0.07, 2000, rng) * np.float32(1.3)


def _industrial_snare(force: float, rng: Rng) -> Samples:
    clang = modes(rng.uniform(300, 3000, 9), rng.uniform(0.03, 0.12, 9), np.full(9, 0.12), 0.4, rng)
    return driven(_fat_snare(force, rng) + clang, 4)


def _clap(force: float, rng: Rng) -> Samples:
    """Three or four pairs of hands, not quite together."""
    out = np.zeros(len(clock(0.3)), np.float32)
    for at in np.cumsum(rng.uniform(0.006, 0.013, 4)) - 0.006:
        hand = through("band", 1300 * rng.uniform(0.85, 1.15), noise(0.2, rng), 1.1) * fall(
            0.2, 0.02
        )
        start = int(at * len(out) / 0.3)
        out[start : start + len(hand)] += hand[: len(out) - start]
    return out * np.float32(1.5)


def _snap(force: float, rng: Rng) -> Samples:
    return through("band", 2300, noise(0.12, rng), 2.5) * fall(0.12, 0.018) * np.float32(2.2)


def _rim(force: float, rng: Rng) -> Samples:
    return modes(np.array([430.0, 1020.0, 1710.0]), np.array([0.02, 0.025, 0.012]),
                 np.array([0.4, 0.5, 0.4]), 0.12, rng)  # fmt: skip


def _cymbal(
    length: float, time: float, low: float, level: float, rng: Rng, crowd: int = 24
) -> Samples:
    partials = low * rng.uniform(0.6, 4.5, crowd)
    ringing = modes(partials, rng.uniform(0.5, 1.3, crowd) * time, np.full(crowd, 0.9 / crowd**0.7),
                    length, rng)  # fmt: skip
    hiss = through("high", low, noise(length, rng)) * fall(length, time)
    return (through("high", low * 0.5, ringing) + hiss * np.float32(0.8)) * np.float32(level)


def _hat(force: float, rng: Rng) -> Samples:
    return _cymbal(0.11, 0.014 + 0.016 * force, 6000, 0.55, rng)


def _open_hat(force: float, rng: Rng) -> Samples:
    return _cymbal(0.45, 0.14, 5500, 0.5, rng)


def _machine_hat(force: float, rng: Rng) -> Samples:
    """Six square waves that agree on nothing, as in the drum machine."""
    length = 0.09
    out = np.zeros(len(clock(length)), np.float32)
    for hz in (2130.0, 3190.0, 3620.0, 4870.0, 5400.0, 6710.0):
        out += wave("pulse0.5", hz, length, rng.random())
    return through("high", 7000, out) * fall(length, 0.02) * np.float32(0.35)


def _machine_open(force: float, rng: Rng) -> Samples:
    return through("high", 7500, noise(0.35, rng)) * fall(0.35, 0.1) * np.float32(0.7)


def _ride(force: float, rng: Rng) -> Samples:
    ping = modes(np.array([3150.0, 4480.0, 5900.0, 7350.0]), np.array([0.12, 0.2, 0.15, 0.1]),
                 np.array([0.12, 0.09, 0.08, 0.05]), 0.9, rng)  # fmt: skip
    return ping + _cymbal(0.9, 0.24, 4200, 0.2, rng)


def _crash(force: float, rng: Rng) -> Samples:
    return _cymbal(2.0, 0.5, 2800, 0.6, rng, 40)


def _china(force: float, rng: Rng) -> Samples:
    return driven(_cymbal(1.0, 0.2, 1700, 0.6, rng, 40), 1.6)


def _tom(hz: float) -> Stroke:
    def stroke(force: float, rng: Rng) -> Samples:
        return _skin(hz * 1.45, hz, 0.05, 0.13, 0.5, rng) * np.float32(0.8)

    return stroke


def _synth_tom(hz: float) -> Stroke:
    def stroke(force: float, rng: Rng) -> Samples:
        return _skin(hz * 2.6, hz, 0.11, 0.17, 0.2, rng) * np.float32(0.8)

    return stroke


def _hand(hz: float, ring: float, slap: float) -> Stroke:
    """Congas, bongos, tablas: a skin struck by fingers."""

    def stroke(force: float, rng: Rng) -> Samples:
        tuned = hz * np.array([1.0, 1.6, 2.3, 3.1]) * 2 ** (rng.normal(0, 0.12) / 12)
        out = modes(tuned, ring / np.array([1, 1.8, 3, 4]), np.array([0.6, 0.2, 0.12, 0.08]),
                    ring * 4, rng)  # fmt: skip
        tick = through("band", 1800, noise(0.05, rng), 0.9) * fall(0.05, 0.008) * np.float32(slap)
        out[: len(tick)] += tick[: len(out)]
        return out

    return stroke


def _shaker(force: float, rng: Rng) -> Samples:
    length = 0.12
    return (
        through("band", 6500, noise(length, rng), 0.9)
        * swell(length, 0.025, 0.07)
        * np.float32(0.5)
    )


def _tambourine(force: float, rng: Rng) -> Samples:
    jingles = modes(rng.uniform(4500, 11000, 18), rng.uniform(0.03, 0.09, 18), np.full(18, 0.06),
                    0.25, rng)  # fmt: skip
    return jingles + through("high", 6000, noise(0.25, rng)) * fall(0.25, 0.03) * np.float32(0.35)


def _clave(force: float, rng: Rng) -> Samples:
    return modes(
        np.array([2480.0, 5300.0]), np.array([0.03, 0.012]), np.array([0.6, 0.15]), 0.15, rng
    )


def _cowbell(force: float, rng: Rng) -> Samples:
    out = wave("pulse0.5", 562, 0.25) + wave("pulse0.5", 845, 0.25)
    return through("band", 1000, out, 1.2) * fall(0.25, 0.06) * np.float32(0.4)


def _guiro(force: float, rng: Rng) -> Samples:
    length = 0.22
    teeth = np.clip(np.sin(2 * np.pi * 65 * clock(length)), 0, 1) ** 4
    return (
        through("band", 3300, noise(length, rng) * teeth, 1.2)
        * swell(length, 0.05, 0.05)
        * np.float32(1.2)
    )


def _swish(force: float, rng: Rng) -> Samples:
    """A brush drawn over the skin."""
    length = 0.3
    return (
        through("band", 3800, noise(length, rng), 0.6)
        * swell(length, 0.12, 0.16)
        * np.float32(0.35)
    )


def _brush(force: float, rng: Rng) -> Samples:
    return through("band", 2400, noise(0.16, rng), 0.6) * fall(0.16, 0.035) * np.float32(0.9)


def _timpani(force: float, rng: Rng) -> Samples:
    tuned = 73.4 * np.array([1.0, 1.5, 1.99, 2.44, 2.89])
    out = modes(
        tuned, np.array([0.7, 0.6, 0.4, 0.3, 0.2]), np.array([0.5, 0.35, 0.2, 0.12, 0.08]), 1.8, rng
    )
    return out + through("low", 500, noise(1.8, rng)) * fall(1.8, 0.02)


def _taiko(force: float, rng: Rng) -> Samples:
    out = _skin(120, 62, 0.06, 0.3, 0.8, rng)
    slap = through("low", 1200, noise(0.1, rng)) * fall(0.1, 0.02)
    out[: len(slap)] += slap * np.float32(1.2)
    return out


def _clank(force: float, rng: Rng) -> Samples:
    """Pipe on plate."""
    base = rng.uniform(380, 900)
    out = modes(
        base * rng.uniform(1, 7, 14), rng.uniform(0.03, 0.25, 14), np.full(14, 0.13), 0.8, rng
    )
    return driven(out, 2.5) * np.float32(0.7)


def _steam(force: float, rng: Rng) -> Samples:
    return through("band", 3000, noise(0.4, rng), 0.7) * swell(0.4, 0.03, 0.3) * np.float32(1.0)


def _chip_noise(length: float, time: float, hold: int) -> Stroke:
    """The console's noise: a random level held for `hold` samples."""

    def stroke(force: float, rng: Rng) -> Samples:
        n = len(clock(length))
        levels = rng.choice(np.array([-0.5, 0.5], np.float32), n // hold + 1)
        return np.repeat(levels, hold)[:n] * fall(length, time)

    return stroke


def _chip_kick(force: float, rng: Rng) -> Samples:
    t = clock(0.12)
    return wave("triangle", (60 + 260 * np.exp(-t / 0.02)).astype(np.float32), 0.12) * fall(
        0.12, 0.05
    )


def _crackle(force: float, rng: Rng) -> Samples:
    """A second of an old record."""
    out = np.zeros(len(clock(1.0)), np.float32)
    at = rng.integers(0, len(out), 14)
    out[at] = rng.uniform(-1, 1, 14) * rng.random(14) ** 2
    return through("band", 2500, out, 0.6) * np.float32(1.5) + through(
        "high", 3000, noise(1.0, rng)
    ) * np.float32(0.02)


DRUMS: dict[str, Stroke] = {
    "kick": _kick, "soft kick": _soft_kick, "machine kick": _machine_kick, "deep kick": _deep_kick,
    "metal kick": _metal_kick, "hard kick": _hard_kick, "snare": _snare, "fat snare": _fat_snare,
    "gated snare": _gated_snare, "machine snare": _machine_snare,
    "industrial snare": _industrial_snare, "clap": _clap, "snap": _snap, "rim": _rim, "hat": _hat,
    "open hat": _open_hat, "machine hat": _machine_hat, "machine open": _machine_open,
    "ride": _ride, "crash": _crash, "china": _china, "high tom": _tom(170), "tom": _tom(125),
    "low tom": _tom(88), "synth high tom": _synth_tom(170), "synth tom": _synth_tom(115),
    "synth low tom": _synth_tom(75), "conga": _hand(215, 0.12, 0.4),
    "low conga": _hand(155, 0.16, 0.3),
    "slap": _hand(260, 0.05, 1.4), "bongo": _hand(390, 0.07, 0.6), "tabla": _hand(310, 0.22, 0.7),
    "low tabla": _hand(95, 0.3, 0.3), "bodhran": _hand(80, 0.14, 0.5),
    "bodhran rim": _hand(140, 0.06, 0.8),
    "shaker": _shaker, "tambourine": _tambourine, "clave": _clave, "cowbell": _cowbell,
    "guiro": _guiro, "swish": _swish, "brush": _brush, "timpani": _timpani, "taiko": _taiko,
    "clank": _clank, "steam": _steam, "chip kick": _chip_kick,
    "chip snare": _chip_noise(0.16, 0.05, 3),
    "chip hat": _chip_noise(0.05, 0.015, 1), "crackle": _crackle,
}  # fmt: skip
