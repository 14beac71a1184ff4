"""Embedding → neighbours: a FAISS index whose ids are album ids.

Ids live in the index file itself (`IndexIDMap2`, or an inverted file's own), so rows and albums
are joined by id and never by position. The metric is the inner product of unit rows: cosine.

A large file is not read into memory at the start but mapped, so that the pages a search touches are
the system's, shared by all workers. Where the lists hold compact codes alone, their best `reach`
candidates are compared again by their full rows (`engine.vectors.rows`).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.base.errors import ArtifactError, BuildError, InvalidRequest
from engine.covers.encoder.on_torch import Embeddings, unit_rows
from engine.vectors.files import sizes_fit
from engine.vectors.rows import Ids as Ids
from engine.vectors.rows import Rows

if TYPE_CHECKING:
    from engine.vectors.inverted import Source

# One row of FAISS's answer: (k,) similarities and (k,) ids, best first.
Found = tuple[NDArray[np.float32], Ids]

# Above this many rows `--index auto` stops comparing a query with every one of them: exact search
# took 2.4 ms at 20,000 rows of 512 numbers and 8.4 at 50,000, an inverted file 2.0 at 100,000.
EXACT_UP_TO = 50_000
# Exact search touches all of a small file anyway.
MAPPED_FROM_BYTES = 64 << 20
RECALL = 0.98
# Asked for beyond k, so that equals at the k-th place are cut by album id too.
TIES = 8
# A filter that leaves no more albums than this is answered from their rows, exactly: a graph or a
# coarse code finds only some of a few. Past some thousands asking the lists is as good and faster.
EXACT_AMONG = 5_000
# How many times as many rows a filtered search meets. Its albums may all be far from the query,
# where lists tell less.
_FILTER_EFFORT = 6


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One album near a query; `similarity` is the cosine, −1 to 1."""

    album_id: int
    similarity: float


@dataclass(frozen=True, slots=True)
class Point:
    """One setting of an inverted file and what it gave on held-out queries: recall@10, and the
    median milliseconds of a query alone on one thread."""

    nprobe: int
    reach: int
    recall: float
    ms: float


@dataclass(frozen=True)
class Tuning:
    """How an inverted file was made and tuned.

    `codes` is what its lists hold (`Flat`, `SQ8`, `PQ64`…), `target` the recall@10 asked for,
    `queries` how many held-out rows it was tuned on. A search visits `nprobe` of the `lists`, and
    the best `reach` of what it meets, for ten answers, are compared again by their rows (0: the
    lists hold the rows themselves). `curve` is every setting tried that was worth its time.
    """

    codes: str
    lists: int
    target: float
    queries: int
    nprobe: int
    reach: int
    curve: tuple[Point, ...] = ()


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

    def vectors(self, album_ids: Sequence[int] | Ids) -> Embeddings: ...


