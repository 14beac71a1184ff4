"""The optional part of an artifact that identify needs: what is known of every cover.

`identify/` in the artifact's folder; artifacts/README.md, "What identify reads", is its
specification. `making.references` makes it from thumbnails, `References.open` reads it.

An album costs 256 bytes of layout code, 256 of what is its own, and 2.3 KB of keypoints. From
`MAPPED_FROM` albums on these stay on disk (`mapped`). The covers themselves are the artifact's
thumbnails.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.base.errors import ArtifactError
from engine.covers.identify import layout, mapped
from engine.covers.identify.codes import CodesInMemory, KnownCodes, dequantised
from engine.covers.identify.keypoints import KeypointIndex
from engine.covers.identify.layout import Basis, Codes
from engine.covers.identify.mapped import MappedCodes, MappedKeypoints, Table
from engine.covers.identify.older_keypoints import OlderKeypoints
from engine.covers.identify.proof import Reference, same_artwork
from engine.covers.image import Pixels
from engine.vectors.embeddings import Ids

FOLDER = "identify"
LAYOUT, CALIBRATION = "layout.npz", "calibration.json"
KEYPOINTS, PLACES = "sift.faiss", "sift.npz"
# What versions before SIFT wrote; theirs is read as ever, and found by worse.
OLDER_KEYPOINTS = "keypoints.faiss"

AnyKeypoints = KeypointIndex | MappedKeypoints | OlderKeypoints

# Covers a map of "own" is compared with: its nearest by layout, the rest of its series.
SIBLINGS = 8
_REMEMBERED = 1_024  # references: some 300 KB each at most
_SAME_ARTWORK = 0.93


class Covers(Protocol):
    """Whatever holds covers by album id: a catalogue, or covers that are drawn when asked for."""

    @property
    def has_thumbnails(self) -> bool: ...

    def ids(self) -> Ids:
        """(N,) int64, ascending."""
        ...

    def thumbnail(self, album_id: int) -> bytes | None:
        """A picture file of the cover, or None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Likeness:
    """An album and how alike its layout is, cosine."""

    row: int
    similarity: float


