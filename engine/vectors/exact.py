"""The exact neighbours of queries among rows that come in blocks: what recall is measured by."""

from __future__ import annotations

import faiss
import numpy as np

from engine.vectors.embeddings import Embeddings, Ids

_DEPTH, _DRAWS = 10, 32
_METRIC = faiss.METRIC_INNER_PRODUCT


class Exact:
    """The exact neighbours of some queries among rows that come in blocks.

    `own` (Q,) are albums that the queries themselves are, left out; −1 where a query is none.
    """

    def __init__(self, queries: Embeddings, own: Ids) -> None:
        self._queries, self._own = queries, own
        self._best = np.full((len(queries), _DRAWS), -np.inf, np.float32)
        self._ids = np.full((len(queries), _DRAWS), -1, np.int64)

    def add(self, block: Embeddings, ids: Ids) -> None:
        if not len(self._queries):
            return
        # One more than kept: the query's own album is among them and goes.
        near = min(_DRAWS + 1, len(ids))
        similarities, places = faiss.knn(self._queries, block, near, metric=_METRIC)
        found = ids[places]
        similarities[found == self._own[:, None]] = -np.inf
        best = np.concatenate([self._best, similarities], axis=1)
        both = np.concatenate([self._ids, found], axis=1)
        order = np.argsort(-best, axis=1)[:, :_DRAWS]
        self._best = np.take_along_axis(best, order, 1)
        self._ids = np.take_along_axis(both, order, 1)

    def nearest(self) -> list[Ids]:
        """For each query the ids of the ten nearest, and of those as near as the tenth."""
        tenth = self._best[:, min(_DEPTH, self._best.shape[1]) - 1]
        return [
            ids[(best >= least - 1e-6) & np.isfinite(best)]
            for ids, best, least in zip(self._ids, self._best, tenth, strict=True)
        ]
