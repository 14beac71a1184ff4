"""A picture → keypoints: places that a photo and a cover have alike, however turned and far away.

    photo ─SIFT→ keypoints ─index→ keypoints like them ─same turn, same growth→ covers, each with
                                                                               where it would lie

SIFT (Lowe, IJCV 2004) with square roots of histograms (Arandjelović & Zisserman, CVPR 2012). They
need no outline, so a sleeve that a hand, a case or the frame cuts is found as well. What agrees by
chance agrees in no common turn and growth, and is not counted (Jégou et al., ECCV 2008).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from engine.covers.identify.outlines import Quads, is_plausible
from engine.covers.identify.views import UNIT
from engine.covers.image import Pixels

# A DVD among 2,300 covers is found at 360 pixels as well as at 720, at 240 worse by a tenth.
PHOTO_SIDE, COVER_SIDE = 360, 256
OF_PHOTO, OF_COVER = 300, 64  # the strongest; of 400 no more covers are found
DIMENSION = 128
_FAINT = 0.02  # contrast: half of Lowe's, for photos in poor light
_SCALE = 510.0  # of a square root, few of which are above a half, to a byte
_NEIGHBOURS = 4
_PARTS, _BITS = 32, 4  # of a code: how many numbers, of how many bits
ALIKE = 0.5  # squared distance of unit rows
_TURNS, _GROWTHS, _SMALLEST = 12, 12, -6  # bins of 30°, of a doubling from 2⁻⁶ on
_FEWEST = 4  # matches that make an outline
_TOLERANCE = 5.0  # pixels of a cover
_UNLIKE_ANY, _NEAR = 0.8, 0.05  # Lowe's ratio of distances; a share of the cover's side


@dataclass(frozen=True, slots=True)
class Keypoints:
    """`places` (N, 4) float32: x and y in pixels, size in pixels, angle in degrees, clockwise;
    `descriptors` (N, 128) uint8. Strongest first."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]

    def mirrored(self, width: int) -> Keypoints:
        """Those of the picture's mirror image, `width` pixels wide, without looking again."""
        places = self.places * np.array([-1, 1, 1, -1], np.float32)
        places += np.array([width, 0, 0, 180], np.float32)
        places[:, 3] %= 360
        # 4 rows, which lie along the angle, of 4 × 8 bins: one side is swapped for the other.
        bins = self.descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
        bins = bins[..., (8 - np.arange(8)) % 8]
        return Keypoints(places, np.ascontiguousarray(bins.reshape(-1, DIMENSION)))


@dataclass(frozen=True, slots=True)
class Voted:
    """A row that `votes` keypoints of a photo speak for, and where its cover would lie."""

    row: int
    votes: int
    quad: Quads


@dataclass(frozen=True, slots=True)
class Alike:
    """Pairs of keypoints that are alike: `mine` (K,), which of a photo's; `rows` (K,), whose the
    other is, and its `places` (K, 4) float32 in pixels of a square of 256."""

    mine: NDArray[np.int64]
    rows: NDArray[np.int32]
    places: NDArray[np.float32]


def of_photo(photo: Pixels) -> Keypoints:
    """(H, W, 3) uint8 RGB → in its own pixels."""
    return _found(photo, PHOTO_SIDE, OF_PHOTO)


def of_cover(cover: Pixels, most: int = OF_COVER) -> Keypoints:
    """(H, W, 3) uint8 RGB → in pixels of the cover as a square of 256: looked for in its own shape,
    since what is squeezed looks otherwise."""
    found = _found(cover, COVER_SIDE, most)
    height, width = cover.shape[:2]
    squared = np.array([COVER_SIDE / width, COVER_SIDE / height, 1, 1], np.float32)
    return Keypoints(found.places * squared, found.descriptors)


