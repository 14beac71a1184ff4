"""References to many covers, on disk: of an album forty bytes are in memory, not 3.6 KB.

    layout.faiss  of each code 32 bytes, in lists: which might be the nearest ┐ in memory
    codes.i8      the codes themselves, by row: of those, which are           ┐ on disk
    own.u8        maps of what is a cover's own, by row                       │
    sift.faiss    keypoints in lists, each with whose it is and where         ┘

Rows are read one by one. Keypoints are mapped; the pages that a search touched would stay this
process's, all of them after some hundred photos, so they are let go of again: they are then the
system's cache's, from which the next search has them for a microsecond.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path
from threading import Lock
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.covers.identify.codes import dequantised
from engine.covers.identify.keypoints import (
    ALIKE,
    DIMENSION,
    Alike,
    Keypoints,
    KnownKeypoints,
    unit,
)
from engine.covers.identify.layout import DIMENSION as CODE
from engine.covers.identify.layout import Codes
from engine.vectors.embeddings import Ids
from engine.vectors.files import read_index
from engine.vectors.tuning import EXACT_UP_TO

# From here on the encoder's rows leave exact search, too (`--index auto`).
MAPPED_FROM = EXACT_UP_TO

ROWS, LAYOUTS, CODES, OWN = "references.npz", "layout.faiss", "codes.i8", "own.u8"

# Of an index of codes: their bytes are two numbers each, and the best so many are compared again.
_HALF_BYTES = 64
_REACH = 100
# One in so many lists is visited.
_VISITED = 8
MOST_LISTS = 512

# Of an index of keypoints: how many a cell has, and bytes of each.
_A_CELL, _PARTS = 1_000, 16
_MOST_BITS = 8  # of half a cell's number
# How many cells are visited at most, and how many keypoints in them are compared.
_CELLS, _COMPARED = 32, 8_192
# Among a million covers more is like a keypoint by chance: of 100 photos 62 are found by sixteen
# neighbours, 53 by four in more time, and among 20,000 covers 67 by four.
_NEIGHBOURS = 16

# Keypoints that are looked for at once: of all 300 the cells would be a third of all there are.
_AT_ONCE = 64

# Bytes of the mapped keypoints that may be this process's, and what a touch of a cell maps.
_KEPT, _TOUCH = 64 << 20, 64 << 10

# A keypoint's id: row, x, y, size in steps of a 24th of an octave from half a pixel on, angle.
_ROW_BIT, _X_BIT, _Y_BIT, _SIZE_BIT = 32, 24, 16, 8
_STEPS, _LEAST_SIZE = 24, -1


class _LetGo:
    """Counts what is touched of a mapping, and says when that is to be let go of."""

    def __init__(self) -> None:
        self._touched, self._lock = 0, Lock()

    def due(self, touched: int) -> bool:
        with self._lock:
            self._touched += touched
            if self._touched < _KEPT:
                return False
            self._touched = 0
            return True


class Table:
    """A file of N rows of bytes; those asked for are read. Safe for concurrent use."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> None:
        """`shape` (N, …); `ValueError` where the file is of another size."""
        self.shape, self._dtype = shape, np.dtype(dtype)
        self._width = int(np.prod(shape[1:])) * self._dtype.itemsize
        if path.stat().st_size != shape[0] * self._width:
            raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes")
        self._file = os.open(path, os.O_RDONLY)

    def __len__(self) -> int:
        return self.shape[0]

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)

    def __getitem__(self, row: int) -> NDArray[Any]:
        found: NDArray[Any] = self.rows(np.array([row]))[0]
        return found

    def rows(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """(K,) numbers of rows → (K, …)."""
        # Mapped, each row would take half a megabyte of this process's memory: all that lies near.
        width, file = self._width, self._file
        data = b"".join(os.pread(file, width, row * width) for row in rows.tolist())
        return np.frombuffer(data, self._dtype).reshape(len(rows), *self.shape[1:])


class MappedCodes:
    """Codes by row, those nearest to a query through an index. Safe for concurrent use."""

    def __init__(self, part: Path, count: int) -> None:
        """`part` is an artifact's `identify/`; ValueError where a file of it is of another size."""
        self.index = read_index(part / LAYOUTS)
        self._table = Table(part / CODES, (count, CODE), np.int8)
        if self.index.ntotal != count or self.index.d != CODE:
            raise ValueError(f"{LAYOUTS} holds {self.index.ntotal:,} rows")
        visited = max(4, self.index.nlist // _VISITED)
        self._visiting = faiss.SearchParametersIVF(nprobe=visited)

    def __len__(self) -> int:
        return len(self._table)

    def of(self, rows: NDArray[np.int64]) -> Codes:
        return dequantised(self._table.rows(rows))

    def nearest(self, codes: Codes, k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        _, found = self.index.search(codes, max(_REACH, 2 * k), params=self._visiting)
        rows, place = np.unique(found, return_inverse=True)
        # By `einsum`, row by row: a product of matrices gives equal rows unequal cosines.
        known = self.of(np.maximum(rows, 0))[place.reshape(found.shape)]
        similarities = np.einsum("qd,qrd->qr", codes, known)
        similarities[found < 0] = -np.inf
        # By row where they are equally near, as `CodesInMemory` gives them.
        best = np.lexsort((found, -similarities))[:, :k]
        return np.take_along_axis(similarities, best, 1), np.take_along_axis(found, best, 1)


class MappedKeypoints(KnownKeypoints):
    """Keypoints of many covers, each under an id that says whose it is and where. Safe for
    concurrent use."""

    def __init__(self, file: Path, gone: NDArray[np.bool_]) -> None:
        """`gone` (N,): rows whose keypoints count no more. ValueError where it is no such index."""
        index = read_index(file, faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        if not isinstance(index, faiss.IndexIVFPQ) or index.d != DIMENSION:
            raise ValueError(f"{file.name} is a {type(index).__name__}")
        self._index, self._gone, self._let_go = index, gone, _LetGo()
        self._lists: Any = faiss.downcast_InvertedLists(index.invlists)
        if isinstance(self._lists, faiss.OnDiskInvertedLists):
            # It would start 32 threads for each query to touch pages that are there already.
            self._lists.prefetch_nthread = 0
        cells = min(_CELLS, index.nlist)
        self._visiting = faiss.SearchParametersIVF(nprobe=cells, max_codes=_COMPARED)

    def like(self, photo: Keypoints) -> Alike:
        queries = unit(photo.descriptors)
        parts = [
            self._search(queries[at : at + _AT_ONCE]) for at in range(0, len(queries), _AT_ONCE)
        ]
        distances, found = (np.concatenate(every) for every in zip(*parts, strict=True))
        near = (found >= 0) & (distances < ALIKE)
        near[near] = ~self._gone[found[near] >> _ROW_BIT]
        rows, places = unpacked(found[near])
        return Alike(np.nonzero(near)[0], rows, places)

    def _search(self, queries: NDArray[np.float32]) -> tuple[NDArray[np.float32], Ids]:
        found = self._index.search(queries, _NEIGHBOURS, params=self._visiting)
        due = self._let_go.due(len(queries) * self._visiting.nprobe * _TOUCH)
        if due and isinstance(self._lists, faiss.OnDiskInvertedLists):
            drop(int(self._lists.ptr), int(self._lists.totsize))
        return found[0], found[1]


def packed(row: int, places: NDArray[np.float32]) -> NDArray[np.int64]:
    """(K, 4) places of a row's keypoints, as in `Keypoints` → (K,) ids."""
    x, y, size, angle = np.asarray(places, np.float64).T
    steps = np.round((np.log2(size) - _LEAST_SIZE) * _STEPS)
    id_ = np.full(len(places), row, np.int64) << _ROW_BIT
    for number, bit in ((x, _X_BIT), (y, _Y_BIT), (steps, _SIZE_BIT), (angle % 360 / 360 * 256, 0)):
        id_ |= np.clip(number, 0, 255).astype(np.int64) << bit
    return id_


def unpacked(ids: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """(K,) ids → (K,) rows and (K, 4) places, each in the middle of what it may have been."""
    x, y, size, angle = (ids >> bit & 255 for bit in (_X_BIT, _Y_BIT, _SIZE_BIT, 0))
    places = [x + 0.5, y + 0.5, 2 ** (size / _STEPS + _LEAST_SIZE), (angle + 0.5) * (360 / 256)]
    return (ids >> _ROW_BIT).astype(np.int32), np.stack(places, 1).astype(np.float32)


def index_of_codes(sample: Codes) -> Any:
    """An empty index, trained on (n, 256) codes."""
    lists = max(1, min(MOST_LISTS, len(sample) // 39))
    made = faiss.index_factory(CODE, f"IVF{lists},PQ{_HALF_BYTES}x4fs", faiss.METRIC_INNER_PRODUCT)
    made.cp.min_points_per_centroid = made.pq.cp.min_points_per_centroid = 1
    made.train(np.resize(sample, (max(len(sample), 16), CODE)))
    return made


def index_of_keypoints(sample: NDArray[np.uint8], keypoints: int) -> Any:
    """An empty index for so many, trained on (n, 128) descriptors.

    Its cells are pairs of a first and a second half (Babenko & Lempitsky, CVPR 2012): 65,536 of
    them cost neither hours to train nor milliseconds to find.
    """
    bits = int(np.clip(np.round(np.log2(max(2, keypoints / _A_CELL)) / 2), 1, _MOST_BITS))
    cells = faiss.MultiIndexQuantizer(DIMENSION, 2, bits)
    made = faiss.IndexIVFPQ(cells, DIMENSION, 1 << 2 * bits, _PARTS, 8)
    cells.this.disown()
    made.own_fields = True
    made.quantizer_trains_alone = 1
    made.by_residual = False
    made.do_polysemous_training = False
    for trained in (cells.pq.cp, made.pq.cp):
        trained.min_points_per_centroid = 1
        trained.niter = 8
    rows = unit(sample)
    made.train(np.resize(rows, (max(len(rows), 256), DIMENSION)))
    return made


_libc = ctypes.CDLL(None)
_DROP: Final = getattr(mmap, "MADV_DONTNEED", 4)


def drop(start: int, size: int) -> None:
    """Let go of the pages of a mapped file, at most `size` bytes from the address `start` on."""
    _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _DROP)
