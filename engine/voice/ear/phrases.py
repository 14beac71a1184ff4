"""Lines of lyrics with their times, or the silences between what is sung → phrases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.voice.ear.heard import FRAME_S, Line
from engine.voice.ear.melody import Melody

_GAP_S, _LEAST_S, _MOST_S = 0.5, 0.4, 12.0
_LINE_S = 8.0  # of a last line whose end nobody knows


@dataclass(frozen=True)
class Phrase:
    """Seconds of the reference, and what is sung there: "" where nobody knows."""

    from_s: float
    to_s: float
    text: str = ""


def phrases(reference: Melody, lyrics: Sequence[Line] | None, offset_s: float) -> list[Phrase]:
    """In their order. `offset_s` is added to the times of lyrics."""
    timed = [line for line in lyrics or () if line.from_s is not None and line.text.strip()]
    if timed:
        return _of_lines(timed, offset_s, reference.duration_s)
    return _of_silences(reference.sure)


def _of_lines(lines: Sequence[Line], offset_s: float, duration_s: float) -> list[Phrase]:
    lines = sorted(lines, key=lambda line: line.from_s or 0)
    made = []
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        begins = (line.from_s or 0) + offset_s
        following = duration_s if after is None or after.from_s is None else after.from_s + offset_s
        ends = line.to_s + offset_s if line.to_s is not None else min(following, begins + _LINE_S)
        begins, ends = max(0.0, begins), min(duration_s, max(ends, begins))
        if ends - begins >= _LEAST_S:
            made.append(Phrase(begins, ends, line.text.strip()))
    return made


def _of_silences(sung: npt.NDArray[np.bool_]) -> list[Phrase]:
    """What is sung without a silence of half a second; longer ones in equal parts."""
    frames = np.flatnonzero(sung)
    if not len(frames):
        return []
    cuts = np.flatnonzero(np.diff(frames) * FRAME_S > _GAP_S)
    begins = np.concatenate([frames[:1], frames[cuts + 1]]) * FRAME_S
    ends = (np.concatenate([frames[cuts], frames[-1:]]) + 1) * FRAME_S
    made = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if end - begin < _LEAST_S:
            continue
        count = int(np.ceil((end - begin) / _MOST_S))
        edges = np.linspace(begin, end, count + 1)
        made += [Phrase(float(a), float(b)) for a, b in itertools.pairwise(edges)]
    return made