def _found(picture: Pixels, side: int, most: int) -> Keypoints:
    """In pixels of the picture, looked for where its shorter edge is `side`."""
    scale = side / min(picture.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen: Any = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)
    sift = cv2.SIFT_create(most, contrastThreshold=_FAINT)
    points, found = sift.detectAndCompute(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), None)
    if found is None:
        return Keypoints(np.zeros((0, 4), np.float32), np.zeros((0, DIMENSION), np.uint8))
    order = np.argsort([-point.response for point in points], kind="stable")[:most]
    places = np.array([[*points[at].pt, points[at].size, points[at].angle] for at in order])
    places[:, :2] += 0.5
    places[:, :3] /= scale
    roots = np.sqrt(found[order] / (found[order].sum(1, keepdims=True) + 1e-6))
    descriptors = np.minimum(np.round(roots * _SCALE), 255).astype(np.uint8)
    return Keypoints(places.astype(np.float32), descriptors)


def agreeing(photo: Keypoints, cover: Keypoints, quad: Quads) -> NDArray[np.float32]:
    """(N, 2) places of those of a cover's keypoints (`of_cover`), pixels, that are in a photo where
    they must be if the cover lies in a (4, 2) quad of it, and like no other there."""
    none = np.zeros((0, 2), np.float32)
    if len(photo.places) < 2 or not len(cover.places):
        return none
    likest = cv2.BFMatcher().knnMatch(unit(cover.descriptors), unit(photo.descriptors), 2)
    sure = [one for one, other in likest if one.distance < _UNLIKE_ANY * other.distance]
    if not sure:
        return none
    mine = cover.places[[one.queryIdx for one in sure], :2]
    theirs = photo.places[[one.trainIdx for one in sure], :2]
    warp = cv2.getPerspectiveTransform(UNIT * COVER_SIDE, quad.astype(np.float32))
    off = np.linalg.norm(cv2.perspectiveTransform(mine[None], warp)[0] - theirs, axis=1)
    return np.asarray(mine[off < _NEAR * np.sqrt(abs(cv2.contourArea(quad)))])


class KnownKeypoints(ABC):
    """Keypoints of many covers, however they are kept."""

    @abstractmethod
    def like(self, photo: Keypoints) -> Alike:
        """What is known here that a photo's keypoints are like."""

    def voted(self, photo: Keypoints, most: int) -> Iterator[Voted]:
        """The covers that most keypoints speak for in one turn and growth, most votes first."""
        if len(photo.places) >= _FEWEST:
            yield from _votes(photo, self.like(photo), most)


class KeypointIndex(KnownKeypoints):
    """Keypoints of many covers: `places` (M, 4) float16 in pixels of a square of 256, and the
    `rows` (M,) they belong to. Safe for concurrent use."""

    def __init__(
        self, index: faiss.Index, places: NDArray[np.float16], rows: NDArray[np.int32]
    ) -> None:
        self.index, self.places, self.rows = index, places, rows

    @classmethod
    def of(cls, keypoints: list[Keypoints]) -> KeypointIndex | None:
        """One cover's after the other's; None where they have none."""
        descriptors = np.concatenate([one.descriptors for one in keypoints])
        if not len(descriptors):
            return None
        rows = np.repeat(np.arange(len(keypoints)), [len(one.places) for one in keypoints])
        places = np.concatenate([one.places for one in keypoints]).astype(np.float16)
        return cls(_indexed(descriptors), places, rows.astype(np.int32))

    def is_of(self, covers: int) -> bool:
        """Whether it fits so many covers."""
        count, rows = self.index.ntotal, self.rows
        if self.places.shape != (count, 4) or rows.shape != (count,) or not count:
            return False
        return bool(rows.min() >= 0 and rows.max() < covers)

    def like(self, photo: Keypoints) -> Alike:
        distances, found = self.index.search(unit(photo.descriptors), _NEIGHBOURS)
        near = (found >= 0) & (distances < ALIKE)
        theirs = found[near]
        places = self.places[theirs].astype(np.float32)
        return Alike(np.nonzero(near)[0], self.rows[theirs], places)


