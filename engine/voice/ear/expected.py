"""Words that should be sung, and that the recogniser heard otherwise → those that it finds in the
sound all the same.

A recogniser writes down what it finds likeliest. Of a word that it misheard it can still say how
probable it is at its place in the lyrics. Language alone makes many words probable, whatever is
sung, so the same is asked of noise: a word is taken for sung where it is probable, and the sound
has made it so. benchmarks/voice.md says how many words that finds, and how many that nobody sang.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from engine.voice.ear.heard import Word
from engine.voice.ear.wording import Compared, Spelt, compared

# Logarithms of a word's probability, and of by how much that is more than in noise.
_PROBABLE, _MORE = -5.0, 1.0
_QUICK = 3.0  # words that are sung in a second, at most
_MOST = 60  # words of a window: more are not sung in it, so nobody knows which are

Scores = Callable[[int, Sequence[str]], tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]


@dataclass(frozen=True)
class Part:
    """The words of the lyrics, from one to another, that may be sung in a window."""

    window: int
    first: int
    end: int


@dataclass(frozen=True)
class Heard:
    """A word as it is compared, `text`, the one that it is of, and from where to where it is heard
    when windows follow one another, in seconds."""

    text: str
    word: Word
    start_s: float
    end_s: float


def found(
    lyrics: Sequence[Spelt], heard: Sequence[Heard], ends_s: Sequence[float], scores: Scores
) -> list[Word]:
    """`heard`, and in place of what was misheard the words of `lyrics` that are in the sound.

    `ends_s` is when each window ends. `scores` tells of the words as they are spelt, said one after
    another in a window, the log-probability of each (N,) float64, and the same of noise.
    """
    sides = compared([one.text for one in lyrics], [one.text for one in heard])
    right = {mine for mine, _ in sides.right}
    sung: dict[int, float] = {}
    for part in parts(len(lyrics), heard, sides, ends_s):
        if all(place in right for place in range(part.first, part.end)):
            continue
        words = [one.spelt for one in lyrics[part.first : part.end]]
        here, noise = scores(part.window, words)
        for place in np.flatnonzero((here > _PROBABLE) & (here - noise > _MORE)).tolist():
            sung[part.first + place] = math.exp(here[place])
    return _put_right(lyrics, heard, sides, {at: sung[at] for at in sung.keys() - right})


def parts(
    count: int, heard: Sequence[Heard], sides: Compared, ends_s: Sequence[float]
) -> list[Part]:
    """Which of `count` words of lyrics each window may hold: what is heard right there and before
    and after it says so, and how much can be sung in the time that is left beside it."""
    at = [(mine, heard[there].start_s, heard[there].end_s) for mine, there in sides.right]
    made = []
    for window, (begin, end) in enumerate(pairwise([0.0, *ends_s])):
        before = [mine for mine, start, _ in at if start < begin]
        after = [mine for mine, start, _ in at if start >= end]
        inside = [one for one in at if begin <= one[1] < end]
        first = max(before, default=-1) + 1
        last = min(after, default=count)
        if inside:
            (least, start, _), (most, _, stop) = inside[0], inside[-1]
            first = max(first, least - _sung_in(start - begin))
            last = min(last, most + 1 + _sung_in(end - stop))
        if 0 < last - first <= _MOST:
            made.append(Part(window, first, last))
    return made


def _sung_in(seconds: float) -> int:
    return 1 + math.ceil(_QUICK * max(0.0, seconds))


def _put_right(
    lyrics: Sequence[Spelt], heard: Sequence[Heard], sides: Compared, sung: Mapping[int, float]
) -> list[Word]:
    made: list[Word] = []
    beside = [None, *(mine for mine, _ in sides.steps), None]
    for at, (mine, there) in enumerate(sides.steps):
        known = None if there is None else heard[there]
        # A word more beside one that was misheard was a part of it.
        is_part = mine is None and not {beside[at], beside[at + 2]}.isdisjoint(sung)
        if mine is not None and mine in sung:
            last_s = made[-1].end_s if made else 0.0
            when = (last_s, last_s) if known is None else (known.word.start_s, known.word.end_s)
            made.append(Word(lyrics[mine].text, *when, round(sung[mine], 3)))
        elif known is not None and not is_part:
            made.append(replace(known.word, text=known.text))
    return made
