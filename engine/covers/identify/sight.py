"""What the encoder sees at a place of a photo: the albums near it, and how far one is ahead.

A proof compares a photo with one cover; the encoder compares it with all of them. Its cosine alone
proves nothing, but whether another album lies nearer is evidence that no window of a proof has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.covers.identify.references import References
from engine.covers.image import Pixels, Preprocessing, to_pixels
from engine.vectors.embeddings import Embeddings
from engine.vectors.neighbours import Neighbour, VectorIndex

Embed = Callable[[Pixels], Embeddings]

VIEW_SIDE = 128  # pixels of a rectified view: a sleeve on 15 % of a working copy has little more
# Albums asked of the index: some have no reference, and of those that do one is the candidate.
_NEIGHBOURS = 10
# Two cosines above 1 less this are equal: int8 changes the third digit.
_EQUAL = 0.01


@dataclass(frozen=True, slots=True)
class Glance:
    """One view: its embedding, (D,) float32 of unit length, and the references near it, best
    first."""

    vector: NDArray[np.float32]
    near: tuple[Neighbour, ...]


class Sight:
    """An encoder and its index, before those albums that have references."""

    def __init__(
        self,
        index: VectorIndex,
        preprocessing: Preprocessing,
        embed: Embed,
        references: References,
        looking: Executor,
    ) -> None:
        """`looking` are threads in which a view is looked at while its proof goes on."""
        self._index, self._preprocessing = index, preprocessing
        self._embed, self._references = embed, references
        self._looking = looking
        self._lock = Lock()  # a runtime runs one batch at a time

    def look(self, views: Sequence[Pixels]) -> Future[list[Glance]]:
        """`glances`, begun; the answer can be waited for."""
        return self._looking.submit(self.glances, views)

    def glances(self, views: Sequence[Pixels]) -> list[Glance]:
        """(H, W, 3) uint8 RGB views of any size, one batch of the encoder."""
        with self._lock:
            vectors = embed_views(views, self._preprocessing, self._embed)
        known = self._references.row_of
        return [
            Glance(vector, tuple(one for one in near if one.id in known))
            for vector, near in zip(vectors, self._index.search(vectors, _NEIGHBOURS), strict=True)
        ]

    def evidence(self, glance: Glance, row: int, twins: Sequence[int]) -> tuple[float, float]:
        """Cosine to the album of a row, and how far it is ahead of all others but its `twins`: the
        logarithm of the ratio of squared distances, so that encoders can be compared."""
        ids = self._references.ids
        own = float(self._index.vectors([int(ids[row])])[0] @ glance.vector)
        same = {int(ids[one]) for one in (row, *twins)}
        others = [near.similarity for near in glance.near if near.id not in same]
        next_one = max(others, default=0.0)
        return own, float(np.log((1 + _EQUAL - next_one) / (1 + _EQUAL - own)))


def embed_views(views: Sequence[Pixels], preprocessing: Preprocessing, embed: Embed) -> Embeddings:
    """(H, W, 3) uint8 views → (N, D) unit rows."""
    return embed(np.stack([to_pixels(Image.fromarray(view), preprocessing) for view in views]))
