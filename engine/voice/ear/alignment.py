"""Two melodies → when in the one is what the other has at a time, and by how much it is higher.

First where the whole lies, by chroma and loudness, in any of twelve keys; then, frame by frame, a
path of least cost through delays about that (dynamic time warping, in a band): chroma and loudness
a second to each side, then pitch closer by. What is late by a constant is the recording's, not the
singer's: the music behind both tells how much, where it is heard; else the voice itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from engine.voice.ear.heard import FRAME_S, Array, save_arrays
from engine.voice.ear.melody import Melody

By = Literal["backing", "voice"]
Ints = npt.NDArray[np.int64]
Delayed = Callable[[Ints, Ints], npt.NDArray[np.float32]]

_WIDE_S, _NEAR_S = 1.6, 0.6  # to each side, of the two passes
# Cost of a frame behind the recording's end, or before its beginning: dearer, and what was not sung
# any more is squeezed into its last moments.
_OUTSIDE = 0.25
_COARSE = 4  # frames of 16 ms, in the search for where the whole lies
_BEND = (0.25, 0.15)  # cost of one step of delay, of the two passes
_FAR_S = 30.0  # at such a distance a place must fit twice as well as where it should be
_PLAIN = 0.12  # correlation of the music from which it tells the delay …
_AHEAD = 1.15  # … how far ahead of others it has to be, that are so many frames away …
_ALONE = 4
_ENOUGH = 0.8  # … and of the best at any delay
# About a beginning: frames before it and after; and how far it may move, at what cost a frame.
_ABOUT, _MOVED, _MOVE = (6, 8), 8, 0.02
_ALIKE = 0.8  # cosine of two frames' chroma
_USUAL, _EACH = 188, 8  # frames to each side, and from one that is asked for to the next
_MOST_CENTS = 3_050  # two octaves and a half: who is farther off is no singer of that melody
_LATE = 38  # frames: nobody sings later than 0.6 s and goes on


@dataclass(frozen=True)
class Alignment:
    """`at` (T,) float32: the frame of the user's melody at each frame of the reference, NaN outside
    of what was recorded. `latency_s`: by how much all of the recording is late. `shift_cents`: by
    how much the voice is higher, as far as most of it goes. `same` 0…1: the share of what both sing
    that is the same melody."""

    at: Array
    latency_s: float
    by: By
    shift_cents: float
    same: float

    @property
    def octave(self) -> int:
        return round(self.shift_cents / 1200)

    @property
    def transposition(self) -> int:
        """Whole semitones, −6…6, besides the octave."""
        return round((self.shift_cents - 1200 * self.octave) / 100)

    @classmethod
    def beginning_together(cls, user: Melody, reference: Melody) -> Self:
        """What is left where nothing tells when the one has what the other has."""
        at = np.arange(len(reference), dtype=np.float32)
        at[len(user) :] = np.nan
        return cls(at, latency_s=0.0, by="voice", shift_cents=0.0, same=0.0)

    def save(self, path: Path) -> None:
        told = np.array([self.latency_s, self.by == "backing", self.shift_cents, self.same])
        save_arrays(path, {"at": self.at, "told": told})

    @classmethod
    def load(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as held:
            latency_s, backing, shift, same = (float(one) for one in held["told"])
            return cls(held["at"], latency_s, "backing" if backing else "voice", shift, same)


def align(user: Melody, reference: Melody) -> Alignment:
    """Raises nothing: melodies that have nothing in common align somehow, and `same` says so."""
    begins, turn = _place(user, reference)
    delay = _backing_delay(user, reference, begins)
    by: By = "voice"
    if delay is not None:
        by, begins = "backing", delay
    frames = np.arange(len(reference))
    centre = np.full(len(reference), float(begins))
    shift = 100.0 * turn
    wide = _path(_by_sound(user, reference, turn), frames, centre, _WIDE_S, _BEND[0])
    shift = _shift(user, reference, frames + wide, shift)
    near = wide
    for _ in range(2):
        near = _path(_by_pitch(user, reference, shift), frames, near, _NEAR_S, _BEND[1])
        shift = _shift(user, reference, frames + near, shift)
    at = frames + near
    if by == "backing":
        at = _kept_inside(at, frames + np.rint(centre), len(user))
    inside = (at >= 0) & (at < len(user))
    sung = inside & reference.sure
    late = float(np.median(near[sung])) if by == "voice" and sung.any() else float(begins)
    told = np.where(inside, at, np.nan).astype(np.float32)
    return Alignment(told, late * FRAME_S, by, shift, _same(user, reference, at))


def _kept_inside(
    at: npt.NDArray[np.float64], known: npt.NDArray[np.float64], count: int
) -> npt.NDArray[np.float64]:
    """What was recorded the music behind tells: a path that leaves the recording all the same, to
    pass over what was sung badly there, stays where that is `known` to be."""
    left = (at < 0) | (at >= count)
    return np.where(left & (known >= 0) & (known < count), known, at)


def sharpened(
    user: Melody, reference: Melody, alignment: Alignment, begins: Ints
) -> npt.NDArray[np.float64]:
    """(B,) frames of the reference at which notes begin → those of the user's, (B,): a path bends
    little from note to note, and each beginning is moved to where its own surroundings fit best."""
    if not (len(begins) and reference.hz.any() and user.hz.any()):
        return alignment.at[begins].astype(np.float64)
    cost = _by_pitch(user, reference, alignment.shift_cents)
    about = np.arange(-_ABOUT[0], _ABOUT[1] + 1)
    there = np.clip(begins[:, None] + about, 0, len(reference) - 1)
    near = np.rint(np.nan_to_num(alignment.at[begins])).astype(np.int64)
    moves = np.arange(-_MOVED, _MOVED + 1)
    costs = [
        cost(near[:, None] + about + move, there).sum(1) + _MOVE * abs(move)
        for move in moves.tolist()
    ]
    best = np.argmin(np.stack(costs, 1), axis=1)
    return np.asarray(alignment.at[begins] + moves[best], np.float64)


def _place(user: Melody, reference: Melody) -> tuple[float, int]:
    """Where the whole lies: the delay in frames, and by how many semitones the user's is higher,
    −5…6, which chroma cannot tell from an octave more."""
    sides = [_coarse(melody) for melody in (user, reference)]
    width = 1 << int(np.ceil(np.log2(sum(len(side) for side in sides) + 1)))
    mine, theirs = (np.fft.rfft(side, width, axis=0) for side in sides)
    loud = np.fft.irfft(mine[:, 12] * theirs[:, 12].conj(), width)
    found = []
    for turn in range(12):
        turned = np.roll(mine[:, :12], -turn, axis=1)
        fit = np.fft.irfft((turned * theirs[:, :12].conj()).sum(1), width) + loud
        found.append(_near_first(fit, FRAME_S * _COARSE))
    fits = np.array([fit.max() for fit in found])
    turn = int(fits.argmax())
    at = int(found[turn].argmax())
    delay = at if at < width // 2 else at - width
    return float(delay * _COARSE), turn if turn <= 6 else turn - 12


def _coarse(melody: Melody) -> Array:
    """(T / 4, 13): chroma where the voice sounds, each row less its mean, and how loud it is; each
    of unit length as a whole."""
    count = len(melody) // _COARSE
    shape = (count, _COARSE, -1)
    heard = melody.chroma * melody.sounds[:, None]
    chroma = heard[: count * _COARSE].reshape(shape).mean(1)
    chroma -= chroma.mean(1, keepdims=True)
    loud = _loudness(melody)[: count * _COARSE].reshape(shape).mean(1)
    loud -= loud.mean() if count else 0
    parts = [part / max(float(np.linalg.norm(part)), 1e-9) for part in (chroma, loud)]
    return np.concatenate(parts, 1)


def _near_first(fit: npt.NDArray[np.float64], step_s: float) -> npt.NDArray[np.float64]:
    """A correlation by delay, less where that is far from none: a refrain comes back."""
    away = np.minimum(np.arange(len(fit)), len(fit) - np.arange(len(fit))) * step_s
    return fit / (1 + away / _FAR_S)


def _loudness(melody: Melody) -> Array:
    """(T,) in 0…1: 1 at the voice's own level, 0 at 30 dB less."""
    own = np.percentile(melody.level_db, 95) if len(melody) else 0
    return np.asarray(np.clip((melody.level_db - own + 30) / 30, 0, 1), np.float32)


