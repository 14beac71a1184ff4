"""One note of an instrument: (Hz, seconds held, force 0…1, rng) → samples, its ring included.

Plucked and struck ones are sums of decaying partials (`waves.modes`), blown and bowed ones
periodic waves with a player's vibrato through filters, electric ones whatever their makers did.
A note peaks near 1 at force 1; `mix` sets how loud an instrument is among others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.music.waves import (
    RATE,
    Rng,
    Samples,
    bent,
    clock,
    driven,
    fall,
    modes,
    moving,
    noise,
    sine,
    swell,
    through,
    vibrato,
    vowel,
    wave,
)

Instrument = Callable[[float, float, float, Rng], Samples]
INSTRUMENTS: dict[str, Instrument] = {}


def _named(name: str) -> Callable[[Instrument], Instrument]:
    def keep(instrument: Instrument) -> Instrument:
        INSTRUMENTS[name] = instrument
        return instrument

    return keep


def note(name: str, hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return INSTRUMENTS[name](hz, seconds, force, rng)


# plucked and struck


def _let_go(samples: Samples, seconds: float, release: float) -> Samples:
    """Damped from `seconds` on."""
    t = np.arange(len(samples), dtype=np.float32) / RATE
    samples *= np.exp(-np.maximum(0, t - seconds) / release)
    return samples


def _string(
    hz: float,
    seconds: float,
    force: float,
    rng: Rng,
    *,
    ring: float,
    bright: float,
    pick: float,
    stiff: float = 2e-5,
    damp: float = 0.06,
    partials: int = 48,
) -> Samples:
    """A plucked string: partial k sounds by where it is picked, and dies the sooner the higher.

    `ring` s to 1/e of the lowest; `bright`: how many partials a full pluck excites; `pick`: where
    it is plucked, as a share of the string.
    """
    k = np.arange(1, partials + 1, dtype=np.float64)
    tone = bright * (0.45 + 0.55 * force)
    weights = np.abs(np.sin(np.pi * k * pick * rng.uniform(0.92, 1.08))) / k**0.6
    weights *= np.exp(-k / tone) * rng.uniform(0.8, 1.2, partials)
    weights /= weights.sum() * 0.55
    decay = ring * (220 / hz) ** 0.4 / (1 + 0.10 * k + 0.012 * k**1.8)
    tuned = hz * 2 ** (rng.normal(0, 2.5) / 1200) * k * np.sqrt(1 + stiff * k * k)
    length = seconds + 5 * damp
    out = modes(tuned, decay, weights, length, rng)
    click = noise(min(0.012, length), rng) * fall(min(0.012, length), 0.003)
    out[: len(click)] += click * np.float32(0.25 * force)
    return _let_go(out, seconds, damp)


def _body(samples: Samples, *resonances: tuple[float, float]) -> Samples:
    """The wood under strings: peaks in dB at Hz."""
    for hz, gain in resonances:
        samples = through("peak", hz, samples, q=2.2, gain_db=gain)
    return samples


@_named("nylon guitar")
def _nylon(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=1.1, bright=7, pick=0.22, partials=30)
    return _body(out, (110, 5), (230, 4))


@_named("steel guitar")
def _steel(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=1.6, bright=16, pick=0.13, stiff=5e-5)
    return through("high", 90, _body(out, (120, 4), (2800, 5)))


@_named("ukulele")
def _ukulele(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=0.4, bright=8, pick=0.2, partials=24)
    return _body(through("high", 200, out), (450, 6), (900, 3))


@_named("banjo")
def _banjo(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=0.28, bright=26, pick=0.07, stiff=8e-5)
    return through("high", 250, _body(out, (650, 8), (1700, 5)))


@_named("electric guitar")
def _electric(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=2.2, bright=10, pick=0.17)
    return through("low", 4200, _body(out, (1800, 4)))


@_named("muted guitar")
def _muted(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Under the palm: all pick and thud."""
    out = _string(hz, min(seconds, 0.16), force, rng, ring=0.11, bright=9, pick=0.1, damp=0.03)
    return through("low", 3500, out)


