"""An index of fingerprints as files of an artifact: written in a stream, opened with checks.

    fingerprints/index.json    what the others hold
    fingerprints/tracks.npy    (T, 3) int64: id, first row, rows; ascending by first row
    fingerprints/rows.i8       (N, D) int8: a row is a vector times 127; one of zeros says nothing
    fingerprints/codes.faiss   above FLAT_UP_TO rows: their codes in an inverted file, by row

Rows and codes are mapped: a process holds what it touched, and shares that with others.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from engine.base.errors import ArtifactError
from engine.base.progress import Progress
from engine.base.strict import Strict
from engine.sound.fingerprint.align import Vectors
from engine.vectors.files import first_line, read_index

INDEX, TRACKS, ROWS, CODES = "index.json", "tracks.npy", "rows.i8", "codes.faiss"
# Fourteen hours of music: to sum along every line through them takes 40 ms of a core.
FLAT_UP_TO = 100_000
# What a row is in an inverted file, bytes, besides its number.
_CODE_BYTES = 16
# A row is compared with every list once, a query with every code in the lists it visits.
_MOST_LISTS, _POINTS_A_LIST, _ITERATIONS = 8_192, 48, 8
BLOCK = 65_536
_SCALE = 127

# (N, D) int8: vectors as they are stored.
Stored = NDArray[np.int8]


def encoded(vectors: Vectors) -> Stored:
    """(N, D) unit rows or zeros → (N, D) int8; a similarity is off by some 0.002."""
    return np.rint(np.clip(vectors, -1, 1) * _SCALE).astype(np.int8)


def decoded(stored: Stored) -> Vectors:
    """(N, D) int8 → (N, D) float32, of unit length again, or zeros."""
    rows = stored.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-6), np.float32)


class About(Strict):
    """`index.json`. `lists` is 0 where there are no codes."""

    dimension: int = Field(ge=1, le=4096)
    step_s: float = Field(gt=0, le=60)
    tracks: int = Field(ge=0)
    rows: int = Field(ge=0)
    lists: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class Files:
    """The opened files: `table` is tracks.npy, `codes` a FAISS index or None."""

    about: About
    table: NDArray[np.int64]
    rows: Stored
    codes: Any
    folder: Path


def open_files(folder: Path) -> Files:
    """Raises `ArtifactError` where a file cannot be read or does not fit the others. Whatever is in
    rows and codes, no address is wrong."""
    try:
        about = About.model_validate_json((folder / INDEX).read_bytes())
        table = np.load(folder / TRACKS, allow_pickle=False)
        size = (folder / ROWS).stat().st_size
    except ValidationError as error:
        raise _unreadable(f"{error.error_count()} fields of {INDEX} are wrong") from error
    except Exception as error:  # a damaged .npy makes numpy raise what its tokenizer does
        raise _unreadable(str(error)) from error
    if size != about.rows * about.dimension or not _fits(table, about):
        raise _unreadable("its files are not of one making")
    rows: Stored = np.zeros((0, about.dimension), np.int8)
    if about.rows:
        rows = np.memmap(folder / ROWS, np.int8, "r").reshape(about.rows, about.dimension)
    codes = read_codes(folder, about) if about.lists else None
    return Files(about, table, rows, codes, folder)


def read_codes(folder: Path, about: About, *, mapped: bool = True) -> Any:
    """The inverted file of codes; not `mapped`, it may be changed."""
    flags = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if mapped else 0
    try:
        codes = read_index(folder / CODES, flags)
    except (RuntimeError, MemoryError, OSError) as error:
        raise _unreadable(f"{CODES}: {first_line(error)}") from error
    inverted = faiss.try_extract_index_ivf(codes)
    fits = (
        inverted is not None
        and codes.metric_type == faiss.METRIC_INNER_PRODUCT
        and codes.d == about.dimension
        and inverted.nlist == about.lists
    )
    if not fits:
        raise _unreadable(f"{CODES} holds no codes of these rows")
    lists = faiss.downcast_InvertedLists(inverted.invlists)
    if isinstance(lists, faiss.OnDiskInvertedLists):
        # It would start 32 threads for each query to touch pages that are there already.
        lists.prefetch_nthread = 0
    return codes


def _fits(table: NDArray[Any], about: About) -> bool:
    if table.dtype != np.int64 or table.shape != (about.tracks, 3):
        return False
    ids, first, count = table.T
    ends = first + count
    return bool(
        (table >= 0).all()
        and (count > 0).all()
        and (count <= about.rows).all()
        and (first <= about.rows).all()
        and (ends <= about.rows).all()
        and (first[1:] >= ends[:-1]).all()
        and len(np.unique(ids)) == len(ids)
    )


def _unreadable(why: str) -> ArtifactError:
    return ArtifactError(f"fingerprints/ cannot be read ({why}). Build the artifact again.")


class FingerprintWriter:
    """Writes the files track by track; nothing but a block is in memory until codes are trained.

    with FingerprintWriter(folder, 64, 0.5) as writer:
        writer.add(1, vectors)
    """

    def __init__(
        self, folder: Path, dimension: int, step_s: float, progress: Progress | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._dimension, self._step_s = folder, dimension, step_s
        self._progress = progress or Progress()
        self._table: list[tuple[int, int, int]] = []
        self._written = 0
        self._file = (folder / ROWS).open("wb")

    def __enter__(self) -> FingerprintWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._file.close()
        if kind is None:
            self._finish()

    def add(self, track_id: int, vectors: Vectors) -> None:
        """(F, D) of a track, `step_s` apart; of none it holds nothing."""
        self.add_stored(track_id, encoded(vectors))

    def add_stored(self, track_id: int, stored: Stored) -> None:
        if len(stored):
            np.ascontiguousarray(stored).tofile(self._file)
            self._table.append((track_id, self._written, len(stored)))
            self._written += len(stored)

    def _finish(self) -> None:
        lists = 0
        if self._written > FLAT_UP_TO:
            stored = np.memmap(self._folder / ROWS, np.int8, "r").reshape(-1, self._dimension)
            codes = make_codes(stored, self._progress)
            faiss.write_index(codes, str(self._folder / CODES))
            lists = int(codes.nlist)
        table = np.array(self._table, np.int64).reshape(-1, 3)
        describe(self._folder, table, self._dimension, self._step_s, self._written, lists)


def describe(
    folder: Path, table: NDArray[np.int64], dimension: int, step_s: float, rows: int, lists: int
) -> None:
    """Write what rows and codes hold."""
    np.save(folder / TRACKS, table)
    about = About(dimension=dimension, step_s=step_s, tracks=len(table), rows=rows, lists=lists)
    (folder / INDEX).write_text(about.model_dump_json(indent=2) + "\n", encoding="utf-8")


def lists_for(count: int) -> int:
    """How many lists the codes of so many rows are in."""
    lists = min(_MOST_LISTS, 1 << int(np.log2(2.5 * np.sqrt(count))), count // _POINTS_A_LIST)
    return max(1, lists)


def make_codes(stored: Stored, progress: Progress, lists: int | None = None) -> Any:
    """(N, D) rows → an inverted file of their codes by row, in passes over blocks."""
    count, dimension = stored.shape
    lists = lists or lists_for(count)
    codes = faiss.index_factory(
        dimension, f"IVF{lists},PQ{_CODE_BYTES}", faiss.METRIC_INNER_PRODUCT
    )
    codes.cp.niter, codes.cp.seed = _ITERATIONS, 0
    codes.cp.max_points_per_centroid = _POINTS_A_LIST
    codes.do_polysemous_training = False  # for a search we do not use; it takes minutes
    codes.pq.cp.niter, codes.pq.cp.seed = _ITERATIONS, 0
    chosen = np.random.default_rng(0).choice(count, min(count, lists * _POINTS_A_LIST), False)
    training = decoded(stored[np.sort(chosen)])
    progress.step(0, count, "codes")
    codes.train(training[training.any(axis=1)])
    for start in range(0, count, BLOCK):
        block = decoded(stored[start : start + BLOCK])
        says = np.flatnonzero(block.any(axis=1))  # silence would be everybody's neighbour
        codes.add_with_ids(block[says], start + says)
        progress.step(start + len(block), count, "codes")
    return codes
