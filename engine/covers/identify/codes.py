"""Layout codes of all references, in memory and compared one by one: what few of them have.

`mapped` holds the codes of many."""

from __future__ import annotations

from typing import Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.covers.identify.layout import Codes

# Codes are unit rows of 256 numbers, few beyond ±0.5; an eighth of a bit is lost on average.
CODE_SCALE = 254.0


class KnownCodes(Protocol):
    """The codes of N references, by row."""

    def __len__(self) -> int: ...

    def of(self, rows: NDArray[np.int64]) -> Codes:
        """(K,) rows → (K, 256) float32 unit rows."""
        ...

    def nearest(self, codes: Codes, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """(Q, 256) unit rows → (Q, k) cosines, falling, and rows; −1 where there are no more."""
        ...


def quantised(codes: Codes) -> NDArray[np.int8]:
    """(N, 256) unit rows → what is kept of them."""
    return np.clip(np.round(codes * CODE_SCALE), -127, 127).astype(np.int8)


def dequantised(codes: NDArray[np.int8]) -> Codes:
    """(N, 256) → float32 unit rows."""
    rows = codes.astype(np.float32) / CODE_SCALE
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6
    return np.asarray(rows, np.float32)


class CodesInMemory:
    """(N, 256) codes, a kilobyte each. Safe for concurrent use."""

    def __init__(self, codes: Codes) -> None:
        self._index = faiss.IndexFlatIP(codes.shape[1])
        self._index.add(codes)
        # The index's own: a copy beside it would be a kilobyte more an album.
        kept = faiss.rev_swig_ptr(self._index.get_xb(), codes.size)
        self._codes: Codes = kept.reshape(codes.shape)

    def __len__(self) -> int:
        return len(self._codes)

    def of(self, rows: NDArray[np.int64]) -> Codes:
        return self._codes[rows]

    def nearest(self, codes: Codes, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        similarities, rows = self._index.search(codes, min(k, len(self)))
        return similarities, rows