def _backing_delay(user: Melody, reference: Melody, about: float) -> float | None:
    """By how many frames the music in one recording is behind that in the other, near `about`;
    None where too little of it is heard to tell."""
    if not (user.beat.any() and reference.beat.any()):
        return None
    sides = []
    for melody in (user, reference):
        beat = np.sqrt(melody.beat)
        beat = beat - beat.mean(0)
        sides.append(beat / max(float(np.linalg.norm(beat)), 1e-9))
    width = 1 << int(np.ceil(np.log2(len(user) + len(reference) + 1)))
    mine, theirs = (np.fft.rfft(side, width, axis=0) for side in sides)
    fit = np.fft.irfft((mine * theirs.conj()).sum(1), width)
    # Music repeats itself bar by bar: which bar it is, the voice knows.
    near = np.arange(-_LATE, _LATE + 1) + round(about)
    here = fit[near % width]
    best = int(here.argmax())
    others = np.abs(np.arange(len(here)) - best) > _ALONE
    if here[best] < max(_PLAIN, _ENOUGH * fit.max()) or here[best] < _AHEAD * here[others].max():
        return None
    left, top, right = fit[(near[best] + np.arange(-1, 2)) % width]
    between = 0.5 * (left - right) / min(left - 2 * top + right, -1e-12)
    return float(near[best] + np.clip(between, -0.5, 0.5))


