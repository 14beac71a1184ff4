"""The optional part of an artifact that identify needs: what is known of every cover.

`identify/` in the artifact's folder; artifacts/README.md, "What identify reads", is its
specification. `write_references` makes it from thumbnails, `References.open` reads it.

An album costs 256 bytes of layout code, 256 of what is its own, and 2 KB of keypoints. The
covers themselves are the artifact's thumbnails.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.base.errors import ArtifactError
from engine.covers.catalogue import Catalogue
from engine.covers.identify import layout
from engine.covers.identify.layout import Basis, Codes
from engine.covers.identify.proof import (
    Keypoints,
    Reference,
    Windows,
    keypoints_of_cover,
    own_map,
    same_artwork,
)
from engine.covers.image import Pixels
from engine.vectors.index import Ids

FOLDER = "identify"
LAYOUT, KEYPOINTS, CALIBRATION = "layout.npz", "keypoints.faiss", "calibration.json"

# The keypoints kept of a cover, strongest first: enough to vote for it.
KEPT_KEYPOINTS = 64
# Covers a map of "own" is compared with: its nearest by layout, the rest of its series.
_SIBLINGS = 8
# Codes are unit rows of 256 numbers, few beyond ±0.5; an eighth of a bit is lost on average.
_CODE_SCALE = 254.0
_REMEMBERED = 1_024  # references: some 300 KB each at most
_SAME_ARTWORK = 0.93
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Likeness:
    """An album and how alike its layout is, cosine."""

    row: int
    similarity: float


class References:
    """What is known of the covers, by row. Safe for concurrent use."""

    def __init__(
        self,
        catalogue: Catalogue,
        ids: Ids,
        basis: Basis,
        codes: Codes,
        own: NDArray[np.uint8],
        keypoints: faiss.IndexBinary | None,
        keypoint_rows: NDArray[np.int32],
    ) -> None:
        self.ids, self.basis, self.codes = ids, basis, codes
        self.own, self.keypoints, self.keypoint_rows = own, keypoints, keypoint_rows
        self._catalogue = catalogue
        self._index = faiss.IndexFlatIP(codes.shape[1])
        self._index.add(codes)
        self._prepared: OrderedDict[int, Reference] = OrderedDict()
        self._lock = Lock()
        self.row_of = {int(album_id): row for row, album_id in enumerate(ids)}

    @classmethod
    def open(cls, folder: Path, catalogue: Catalogue) -> References | None:
        """`folder` is the artifact's, its digests checked; None where it has no such part."""
        part = folder / FOLDER
        if not (part / LAYOUT).is_file() or not catalogue.has_thumbnails:
            return None
        try:
            with np.load(part / LAYOUT, allow_pickle=False) as file:
                ids, codes = file["ids"], file["codes"]
                basis = Basis(file["mean"], file["axes"])
                own, rows = file["own"], file["keypoint_rows"]
            keypoints = faiss.read_index_binary(str(part / KEYPOINTS)) if len(rows) else None
        except Exception as error:
            # A damaged .npz raises some ten kinds of error, FAISS its own.
            raise ArtifactError(
                f"{FOLDER}/ cannot be read ({type(error).__name__}: {str(error)[:200]}). "
                "Build the artifact again."
            ) from error
        count = len(ids)
        if (
            codes.shape != (count, basis.axes.shape[1])
            or own.shape != (count, 16, 16)
            or (keypoints is not None and keypoints.ntotal != len(rows))
            or not np.isin(ids, catalogue.ids()).all()
        ):
            raise ArtifactError(
                f"{FOLDER}/{LAYOUT} does not belong to this catalogue: its rows do not match. "
                "Build the artifact again."
            )
        dequantised = codes.astype(np.float32) / _CODE_SCALE
        dequantised /= np.linalg.norm(dequantised, axis=1, keepdims=True) + 1e-6
        return cls(catalogue, ids, basis, dequantised, own, keypoints, rows)

    def __len__(self) -> int:
        return len(self.ids)

    def nearest(self, codes: Codes, k: int) -> list[list[Likeness]]:
        """(N, 256) unit rows → N lists of the `k` covers most alike in layout."""
        similarities, rows = self._index.search(codes, min(k, len(self)))
        return [
            [Likeness(int(r), float(s)) for s, r in zip(some, which, strict=True) if r >= 0]
            for some, which in zip(similarities, rows, strict=True)
        ]

    def vote(self, photo: Keypoints, k: int) -> list[int]:
        """Rows of the `k` covers that most keypoints of a photo resemble, best first."""
        if self.keypoints is None or not len(photo.descriptors):
            return []
        distances, found = self.keypoints.search(photo.descriptors[:600], 4)
        votes = np.zeros(len(self), np.float32)
        for distance, where in zip(distances, found, strict=True):
            for row in {int(self.keypoint_rows[w]) for w in where[(where >= 0) & (distance < 64)]}:
                votes[row] += 1
        best = np.argsort(-votes, kind="stable")[:k]
        return [int(row) for row in best if votes[row] >= 3]

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
        made = Reference(cover, self.own[row].astype(np.float32) / 255)
        with self._lock:
            self._prepared[row] = made
            if len(self._prepared) > _REMEMBERED:
                self._prepared.popitem(last=False)
        return made

    def cover(self, row: int) -> Pixels | None:
        return cover_of(self._catalogue, int(self.ids[row]))

    def twins(self, row: int) -> list[int]:
        """Other rows with the same artwork."""
        alike = [other for other in self._alike(self.codes[row : row + 1]) if other != row]
        mine = self.reference(row) if alike else None
        return [] if mine is None else self._twins(mine, alike)

    def twins_of(self, cover: Pixels) -> list[int]:
        """Rows with the artwork of a (H, W, 3) uint8 cover."""
        code = self.basis.codes(layout.features(layout.shrunk(cover)[None]))
        return self._twins(Reference(cover), self._alike(code))

    def _alike(self, code: Codes) -> list[int]:
        near = self.nearest(code, _SIBLINGS)[0]
        return [one.row for one in near if one.similarity >= _SAME_ARTWORK]

    def _twins(self, mine: Reference, rows: Sequence[int]) -> list[int]:
        others = [(row, self.reference(row)) for row in rows]
        return [row for row, other in others if other is not None and same_artwork(mine, other)]


