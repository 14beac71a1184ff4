"""Covers → what identify compares photos with, `identify/` in the artifact's folder.

    thumbnails ─layout→ features ─Basis→ codes ─nearest→ siblings ─windows→ maps of what is its own
              └SIFT→ keypoints ─→ an index

`identify.references` reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.base.progress import Progress
from engine.covers.identify import layout, mapped
from engine.covers.identify.codes import CodesInMemory, quantised
from engine.covers.identify.keypoints import KeypointIndex, Keypoints, of_cover
from engine.covers.identify.layout import Basis
from engine.covers.identify.proof import Windows, own_map
from engine.covers.identify.references import (
    FOLDER,
    KEYPOINTS,
    LAYOUT,
    PLACES,
    SIBLINGS,
    Covers,
    References,
    cover_of,
    thumbnail_pixels,
)
from engine.covers.image import Pixels
from engine.covers.making.mapping import revise_mapped, write_mapped
from engine.vectors.embeddings import Ids

_BATCH = 256  # covers at a time


def write_references(
    folder: Path,
    catalogue: Covers,
    progress: Progress | None = None,
    old: Path | None = None,
) -> References | None:
    """Write `identify/` (without a calibration) into a staged artifact, from its thumbnails.

    `old` is the artifact it is another version of: of many covers those that it has are not looked
    at again. None, and nothing written, where there are fewer than two covers.
    """
    ids = catalogue.ids()
    if len(ids) > mapped.MAPPED_FROM:
        progress = progress or Progress()
        if old is None or not revise_mapped(old, folder, catalogue, ids, progress):
            write_mapped(folder, catalogue, ids, progress)
        return References.open(folder, catalogue)
    made = make_references(catalogue, ids, progress)
    if made is None:
        return None
    (folder / FOLDER).mkdir(exist_ok=True)
    np.savez_compressed(
        folder / FOLDER / LAYOUT,
        ids=made.ids,
        codes=quantised(made.codes.of(np.arange(len(made)))),
        mean=made.basis.mean,
        axes=made.basis.axes,
        own=np.stack([made.own[row] for row in range(len(made))]),
        keypoint_rows=np.zeros(0, np.int32),  # versions before SIFT ask for theirs
    )
    if isinstance(made.keypoints, KeypointIndex):
        found = made.keypoints
        faiss.write_index(found.index, str(folder / FOLDER / KEYPOINTS))
        np.savez_compressed(folder / FOLDER / PLACES, places=found.places, rows=found.rows)
    return References.open(folder, catalogue)


def make_references(
    catalogue: Covers,
    album_ids: Ids,
    progress: Progress | None = None,
) -> References | None:
    """References to some albums of a catalogue, as if it held no others: those left out are
    strangers to it. None where fewer than two have covers."""
    progress = progress or Progress()
    covers = [
        (int(album_id), data)
        for album_id in album_ids
        if (data := catalogue.thumbnail(int(album_id))) is not None
    ]
    if len(covers) < 2:
        return None
    ids = np.array([album_id for album_id, _ in covers], np.int64)
    views: list[Pixels] = []
    parts: list[NDArray[np.float32]] = []
    keypoints: list[Keypoints] = []
    for start in range(0, len(covers), _BATCH):
        pictures = [thumbnail_pixels(data) for _, data in covers[start : start + _BATCH]]
        views += [layout.shrunk(picture) for picture in pictures]
        parts.append(layout.features(np.stack(views[start:])))
        keypoints += [_keypoints_of(data) for _, data in covers[start : start + _BATCH]]
        progress.step(start + len(pictures), 2 * len(covers), "references")
    every = np.concatenate(parts)
    # Principal axes of 20,000 covers are those of a million.
    sample = np.random.default_rng(0).permutation(len(every))[:20_000]
    basis = Basis.fit(every[sample])
    codes = basis.codes(every)
    plain = np.zeros((len(ids), 16, 16), np.uint8)
    made = References(
        catalogue, ids, basis, CodesInMemory(codes), plain, KeypointIndex.of(keypoints)
    )
    made.own = _own_maps(made, views, progress)
    return made


def split_references(
    catalogue: Covers,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[References, list[int]] | None:
    """References to four fifths of a catalogue, and the ids of the others: strangers to them. Of
    one with many covers, of as many as references are kept in memory of.

    An album left out whose artwork another one shows is no stranger, and in neither.
    """
    ids = np.random.default_rng([seed, 5]).permutation(catalogue.ids())[: mapped.MAPPED_FROM]
    few = len(ids) // 5
    made = make_references(catalogue, np.sort(ids[few:]), progress)
    if made is None:
        return None
    strangers = []
    for album_id in np.sort(ids[:few]).tolist():
        cover = cover_of(catalogue, album_id)
        if cover is not None and not made.twins_of(cover):
            strangers.append(album_id)
    return made, strangers


def _own_maps(
    references: References, views: Sequence[Pixels], progress: Progress
) -> NDArray[np.uint8]:
    """`views` are (64, 64, 3) uint8, a cover each → (N, 16, 16) uint8, 255 is all its own."""
    count = len(references)
    own = np.zeros((count, 16, 16), np.uint8)
    windows = lru_cache(2048)(lambda row: Windows(views[row], layout.SIDE // 8 + 1))
    for row in range(count):
        near = references.nearest(references.code(row)[None], SIBLINGS + 1)[0]
        siblings = [windows(n.row) for n in near if n.row != row]
        own[row] = np.round(own_map(windows(row), siblings) * 255)
        if row % 100 == 99 or row == count - 1:
            progress.step(count + row + 1, 2 * count, "references")
    return own


# A calibration and a trial ask again for most of the covers that were asked for before.
@lru_cache(4_096)
def _keypoints_of(thumbnail: bytes) -> Keypoints:
    return of_cover(thumbnail_pixels(thumbnail))
