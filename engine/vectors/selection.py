"""Ids → what a search is restricted to, prepared once for many searches."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.vectors.embeddings import Ids

# A filter that leaves no more rows than this is answered from them, exactly: a graph or a coarse
# code finds only some of a few. Past some thousands asking the lists is as good and faster.
EXACT_AMONG = 5_000
# How many times as many rows a filtered search by lists meets. Its ids may all be far from the
# query, where lists tell less.
FILTER_EFFORT = 6


class Selection:
    """The ids that searches of one index are restricted to, prepared once for many of them."""

    def __init__(self, ids: Ids, label: int | None = None) -> None:
        """`ids` (N,) int64, each once, in any order; `label` where they are all that have it."""
        self.count, self.label = len(ids), label
        # Kept for exact answers; of more, the bits below are all that is needed.
        self.ids: Ids = ids[: EXACT_AMONG + 1].copy()
        # Of an inverted file: how many of the ids each list holds. Filled at the first search.
        self.per_list: NDArray[np.int64] | None = None
        top = int(ids.max(initial=0))
        self._bits: NDArray[np.uint8] | None = None
        if top > 64 * self.count + 2**20:  # ids far apart: a set costs less than a bit for each
            self._sorted = np.sort(ids)
            self.selector: Any = faiss.IDSelectorBatch(ids)
        else:
            chosen = np.zeros(top + 1, bool)
            chosen[ids] = True
            self._bits = np.packbits(chosen, bitorder="little")
            self.selector = faiss.IDSelectorBitmap(self._bits)

    def holds(self, ids: Ids) -> NDArray[np.bool_]:
        """(N,) ids → (N,) whether each is one of these."""
        if self._bits is None:
            return np.isin(ids, self._sorted)
        inside = ids < 8 * len(self._bits)
        bytes_ = self._bits[np.where(inside, ids, 0) >> 3]
        held: NDArray[np.bool_] = (bytes_ >> (ids & 7).astype(np.uint8)) & 1 > 0
        return inside & held