@_named("harp")
def _harp(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _string(
        hz, seconds + 0.8, force, rng, ring=1.8, bright=6, pick=0.35, damp=0.3, partials=24
    )


@_named("harpsichord")
def _harpsichord(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, 0.9, rng, ring=1.5, bright=40, pick=0.09, stiff=3e-5, damp=0.04)
    low = _string(hz * 2, seconds, 0.9, rng, ring=1.1, bright=30, pick=0.12, damp=0.04)
    out[: len(low)] += 0.5 * low
    return through("high", 140, out) * np.float32(0.8)


@_named("sitar")
def _sitar(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """The bridge buzzes: its partials bloom upwards, and sympathetic strings go on ringing."""
    length = seconds + 0.4
    string = _string(hz, length, force, rng, ring=1.6, bright=22, pick=0.08, stiff=1e-5, damp=0.2)
    t = np.arange(len(string), dtype=np.float32) / RATE
    buzz = driven(string, 6) - string * 3
    buzz = moving("band", 900 + 2600 * np.exp(-t / 0.35), buzz, q=1.6)
    under = modes(
        hz * np.array([1.0, 1.5, 2.0, 3.0]),
        np.full(4, 1.5),
        np.full(4, 0.05),
        len(string) / RATE,
        rng,
    )
    out = string * np.float32(0.7) + buzz * np.float32(0.5)
    out[: len(under)] += under[: len(out)]
    return through("high", 120, out)


@_named("bass guitar")
def _bass(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=0.9, bright=5.5, pick=0.2, partials=20)
    return driven(through("low", 1800, out), 1.4)


@_named("picked bass")
def _picked_bass(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=0.8, bright=13, pick=0.12, partials=34)
    return driven(through("low", 3200, out), 2.2)


@_named("upright bass")
def _upright(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=0.5, bright=3.6, pick=0.3, partials=16, damp=0.09)
    thump = sine(75, 0.06) * fall(0.06, 0.02)
    out[: len(thump)] += thump[: len(out)] * np.float32(0.3)
    return _body(out, (100, 4), (700, 3))


@_named("piano")
def _piano(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Three stiff strings a note, a hair apart, and a hammer that is softer when slower."""
    k = np.arange(1, 37, dtype=np.float64)
    tone = (3.0 + 9 * force**1.5) * (300 / hz) ** 0.35
    weights = np.exp(-k / tone) / k**0.7 * np.abs(np.sin(np.pi * k / 8.5))
    weights /= weights.sum() * 0.6
    ring = 2.6 * (220 / hz) ** 0.55 / (1 + 0.14 * k + 0.01 * k**1.6)
    stiff = 3e-4 * (hz / 440) ** 1.2
    tuned = hz * k * np.sqrt(1 + stiff * k * k)
    unison = 2 ** (rng.uniform(0.3, 0.9) / 1200)
    both = np.concatenate([tuned / unison, tuned * unison])
    length = seconds + 0.35
    out = modes(
        both,
        np.concatenate([ring, ring * 0.6]),
        np.concatenate([weights, weights]) / 1.4,
        length,
        rng,
    )
    knock = through("low", 900, noise(0.03, rng) * fall(0.03, 0.008))
    out[: len(knock)] += knock[: len(out)] * np.float32(0.35 * force)
    return _let_go(out, seconds, 0.09)


@_named("felt piano")
def _felt(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return through("low", 1400, _piano(hz, seconds + 0.3, force * 0.45, rng)) * np.float32(1.2)


@_named("honky piano")
def _honky(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Out of tune with itself, as in a saloon."""
    out = _piano(hz * 2 ** (6 / 1200), seconds, min(1, force + 0.2), rng)
    other = _piano(hz * 2 ** (-6 / 1200), seconds, min(1, force + 0.2), rng)
    return (out + other) * np.float32(0.6)


@_named("electric piano")
def _electric_piano(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """A tine: nearly a sine, with a bell on top that a hard stroke brings out."""
    length = seconds + 0.15
    t = clock(length)
    bark = force**1.5 * (1.2 * np.exp(-t / 0.5) + 0.25)
    body = np.sin(2 * np.pi * hz * t + bark * np.sin(2 * np.pi * hz * t)) * np.exp(-t / 1.6)
    bell = modes(
        np.array([hz * 7.07, hz * 13.1]), np.array([0.25, 0.1]), np.array([0.16, 0.07]), length, rng
    )
    out = (body.astype(np.float32) + bell * np.float32(force)) * np.float32(0.8)
    return _let_go(out * (1 + 0.12 * sine(5.1, length, rng.random())), seconds, 0.08)


@_named("clavinet")
def _clavinet(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _string(hz, seconds, force, rng, ring=0.7, bright=30, pick=0.06, damp=0.02)
    return driven(through("peak", 1500, through("high", 180, out), 1.5, 7), 2)


def _bar(
    hz: float,
    seconds: float,
    force: float,
    rng: Rng,
    ratios: tuple[float, ...],
    rings: tuple[float, ...],
    levels: tuple[float, ...],
) -> Samples:
    hard = np.array([force ** (0.6 * i) for i in range(len(ratios))])
    tuned = hz * np.array(ratios) * 2 ** (rng.normal(0, 2, len(ratios)) / 1200)
    return modes(tuned, np.array(rings), np.array(levels) * hard, max(rings) * 3.2 * 0.8, rng)


@_named("glockenspiel")
def _glockenspiel(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _bar(hz, seconds, force, rng, (1, 2.76, 5.4), (0.9, 0.35, 0.12), (0.7, 0.22, 0.18))


@_named("music box")
def _music_box(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _bar(hz, seconds, force, rng, (1, 2.01, 6.3), (0.7, 0.3, 0.06), (0.7, 0.15, 0.3))
    return through("high", 300, out)


@_named("marimba")
def _marimba(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _bar(hz, seconds, force, rng, (1, 3.93, 9.2), (0.28, 0.08, 0.03), (0.85, 0.25, 0.12))


@_named("vibraphone")
def _vibraphone(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _bar(hz, seconds, force, rng, (1, 4.0, 9.7), (1.1, 0.4, 0.08), (0.8, 0.16, 0.08))
    t = np.arange(len(out)) / RATE
    return (out * (1 - 0.3 * np.cos(2 * np.pi * 5.6 * t))).astype(np.float32)


@_named("bell")
def _bell(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """A glass bell, by frequency modulation."""
    length = 2.8
    t = clock(length)
    depth = (1.4 + 2 * force) * np.exp(-t / 0.5)
    out = np.sin(2 * np.pi * hz * t + depth * np.sin(2 * np.pi * hz * 3.501 * t))
    return (out * fall(length, 0.75)).astype(np.float32)


# blown, bowed, sung


@_named("flute")
def _flute(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.09
    pitch = vibrato(hz, length, rng, cents=14, rate=5.0)
    tone = wave(f"bars1 {0.35 * force + 0.1:.2f} 0.18 0.06 0.03", pitch, length)
    breath = through("band", hz * 2, noise(length, rng), q=1.2) * np.float32(0.16)
    chiff = noise(length, rng) * fall(length, 0.03) * np.float32(0.15)
    return (tone + breath + through("high", 1500, chiff)) * swell(length, 0.05, 0.09, 0.85)


@_named("whistle")
def _whistle(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.05
    pitch = vibrato(hz, length, rng, cents=10, rate=6)
    tone = wave("bars1 0.12 0.1 0.02", pitch, length)
    breath = through("band", hz, noise(length, rng), q=3) * np.float32(0.3)
    return (tone + breath) * swell(length, 0.02, 0.05, 0.9)


@_named("clarinet")
def _clarinet(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.06
    out = wave("pulse0.5", vibrato(hz, length, rng, cents=5), length)
    return through("low", 900 + 2600 * force, out) * swell(length, 0.035, 0.06, 0.9)


@_named("saxophone")
def _saxophone(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """A cone with a reed: scoops into the note, growls when pushed."""
    length = seconds + 0.07
    t = clock(length)
    pitch = vibrato(hz, length, rng, cents=24, rate=5.0, after=0.2)
    pitch *= 2 ** (-0.5 * np.exp(-t / 0.035) / 12)
    reed = wave("saw", pitch, length) * 0.7 + wave("pulse0.3", pitch, length) * 0.4
    reed += through("band", 1800, noise(length, rng), q=0.8) * np.float32(0.12)
    opened = 700 + (1500 + 2600 * force) * swell(length, 0.06, 0.08, 0.7)
    out = moving("low", opened, reed, q=1.1)
    out = through("peak", 620, through("peak", 1450, out, 2, 5), 2, 5)
    return driven(out, 1.3) * swell(length, 0.03, 0.07, 0.85)


@_named("trumpet")
def _trumpet(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.06
    pitch = vibrato(hz, length, rng, cents=16, after=0.3)
    brass = wave("saw", pitch, length)
    opened = 500 + (1200 + 5200 * force**1.3) * swell(length, 0.055, 0.06, 0.65, 0.2)
    out = moving("low", opened, brass, q=0.9)
    return through("peak", 1250, out, 1.5, 5) * swell(length, 0.03, 0.06, 0.85)


@_named("muted trumpet")
def _muted_trumpet(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """With a Harmon mute: thin and near."""
    out = _trumpet(hz, seconds, force, rng)
    return (through("band", 1900, out, 1.3) * 1.6 + through("high", 3000, out)).astype(np.float32)


@_named("brass")
def _brass(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Three horns and trombones in unison."""
    length = seconds + 0.15
    out = np.zeros(len(clock(length)), np.float32)
    for _ in range(3):
        out += wave(
            "saw",
            vibrato(hz * 2 ** (rng.normal(0, 5) / 1200), length, rng, 9),
            length,
            rng.random(),
        )
    opened = 280 + (700 + 3400 * force**1.5) * swell(length, 0.11, 0.12, 0.6, 0.4)
    return moving("low", opened, out / 3, q=0.8) * swell(length, 0.06, 0.15, 0.9)


def _bowed(
    hz: float, seconds: float, force: float, rng: Rng, players: int, attack: float, cents: float
) -> Samples:
    length = seconds + 0.14
    out = np.zeros(len(clock(length)), np.float32)
    for _ in range(players):
        pitch = vibrato(
            hz * 2 ** (rng.normal(0, 6 if players > 1 else 2) / 1200),
            length,
            rng,
            cents=cents,
            rate=5.6,
        )
        out += wave("saw", pitch, length, rng.random())
    rosin = through("band", 3500, noise(length, rng), q=0.7) * np.float32(0.1)
    out = through("low", 1500 + 3800 * force, out / np.float32(players**0.6) + rosin)
    out = _body(out, (290, 4), (480, 3), (1100, -4), (2600, 4))
    return out * swell(length, attack, 0.14, 0.85, 0.3)


@_named("violin")
def _violin(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _bowed(hz, seconds, force, rng, 1, 0.06, 26)


@_named("cello")
def _cello(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _bowed(hz, seconds, force * 0.7, rng, 1, 0.08, 20)
    return through("low", 2600, _body(out, (180, 4), (350, 3)))


@_named("fiddle")
def _fiddle(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    out = _bowed(hz, seconds, force, rng, 1, 0.025, 12)
    scoop = rng.uniform(0.2, 0.9)
    return bent(out, lambda t: -scoop * np.exp(-t / 0.04))


@_named("strings")
def _strings(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _bowed(hz, seconds, force * 0.8, rng, 4, 0.16, 14)


@_named("short strings")
def _short_strings(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _bowed(hz, min(seconds, 0.16), force, rng, 3, 0.012, 5)


@_named("harmonica")
def _harmonica(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.06
    t = clock(length)
    pitch = vibrato(hz, length, rng, cents=14, rate=6.2) * 2 ** (-0.7 * np.exp(-t / 0.06) / 12)
    out = wave("pulse0.22", pitch, length) + 0.5 * wave("saw", pitch * 1.003, length)
    hands = 1500 + 900 * np.sin(2 * np.pi * (5.5 * t + rng.random())) * np.clip(t * 2, 0, 1)
    out = moving("peak", hands.astype(np.float32), through("band", 1400, out, 0.5), q=1.5)
    return driven(out, 1.6) * swell(length, 0.03, 0.06, 0.9)


@_named("melodica")
def _melodica(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.05
    out = wave("pulse0.35", vibrato(hz, length, rng, cents=12, rate=4.6), length)
    return through("low", 3000, through("high", 350, out)) * swell(length, 0.03, 0.05, 0.9)


@_named("accordion")
def _accordion(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Three reeds a note, one of them tuned to beat with the others."""
    length = seconds + 0.07
    out = np.zeros(len(clock(length)), np.float32)
    for ratio, level in ((1.0, 0.6), (2 ** (13 / 1200), 0.6), (0.5, 0.3)):
        out += wave("pulse0.3", hz * ratio, length, rng.random()) * np.float32(level)
    bellows = 1 + 0.1 * sine(3.1, length, rng.random())
    return through("low", 4200, through("high", 160, out)) * bellows * swell(length, 0.05, 0.07)


@_named("organ")
def _organ(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Drawbars and a turning horn."""
    length = seconds + 0.04
    t = clock(length)
    turn = 2 * np.pi * (6.4 * t + rng.random())
    pitch = (hz / 2 * (1 + 0.0022 * np.sin(turn))).astype(np.float32)
    out = wave("bars0.6 1 0.7 0.6 0 0.3 0 0.35 0 0 0 0 0 0 0 0.15", pitch, length)
    click = noise(length, rng) * fall(length, 0.004) * np.float32(0.3)
    return driven((out + click) * (1 + 0.25 * np.sin(turn)).astype(np.float32), 1.3) * swell(
        length, 0.006, 0.04
    )


@_named("fuzz organ")
def _fuzz_organ(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """A transistor combo organ: reedy, quick vibrato."""
    length = seconds + 0.03
    pitch = vibrato(hz, length, rng, cents=16, rate=6.8, after=0)
    out = wave("pulse0.5", pitch, length) * 0.5 + wave("saw", pitch * 2, length) * 0.35
    return driven(through("high", 250, out), 1.8) * swell(length, 0.008, 0.03)


def _singers(hz: float, length: float, rng: Rng, voices: int, cents: float) -> Samples:
    out = np.zeros(len(clock(length)), np.float32)
    for _ in range(voices):
        pitch = vibrato(
            hz * 2 ** (rng.normal(0, 7 if voices > 1 else 1) / 1200),
            length,
            rng,
            cents=cents,
            rate=5.3,
            after=0.2,
        )
        out += wave("saw", pitch, length, rng.random())
    return out / np.float32(voices**0.6)


@_named("choir")
def _choir(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.35
    size = 1.12 if hz > 230 else 0.95
    breath = through("high", 2500, noise(length, rng)) * np.float32(0.08)
    source = _singers(hz, length, rng, 5, 20) + breath
    return vowel("a" if force > 0.55 else "o", source, size) * swell(length, 0.22, 0.35)


def _sung(hz: float, seconds: float, force: float, rng: Rng, size: float) -> Samples:
    """One voice on one syllable, gliding from one vowel to another."""
    length = seconds + 0.1
    t = clock(length)
    pitch = vibrato(hz, length, rng, cents=32, rate=5.6, after=0.22)
    pitch *= 2 ** (-0.9 * np.exp(-t / 0.045) / 12)
    source = wave("saw", pitch, length) + through("high", 3000, noise(length, rng)) * np.float32(
        0.1
    )
    source = through("low", 2500 + 2500 * force, source)
    names = ("a", "o", "e", "u", "i")
    first, then = (names[int(rng.integers(5))] for _ in range(2))
    glide = np.clip(t / max(0.12, 0.6 * seconds), 0, 1)
    out = vowel(first, source, size) * (1 - glide) + vowel(then, source, size) * glide
    consonant = through("high", 2200, noise(length, rng)) * fall(length, 0.018)
    out += consonant * np.float32(0.5 * float(rng.random() < 0.6))
    return out.astype(np.float32) * swell(length, 0.035, 0.1, 0.85)


@_named("woman")
def _woman(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _sung(hz, seconds, force, rng, 1.16)


@_named("man")
def _man(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _sung(hz, seconds, force, rng, 0.97)


@_named("shout")
def _shout(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Several people at once, roughly at that pitch."""
    length = min(seconds, 0.35) + 0.1
    t = clock(length)
    out = np.zeros(len(t), np.float32)
    for _ in range(4):
        pitch = hz * 2 ** (rng.normal(0, 0.8) / 12) * (1.05 - 0.2 * t / length)
        out += wave("saw", pitch.astype(np.float32), length, rng.random())
    rough = out * (1 + 0.6 * through("low", 90, noise(length, rng)) * 3) + noise(length, rng)
    return driven(vowel("o" if rng.random() < 0.4 else "e", rough, 0.98), 1.5) * swell(
        length, 0.02, 0.12
    )


@_named("growl")
def _growl(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.12
    rough = wave("saw", vibrato(hz, length, rng, cents=90, rate=23, after=0), length)
    rough *= 1 + through("low", 60, noise(length, rng)) * np.float32(6)
    out = vowel("o", rough + noise(length, rng) * np.float32(1.5), 0.85)
    return driven(out, 3) * swell(length, 0.04, 0.12)


# electronic


@_named("pad")
def _pad(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.9
    out = np.zeros(len(clock(length)), np.float32)
    for cents in (-9, -3, 4, 10):
        out += wave("saw", hz * 2 ** ((cents + rng.normal(0, 1)) / 1200), length, rng.random())
    opened = 350 + (500 + 1400 * force) * swell(length, 0.5 * length, 0.5 * length)
    return moving("low", opened, out / 3, q=0.9) * swell(length, min(0.6, length / 3), 0.9)


@_named("warm pad")
def _warm_pad(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 1.6
    out = np.zeros(len(clock(length)), np.float32)
    for cents in (-6, 1, 7):
        out += wave("triangle", hz * 2 ** ((cents + rng.normal(0, 1)) / 1200), length, rng.random())
    out += 0.25 * wave("saw", hz * 0.5, length, rng.random())
    return through("low", 900 + 900 * force, out / 3) * swell(length, min(1.4, length / 2.5), 1.6)


@_named("saw lead")
def _saw_lead(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.12
    out = np.zeros(len(clock(length)), np.float32)
    for cents in (-8, 0, 7):
        pitch = vibrato(hz * 2 ** (cents / 1200), length, rng, cents=12, after=0.3)
        out += wave("saw", pitch, length, rng.random())
    opened = 900 + (2200 + 3500 * force) * swell(length, 0.02, 0.1, 0.5, 0.3)
    return moving("low", opened, out / 2.4, q=1.3) * swell(length, 0.012, 0.12, 0.8)


@_named("supersaw")
def _supersaw(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.1
    out = np.zeros(len(clock(length)), np.float32)
    for cents in (-19, -11, -4, 3, 10, 18):
        out += wave("saw", hz * 2 ** ((cents + rng.normal(0, 1)) / 1200), length, rng.random())
    return through("low", 3000 + 6000 * force, out / 3.5) * swell(length, 0.008, 0.1, 0.8)


@_named("pluck")
def _pluck(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """A synthesiser's: the filter shuts at once."""
    length = min(seconds, 0.5) + 0.25
    out = wave("saw", hz, length, rng.random()) + wave("pulse0.4", hz * 1.005, length, rng.random())
    opened = 250 + (2500 + 5000 * force) * fall(length, 0.09)
    return moving("low", opened, out / 2, q=1.6, block=64) * fall(length, 0.22)


@_named("synth bass")
def _synth_bass(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.04
    out = wave("saw", hz, length, rng.random()) + 0.7 * wave("pulse0.5", hz * 0.998, length)
    opened = 180 + (500 + 1500 * force) * fall(length, 0.14)
    return driven(moving("low", opened, out / 1.6, q=1.8, block=128), 1.5) * swell(
        length, 0.004, 0.03
    )


@_named("acid bass")
def _acid(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """One sawtooth and a filter that squelches."""
    length = seconds + 0.03
    opened = 160 + (400 + 3200 * force**2) * fall(length, 0.11)
    out = moving("low", opened, wave("saw", hz, length, rng.random()), q=7, block=64)
    return driven(out, 1.6) * swell(length, 0.003, 0.03)


@_named("sub bass")
def _sub(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.06
    t = clock(length)
    pitch = (hz * (1 + 0.8 * np.exp(-t / 0.018))).astype(np.float32)
    return driven(sine(pitch, length) * swell(length, 0.004, 0.06, 0.75, 0.4), 1.7)


@_named("reese bass")
def _reese(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.05
    out = wave("saw", hz * 1.006, length, rng.random()) + wave("saw", hz * 0.994, length)
    t = clock(length)
    opened = (350 + 500 * (1 + np.sin(2 * np.pi * (0.7 * t + rng.random())))).astype(np.float32)
    return driven(moving("low", opened, out, q=1.4), 1.8) * swell(length, 0.01, 0.05)


@_named("grinding bass")
def _grinding(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Frequency modulation, then too much gain."""
    length = min(seconds, 0.3) + 0.03
    t = clock(length)
    depth = (2 + 6 * force) * np.exp(-t / 0.09)
    out = np.sin(2 * np.pi * hz * t + depth * np.sin(2 * np.pi * hz * 1.41 * t))
    return driven(out.astype(np.float32), 4) * swell(length, 0.002, 0.05, 0.6)


@_named("pulse 12")
def _pulse12(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _chip("pulse0.125", hz, seconds, rng)


@_named("pulse 25")
def _pulse25(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _chip("pulse0.25", hz, seconds, rng)


@_named("pulse 50")
def _pulse50(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    return _chip("pulse0.5", hz, seconds, rng)


def _chip(shape: str, hz: float, seconds: float, rng: Rng) -> Samples:
    """A console's voice: sixteen steps of loudness, and a vibrato that switches on late."""
    t = clock(seconds)
    pitch = hz * 2 ** (np.where(t > 0.22, 20 * np.sign(np.sin(2 * np.pi * 7 * t)), 0) / 1200)
    steps = np.ceil(15 * (0.55 + 0.45 * np.exp(-t / 0.12))) / 15
    edge = np.clip((t[-1] - t) / 0.002, 0, 1)
    return (wave(shape, pitch.astype(np.float32), seconds, rng.random()) * steps * edge).astype(
        np.float32
    )


@_named("chip bass")
def _chip_bass(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """The console's triangle has sixteen levels, which one hears."""
    out = wave("triangle", hz, seconds)
    return (np.round(out * 7.5) / 7.5 * swell(seconds, 0.001, 0.006)).astype(np.float32)


@_named("wind")
def _wind(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    """Air or surf around that pitch."""
    length = seconds + 1.0
    t = clock(length)
    where = hz * 2 ** (0.7 * np.sin(2 * np.pi * (t / max(length, 0.1) + rng.random())))
    out = moving("band", where.astype(np.float32), noise(length, rng), q=3, block=512)
    return out * swell(length, 0.4 * length, 0.5 * length) * np.float32(3)


@_named("theremin")
def _theremin(hz: float, seconds: float, force: float, rng: Rng) -> Samples:
    length = seconds + 0.15
    t = clock(length)
    pitch = vibrato(hz, length, rng, cents=45, rate=6, after=0.1) * 2 ** (
        -3 * np.exp(-t / 0.06) / 12
    )
    return wave("bars1 0.2 0.05", pitch, length) * swell(length, 0.08, 0.15)
