"""Somebody else's FAISS index file → its rows, their ids, its kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from engine.base.errors import BuildError
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.files import first_line, read_index
from engine.vectors.index import ids_of_lists

_ADVICE = "Build the artifact from the covers instead (`python -m engine build`)."


@dataclass(frozen=True)
class Foreign:
    """What somebody else's index holds: (N, D) float32 rows, their (N,) ids, its kind.

    `has_ids` says that the ids are others than positions, or were given one by one. `bytes_a_row`
    are what it keeps of a row's 4 · D: fewer, and its rows are approximations.
    """

    rows: Embeddings
    ids: Ids
    kind: str
    has_ids: bool
    type: str
    bytes_a_row: int

    @property
    def is_lossy(self) -> bool:
        return bool(self.bytes_a_row < 4 * self.rows.shape[1])


def read_foreign(path: Path) -> Foreign:
    """Reads any index that can give its rows back: flat, IVF, HNSW, quantised, transformed, with or
    without an id map. Raises `BuildError` by name for the rest.

    Of rows of unit length L2 distances and cosines give the same order, so both metrics are read;
    any other orders its neighbours in its own way.
    """
    try:
        index = read_index(path)
    except (RuntimeError, MemoryError) as error:  # std::bad_alloc
        raise BuildError(
            f"{path.name} is not a FAISS index this version can read ({first_line(error)})."
        ) from error
    if isinstance(index, faiss.IndexBinary):
        raise BuildError(f"{path.name} is a binary index; embeddings of CLIP are needed.")
    if not index.ntotal:
        raise BuildError(f"{path.name} is empty: it holds no rows.")
    if not 0 < index.ntotal <= path.stat().st_size:
        raise BuildError(f"{path.name} is damaged: it cannot hold {index.ntotal:,} rows.")
    if index.metric_type not in (faiss.METRIC_INNER_PRODUCT, faiss.METRIC_L2):
        raise BuildError(
            f"{path.name} compares by {_METRICS.get(index.metric_type, 'a metric of its own')}, "
            "whose nearest are others than those by cosine, which an artifact compares by. Make "
            "the index again with METRIC_INNER_PRODUCT, or build from the covers (`python -m "
            "engine build`)."
        )
    whole = index  # what is inside an index lives no longer than the index
    ids = keys = np.arange(index.ntotal, dtype=np.int64)
    mapped = isinstance(whole, faiss.IndexIDMap)
    if mapped:
        ids = np.asarray(faiss.vector_to_array(whole.id_map), np.int64)
        index = faiss.downcast_index(whole.index)  # rows are reached by position in there
    kind = "hnsw" if "HNSW" in type(index).__name__ else "flat"
    inverted = faiss.try_extract_index_ivf(index)
    if inverted is not None:
        kind = "ivf"
        if isinstance(faiss.downcast_index(inverted), faiss.IndexIVFFastScan):
            # Its rows lie interleaved in blocks, which FAISS's reconstruct reads out of bounds.
            raise BuildError(
                f"{path.name} ({type(index).__name__}) cannot give its rows back. {_ADVICE}"
            )
        if not mapped:
            ids = keys = np.sort(ids_of_lists(inverted))
        inverted.set_direct_map_type(faiss.DirectMap.Hashtable)
    try:
        if inverted is not None:
            rows = np.stack([index.reconstruct(int(key)) for key in keys])
        else:
            rows = index.reconstruct_n(0, int(index.ntotal))
    except RuntimeError as error:
        raise BuildError(
            f"{path.name} ({type(index).__name__}) cannot give its rows back: "
            f"{first_line(error)}. {_ADVICE}"
        ) from error
    explicit = mapped or (inverted is not None and not np.array_equal(ids, np.arange(len(ids))))
    return Foreign(
        np.ascontiguousarray(rows, np.float32),
        ids,
        kind,
        explicit,
        type(index).__name__,
        _bytes_a_row(index),
    )


def _bytes_a_row(index: faiss.Index) -> int:
    """How much an index keeps of each row that it can give back."""
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexPreTransform):
        chain = [
            faiss.downcast_VectorTransform(index.chain.at(i)) for i in range(index.chain.size())
        ]
        narrowest = min([index.d, *(step.d_out for step in chain)])
        return int(min(4 * narrowest, _bytes_a_row(index.index)))
    if isinstance(index, faiss.IndexIVF):
        return int(index.code_size)
    if isinstance(index, faiss.IndexRefine):
        return _bytes_a_row(index.refine_index)
    if isinstance(index, faiss.IndexHNSW | faiss.IndexNSG):
        return _bytes_a_row(index.storage)
    return int(index.sa_code_size())


_METRICS = {
    faiss.METRIC_L1: "L1 distance",
    faiss.METRIC_Linf: "the largest difference (Linf)",
    faiss.METRIC_Lp: "Lp distance",
    faiss.METRIC_Canberra: "Canberra distance",
    faiss.METRIC_BrayCurtis: "Bray–Curtis distance",
    faiss.METRIC_JensenShannon: "Jensen–Shannon divergence",
    faiss.METRIC_Jaccard: "Jaccard similarity",
}
_ADVICE = "Build the artifact from the covers instead (`python -m engine build`)."
