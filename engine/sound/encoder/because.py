"""Two tracks that sound alike → what they have in common, in words: "Both: jazz, mellow; D minor".

A tag is named where the encoder hears it in both, and more than in the catalogue on the whole: in
a catalogue of rock, rock says nothing. Judgements (beautiful, sexy, catchy) are never named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MOST_TAGS = 3
# How sure of a tag the encoder must be of both tracks, and how much surer than of all on average.
_HEARD, _MORE_THAN_USUAL = 0.05, 1.2
# Tempos that a listener takes for one.
_SAME_TEMPO = 0.04

# Tags of the Million Song Dataset as one says them; those that are missing are not said.
SAID = {
    tag: tag
    for tag in (
        *("rock", "pop", "alternative", "indie", "electronic", "dance", "alternative rock"),
        *("jazz", "metal", "classic rock", "soul", "indie rock", "electronica", "80s", "folk"),
        *("instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic"),
        *("experimental", "guitar", "70s", "party", "country", "easy listening", "funk"),
        *("electro", "heavy metal", "60s", "indie pop", "sad", "happy"),
    )
} | {
    "female vocalists": "a woman's voice",
    "female vocalist": "a woman's voice",
    "male vocalists": "a man's voice",
    "chillout": "calm",
    "chill": "calm",
    "Mellow": "mellow",
    "Hip-Hop": "hip-hop",
    "Progressive rock": "progressive rock",
    "rnb": "R&B",
    "House": "house",
}


class Described(Protocol):
    """What a catalogue may know of a track; None where it does not."""

    @property
    def genre(self) -> str | None: ...
    @property
    def bpm(self) -> float | None: ...
    @property
    def key(self) -> str | None: ...


@dataclass(frozen=True)
class Common:
    """What two tracks share; `str()` says it in English."""

    words: tuple[str, ...] = ()
    bpm: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        parts = [f"Both: {', '.join(self.words)}"] if self.words else []
        parts += [f"about {self.bpm} bpm"] if self.bpm else []
        parts += [self.key] if self.key else []
        if not parts:
            return "Alike in timbre and rhythm"
        return "; ".join(parts) if self.words else f"Both: {', '.join(parts)}"


def in_common(
    one: Described,
    other: Described,
    tags: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    *,
    names: Sequence[str] = (),
    usual: NDArray[np.float32] | None = None,
) -> Common:
    """`tags` are both tracks' (T,) float32 in 0…1, `names` what each is called, `usual` (T,) their
    mean over the catalogue."""
    words = [one.genre] if one.genre and _same(one.genre, other.genre) else []
    if tags is not None:
        words += shared_tags(*tags, names=names, usual=usual)
    unique = {word.casefold(): word for word in reversed(words)}
    kept = [word for word in words if unique.pop(word.casefold(), None) is not None]
    return Common(tuple(kept), _tempo(one.bpm, other.bpm), _key(one.key, other.key))


def shared_tags(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    *,
    names: Sequence[str],
    usual: NDArray[np.float32] | None = None,
) -> list[str]:
    """(T,) float32 in 0…1 each → at most three words, what sets both apart most first."""
    both = np.minimum(one, other)
    usual = np.zeros_like(both) if usual is None else usual
    counts = (both >= _HEARD) & (both >= _MORE_THAN_USUAL * usual)
    words: list[str] = []
    for at in np.argsort(usual - both, kind="stable"):
        word = SAID.get(names[at]) if counts[at] else None
        if word and word not in words:
            words.append(word)
    return words[:MOST_TAGS]


def _same(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.casefold() == other.casefold()


def _tempo(one: float | None, other: float | None) -> int | None:
    if not one or not other or abs(one - other) > _SAME_TEMPO * max(one, other):
        return None
    return round((one + other) / 2)


def _key(one: str | None, other: str | None) -> str | None:
    return one if _same(one, other) else None