class Index:
    """A read-only index. Safe for concurrent searches (FAISS's are)."""

    def __init__(
        self, index: Any, kind: str, *, rows: Rows | None = None, tuning: Tuning | None = None
    ) -> None:
        if index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ArtifactError("index.faiss does not use the inner product; build it again.")
        self._index, self._rows = index, rows
        self.kind, self.tuning = kind, tuning
        self.dimension = int(index.d)
        self._inverted = faiss.try_extract_index_ivf(index)
        if self._inverted is not None:
            self._inverted = faiss.downcast_index(self._inverted)
            lists = faiss.downcast_InvertedLists(self._inverted.invlists)
            if isinstance(lists, faiss.OnDiskInvertedLists):
                # It would start 32 threads for each query to touch pages that are there already.
                lists.prefetch_nthread = 0
        self._direct_map = threading.Lock()

    @classmethod
    def read(
        cls,
        path: Path,
        kind: str,
        *,
        rows: Rows | None = None,
        tuning: Tuning | None = None,
        mapped: bool = True,
    ) -> Index:
        """Open an index file. Raises `ArtifactError` where it is none, whatever is in it.

        Not `mapped`, it is read into memory and may be changed and written; so is a small one, and
        one whose sizes the mapping reader must not believe (`engine.vectors.files`).
        """
        mapped = mapped and path.stat().st_size > MAPPED_FROM_BYTES
        # Lists on disk are mapped by another reader, which checks.
        mapped = mapped and (kind == "ivf" or sizes_fit(path))
        inverted = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY
        flags = 0 if not mapped else inverted if kind == "ivf" else faiss.IO_FLAG_MMAP_IFC
        try:
            index = _read(path, flags)
        except (RuntimeError, MemoryError) as error:  # std::bad_alloc
            raise ArtifactError(
                f"{path.name} is not a FAISS index this version can read ({_first_line(error)})."
            ) from error
        made = cls(index, kind, rows=rows, tuning=tuning)
        inner = faiss.downcast_index(index)
        if made._inverted is None and not hasattr(inner, "id_map"):
            raise ArtifactError(f"{path.name} ({type(inner).__name__}) holds no album ids.")
        return made

    def write(self, path: Path) -> None:
        """Write the index file; its rows, where it has any beside it, are written already."""
        faiss.write_index(self._index, str(path))

    def revised(
        self, folder: Path, gone: Ids, vectors: Embeddings, album_ids: Ids
    ) -> tuple[Index, set[str]]:
        """This index without the albums `gone` and with (N, D) unit rows of new ones, not trained
        again, and the names of the files it shares with the old one. Takes one that was read
        unmapped, and spends it.

        Its rows, where it has any beside it, are written to `folder`; those of the albums gone stay
        in their segments until a quarter of all is such.
        """
        if len(gone):
            self._index.remove_ids(gone)
        if len(album_ids):
            self._index.add_with_ids(np.ascontiguousarray(vectors), album_ids)
        if self._rows is None:
            return self, set()
        rows, linked = self._rows.revised(folder, gone, vectors, album_ids)
        return Index(self._index, self.kind, rows=rows, tuning=self.tuning), linked

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> Ids:
        """(N,) int64, ascending: every album id in the index."""
        if self._inverted is not None:
            return _ascending(_ids_of_lists(self._inverted))
        inner = faiss.downcast_index(self._index)
        return _ascending(np.asarray(faiss.vector_to_array(inner.id_map), dtype=np.int64))

    def has_rows_of(self, album_ids: Ids) -> bool:
        """Whether the rows beside the index, where it has any, are those of (N,) ascending ids."""
        return self._rows is None or self._rows.are_those_of(album_ids)

    def search(
        self, queries: Embeddings, k: int, among: Selection | None = None
    ) -> list[list[Neighbour]]:
        """(N, D) unit rows → N lists of at most `k` neighbours, best first, ties by album id.

        `among` restricts the answer to some albums. Fewer albums than `k` give fewer neighbours:
        FAISS's padding id −1 never leaves this function.
        """
        check_width(queries, self.dimension)
        most = len(self) if among is None else among.count
        if k < 1 or not len(queries) or not len(self) or not most:
            return [[] for _ in queries]
        queries = np.ascontiguousarray(queries, np.float32)
        if among is not None and self.kind != "flat" and among.count <= EXACT_AMONG:
            return self._search_exactly(queries, k, among.ids)
        reach = k + TIES
        if self._rows is not None and self.tuning is not None:
            reach = max(reach, math.ceil(self.tuning.reach * k / 10))
        reach = min(reach, most)
        answers = []
        for i, first in enumerate(zip(*self._found(queries, reach, among), strict=True)):
            further = partial(self._nearest, queries[i : i + 1], among)
            row, row_ids = past_ties(first, reach, k, most, further)
            if self._rows is not None:
                row_ids = row_ids[row_ids >= 0]
                row = self._rows.similarities(queries[i], row_ids)
            answers.append(best_of(row, row_ids, k))
        return answers

    def _nearest(self, query: Embeddings, among: Selection | None, reach: int) -> Found:
        similarities, ids = self._found(query, reach, among)
        return similarities[0], ids[0]

    def _search_exactly(self, queries: Embeddings, k: int, among: Ids) -> list[list[Neighbour]]:
        similarities = queries @ self.vectors(among).T
        return [best_of(row, among, k) for row in similarities]

    def vectors(self, album_ids: Sequence[int] | Ids) -> Embeddings:
        """(N, D) float32 unit rows of these albums; KeyError names the first unknown id."""
        if self._rows is not None:
            return unit_rows(self._rows.vectors(np.asarray(album_ids, np.int64)))
        inner = self._inverted or faiss.downcast_index(self._index)
        if self._inverted is not None:
            with self._direct_map:  # made once, by one thread, however many ask
                if inner.direct_map.type == faiss.DirectMap.NoMap:
                    inner.set_direct_map_type(faiss.DirectMap.Hashtable)
        rows = np.empty((len(album_ids), self.dimension), np.float32)
        for i, album_id in enumerate(album_ids):
            try:
                rows[i] = inner.reconstruct(int(album_id))
            except RuntimeError as error:
                raise KeyError(int(album_id)) from error
        return unit_rows(rows)  # quantised rows come back a little off unit length

    def _found(
        self, queries: Embeddings, k: int, among: Selection | None
    ) -> tuple[NDArray[np.float32], Ids]:
        try:
            return self._candidates(queries, k, among)
        except RuntimeError as error:
            raise ArtifactError(
                f"The index cannot be searched ({_first_line(error)}). Rebuild the artifact."
            ) from error

    def _candidates(
        self, queries: Embeddings, k: int, among: Selection | None
    ) -> tuple[NDArray[np.float32], Ids]:
        """(N, D) → (N, k) similarities and ids as FAISS finds them, padded with −1."""
        if among is None:
            similarities, ids = self._index.search(queries, k)
            if self.kind == "flat" and len(queries) > 1 and ids.min() >= 0:
                similarities = self._alike(queries, ids)
            return similarities, ids
        if self._inverted is not None:
            parts = [self._candidates_in_lists(query[None], k, among) for query in queries]
            return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        inner = faiss.downcast_index(self._index)
        wrapped = faiss.downcast_index(inner.index) if hasattr(inner, "index") else inner
        parameters = faiss.SearchParameters(sel=among.selector)
        if isinstance(wrapped, faiss.IndexHNSW):
            # A graph walk that must skip most of what it meets has to look at more.
            effort = max(256, wrapped.hnsw.efSearch)
            parameters = faiss.SearchParametersHNSW(sel=among.selector, efSearch=effort)
        found = self._index.search(queries, k, params=parameters)
        return found[0], found[1]

    def _alike(self, queries: Embeddings, ids: Ids) -> NDArray[np.float32]:
        """(N, D) and (N, k) ids → (N, k) similarities, computed alike for every row: in a product
        of matrices equal rows in different places come out 1e-7 apart, and are ties no more."""
        rows = faiss.downcast_index(self._index).reconstruct_batch(ids.ravel())
        similarities: NDArray[np.float32] = np.einsum(
            "nd,nkd->nk", queries, rows.reshape(*ids.shape, self.dimension)
        )
        return similarities

    def _candidates_in_lists(
        self, query: Embeddings, k: int, among: Selection
    ) -> tuple[NDArray[np.float32], Ids]:
        """The lists nearest to the query that hold any of the chosen albums, as many as it takes to
        meet several times as many of those as a search without a filter meets of all.

        Visiting the usual lists, or more of them in proportion, loses a filter's albums where they
        lie away from the query: a genre seldom lies everywhere.
        """
        inverted = self._inverted
        if among.per_list is None:
            sizes = [inverted.invlists.list_size(i) for i in range(inverted.nlist)]
            met = np.concatenate([[0], np.cumsum(among.holds(_ids_of_lists(inverted)))])
            ends = np.cumsum(sizes)
            among.per_list = met[ends] - met[ends - sizes]
        if isinstance(self._index, faiss.IndexPreTransform):
            query = self._index.chain.at(0).apply(query)
        centroids = faiss.downcast_index(inverted.quantizer)
        table = faiss.rev_swig_ptr(centroids.get_xb(), inverted.nlist * inverted.d)
        near = query[0] @ table.reshape(inverted.nlist, inverted.d).T
        lists = np.flatnonzero(among.per_list)
        lists = lists[np.argsort(-near[lists])]
        enough = _FILTER_EFFORT * inverted.nprobe * len(self) / inverted.nlist
        visited = int(np.searchsorted(np.cumsum(among.per_list[lists]), enough)) + 1
        lists = lists[:visited]
        parameters = faiss.SearchParametersIVF(sel=among.selector, nprobe=len(lists))
        near = near[lists]
        similarities, ids = np.empty((1, k), np.float32), np.empty((1, k), np.int64)
        # FAISS's own call: its Python form takes no parameters. The arrays must outlive it.
        inverted.search_preassigned_c(
            1,
            faiss.swig_ptr(query),
            k,
            faiss.swig_ptr(lists),
            faiss.swig_ptr(near),
            faiss.swig_ptr(similarities),
            faiss.swig_ptr(ids),
            False,
            parameters,
        )
        return similarities, ids


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
    """One row of an answer, reached further until its last is no tie with place `k`: the same cover
    may be there fifty times over, and equals are cut by album id.

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
    """One row of FAISS's answer → its `k` best, ties by album id, padding (−1) left out."""
    order = np.lexsort((ids, -similarities))
    pairs = ((int(ids[i]), float(similarities[i])) for i in order if ids[i] >= 0)
    return [Neighbour(*pair) for pair, _ in zip(pairs, range(k), strict=False)]


