"""Shoebox rooms by the image-source method (Allen & Berkley 1979) → impulse responses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

Point = tuple[float, float, float]

SPEED = 343.0  # m/s
EDGES_HZ = (500.0, 2_000.0)  # between the three bands that walls absorb differently
LONGEST_S = 1.2  # of a response
MIXING_S = 0.25  # images up to here; what follows is so dense that it is noise that decays


@dataclass(frozen=True)
class Room:
    """Metres; absorption of the three bands as the time in which each decays by 60 dB."""

    size: Point
    source: Point
    microphone: Point
    decay_s: tuple[float, float, float]


def invent(rng: np.random.Generator) -> Room:
    """A bathroom to a hall; a loudspeaker and a phone half a metre to six metres apart."""
    size = rng.uniform((2.2, 2.2, 2.2), (11.0, 9.0, 4.0))
    margin = 0.3
    for _ in range(100):
        source, microphone = rng.uniform(margin, size - margin, (2, 3))
        if 0.4 < np.linalg.norm(source - microphone) < 6:
            break
    middle = rng.uniform(0.15, 0.95)
    low, high = middle * rng.uniform(0.9, 1.4), middle * rng.uniform(0.5, 0.95)
    return Room(_point(size), _point(source), _point(microphone), (low, middle, high))


def _point(metres: Floats) -> Point:
    x, y, z = metres.tolist()
    return x, y, z


def two(rng: np.random.Generator, rate: int) -> tuple[Samples, Samples]:
    """Impulse responses of one invented room from the loudspeaker and from another place in it."""
    room = invent(rng)
    elsewhere = replace(room, source=_point(rng.uniform(0.3, np.array(room.size) - 0.3)))
    return response(room, rate, rng), response(elsewhere, rate, rng)


def response(room: Room, rate: int, rng: np.random.Generator) -> Samples:
    """(N,) impulse response at `rate`, energy 1, the direct sound at its beginning."""
    times, gains = _images(room, rng)
    length = max(int(min(LONGEST_S, max(room.decay_s) * 0.8) * rate), 64)
    direct = float(times.min())
    index = (times - direct) * rate
    kept = index < length - 1
    whole = index[kept].astype(np.int64)
    part = index[kept] - whole
    bands = []
    for gain, decay in zip(gains[:, kept], room.decay_s, strict=True):
        early = np.asarray(np.bincount(whole, gain * (1 - part), length), np.float64)
        early += np.bincount(whole + 1, gain * part, length)
        bands.append(_with_tail(early, direct, decay, rate, rng))
    out = _together(np.stack(bands), rate)
    return np.asarray(out / np.sqrt(np.square(out).sum()), np.float32)


def _images(room: Room, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """(M,) seconds of arrival and (3, M) amplitudes by band of all images within `MIXING_S`."""
    size, source = np.array(room.size), np.array(room.source)
    reach = SPEED * MIXING_S
    orders = [np.arange(-n, n + 1) for n in np.ceil(reach / (2 * size)).astype(int)]
    axes, bounces = [], []
    for a in range(3):
        n = orders[a]
        mirrored = np.concatenate([2 * n * size[a] + source[a], 2 * n * size[a] - source[a]])
        axes.append(mirrored - room.microphone[a])
        bounces.append(np.concatenate([np.abs(2 * n), np.abs(2 * n - 1)]))
    squares = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    kept = squares < reach**2
    distance = np.sqrt(squares[kept])
    hits = (bounces[0][:, None, None] + bounces[1][:, None] + bounces[2])[kept]
    # Real walls are neither smooth nor square: images later than the first arrive a little off.
    jitter = rng.uniform(-1, 1, distance.shape) * np.minimum(hits, 4) * 0.02
    reflection = np.array([_reflection(room, decay) for decay in room.decay_s])
    gains = reflection[:, None] ** hits / np.maximum(distance, 0.1)
    return (distance + np.where(hits > 0, np.abs(jitter), 0)) / SPEED, gains


def _reflection(room: Room, decay_s: float) -> float:
    """The walls' reflected share of amplitude by Eyring's formula."""
    x, y, z = room.size
    surface = 2 * (x * y + y * z + x * z)
    absorbed = 1 - np.exp(-0.161 * x * y * z / (surface * decay_s))
    return float(np.sqrt(1 - absorbed))


def _with_tail(
    early: Floats,
    direct_s: float,
    decay_s: float,
    rate: int,
    rng: np.random.Generator,
) -> Floats:
    """Early images, then decaying noise as loud as the images are where they end."""
    joint = int((MIXING_S - direct_s) * rate)
    if joint >= len(early):
        return early
    span = max(joint // 4, 1)
    level = np.sqrt(np.square(early[joint - span : joint]).mean())
    t = (np.arange(joint, len(early)) - joint + span / 2) / rate
    out = early.copy()
    out[joint:] += level * rng.standard_normal(len(t)) * 10 ** (-3 * t / decay_s)
    return out


def _together(bands: Floats, rate: int) -> Floats:
    """(3, N) → (N,): each band through its share of the spectrum, the shares' sum being 1."""
    hz = np.fft.rfftfreq(2 * bands.shape[1], 1 / rate)
    upper = [1 / (1 + (hz / edge) ** 4) for edge in EDGES_HZ]
    shares = np.stack([upper[0], upper[1] - upper[0], 1 - upper[1]])
    spectrum = (np.fft.rfft(bands, 2 * bands.shape[1]) * shares).sum(0)
    return np.fft.irfft(spectrum)[: bands.shape[1]]
