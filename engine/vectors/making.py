"""Rows → an index of ours, of the kind that was asked for or fits their number."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.index import Index
from engine.vectors.inverted import build_inverted
from engine.vectors.sources import InMemory, Source
from engine.vectors.tuning import EXACT_UP_TO, RECALL


def build_index(
    vectors: Embeddings | Source,
    ids: Ids,
    kind: str = "auto",
    *,
    recall: float = RECALL,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Index:
    """(N, D) float32 unit rows, or a `Source` of blocks of them, and (N,) int64 ids → `Index`.

    `kind`: `flat` (exact), `hnsw` (graph over exact rows), `ivf` (inverted file, tuned to
    `recall`), or `auto`: flat while exact search is cheap, else ivf. `folder` is the staged
    artifact's, where an inverted file of compact codes puts its rows. Raises `BuildError`.
    """
    progress = progress or Progress()
    source = InMemory(vectors) if isinstance(vectors, np.ndarray) else vectors
    count, dimension = len(source), source.dimension
    if kind == "auto":
        kind = "flat" if count <= EXACT_UP_TO else "ivf"
    if kind == "ivf":
        return build_inverted(source, ids, recall=recall, folder=folder, progress=progress)
    if kind == "flat":
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
    elif kind == "hnsw":
        graph = faiss.IndexHNSWFlat(dimension, 32, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = 200, 128
        index = faiss.IndexIDMap2(graph)
    else:
        raise BuildError(f"--index {kind!r} is unknown. Use auto, flat, hnsw or ivf.")
    for start, block in source.blocks():
        index.add_with_ids(block, ids[start : start + len(block)])
        progress.step(start + len(block), count, "rows")
    return Index(index, kind)


def revise_index(
    before: Index,
    folder: Path,
    gone: Ids,
    vectors: Embeddings,
    fresh: Ids,
    progress: Progress | None = None,
) -> tuple[Index, set[str]]:
    """An index without the ids `gone` and with (N, D) unit rows of the (N,) `fresh` ones, and the
    names of the files it shares with the old one; see `Index.revised`. A graph cannot lose a row:
    it is made again."""
    if before.kind != "hnsw":
        return before.revised(folder, gone, vectors, fresh)
    kept = np.setdiff1d(before.ids(), gone)
    ids = np.concatenate([kept, fresh])
    rows = np.concatenate([before.vectors(kept), vectors])
    order = np.argsort(ids)
    return build_index(rows[order], ids[order], "hnsw", progress=progress), set()
