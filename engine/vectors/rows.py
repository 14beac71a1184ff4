"""The full rows beside an index of compact codes: what its best candidates are compared with again.

    rows/ids.npy       (N,) int64   ids, ascending
    rows/places.npy    (N,) uint32  in which place of the segments each id's row lies
    rows/00000.i8 …    segments: a row is D int8 numbers and the float32 they are multiplied by

A row is read where it lies, by `pread`: not mapped, because touched pages of a mapping count to a
process until memory runs short (ten million rows: 5 GB), while the system's cache is shared by all
workers and counts to none. Segments hold raw numbers and no structure: a damaged one gives wrong
similarities, never a wrong address.

A removed id leaves its row behind, an added one gets the next place, so that both leave all
segments but the last as they are (hard links), until a quarter of the rows are such.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import ArtifactError
from engine.base.files import link
from engine.vectors.embeddings import BLOCK, Embeddings, Ids

FOLDER, IDS, PLACES, SUFFIX = "rows", "ids.npy", "places.npy", ".i8"

# 516 MB at 512 dimensions: what an added row makes the machine copy at most.
ROWS_A_SEGMENT = 1_000_000
# Rows of ids that are gone, before all segments are written anew.
_WASTED_AT_MOST = 0.25


class Rows:
    """The rows of one artifact, opened for reading. Safe for concurrent use."""

    def __init__(self, folder: Path, dimension: int) -> None:
        """`folder` is the artifact's `rows/`. Raises `ArtifactError` where its parts do not fit."""
        self.dimension, self._width = dimension, dimension + 4
        self.segments = sorted(folder.glob(f"*{SUFFIX}"))
        try:
            self.ids: Ids = np.load(folder / IDS, mmap_mode="r", allow_pickle=False)
            self._places = np.load(folder / PLACES, mmap_mode="r", allow_pickle=False)
        except Exception as error:
            # A damaged header makes numpy raise what its tokenizer does, among others.
            raise ArtifactError(f"{FOLDER}/ cannot be read ({error}). Build it again.") from error
        held = [path.stat().st_size / self._width for path in self.segments]
        self._per_segment = int(held[0]) if held else 0
        self.held = int(sum(held))
        whole = all(count == self._per_segment for count in held[:-1])
        if (
            not whole
            or not held
            or held[-1] != int(held[-1])
            or held[-1] > self._per_segment
            or self.ids.dtype != np.int64
            or self._places.dtype != np.uint32
            or self.ids.shape != self._places.shape
            or self.ids.ndim != 1
            or (len(self._places) and int(self._places.max()) >= self.held)
        ):
            raise ArtifactError(
                f"{FOLDER}/ does not fit together: its segments, ids and places are not of one "
                "making. Build the artifact again."
            )
        self._files = [os.open(path, os.O_RDONLY) for path in self.segments]

    def __len__(self) -> int:
        return len(self.ids)

    def __del__(self) -> None:
        for file in getattr(self, "_files", ()):
            os.close(file)

    def are_those_of(self, ids: Ids) -> bool:
        """Whether there is a row for each of these (N,) ascending ids, and for no others."""
        return np.array_equal(self.ids, ids)

    def codes(self, ids: Ids) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        """(N,) ids → (N, D) int8 and the (N,) float32 they are multiplied by. KeyError names the
        first id that is not here."""
        at = np.searchsorted(self.ids, ids)
        at[at == len(self.ids)] = 0
        unknown = np.flatnonzero(self.ids[at] != ids)
        if len(unknown):
            raise KeyError(int(ids[unknown[0]]))
        width, per_segment, files = self._width, self._per_segment, self._files
        wanted = [
            (files[place // per_segment], place % per_segment * width)
            for place in self._places[at].tolist()
        ]
        if hasattr(os, "posix_fadvise"):  # macOS has none
            # All are asked for before the first is waited for: what the system's cache does not
            # hold comes from the disk together, 220 rows in a third of the time.
            for file, offset in wanted:
                os.posix_fadvise(file, offset, width, os.POSIX_FADV_WILLNEED)
        data = b"".join(os.pread(file, width, offset) for file, offset in wanted)
        table = np.frombuffer(data, np.int8).reshape(len(at), width)
        return table[:, : self.dimension], table[:, self.dimension :].copy().view(np.float32)[:, 0]

    def vectors(self, ids: Ids) -> Embeddings:
        """(N,) ids → (N, D) float32, of unit length to 1e-2. KeyError as `codes`."""
        codes, scales = self.codes(ids)
        return codes.astype(np.float32) * scales[:, None]

    def similarities(self, query: NDArray[np.float32], ids: Ids) -> NDArray[np.float32]:
        """(D,) unit query and (N,) ids → (N,) float32 cosines."""
        codes, scales = self.codes(ids)
        cosines: NDArray[np.float32] = (codes.astype(np.float32) @ query) * scales
        return cosines

    def revised(
        self, folder: Path, gone: Ids, vectors: Embeddings, fresh: Ids
    ) -> tuple[Rows, set[str]]:
        """Write the rows without the ids `gone`, and with (N, D) ones of the (N,) `fresh` ids, into
        the artifact staged at `folder`; returns them and the names of the segments that are links
        to these."""
        kept = ~np.isin(self.ids, gone)
        ids, places = self.ids[kept], self._places[kept]
        target = folder / FOLDER
        if len(ids) < (1 - _WASTED_AT_MOST) * self.held:
            writer = RowWriter(target)
            parts = [ids[start : start + BLOCK] for start in range(0, len(ids), BLOCK)]
            places = np.concatenate([writer.add(self.vectors(part)) for part in parts])
        else:
            writer = RowWriter(target, after=self)
        added = writer.add(vectors)
        writer.finish(np.concatenate([ids, fresh]), np.concatenate([places, added]))
        return Rows(target, self.dimension), {f"{FOLDER}/{name}" for name in writer.linked}


def encode(vectors: Embeddings) -> NDArray[np.uint8]:
    """(N, D) float32 unit rows → (N, D + 4) uint8: int8 numbers, then the float32 that turns them
    back. The largest number of a row becomes ±127: a cosine is off by some 4e-4 at D = 512."""
    largest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True), 1e-12)
    codes = np.rint(vectors * (127 / largest)).astype(np.int8)
    # Divided by its length, a row is of unit length again whatever the rounding did.
    scale = 1 / np.linalg.norm(codes.astype(np.float32), axis=1, keepdims=True)
    return np.concatenate([codes.view(np.uint8), scale.astype(np.float32).view(np.uint8)], axis=1)


