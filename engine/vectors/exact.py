"""Queries and rows → the exact neighbours, and the share of them that an index finds."""

from __future__ import annotations

from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.neighbours import Neighbour

# Recall is measured at ten.
DEPTH = 10
# Similarities no further apart than this are a draw: of equal rows a product of matrices gives
# them 1e-7 apart.
_DRAW = 1e-6
# Asked of a block: ten, the query itself and some draws. Where all of them are draws, as one row is
# there dozens of times, the whole block is compared.
_ASKED = 33


class Exact:
    """The exact neighbours of some queries among rows that come in blocks.

    `queries` (Q, D) are unit rows, `own` (Q,) their ids where they are rows themselves, which are
    left out; −1 where a query is none.
    """

    def __init__(self, queries: Embeddings, own: Ids) -> None:
        self._queries, self._own = queries, own
        # Of each query the ten best so far, and what draws with the tenth.
        self._best = [np.zeros(0, np.float32)] * len(queries)
        self._ids: list[Ids] = [np.zeros(0, np.int64)] * len(queries)

    def add(self, block: Embeddings, ids: Ids) -> None:
        """Compare the queries with a further (N, D) unit rows of these (N,) ids."""
        if not len(self._queries) or not len(ids):
            return
        asked, metric = min(_ASKED, len(ids)), faiss.METRIC_INNER_PRODUCT
        found = zip(*faiss.knn(self._queries, block, asked, metric=metric), strict=True)
        for i, (row, places) in enumerate(found):
            if asked < len(ids) and row[-1] >= row[DEPTH] - _DRAW:
                self._merge(i, block @ self._queries[i], ids)
            else:
                self._merge(i, row, ids[places])

    def _merge(self, i: int, similarities: NDArray[np.float32], ids: Ids) -> None:
        others = ids != self._own[i]
        best = np.concatenate([self._best[i], similarities[others]])
        both = np.concatenate([self._ids[i], ids[others]])
        if len(best) > DEPTH:
            kept = best >= np.partition(best, -DEPTH)[-DEPTH] - _DRAW
            best, both = best[kept], both[kept]
        self._best[i], self._ids[i] = best, both

    def nearest(self) -> list[Ids]:
        """For each query the ids of the ten nearest, best first, and of all as near as the tenth;
        of fewer where there are no more."""
        return [
            ids[np.argsort(-best, kind="stable")]
            for best, ids in zip(self._best, self._ids, strict=True)
        ]


def recall_at_10(found: Sequence[Neighbour], own: int, right: Ids) -> float:
    """The share of a query's ten exact neighbours that were `found`; of all, where there are fewer.

    `found` are an index's, best first, one more than ten where the query is a row itself. `own`,
    its id (−1: it is none), is left out wherever it stands: the same row under another id may come
    before it. `right` is what `Exact` found: whatever is as near as the tenth may stand for it.
    """
    others = [near.id for near in found if near.id != own][:DEPTH]
    depth = min(DEPTH, len(right))
    return min(depth, len(set(others) & set(right.tolist()))) / depth if depth else 1.0
