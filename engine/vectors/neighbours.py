"""What a search answers, whoever searched: neighbours, best first, ties in order of their ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import InvalidRequest
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.selection import Selection
from engine.vectors.tuning import Tuning

# One row of FAISS's answer: (k,) similarities and (k,) ids, best first.
Found = tuple[NDArray[np.float32], Ids]
# Asked for beyond k, so that equals at the k-th place are cut by id too.
TIES = 8


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One row near a query; `similarity` is the cosine, −1 to 1."""

    id: int
    similarity: float


class VectorIndex(Protocol):
    """What a search asks of an index: a file of ours, or an engine's table (`vectors.lance`)."""

    kind: str
    tuning: Tuning | None
    dimension: int

    def __len__(self) -> int: ...

    def ids(self) -> Ids: ...

    def search(
        self, queries: Embeddings, k: int, among: Selection | None = None
    ) -> list[list[Neighbour]]: ...

    def vectors(self, ids: Sequence[int] | Ids) -> Embeddings: ...


def check_width(queries: Embeddings, dimension: int) -> None:
    """Raise `InvalidRequest` where queries are not (N, `dimension`)."""
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise InvalidRequest(
            f"The query has {queries.shape[-1]} dimensions, the index {dimension}: "
            "they were made by different encoders."
        )


def past_ties(
    found: Found, reach: int, k: int, most: int, further: Callable[[int], Found]
) -> Found:
    """One row of an answer, reached further until its last is no tie with place `k`: the same row
    may be there fifty times over, and equals are cut by id.

    `found` are the `reach` best of `most`, `further(n)` gives the `n` best. A row that is shorter
    than asked, or padded with −1, has all there are.
    """
    similarities, ids = found
    while reach < most and len(ids) == reach and ids[-1] >= 0:
        if similarities[-1] != similarities[k - 1]:
            break
        reach = min(4 * reach, most)
        similarities, ids = further(reach)
    return similarities, ids


def best_of(similarities: NDArray[Any], ids: Ids, k: int) -> list[Neighbour]:
    """One row of FAISS's answer → its `k` best, ties by id, padding (−1) left out."""
    order = np.lexsort((ids, -similarities))
    pairs = ((int(ids[i]), float(similarities[i])) for i in order if ids[i] >= 0)
    return [Neighbour(*pair) for pair, _ in zip(pairs, range(k), strict=False)]