class References:
    """What is known of the covers, by row. Safe for concurrent use."""

    def __init__(
        self,
        catalogue: Covers,
        ids: Ids,
        basis: Basis,
        codes: KnownCodes,
        own: NDArray[np.uint8] | Table,
        keypoints: AnyKeypoints | None,
        gone: NDArray[np.bool_] | None = None,
    ) -> None:
        """`gone` (N,): rows of albums that were removed, which nobody is answered with."""
        self.ids, self.basis, self.codes = ids, basis, codes
        self.own, self.keypoints, self.gone = own, keypoints, gone
        self._catalogue = catalogue
        self._prepared: OrderedDict[int, Reference] = OrderedDict()
        self._lock = Lock()
        self.row_of = Rows(ids, gone)

    @classmethod
    def open(cls, folder: Path, catalogue: Covers) -> References | None:
        """`folder` is the artifact's, its digests checked; None where it has no such part."""
        part = folder / FOLDER
        on_disk = (part / mapped.ROWS).is_file()
        if not (on_disk or (part / LAYOUT).is_file()) or not catalogue.has_thumbnails:
            return None
        try:
            made = (cls._on_disk if on_disk else cls._in_memory)(part, catalogue)
        except _Unfit:
            made = None
        except Exception as error:
            # A damaged .npz raises some ten kinds of error, FAISS its own.
            raise ArtifactError(
                f"{FOLDER}/ cannot be read ({type(error).__name__}: {str(error)[:200]}). "
                "Build the artifact again."
            ) from error
        if made is None or not np.isin(made.present, catalogue.ids()).all():
            raise ArtifactError(
                f"{FOLDER}/{mapped.ROWS if on_disk else LAYOUT} does not belong to this catalogue: "
                "its rows do not match. Build the artifact again."
            )
        return made

    @classmethod
    def _in_memory(cls, part: Path, catalogue: Covers) -> References:
        with np.load(part / LAYOUT, allow_pickle=False) as file:
            ids, codes = file["ids"], file["codes"]
            basis = Basis(file["mean"], file["axes"])
            own, older_rows = file["own"], file["keypoint_rows"]
        keypoints = _keypoints(part, older_rows)
        count = len(ids)
        if (
            codes.shape != (count, basis.axes.shape[1])
            or own.shape != (count, 16, 16)
            or (keypoints is not None and not keypoints.is_of(count))
        ):
            raise _Unfit
        return cls(catalogue, ids, basis, CodesInMemory(dequantised(codes)), own, keypoints)

    @classmethod
    def _on_disk(cls, part: Path, catalogue: Covers) -> References:
        with np.load(part / mapped.ROWS, allow_pickle=False) as file:
            ids, gone = file["ids"], file["gone"]
            basis = Basis(file["mean"], file["axes"])
        count = len(ids)
        if gone.shape != (count,):
            raise _Unfit
        file = part / KEYPOINTS
        keypoints = MappedKeypoints(file, gone) if file.is_file() else None
        own = Table(part / mapped.OWN, (count, 16, 16), np.uint8)
        return cls(catalogue, ids, basis, MappedCodes(part, count), own, keypoints, gone)

    @property
    def present(self) -> Ids:
        """(M,) ids of the albums that are there."""
        return self.ids if self.gone is None else self.ids[~self.gone]

    def __len__(self) -> int:
        return len(self.ids)

    def nearest(self, codes: Codes, k: int) -> list[list[Likeness]]:
        """(N, 256) unit rows → N lists of the `k` covers most alike in layout."""
        # At most a quarter of the rows are gone, seldom many of one query's.
        similarities, rows = self.codes.nearest(codes, k if self.gone is None else 2 * k)
        if self.gone is not None:
            rows = np.where(self.gone[rows], -1, rows)
        return [
            [Likeness(int(r), float(s)) for s, r in zip(some, which, strict=True) if r >= 0][:k]
            for some, which in zip(similarities, rows, strict=True)
        ]

    def code(self, row: int) -> Codes:
        """(256,) float32, of unit length."""
        code: Codes = self.codes.of(np.array([row]))[0]
        return code

    def reference(self, row: int) -> Reference | None:
        """The prepared cover of a row, kept while it is asked for often."""
        with self._lock:
            known = self._prepared.get(row)
            if known is not None:
                self._prepared.move_to_end(row)
                return known
        cover = self.cover(row)
        if cover is None:
            return None
        made = Reference(cover, np.asarray(self.own[row], np.float32) / np.float32(255))
        with self._lock:
            self._prepared[row] = made
            if len(self._prepared) > _REMEMBERED:
                self._prepared.popitem(last=False)
        return made

    def cover(self, row: int) -> Pixels | None:
        return cover_of(self._catalogue, int(self.ids[row]))

    def twins(self, row: int) -> list[int]:
        """Other rows with the same artwork."""
        alike = [other for other in self._alike(self.code(row)[None]) if other != row]
        mine = self.reference(row) if alike else None
        return [] if mine is None else self._twins(mine, alike)

    def twins_of(self, cover: Pixels) -> list[int]:
        """Rows with the artwork of a (H, W, 3) uint8 cover."""
        code = self.basis.codes(layout.features(layout.shrunk(cover)[None]))
        return self._twins(Reference(cover), self._alike(code))

    def _alike(self, code: Codes) -> list[int]:
        near = self.nearest(code, SIBLINGS)[0]
        return [one.row for one in near if one.similarity >= _SAME_ARTWORK]

    def _twins(self, mine: Reference, rows: Sequence[int]) -> list[int]:
        others = [(row, self.reference(row)) for row in rows]
        return [row for row, other in others if other is not None and same_artwork(mine, other)]


class Rows:
    """Album ids → rows; those that are gone have none."""

    def __init__(self, ids: Ids, gone: NDArray[np.bool_] | None = None) -> None:
        there = np.arange(len(ids)) if gone is None else np.flatnonzero(~gone)
        # An id that was removed may be given again: only one of its rows is there.
        self._order = there[np.argsort(ids[there], kind="stable")]
        self._ids = ids[self._order]

    def get(self, album_id: int) -> int | None:
        at = int(np.searchsorted(self._ids, album_id))
        if at == len(self._ids) or self._ids[at] != album_id:
            return None
        return int(self._order[at])

    def __contains__(self, album_id: int) -> bool:
        return self.get(album_id) is not None

    def __getitem__(self, album_id: int) -> int:
        row = self.get(album_id)
        if row is None:
            raise KeyError(album_id)
        return row


class _Unfit(Exception):
    """Parts that are not of one making."""


def _keypoints(part: Path, older_rows: NDArray[np.int32]) -> KeypointIndex | OlderKeypoints | None:
    if (part / KEYPOINTS).is_file():
        with np.load(part / PLACES, allow_pickle=False) as file:
            places, rows = file["places"], file["rows"]
        return KeypointIndex(faiss.read_index(str(part / KEYPOINTS)), places, rows)
    if len(older_rows):
        return OlderKeypoints(faiss.read_index_binary(str(part / OLDER_KEYPOINTS)), older_rows)
    return None


def cover_of(catalogue: Covers, album_id: int) -> Pixels | None:
    """(H, W, 3) uint8 RGB, of the thumbnail's size; None where there is none."""
    data = catalogue.thumbnail(album_id)
    return None if data is None else thumbnail_pixels(data)


def thumbnail_pixels(data: bytes) -> Pixels:
    """A picture file → (H, W, 3) uint8 RGB."""
    # OpenCV gives what Pillow gives, which decodes every WebP as if it moved, in twice the time.
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if decoded is not None:
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), np.uint8)
