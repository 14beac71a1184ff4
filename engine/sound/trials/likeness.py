"""Likeness on trial: whether what belongs together lies together, and the rest does not.

Nobody can say what sounds alike, but albums and genres are sets of tracks that mostly do. Where all
music is alike, as means of raw features make it, different tracks have cosines far from 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.vectors.embeddings import Embeddings


@dataclass(frozen=True)
class Likeness:
    """Shares of the tracks that have a mate: the nearest other track is of the same album or genre,
    beside how often a drawn one would be; and the mean cosine of different tracks."""

    tracks: int
    same_album: float
    album_chance: float
    same_genre: float
    genre_chance: float
    mean_cosine: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def likeness(
    vectors: Embeddings, albums: Sequence[Hashable | None], genres: Sequence[Hashable | None]
) -> Likeness:
    """(N, D) unit rows of the tracks, and what each is of; None belongs to nothing."""
    cosines = vectors @ vectors.T
    count = len(vectors)
    others = ~np.eye(count, dtype=bool)
    nearest = np.where(others, cosines, -2).argmax(axis=1)
    album, album_chance = _together(nearest, albums)
    genre, genre_chance = _together(nearest, genres)
    mean = float(cosines[others].mean()) if count > 1 else 0.0
    return Likeness(count, album, album_chance, genre, genre_chance, mean)


def _together(nearest: NDArray[np.int64], sets: Sequence[Hashable | None]) -> tuple[float, float]:
    """The share of tracks whose nearest is of the same set, of those that have a mate there; and
    the share that a drawn one would give."""
    hits: list[float] = []
    chances: list[float] = []
    for number, own in enumerate(sets):
        mates = sum(other == own for other in sets) - 1
        if own is not None and mates:
            hits.append(float(sets[int(nearest[number])] == own))
            chances.append(mates / (len(sets) - 1))
    return float(np.mean(hits or [0.0])), float(np.mean(chances or [0.0]))