def _path(
    cost: Delayed, frames: Ints, centre: npt.NDArray[np.float64], reach_s: float, bend: float
) -> npt.NDArray[np.float64]:
    """The delay of each frame, in frames, so that the sum of costs and of bends is least.

    `cost` takes frames of the user's and those of the reference, and gives as many."""
    reach = round(reach_s / FRAME_S)
    base = np.rint(centre).astype(np.int64)
    costs = np.stack([cost(frames + base + at, frames) for at in range(-reach, reach + 1)], 1)
    count, wide = costs.shape
    came = np.zeros((count, wide), np.int8)
    total = costs[0].astype(np.float64)
    far = np.full(1, np.inf)
    moves = np.diff(base, prepend=base[:1])
    for at in range(1, count):
        before = total if not moves[at] else _moved(total, int(moves[at]))
        less = np.concatenate([far, before[:-1] + bend])
        more = np.concatenate([before[1:] + bend, far])
        best = np.minimum(before, np.minimum(less, more))
        came[at] = np.where(best == before, 0, np.where(best == less, -1, 1))
        total = best + costs[at]
    path = base + _back(came, moves, int(np.argmin(total))) - reach
    return path.astype(np.float64)


def _moved(total: npt.NDArray[np.float64], by: int) -> npt.NDArray[np.float64]:
    """Costs by delay about one centre → about another, `by` frames later."""
    made = np.full(len(total), np.inf)
    if abs(by) >= len(total):
        made[:] = total.min()
    elif by > 0:
        made[:-by] = total[by:]
    else:
        made[-by:] = total[:by]
    return made


def _back(came: npt.NDArray[np.int8], moves: Ints, last: int) -> Ints:
    """(T,): which of the delays the best path took, from its end to its beginning."""
    path = np.empty(len(came), np.int64)
    at = last
    for frame in range(len(came) - 1, -1, -1):
        path[frame] = at
        at = int(np.clip(at + int(came[frame, at]) + int(moves[frame]), 0, came.shape[1] - 1))
    return path


