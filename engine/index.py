"""Embedding → neighbours: a FAISS index whose ids are album ids.

Ids live in the index file itself (`IndexIDMap2`, or an inverted file's own), so rows and albums
are joined by id and never by position. The metric is the inner product of unit rows: cosine.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.encoder import Embeddings, unit_rows
from engine.errors import ArtifactError, BuildError, InvalidRequest

Ids = NDArray[np.int64]

# Above this many rows `--index auto` stops comparing a query with every one of them: at 512
# dimensions exact search costs about 1 ms a query and core per 15,000 rows.
EXACT_UP_TO = 100_000
_TIES = 8
# A filter that leaves no more albums than this is answered exactly, whatever the index: a graph
# or an inverted file finds only some of a few.
_EXACT_AMONG = 20_000


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One album near a query; `similarity` is the cosine, −1 to 1."""

    album_id: int
    similarity: float


class Index:
    """A read-only index. Safe for concurrent searches (FAISS's are)."""

    def __init__(self, index: Any, kind: str) -> None:
        if index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ArtifactError("index.faiss does not use the inner product; build it again.")
        self._index = index
        self.kind = kind
        self.dimension = int(index.d)
        self._direct_map = threading.Lock()

    @classmethod
    def read(cls, path: Path, kind: str) -> Index:
        """Open an index file. Check its digest first: FAISS's reader trusts its input."""
        try:
            index = faiss.read_index(str(path))
        except (RuntimeError, MemoryError) as error:  # std::bad_alloc: an invented size
            raise ArtifactError(
                f"{path.name} is not a FAISS index this version can read ({_first_line(error)})."
            ) from error
        inner = faiss.downcast_index(index)
        if not hasattr(inner, "id_map") and not hasattr(inner, "invlists"):
            raise ArtifactError(f"{path.name} ({type(inner).__name__}) holds no album ids.")
        return cls(index, kind)

    def write(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> Ids:
        """(N,) int64: every album id in the index, in no particular order."""
        inner = faiss.downcast_index(self._index)
        if hasattr(inner, "id_map"):
            return np.asarray(faiss.vector_to_array(inner.id_map), dtype=np.int64)
        return _ids_of_lists(inner)

    def search(
        self, queries: Embeddings, k: int, among: Ids | None = None
    ) -> list[list[Neighbour]]:
        """(N, D) unit rows → N lists of at most `k` neighbours, best first, ties by album id.

        `among` restricts the answer to these album ids. Fewer albums than `k` give fewer
        neighbours: FAISS's padding id −1 never leaves this function.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise InvalidRequest(
                f"The query has {queries.shape[-1]} dimensions, the index {self.dimension}: "
                "they were made by different encoders."
            )
        if k < 1 or not len(queries) or not len(self) or (among is not None and not len(among)):
            return [[] for _ in queries]
        queries = np.ascontiguousarray(queries, np.float32)
        if among is not None and self.kind != "flat" and len(among) <= _EXACT_AMONG:
            return self._search_exactly(queries, k, among)
        # A few more than asked for, so that equals at the k-th place are cut by album id too.
        most = len(self) if among is None else len(among)
        reach = min(k + _TIES, most)
        parameters = self._parameters(among)
        similarities, ids = self._found(queries, reach, parameters)
        answers = []
        for i, (row, row_ids) in enumerate(zip(similarities, ids, strict=True)):
            # The same cover fifty times over: reach further until the last one is not a tie.
            wider = reach
            while wider < most and row_ids[-1] >= 0 and row[-1] == row[k - 1]:
                wider = min(4 * wider, most)
                found = self._found(queries[i : i + 1], wider, parameters)
                row, row_ids = found[0][0], found[1][0]
            answers.append(_best(row, row_ids, k))
        return answers

    def _found(self, queries: Embeddings, k: int, parameters: Any) -> tuple[Any, Any]:
        try:
            found: tuple[Any, Any] = self._index.search(queries, k, params=parameters)
        except RuntimeError as error:
            raise ArtifactError(
                f"The index cannot be searched ({_first_line(error)}). Rebuild the artifact."
            ) from error
        return found

    def _search_exactly(self, queries: Embeddings, k: int, among: Ids) -> list[list[Neighbour]]:
        similarities = queries @ self.vectors(among.tolist()).T
        return [_best(row, among, k) for row in similarities]

    def vectors(self, album_ids: Sequence[int]) -> Embeddings:
        """(N, D) float32 unit rows of these albums; KeyError names the first unknown id."""
        inner = faiss.downcast_index(self._index)
        if isinstance(inner, faiss.IndexIVF):
            with self._direct_map:  # made once, by one thread, however many ask
                if inner.direct_map.type == faiss.DirectMap.NoMap:
                    inner.set_direct_map_type(faiss.DirectMap.Hashtable)
        rows = np.empty((len(album_ids), self.dimension), np.float32)
        for i, album_id in enumerate(album_ids):
            try:
                rows[i] = inner.reconstruct(int(album_id))
            except RuntimeError as error:
                raise KeyError(album_id) from error
        return unit_rows(rows)  # quantised rows come back a little off unit length

    def _parameters(self, among: Ids | None) -> Any:
        inner = faiss.downcast_index(self._index)
        if among is None:
            return None
        selector = faiss.IDSelectorBatch(among)
        if isinstance(inner, faiss.IndexIVF):
            return faiss.SearchParametersIVF(sel=selector, nprobe=inner.nprobe)
        wrapped = faiss.downcast_index(inner.index) if hasattr(inner, "index") else inner
        if isinstance(wrapped, faiss.IndexHNSW):
            # A graph walk that must skip most of what it meets has to look at more.
            return faiss.SearchParametersHNSW(
                sel=selector, efSearch=max(256, wrapped.hnsw.efSearch)
            )
        return faiss.SearchParameters(sel=selector)


def _best(similarities: NDArray[Any], ids: Ids, k: int) -> list[Neighbour]:
    """One row of FAISS's answer → its `k` best, ties by album id, padding (−1) left out."""
    order = np.lexsort((ids, -similarities))
    pairs = ((int(ids[i]), float(similarities[i])) for i in order if ids[i] >= 0)
    return [Neighbour(*pair) for pair, _ in zip(pairs, range(k), strict=False)]


def build_index(vectors: Embeddings, album_ids: Ids, kind: str = "auto") -> Index:
    """(N, D) float32 unit rows and their (N,) int64 ids → `Index`.

    `kind`: `flat` (exact), `hnsw` (graph over exact rows), `ivf` (inverted file of exact rows), or
    `auto`: flat while exact search is cheap, else ivf.
    """
    count, dimension = vectors.shape
    if kind == "auto":
        kind = "flat" if count <= EXACT_UP_TO else "ivf"
    if kind == "flat":
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
    elif kind == "hnsw":
        graph = faiss.IndexHNSWFlat(dimension, 32, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = 200, 128
        index = faiss.IndexIDMap2(graph)
    elif kind == "ivf":
        # FAISS wants some 39 training rows a list; sqrt(N) lists balance the two steps of a search.
        lists = max(1, min(int(4 * count**0.5), count // 39))
        index = faiss.index_factory(dimension, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
        index.nprobe = max(1, min(lists, 16 + lists // 16))
        index.cp.seed = 0
        index.cp.min_points_per_centroid = 1
        index.train(vectors)
    else:
        raise BuildError(f"--index {kind!r} is unknown. Use auto, flat, hnsw or ivf.")
    index.add_with_ids(vectors, album_ids)
    return Index(index, kind)


def read_foreign(path: Path) -> tuple[Embeddings, Ids, str]:
    """Somebody else's FAISS index → its (N, D) float32 rows, their (N,) ids, and its kind.

    Reads any index that can give its rows back: flat, IVF, HNSW, quantised, transformed, with or
    without an id map (without one, ids are positions). Raises `BuildError` by name for the rest.
    """
    try:
        index = faiss.read_index(str(path))
    except (RuntimeError, MemoryError) as error:  # std::bad_alloc: an invented size
        raise BuildError(
            f"{path.name} is not a FAISS index this version can read ({_first_line(error)})."
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
            ids = keys = np.sort(_ids_of_lists(inverted))
        inverted.set_direct_map_type(faiss.DirectMap.Hashtable)
    try:
        if inverted is not None:
            rows = np.stack([index.reconstruct(int(key)) for key in keys])
        else:
            rows = index.reconstruct_n(0, int(index.ntotal))
    except RuntimeError as error:
        raise BuildError(
            f"{path.name} ({type(index).__name__}) cannot give its rows back: "
            f"{_first_line(error)}. {_ADVICE}"
        ) from error
    return np.ascontiguousarray(rows, np.float32), ids, kind


_ADVICE = "Build the artifact from the covers instead (`python -m engine build`)."


def _ids_of_lists(inverted: Any) -> Ids:
    lists = inverted.invlists
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
        for number in range(inverted.nlist)
        if (size := lists.list_size(number))
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def set_index_threads(threads: int) -> None:
    """Threads FAISS may use for one call; with the encoder's, not more than there are cores."""
    faiss.omp_set_num_threads(max(1, threads))


def _first_line(error: BaseException) -> str:
    return str(error).split("\n")[0][-200:]
