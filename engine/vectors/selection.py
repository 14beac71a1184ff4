"""What a search may be restricted to, prepared once for many searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.vectors.embeddings import Ids as Ids

if TYPE_CHECKING:
    pass


# A filter that leaves no more albums than this is answered from their rows, exactly: a graph or a
# coarse code finds only some of a few. Past some thousands asking the lists is as good and faster.
EXACT_AMONG = 5_000


class Selection:
    """The albums that searches of one index are restricted to, prepared once for many of them."""

    def __init__(self, album_ids: Ids, genre_id: int | None = None) -> None:
        """`album_ids` (N,) int64, each once, in any order; `genre_id` where they are all of one."""
        self.count, self.genre_id = len(album_ids), genre_id
        # Kept for exact answers; of more, the bits below are all that is needed.
        self.ids: Ids = album_ids[: EXACT_AMONG + 1].copy()
        # Of an inverted file: how many of the albums each list holds. Filled at the first search.
        self.per_list: NDArray[np.int64] | None = None
        top = int(album_ids.max(initial=0))
        self._bits: NDArray[np.uint8] | None = None
        if top > 64 * self.count + 2**20:  # ids far apart: a set costs less than a bit for each
            self._sorted = np.sort(album_ids)
            self.selector: Any = faiss.IDSelectorBatch(album_ids)
        else:
            chosen = np.zeros(top + 1, bool)
            chosen[album_ids] = True
            self._bits = np.packbits(chosen, bitorder="little")
            self.selector = faiss.IDSelectorBitmap(self._bits)

    def holds(self, album_ids: Ids) -> NDArray[np.bool_]:
        """(N,) ids → (N,) whether each is one of these."""
        if self._bits is None:
            return np.isin(album_ids, self._sorted)
        inside = album_ids < 8 * len(self._bits)
        bytes_ = self._bits[np.where(inside, album_ids, 0) >> 3]
        held: NDArray[np.bool_] = (bytes_ >> (album_ids & 7).astype(np.uint8)) & 1 > 0
        return inside & held