def _by_sound(user: Melody, reference: Melody, turn: int) -> Delayed:
    mine = np.roll(user.chroma, -turn, axis=1)
    loud, wanted = _loudness(user), _loudness(reference)

    def cost(at: Ints, there: Ints) -> npt.NDArray[np.float32]:
        inside = (at >= 0) & (at < len(user))
        at = np.clip(at, 0, len(user) - 1)
        alike = np.einsum("...c,...c->...", mine[at], reference.chroma[there])
        other = (1 - alike) * wanted[there] + 0.5 * np.abs(loud[at] - wanted[there])
        return np.where(inside, other, _OUTSIDE).astype(np.float32)

    return cost


def _by_pitch(user: Melody, reference: Melody, shift_cents: float) -> Delayed:
    mine = user.midi - np.float32(shift_cents / 100)
    theirs, sure, wanted = reference.midi, user.sure, reference.sure
    loud, loud_there = _loudness(user), _loudness(reference)

    def cost(at: Ints, there: Ints) -> npt.NDArray[np.float32]:
        inside = (at >= 0) & (at < len(user))
        at = np.clip(at, 0, len(user) - 1)
        both = sure[at] & wanted[there]
        off = np.minimum(np.abs(np.nan_to_num(mine[at] - theirs[there], nan=9.0)), 3) / 3
        tone = np.where(both, off, np.where(sure[at] == wanted[there], 0.3, 0.6))
        other = tone + 0.4 * np.abs(loud[at] - loud_there[there])
        return np.where(inside, other, _OUTSIDE).astype(np.float32)

    return cost


def _differences(
    user: Melody, reference: Melody, at: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Cents by which the user is higher, of the frames in which both are sure."""
    inside = (at >= 0) & (at < len(user))
    index = np.clip(at, 0, len(user) - 1).astype(np.int64)
    both = inside & reference.sure & user.sure[index]
    return np.asarray(100 * (user.midi[index] - reference.midi)[both], np.float64)


def _shift(user: Melody, reference: Melody, at: npt.NDArray[np.float64], so_far: float) -> float:
    """By how many cents most of one is higher than most of the other."""
    off = _differences(user, reference, at)
    off = off[np.abs(off) < _MOST_CENTS]
    if len(off) < 10:
        return so_far
    counts = np.bincount(((off + _MOST_CENTS) // 25).astype(np.int64), minlength=244).astype(float)
    kernel = np.exp(-0.5 * (np.arange(-6, 7) / 2) ** 2)
    most = 25 * (np.convolve(counts, kernel, "same").argmax() + 0.5) - _MOST_CENTS
    near = off[np.abs(off - most) < 150]
    return float(np.median(near)) if len(near) else float(most)


def _same(user: Melody, reference: Melody, at: npt.NDArray[np.float64]) -> float:
    """The share of tones within a semitone of the other's, but for what is usual within 3 s: who
    drifts, or is out of tune, still sings that song."""
    inside = (at >= 0) & (at < len(user))
    index = np.clip(at, 0, len(user) - 1).astype(np.int64)
    if not (user.hz.any() and reference.hz.any()):  # nothing there that hears pitch
        both = inside & reference.sounds & user.sounds[index]
        alike = np.einsum("tc,tc->t", user.chroma[index], reference.chroma)[both]
        return float(np.mean(alike > _ALIKE)) if len(alike) else 0.0
    frames = np.flatnonzero(inside & reference.sure & user.sure[index])
    if not len(frames):
        return 0.0
    off = 100 * (user.midi[index] - reference.midi)[frames]
    begins, ends = (np.searchsorted(frames, frames + by * _USUAL) for by in (-1, 1))
    near = [
        abs(float(off[number] - np.median(off[begins[number] : ends[number]])))
        for number in range(0, len(frames), _EACH)
    ]
    return float(np.mean(np.array(near) < 100))
