"""Somebody else's FAISS index file → its rows, their ids, its kind."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from engine.base.errors import BuildError
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.files import first_line, read_index
from engine.vectors.index import ids_of_lists

_ADVICE = "Build the artifact from the covers instead (`python -m engine build`)."


def read_foreign(path: Path) -> tuple[Embeddings, Ids, str]:
    """Somebody else's FAISS index → its (N, D) float32 rows, their (N,) ids, and its kind.

    Reads any index that can give its rows back: flat, IVF, HNSW, quantised, transformed, with or
    without an id map (without one, ids are positions). Raises `BuildError` by name for the rest.
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
    return np.ascontiguousarray(rows, np.float32), ids, kind
