"""Many covers → what identify reads of them from disk, in passes over blocks.

    20,000 covers drawn at random ─→ basis, lists, cells
    every cover ─→ code, keypoints ─→ indexes
    every code ─→ its siblings ─windows→ map of what is its own

Memory is that of the sample, a block and the finished indexes: a gigabyte and a half at a million.
The last pass sees covers in any order; 12 KB of each lie beside the artifact until then.
`identify.mapped` reads what is made here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from engine.base.files import link
from engine.base.progress import Progress
from engine.covers.identify import layout, mapped
from engine.covers.identify.codes import dequantised, quantised
from engine.covers.identify.keypoints import OF_COVER, Keypoints, of_cover, unit
from engine.covers.identify.layout import Basis, Codes
from engine.covers.identify.mapped import MappedCodes
from engine.covers.identify.proof import Windows, own_map
from engine.covers.identify.references import FOLDER, KEYPOINTS, SIBLINGS, Covers, thumbnail_pixels
from engine.covers.image import Pixels
from engine.vectors.embeddings import Ids
from engine.vectors.files import read_index

_BATCH = 256  # covers at a time
# Principal axes of 20,000 covers are those of a million, and so are lists.
SAMPLE = 20_000
_SAMPLED_DESCRIPTORS = 200_000
_WASTED_AT_MOST = 0.25  # rows of albums that are gone, before all are written anew


def write_mapped(folder: Path, catalogue: Covers, ids: Ids, progress: Progress) -> None:
    """Write `identify/` (without a calibration) of (N,) albums into a staged artifact."""
    part = folder / FOLDER
    part.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    basis, codes, descriptors = _sampled(catalogue, np.sort(rng.permutation(ids)[:SAMPLE]))
    layouts = mapped.index_of_codes(codes)
    cells = mapped.index_of_keypoints(descriptors, OF_COVER * len(ids))
    none = np.zeros(0, np.int64), np.zeros(0, bool)
    _append(part, catalogue, ids, basis, (layouts, cells), none, progress)


def revise_mapped(old: Path, folder: Path, catalogue: Covers, ids: Ids, progress: Progress) -> bool:
    """The same of an artifact whose covers are mostly those of `old`: what is kept is not looked at
    again, and what is gone stays in the files, until that is a quarter. False, and nothing
    written, where all had better be written anew."""
    before, part = old / FOLDER, folder / FOLDER
    if not (before / mapped.ROWS).is_file():
        return False
    with np.load(before / mapped.ROWS, allow_pickle=False) as file:
        known, basis = file["ids"], Basis(file["mean"], file["axes"])
        gone = file["gone"] | ~np.isin(known, ids)
    fresh = np.setdiff1d(ids, known[~gone])
    if gone.sum() > _WASTED_AT_MOST * len(known) or len(fresh) > len(known):
        return False
    part.mkdir(exist_ok=True)
    names = (mapped.LAYOUTS, mapped.CODES, mapped.OWN, KEYPOINTS)
    for name in filter(lambda name: (before / name).is_file(), names):
        # What grows is copied: the old artifact's must not grow with it.
        (shutil.copyfile if len(fresh) else link)(before / name, part / name)
    if not len(fresh):
        _write_rows(part, basis, known, gone)
        return True
    cells = read_index(part / KEYPOINTS) if (part / KEYPOINTS).is_file() else None
    indexes = read_index(part / mapped.LAYOUTS), cells
    _append(part, catalogue, fresh, basis, indexes, (known, gone), progress)
    return True


def _sampled(catalogue: Covers, ids: Ids) -> tuple[Basis, Codes, NDArray[np.uint8]]:
    """Basis, (n, 256) codes and (m, 128) descriptors of some albums."""
    parts, found = [], []
    for _, pictures in _pictures(catalogue, ids):
        parts.append(layout.features(np.stack([layout.shrunk(one) for one in pictures])))
        few = max(1, _SAMPLED_DESCRIPTORS // len(ids))
        found += [of_cover(picture).descriptors[:few] for picture in pictures]
    features = np.concatenate(parts)
    basis = Basis.fit(features)
    return basis, basis.codes(features), np.concatenate(found)


def _append(
    part: Path,
    catalogue: Covers,
    fresh: Ids,
    basis: Basis,
    indexes: tuple[Any, Any],
    before: tuple[Ids, NDArray[np.bool_]],
    progress: Progress,
) -> None:
    """Further albums after those of `before`, ids and which are gone, whose files are in `part`."""
    layouts, cells = indexes
    known, gone = before
    kept: list[int] = []
    # Beside the artifact: it may be 12 GB, more than a machine has for temporary files.
    with tempfile.TemporaryFile(dir=part.parent.parent) as seen:
        with (part / mapped.CODES).open("ab") as file:
            for ids, pictures in _pictures(catalogue, fresh):
                views = np.stack([layout.shrunk(one) for one in pictures])
                seen.write(views.tobytes())
                codes = quantised(basis.codes(layout.features(views)))
                codes.tofile(file)
                rows = len(known) + len(kept) + np.arange(len(ids))
                layouts.add_with_ids(dequantised(codes), rows)
                _add_keypoints(cells, rows, [of_cover(picture) for picture in pictures])
                kept += ids
                progress.step(len(kept), 2 * len(fresh), "references")
        seen.flush()
        faiss.write_index(layouts, str(part / mapped.LAYOUTS))
        if cells is not None and cells.ntotal:
            faiss.write_index(cells, str(part / KEYPOINTS))
        shape = (len(kept), layout.SIDE, layout.SIDE, 3)
        every = np.memmap(seen, np.uint8, "r", shape=shape)
        _write_own(part, catalogue, known, gone, every, progress)
    ids_now = np.concatenate([known, np.array(kept, np.int64)])
    _write_rows(part, basis, ids_now, np.concatenate([gone, np.zeros(len(kept), bool)]))


def _add_keypoints(cells: Any, rows: NDArray[np.int64], found: Sequence[Keypoints]) -> None:
    if cells is None or not any(len(one.places) for one in found):
        return
    ids = [mapped.packed(row, one.places) for row, one in zip(rows.tolist(), found, strict=True)]
    descriptors = unit(np.concatenate([one.descriptors for one in found]))
    cells.add_with_ids(descriptors, np.concatenate(ids))


def _write_own(
    part: Path,
    catalogue: Covers,
    known: Ids,
    gone: NDArray[np.bool_],
    views: Pixels,
    progress: Progress,
) -> None:
    """Append the maps of what is their own of covers whose (N, 64, 64, 3) `views` are given, which
    come after those of the `known` albums."""
    first, count = len(known), len(views)
    codes = MappedCodes(part, first + count)

    @lru_cache(2_048)
    def windows(row: int) -> Windows | None:
        if row >= first:
            return Windows(np.array(views[row - first]), layout.SIDE // 8 + 1)
        data = None if gone[row] else catalogue.thumbnail(int(known[row]))
        if data is None:
            return None
        return Windows(layout.shrunk(thumbnail_pixels(data)), layout.SIDE // 8 + 1)

    with (part / mapped.OWN).open("ab") as file:
        for start in range(0, count, _BATCH):
            rows = first + np.arange(start, min(start + _BATCH, count))
            _, near = codes.nearest(codes.of(rows), SIBLINGS + 1)
            for row, others in zip(rows.tolist(), near.tolist(), strict=True):
                found = [windows(one) for one in others if one not in (row, -1)]
                mine = windows(row)
                assert mine is not None
                own = own_map(mine, [one for one in found if one is not None])
                np.round(own * 255).astype(np.uint8).tofile(file)
            progress.step(count + start + len(rows), 2 * count, "references")


def _write_rows(part: Path, basis: Basis, ids: Ids, gone: NDArray[np.bool_]) -> None:
    np.savez(part / mapped.ROWS, ids=ids, gone=gone, mean=basis.mean, axes=basis.axes)


def _pictures(catalogue: Covers, ids: Ids) -> Iterator[tuple[list[int], list[Pixels]]]:
    """The albums that have covers, and these, some hundred at a time."""
    for start in range(0, len(ids), _BATCH):
        some = ids[start : start + _BATCH].tolist()
        found = [(one, data) for one in some if (data := catalogue.thumbnail(one)) is not None]
        if found:
            yield [one for one, _ in found], [thumbnail_pixels(data) for _, data in found]