def cover_of(catalogue: Catalogue, album_id: int) -> Pixels | None:
    """(H, W, 3) uint8 RGB, of the thumbnail's size; None where there is none."""
    data = catalogue.thumbnail(album_id)
    return None if data is None else _pixels(data)


def write_references(
    folder: Path,
    catalogue: Catalogue,
    step: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> References | None:
    """Write `identify/` (without a calibration) into a staged artifact, from its thumbnails.

    None, and nothing written, where there are fewer than two covers.
    """
    made = make_references(catalogue, catalogue.ids(), step)
    if made is None:
        return None
    (folder / FOLDER).mkdir(exist_ok=True)
    np.savez_compressed(
        folder / FOLDER / LAYOUT,
        ids=made.ids,
        codes=np.clip(np.round(made.codes * _CODE_SCALE), -127, 127).astype(np.int8),
        mean=made.basis.mean,
        axes=made.basis.axes,
        own=made.own,
        keypoint_rows=made.keypoint_rows,
    )
    if made.keypoints is not None:
        faiss.write_index_binary(made.keypoints, str(folder / FOLDER / KEYPOINTS))
    return References.open(folder, catalogue)


def make_references(
    catalogue: Catalogue,
    album_ids: Ids,
    step: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> References | None:
    """References to some albums of a catalogue, as if it held no others: those left out are
    strangers to it. None where fewer than two have covers."""
    covers = [
        (int(album_id), data)
        for album_id in album_ids
        if (data := catalogue.thumbnail(int(album_id))) is not None
    ]
    if len(covers) < 2:
        return None
    ids = np.array([album_id for album_id, _ in covers], np.int64)
    views: list[Pixels] = []
    parts, descriptors, rows = [], [], []
    for start in range(0, len(covers), _BATCH):
        pictures = [_pixels(data) for _, data in covers[start : start + _BATCH]]
        views += [layout.shrunk(picture) for picture in pictures]
        parts.append(layout.features(np.stack(views[start:])))
        for row, picture in enumerate(pictures, start):
            found = keypoints_of_cover(picture, KEPT_KEYPOINTS).descriptors
            descriptors.append(found)
            rows.extend([row] * len(found))
        step(start + len(pictures), 2 * len(covers), "references")
    every = np.concatenate(parts)
    # Principal axes of 20,000 covers are those of a million.
    sample = np.random.default_rng(0).permutation(len(every))[:20_000]
    basis = Basis.fit(every[sample])
    codes = basis.codes(every)
    keypoints = _keypoint_index(np.concatenate(descriptors)) if rows else None
    plain = np.zeros((len(ids), 16, 16), np.uint8)
    made = References(catalogue, ids, basis, codes, plain, keypoints, np.array(rows, np.int32))
    made.own = _own_maps(made, views, step)
    return made


def split_references(
    catalogue: Catalogue,
    seed: int = 0,
    step: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> tuple[References, list[int]] | None:
    """References to four fifths of a catalogue, and the ids of the others: strangers to them.

    An album left out whose artwork another one shows is no stranger, and in neither.
    """
    ids = np.random.default_rng([seed, 5]).permutation(catalogue.ids())
    few = len(ids) // 5
    made = make_references(catalogue, np.sort(ids[few:]), step)
    if made is None:
        return None
    strangers = []
    for album_id in np.sort(ids[:few]).tolist():
        cover = cover_of(catalogue, album_id)
        if cover is not None and not made.twins_of(cover):
            strangers.append(album_id)
    return made, strangers


def _own_maps(
    references: References, views: Sequence[Pixels], step: Callable[[int, int, str], None]
) -> NDArray[np.uint8]:
    """`views` are (64, 64, 3) uint8, a cover each → (N, 16, 16) uint8, 255 is all its own."""
    count = len(references)
    own = np.zeros((count, 16, 16), np.uint8)
    windows = lru_cache(2048)(lambda row: Windows(views[row], layout.SIDE // 8 + 1))
    for row in range(count):
        near = references.nearest(references.codes[row : row + 1], _SIBLINGS + 1)[0]
        siblings = [windows(n.row) for n in near if n.row != row]
        own[row] = np.round(own_map(windows(row), siblings) * 255)
        if row % 100 == 99 or row == count - 1:
            step(count + row + 1, 2 * count, "references")
    return own


def _keypoint_index(descriptors: NDArray[np.uint8]) -> faiss.IndexBinary:
    """Binary descriptors, (N, 32) uint8 → an index: exact for a small catalogue, else lists."""
    bits = 256
    if len(descriptors) <= 50_000:
        index = faiss.IndexBinaryFlat(bits)
    else:
        lists = int(4 * len(descriptors) ** 0.5)
        quantizer = faiss.IndexBinaryFlat(bits)
        index = faiss.IndexBinaryIVF(quantizer, bits, lists)
        quantizer.this.disown()
        index.own_fields = True
        index.nprobe = max(8, lists // 100)
        index.cp.niter = 8
        index.train(descriptors[:: max(1, len(descriptors) // (lists * 40))])
    index.add(descriptors)
    return index


def _pixels(data: bytes) -> Pixels:
    # OpenCV gives what Pillow gives, which decodes every WebP as if it moved, in twice the time.
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if decoded is not None:
        return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"), np.uint8)
