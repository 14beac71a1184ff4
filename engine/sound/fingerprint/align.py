"""Similarities of a clip's vectors with a track's → where on the track the clip lies, how fast it
was played, and how well that explains it.

    clip vectors × track vectors ─similarity→ a matrix ─lines of slope near 1→ place, speed, score

A clip that is of a track agrees with it along one line: what is heard `x` seconds after its middle
lies `speed · x` seconds after one moment of the track. Single vectors err in noise, a line of
twenty of them hardly does. The clip's vectors lie closer together than the track's, so that some of
them meet each of the track's nearly in phase; what lies between two is interpolated.

A vector of zeros says nothing: that moment is silent, agrees with nothing and counts for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# (N, D) float32: each row of unit length, or zeros.
Vectors = NDArray[np.float32]
Floats = NDArray[np.float32]

# A single vector that is as similar as this agrees: in no trial did one in a hundred of other
# music, wherever on the line it lay.
AGREES = 0.5
# How much faster or slower a player may be: a turntable ±1 %, a radio that hurries 2 %.
_FASTEST = 0.03
# A clip of which a track has less than this share lies beyond its beginning or its end.
_LEAST_SHARE = 0.3
# How far from where it was proposed a line is sought, and in which steps.
_REACH_S, _FINE_S = 0.75, 0.125
# Similarities are made this much finer in the clip's time before lines are laid through them.
_FINER = 4
# Most players keep time. A speed of its own is believed where it explains this much more: less can
# come of noise, and a speed that is wrong by 1 % takes the place with it by 0.05 s in a 10 s clip.
_HASTE_GAINS = 0.006


@dataclass(frozen=True, slots=True)
class Proposal:
    """The clip's moment `clip_s` may be the track's moment `track_s`; `track` is its place in the
    index, which is no id."""

    track: int
    track_s: float
    clip_s: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """A clip on a track: it begins `offset_s` after the track does (before it, where negative), and
    one second of it is `speed` seconds of the track.

    `score` is the mean similarity along the line, −1 to 1, less where the track ends before the
    clip does; `votes` of `windows` single vectors of the track agree (`AGREES`).
    """

    track_id: int
    offset_s: float
    speed: float
    score: float
    votes: int
    windows: int


@dataclass(frozen=True, slots=True)
class Line:
    """What `fit` found: `Agreement` without a track."""

    offset_s: float
    speed: float
    score: float
    votes: int
    windows: int

    def of(self, track_id: int) -> Agreement:
        return Agreement(track_id, self.offset_s, self.speed, self.score, self.votes, self.windows)


def diagonals(similarities: Floats, ratio: int) -> tuple[Floats, NDArray[np.int64]]:
    """(Q, N) similarities of clip vectors with track vectors, of which `ratio` clip vectors make
    the step of a track's → (ratio, N) sums along each diagonal, by phase and by the row that the
    diagonal's middle lies on, and (ratio,) the clip vector that lies there."""
    count, rows = similarities.shape
    sums = np.zeros((ratio, rows), np.float32)
    middles = np.zeros(ratio, np.int64)
    for phase in range(min(ratio, count)):
        members = range(phase, count, ratio)
        half = len(members) // 2
        middles[phase] = members[half]
        for number, member in enumerate(members):
            shift = number - half  # this vector meets the row `shift` after the middle's
            low, high = max(0, -shift), min(rows, rows - shift)
            if low < high:
                sums[phase, low:high] += similarities[member, low + shift : high + shift]
    return sums, middles


def speeds(clip_s: float, most: float = _FASTEST) -> NDArray[np.float64]:
    """The speeds that a clip of this length can tell apart: its ends move by 50 ms from one to the
    next."""
    beside = max(1, int(np.ceil(most * clip_s / 0.1)))
    return 1 + np.linspace(-most, most, 2 * beside + 1)