def build_index(
    vectors: Embeddings | Source,
    album_ids: Ids,
    kind: str = "auto",
    *,
    recall: float = RECALL,
    folder: Path | None = None,
) -> Index:
    """(N, D) float32 unit rows, or a `Source` of blocks of them, and (N,) int64 ids → `Index`.

    `kind`: `flat` (exact), `hnsw` (graph over exact rows), `ivf` (inverted file, tuned to
    `recall`), or `auto`: flat while exact search is cheap, else ivf. `folder` is the staged
    artifact's, where an inverted file of compact codes puts its rows. Raises `BuildError`.
    """
    from engine.vectors.inverted import InMemory, build_inverted  # serving never trains

    source = InMemory(vectors) if isinstance(vectors, np.ndarray) else vectors
    count, dimension = len(source), source.dimension
    if kind == "auto":
        kind = "flat" if count <= EXACT_UP_TO else "ivf"
    if kind == "ivf":
        return build_inverted(source, album_ids, recall=recall, folder=folder)
    if kind == "flat":
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
    elif kind == "hnsw":
        graph = faiss.IndexHNSWFlat(dimension, 32, faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction, graph.hnsw.efSearch = 200, 128
        index = faiss.IndexIDMap2(graph)
    else:
        raise BuildError(f"--index {kind!r} is unknown. Use auto, flat, hnsw or ivf.")
    for start, block in source.blocks():
        index.add_with_ids(block, album_ids[start : start + len(block)])
    return Index(index, kind)


def read_foreign(path: Path) -> tuple[Embeddings, Ids, str]:
    """Somebody else's FAISS index → its (N, D) float32 rows, their (N,) ids, and its kind.

    Reads any index that can give its rows back: flat, IVF, HNSW, quantised, transformed, with or
    without an id map (without one, ids are positions). Raises `BuildError` by name for the rest.
    """
    try:
        index = _read(path)
    except (RuntimeError, MemoryError) as error:  # std::bad_alloc
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


_reading = threading.Lock()


def _read(path: Path, flags: int = 0) -> Any:
    """FAISS's reader. It believes sizes up to these limits, which are the process's: by its own, a
    file of 24 KB took 16 GB of memory before it was refused. Tables that are none of the file's
    (`IVFPQ`'s, of squared distances alone) are left out."""
    size = path.stat().st_size
    with _reading:
        usual = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(size)
        faiss.set_deserialization_loop_limit(size)
        try:
            return faiss.read_index(str(path), flags | faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE)
        finally:
            faiss.set_deserialization_vector_byte_limit(usual)
            faiss.set_deserialization_loop_limit(0)


_ADVICE = "Build the artifact from the covers instead (`python -m engine build`)."


def _ids_of_lists(inverted: Any) -> Ids:
    lists = inverted.invlists
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
        for number in range(inverted.nlist)
        if (size := lists.list_size(number))
    ]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _ascending(ids: Ids) -> Ids:
    """(N,) → (N,) sorted; a million in 5 ms instead of 55 where they lie as close as ids do."""
    top = int(ids.max(initial=0))
    if top <= 8 * len(ids) and ids.min(initial=0) >= 0:
        held = np.zeros(top + 1, bool)
        held[ids] = True
        found = np.flatnonzero(held)
        if len(found) == len(ids):  # else one of them is there twice
            return found
    return np.sort(ids)


def set_index_threads(threads: int) -> None:
    """Threads FAISS may use for one call; with the encoder's, not more than there are cores.

    And from four queries of 512 numbers on it shall compare them with all rows as one product of
    matrices, which reads the rows once: 16 queries among 20,000 rows take 9 ms instead of 34.
    """
    faiss.omp_set_num_threads(max(1, threads))
    faiss.cvar.distance_compute_blas_threshold = 4 * 512


def _first_line(error: BaseException) -> str:
    return str(error).split("\n")[0][-200:]
