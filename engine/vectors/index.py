"""Embedding → neighbours: a FAISS index whose rows have ids.

Ids live in the index file itself (`IndexIDMap2`, or an inverted file's own), so rows and what they
stand for are joined by id and never by position. The metric is the inner product of unit rows: the
cosine.

A large file is not read into memory at the start but mapped, so that the pages a search touches are
the system's, shared by all workers. Where the lists hold compact codes alone, their best `reach`
candidates are compared again by their full rows (`engine.vectors.rows`).
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.base.errors import ArtifactError
from engine.vectors.embeddings import Embeddings, Ids, unit_rows
from engine.vectors.files import first_line, read_index, sizes_fit
from engine.vectors.neighbours import TIES, Found, Neighbour, best_of, check_width, past_ties
from engine.vectors.rows import Rows
from engine.vectors.selection import EXACT_AMONG, FILTER_EFFORT, Selection
from engine.vectors.tuning import Point, Tuning

# Exact search touches all of a small file anyway.
MAPPED_FROM_BYTES = 64 << 20


class Index:
    """A read-only index. Safe for concurrent searches (FAISS's are)."""

    def __init__(
        self, index: Any, kind: str, *, rows: Rows | None = None, tuning: Tuning | None = None
    ) -> None:
        if index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ArtifactError("index.faiss does not use the inner product; build it again.")
        self._index, self._rows, self.kind = index, rows, kind
        self.dimension = int(index.d)
        self._inverted = faiss.try_extract_index_ivf(index)
        if self._inverted is not None:
            self._inverted = faiss.downcast_index(self._inverted)
            lists = faiss.downcast_InvertedLists(self._inverted.invlists)
            if isinstance(lists, faiss.OnDiskInvertedLists):
                # It would start 32 threads for each query to touch pages that are there already.
                lists.prefetch_nthread = 0
        self._direct_map = threading.Lock()
        self._set(tuning)

    def _set(self, tuning: Tuning | None) -> None:
        """What a search tells FAISS each time. What FAISS's object itself is set to counts where
        there is no tuning: it may be shared by indexes with others."""
        self.tuning = tuning
        self._nprobe, self._visiting = 0, None
        if self._inverted is not None:
            nprobe = tuning.nprobe if tuning is not None else self._inverted.nprobe
            self._nprobe = min(nprobe, self._inverted.nlist)
            self._visiting = faiss.SearchParametersIVF(nprobe=self._nprobe)

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
            index = read_index(path, flags)
        except (RuntimeError, MemoryError) as error:  # std::bad_alloc
            raise ArtifactError(
                f"{path.name} is not a FAISS index this version can read ({first_line(error)})."
            ) from error
        made = cls(index, kind, rows=rows, tuning=tuning)
        inner = faiss.downcast_index(index)
        if made._inverted is None and not hasattr(inner, "id_map"):
            raise ArtifactError(f"{path.name} ({type(inner).__name__}) holds no ids.")
        return made

    def write(self, path: Path) -> None:
        """Write the index file; its rows, where it has any beside it, are written already."""
        if self._inverted is not None:  # for whoever reads the file by itself
            self._inverted.nprobe = self._nprobe
        faiss.write_index(self._index, str(path))

    def tuned(
        self, nprobe: int, reach: int, queries: int = 0, curve: tuple[Point, ...] = ()
    ) -> Index:
        """This inverted file as it is searched with other settings, and what those rest on; see
        `Tuning`. Both share lists and rows; how this one is searched does not change."""
        assert self.tuning is not None, "only an inverted file has lists to visit"
        changed = copy.copy(self)
        changed._set(replace(self.tuning, nprobe=nprobe, reach=reach, queries=queries, curve=curve))
        return changed

    def revised(
        self, folder: Path, gone: Ids, vectors: Embeddings, fresh: Ids
    ) -> tuple[Index, set[str]]:
        """This index without the ids `gone` and with (N, D) unit rows of the (N,) `fresh` ones, not
        trained again, and the names of the files it shares with the old one. Takes one that was
        read unmapped, and spends it.

        Its rows, where it has any beside it, are written to `folder`; those of the ids gone stay in
        their segments until a quarter of all is such.
        """
        if len(gone):
            self._index.remove_ids(gone)
        if len(fresh):
            self._index.add_with_ids(np.ascontiguousarray(vectors), fresh)
        if self._rows is None:
            return self, set()
        rows, linked = self._rows.revised(folder, gone, vectors, fresh)
        return Index(self._index, self.kind, rows=rows, tuning=self.tuning), linked

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> Ids:
        """(N,) int64, ascending: every id in the index."""
        if self._inverted is not None:
            return _ascending(ids_of_lists(self._inverted))
        inner = faiss.downcast_index(self._index)
        return _ascending(np.asarray(faiss.vector_to_array(inner.id_map), dtype=np.int64))

    def has_rows_of(self, ids: Ids) -> bool:
        """Whether the rows beside the index, where it has any, are those of (N,) ascending ids."""
        return self._rows is None or self._rows.are_those_of(ids)

    def search(
        self, queries: Embeddings, k: int, among: Selection | None = None
    ) -> list[list[Neighbour]]:
        """(N, D) unit rows → N lists of at most `k` neighbours, best first, ties by id.

        `among` restricts the answer to some ids. Fewer of them than `k` give fewer neighbours:
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

    def vectors(self, ids: Sequence[int] | Ids) -> Embeddings:
        """(N, D) float32 unit rows of these ids; KeyError names the first unknown id."""
        if self._rows is not None:
            return unit_rows(self._rows.vectors(np.asarray(ids, np.int64)))
        inner = self._inverted or faiss.downcast_index(self._index)
        if self._inverted is not None:
            with self._direct_map:  # made once, by one thread, however many ask
                if inner.direct_map.type == faiss.DirectMap.NoMap:
                    inner.set_direct_map_type(faiss.DirectMap.Hashtable)
        rows = np.empty((len(ids), self.dimension), np.float32)
        for i, id_ in enumerate(ids):
            try:
                rows[i] = inner.reconstruct(int(id_))
            except RuntimeError as error:
                raise KeyError(int(id_)) from error
        return unit_rows(rows)  # quantised rows come back a little off unit length

    def _found(self, queries: Embeddings, k: int, among: Selection | None) -> Found:
        try:
            return self._candidates(queries, k, among)
        except RuntimeError as error:
            raise ArtifactError(
                f"The index cannot be searched ({first_line(error)}). Rebuild the artifact."
            ) from error

    def _candidates(self, queries: Embeddings, k: int, among: Selection | None) -> Found:
        """(N, D) → (N, k) similarities and ids as FAISS finds them, padded with −1."""
        if among is None:
            similarities, ids = self._index.search(queries, k, params=self._visiting)
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

    def _candidates_in_lists(self, query: Embeddings, k: int, among: Selection) -> Found:
        """The lists nearest to the query that hold any of the chosen ids, as many as it takes to
        meet several times as many of those as a search without a filter meets of all.

        Visiting the usual lists, or more of them in proportion, loses a filter's ids where they lie
        away from the query: what has one label seldom lies everywhere.
        """
        inverted = self._inverted
        if among.per_list is None:
            sizes = [inverted.invlists.list_size(i) for i in range(inverted.nlist)]
            met = np.concatenate([[0], np.cumsum(among.holds(ids_of_lists(inverted)))])
            ends = np.cumsum(sizes)
            among.per_list = met[ends] - met[ends - sizes]
        if isinstance(self._index, faiss.IndexPreTransform):
            query = self._index.chain.at(0).apply(query)
        centroids = faiss.downcast_index(inverted.quantizer)
        table = faiss.rev_swig_ptr(centroids.get_xb(), inverted.nlist * inverted.d)
        near = query[0] @ table.reshape(inverted.nlist, inverted.d).T
        lists = np.flatnonzero(among.per_list)
        lists = lists[np.argsort(-near[lists])]
        enough = FILTER_EFFORT * self._nprobe * len(self) / inverted.nlist
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


def ids_of_lists(inverted: Any) -> Ids:
    """(N,) ids of FAISS's inverted file, list by list."""
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