def fit(
    similarities: Floats,
    *,
    step_s: float,
    first_s: float,
    row_s: float,
    proposed: Proposal,
    among: NDArray[np.float64] | None = None,
) -> Line | None:
    """(Q, R) similarities of all clip vectors, `step_s` apart, with R of a track's, `row_s` apart
    from `first_s` on → the best line near the proposed one with a speed `among` (S,), or None where
    the track has too little of it; without speeds a rough one, of speed 1. Where a vector says
    nothing its similarity is 0."""
    whole = float(similarities.any(axis=1).mean()) * (len(similarities) * step_s / row_s)
    fine = 1 if among is None else _FINER
    among = np.ones(1) if among is None else among
    shifts = np.linspace(-_REACH_S, _REACH_S, fine * round(_REACH_S / _FINE_S) // 2 + 1)
    at = first_s + row_s * np.arange(similarities.shape[1])
    # (S, G, R): which moment of the clip, in steps, each row meets on each line.
    meets = (at - proposed.track_s - shifts[:, None]) / among[:, None, None]
    met, counts = _met(similarities, (meets + proposed.clip_s) / step_s, fine)
    windows = counts.sum(axis=2)
    enough = windows >= max(2.0, _LEAST_SHARE * whole)
    if not enough.any():
        return None
    # A mean over n of N windows is as good a find as one over all of them by √(n / N).
    means = np.where(counts, met, 0).sum(axis=2) / np.maximum(windows, 1)
    scores = np.where(enough, means * np.sqrt(np.minimum(1, windows / whole)), -1)
    best = scores.max(axis=1)
    s, steady = int(best.argmax()), int(np.abs(among - 1).argmin())
    if best[s] < best[steady] + _HASTE_GAINS:
        s = steady
    g = int(scores[s].argmax())
    speed = float(among[s])
    if s != steady:
        speed += _peak(best, s) * float(among[1] - among[0])
    shift = float(shifts[g]) + _peak(scores[s], g) * float(shifts[1] - shifts[0])
    return Line(
        offset_s=proposed.track_s + shift - speed * proposed.clip_s,
        speed=speed,
        score=float(scores[s, g]),
        votes=int((counts[s, g] & (met[s, g] >= AGREES)).sum()),
        windows=int(windows[s, g]),
    )


def _met(
    similarities: Floats, meets: NDArray[np.float64], fine: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(Q, R) similarities and (S, G, R) which clip vector, and what of the way to the next, each
    row meets → the (S, G, R) similarities there, and whether they count."""
    finely, clip_says = finer(similarities, fine)
    last = len(finely) - 1
    meets = meets * fine
    inside = (meets > -0.5 * fine) & (meets < last + 0.5 * fine) & similarities.any(axis=0)
    place = np.clip(meets, 0, last)
    left = np.minimum(place.astype(np.int64), max(0, last - 1))
    right = np.minimum(left + 1, last)
    share = place - left
    columns = np.arange(similarities.shape[1])
    met = finely[left, columns] * (1 - share) + finely[right, columns] * share
    counts: NDArray[np.bool_] = np.logical_and(inside, clip_says[left] & clip_says[right])
    return met, counts


def finer(similarities: Floats, fine: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(Q, R) → (`fine` · (Q − 1) + 1, R) by cubics through them (Catmull–Rom), and which of these
    rows lie between two that say something. With straight lines between, one that meets no vector
    in phase would always be the worse one."""
    if fine == 1:
        return similarities, np.any(similarities != 0, axis=1)
    padded = np.concatenate([similarities[:1], similarities, similarities[-1:]])
    before, left, right, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    made = np.empty((fine * (len(similarities) - 1) + 1, similarities.shape[1]), np.float32)
    made[::fine] = similarities
    says = np.repeat(similarities.any(axis=1), fine)[: len(made)]
    for number in range(1, fine):
        x = number / fine
        made[number::fine] = (
            (-0.5 * x**3 + x**2 - 0.5 * x) * before
            + (1.5 * x**3 - 2.5 * x**2 + 1) * left
            + (-1.5 * x**3 + 2 * x**2 + 0.5 * x) * right
            + (0.5 * x**3 - 0.5 * x**2) * after
        )
        says[number::fine] &= says[fine::fine]
    return made, says


def _peak(values: NDArray[np.floating], at: int) -> float:
    """How far from place `at`, −½ to ½, the parabola through it and its neighbours has its peak."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, here, after = (float(v) for v in values[at - 1 : at + 2])
    bend = before - 2 * here + after
    if bend >= 0 or min(before, after) <= -1:
        return 0.0
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