def _votes(photo: Keypoints, alike: Alike, most: int) -> Iterator[Voted]:
    """The covers that most of the pairs speak for in one turn and growth, most votes first."""
    mine, known = alike.mine, alike.places
    if not len(mine):
        return
    rows, number = np.unique(alike.rows, return_inverse=True)
    turn = (photo.places[mine, 3] - known[:, 3]) % 360 / 360 * _TURNS
    growth = np.log2(photo.places[mine, 2] / known[:, 2]) - _SMALLEST
    turn = turn.astype(np.int64) % _TURNS
    growth = np.clip(growth.astype(np.int64), 0, _GROWTHS - 1)
    shape = (len(rows), _TURNS, _GROWTHS)
    at = np.ravel_multi_index((number, turn, growth), shape)
    counts = np.bincount(at, minlength=int(np.prod(shape))).reshape(shape)
    # Two bins together: a cover whose turn lies at the border of one is not split.
    turned = counts + np.roll(counts, -1, 1)
    pooled = (turned[..., :-1] + turned[..., 1:]).reshape(len(rows), -1)
    place, best = pooled.argmax(1), pooled.max(1)
    for one in np.argsort(-best, kind="stable")[:most].tolist():
        if best[one] < _FEWEST:
            return
        first, from_ = np.divmod(place[one], _GROWTHS - 1)
        agree = (
            (number == one)
            & ((turn - first) % _TURNS < 2)
            & (growth >= from_)
            & (growth < from_ + 2)
        )
        quad = _outline(known[agree, :2], photo.places[mine[agree], :2])
        if quad is not None:
            yield Voted(int(rows[one]), int(best[one]), quad)


def _outline(cover: NDArray[np.float32], photo: NDArray[np.float32]) -> Quads | None:
    """Pixels of a cover and of a photo that belong together → where the cover's corners lie."""
    # The other way round the tolerance would be of a photo's pixels, of which a sleeve has many or
    # few.
    warp, inside = cv2.estimateAffine2D(
        photo, cover, method=cv2.RANSAC, ransacReprojThreshold=2 * _TOLERANCE, maxIters=500
    )
    if warp is None or inside is None or int(inside.sum()) < _FEWEST:
        return None
    full = np.vstack([warp, [0, 0, 1]])
    if abs(np.linalg.det(full)) < 1e-6:
        return None
    back = np.linalg.inv(full)[:2]
    quad = np.asarray(UNIT * COVER_SIDE @ back[:, :2].T + back[:, 2], np.float32)
    return quad if is_plausible(quad) else None


def unit(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 128) uint8 → float32 rows of unit length."""
    return np.asarray(descriptors.astype(np.float32) / np.float32(_SCALE))


def _indexed(descriptors: NDArray[np.uint8]) -> faiss.Index:
    """(M, 128) uint8 → an index that looks through about one part in sixty of them, each of 16
    bytes. Of 64 bytes (a number in four bits) as many covers are found, in six times the time."""
    lists = max(1, int(2 * len(descriptors) ** 0.5))
    quantizer = faiss.IndexFlatL2(DIMENSION)
    index = faiss.IndexIVFPQFastScan(quantizer, DIMENSION, lists, _PARTS, _BITS, faiss.METRIC_L2)
    quantizer.this.disown()
    index.own_fields = True
    index.by_residual = False
    index.cp.niter = 8
    index.cp.min_points_per_centroid = index.pq.cp.min_points_per_centroid = 1
    index.nprobe = max(4, lists // 64)
    rows = unit(descriptors)
    sample = rows[:: max(1, len(rows) // (lists * 40))]
    # A few covers have fewer keypoints than a code has values: each is then seen more than once.
    index.train(np.resize(sample, (max(len(sample), 1 << _BITS), DIMENSION)))
    index.add(rows)
    return index