class RowWriter:
    """Writes `rows/` of a staged artifact, block by block.

    `after` continues the rows of another artifact: full segments become hard links (copies where
    the file system has none), the last one is copied when it grows.
    """

    def __init__(self, folder: Path, after: Rows | None = None) -> None:
        self._folder = folder
        folder.mkdir()
        self._written = 0
        self._per_segment = ROWS_A_SEGMENT
        self.linked: set[str] = set()  # segments that are as they were
        if after is not None:
            self._written = after.held
            if len(after.segments) > 1:
                self._per_segment = after._per_segment
            for path in after.segments:
                link(path, folder / path.name)
                self.linked.add(path.name)

    def add(self, vectors: Embeddings) -> NDArray[np.uint32]:
        """(N, D) float32 unit rows → the (N,) places they were put in."""
        first, rows = self._written, encode(vectors)
        while len(rows):
            number, taken = divmod(self._written, self._per_segment)
            part = rows[: self._per_segment - taken]
            segment = self._folder / f"{number:05}{SUFFIX}"
            if segment.name in self.linked:
                # What the other artifact holds must not grow with ours.
                shutil.copyfile(segment, segment.with_suffix(".copy"))
                segment.with_suffix(".copy").replace(segment)
                self.linked.discard(segment.name)
            with segment.open("ab") as file:
                part.tofile(file)
            self._written += len(part)
            rows = rows[len(part) :]
        return np.arange(first, self._written, dtype=np.uint32)

    def finish(self, ids: Ids, places: NDArray[np.uint32]) -> None:
        """Write which id lies where; `ids` in any order, each once."""
        order = np.argsort(ids, kind="stable")
        np.save(self._folder / IDS, np.asarray(ids, np.int64)[order])
        np.save(self._folder / PLACES, places[order])
