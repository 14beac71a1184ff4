"""The keypoints (ORB) of artifacts that were built before `identify.keypoints` was: as they were.

A photo's are looked for among 64 of each cover; a DVD on a desk is seldom found by them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from engine.covers.identify.outlines import Quads, is_plausible
from engine.covers.identify.views import UNIT
from engine.covers.image import Pixels

_PHOTO_SIDE, _COVER_SIDE = 360, 256  # shorter edge of a photo, side of a cover: pixels
_OF_PHOTO, _OF_COVER, _ASKED = 1000, 400, 600
_FEWEST = 6  # matches below which a homography is chance


@dataclass(frozen=True, slots=True)
class _Keypoints:
    """`points` (N, 2) float32 pixels, `descriptors` (N, 32) uint8 (ORB)."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


class OlderKeypoints:
    """A binary index of M descriptors, and the `rows` (M,) they belong to."""

    def __init__(self, index: faiss.IndexBinary, rows: NDArray[np.int32]) -> None:
        self._index, self._rows = index, rows

    def is_of(self, covers: int) -> bool:
        """Whether it fits so many covers."""
        rows = self._rows
        fits = self._index.ntotal == len(rows) and rows.min() >= 0 and rows.max() < covers
        return bool(fits)

    def voted(
        self, photo: Pixels, most: int, cover_of_row: Callable[[int], Pixels | None]
    ) -> Iterator[tuple[int, Quads]]:
        """The covers that most keypoints of a photo resemble, and where they would lie in it."""
        seen = _of_photo(photo)
        for row in self._rows_like(seen, most):
            cover = cover_of_row(row)
            quad = _outline(seen, _found(cover, _OF_COVER)) if cover is not None else None
            if quad is not None:
                yield row, quad

    def _rows_like(self, photo: _Keypoints, most: int) -> list[int]:
        if not len(photo.descriptors):
            return []
        distances, found = self._index.search(photo.descriptors[:_ASKED], 4)
        votes = np.zeros(int(self._rows.max()) + 1, np.float32)
        for distance, where in zip(distances, found, strict=True):
            for row in {int(self._rows[at]) for at in where[(where >= 0) & (distance < 64)]}:
                votes[row] += 1
        best = np.argsort(-votes, kind="stable")[:most]
        return [int(row) for row in best if votes[row] >= 3]


def _outline(photo: _Keypoints, cover: _Keypoints) -> Quads | None:
    if len(cover.points) < _FEWEST or len(photo.points) < _FEWEST:
        return None
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING)
    pairs = matcher.knnMatch(cover.descriptors, photo.descriptors, k=2)
    # Lowe's ratio test (IJCV 2004, 7.1), a little wider: RANSAC is cheap here.
    good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.85 * p[1].distance]
    if len(good) < _FEWEST:
        return None
    source = cover.points[[match.queryIdx for match in good]]
    target = photo.points[[match.trainIdx for match in good]]
    try:
        warp, mask = cv2.findHomography(
            source, target, cv2.USAC_MAGSAC, 4.0, maxIters=2000, confidence=0.99
        )
    except cv2.error:  # all points on one line
        return None
    if warp is None or not np.isfinite(warp).all() or mask.sum() < _FEWEST:
        return None
    corners = (UNIT * _COVER_SIDE)[None]
    quad = np.asarray(cv2.perspectiveTransform(corners, warp)[0], np.float32)
    return quad if is_plausible(quad) else None


def _of_photo(photo: Pixels) -> _Keypoints:
    scale = min(1.0, _PHOTO_SIDE / min(photo.shape[:2]))
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = _found(np.asarray(small, np.uint8), _OF_PHOTO)
    return _Keypoints(found.points / np.float32(scale), found.descriptors)


def _found(image: Pixels, most: int) -> _Keypoints:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    points, descriptors = cv2.ORB_create(most, fastThreshold=5).detectAndCompute(grey, None)
    if descriptors is None:
        return _Keypoints(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    # Strongest first, for those who ask with only some.
    order = np.argsort([-point.response for point in points], kind="stable")
    places = np.array([point.pt for point in points], np.float32)[order] + np.float32(0.5)
    return _Keypoints(places, np.ascontiguousarray(descriptors[order]))
