"""Rows in order of their ids, in blocks: from memory, or out of an index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.vectors.embeddings import BLOCK, Embeddings, Ids
from engine.vectors.neighbours import VectorIndex


class Source(Protocol):
    """Rows in order of their ids, whoever holds them."""

    @property
    def dimension(self) -> int: ...

    def __len__(self) -> int: ...

    def blocks(self) -> Iterator[tuple[int, Embeddings]]:
        """(first position, (n, D) float32 unit rows) from the first row to the last."""
        ...

    def sample(self, count: int, seed: int) -> tuple[NDArray[np.int64], Embeddings]:
        """Positions (n,) and rows (n, D) of at most `count` of them, chosen at random."""
        ...


class InMemory:
    """(N, D) float32 unit rows as a `Source`."""

    def __init__(self, vectors: Embeddings) -> None:
        self._vectors = vectors
        self.dimension = int(vectors.shape[1])

    def __len__(self) -> int:
        return len(self._vectors)

    def blocks(self) -> Iterator[tuple[int, Embeddings]]:
        for start in range(0, len(self), BLOCK):
            yield start, self._vectors[start : start + BLOCK]

    def sample(self, count: int, seed: int) -> tuple[NDArray[np.int64], Embeddings]:
        positions = np.random.default_rng(seed).permutation(len(self))[:count]
        return positions, self._vectors[positions]


class Stored:
    """The rows that an index holds under (N,) `ids`, as a `Source`: none is embedded again."""

    def __init__(self, index: VectorIndex, ids: Ids) -> None:
        self._index, self._ids, self.dimension = index, ids, index.dimension

    def __len__(self) -> int:
        return len(self._ids)

    def blocks(self) -> Iterator[tuple[int, Embeddings]]:
        for start in range(0, len(self), BLOCK):
            yield start, self._index.vectors(self._ids[start : start + BLOCK])

    def sample(self, count: int, seed: int) -> tuple[NDArray[np.int64], Embeddings]:
        positions = np.random.default_rng(seed).permutation(len(self))[:count]
        return positions, self._index.vectors(self._ids[positions])
