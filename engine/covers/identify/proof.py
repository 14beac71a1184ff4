"""An outline and a cover → proof that the one shows the other, or not, and exactly where.

    view ─patches→ each patch of the cover, looked for nearby ─RANSAC→ homography, better outline
    … once coarsely, once finely, then ─correlation→ what of the cover is seen, window by window

The local features are patches compared by normalised correlation, since blur, noise and glare that
leave a keypoint detector nothing still leave most of a 14 × 14 patch. Where a cover may lie is said
by outlines and, in sharp photos, by `identify.keypoints`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.covers.identify.explained import SIDE as _SEEN_SIDE
from engine.covers.identify.explained import Explained, explain
from engine.covers.identify.outlines import Quads, is_plausible
from engine.covers.identify.verdict import verdict
from engine.covers.identify.views import UNIT, rectify, summed
from engine.covers.image import Pixels

REFERENCE_SIDE = 256
_WINDOW = 11  # pixels of _SEEN_SIDE
_AT = (slice(4, None, 8),) * 2  # the middles of 16 × 16 cells
_BLURS = (0.8, 1.7, 3.0)  # sigmas, pixels of _SEEN_SIDE
_OWN = 16  # cells a side of a map of what is a cover's own
_FEWEST = 6  # inliers below which a homography is chance
_MOST = 0.7  # share of patches that are inliers, from which no better outline is looked for
_TEXTURE = 4.0  # deviation of grey levels below which a patch has nothing to compare
_PATCH_CORRELATION = 0.5
_WINDOW_CORRELATION, _WINDOW_DIFFERENCE = 0.6, 0.35
_OTHER_COLOUR = 0.45
# Of 230 covers found in photos, simulated and real, none had less of its patches aligned than 0.33,
# or less of its windows seen than 0.46; of what is proposed of strangers four in five have.
_LEAST_ALIGNED, _LEAST_SEEN = 0.25, 0.35
# … of the shares of the first two rounds together, below which no third makes an outline exact;
# and of the coarse one alone, where it is the first.
_HOPEFUL, _LEAST_NEARER = 0.5, 0.33
_PLAIN = 0.02  # share of textured windows below which a cover has nothing to compare


@dataclass(frozen=True, slots=True)
class _Step:
    """In pixels of a view of `side`: patch size, grid step, how far to look, RANSAC's tolerance."""

    side: int
    patch: int
    step: int
    reach: int
    tolerance: float


_COARSE = _Step(side=64, patch=14, step=10, reach=8, tolerance=3.0)
_FINE = _Step(side=128, patch=20, step=15, reach=5, tolerance=2.5)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of one cover in one photo, compared in 16 × 16 windows.

    `inliers` patches lie where one homography puts them. `seen` is the share of the cover's
    textured windows that the photo shows, `own_correlation` how well that part of it agrees that is
    the cover's alone.

    Windows whose colour is not the cover's are taken as lain over: a thumb, a sticker, a glare.
    `sharply` is the 25 % quantile of correlation in the others where the photo is sharp, else 0:
    blurred lettering agrees with any other.

    `agreeing` and `differing` weigh what is the cover's own in the other windows: how much of it
    the photo shows, and how much shows something else, as roots of shares of the cover. Lettering
    under which the picture is hidden still tells one cover of a series from the next.

    `colour` is how much the chroma differs, `tint` how coloured a light would explain the rest.
    `explained` compares once more, with the photo's own blur. `maps`, (12, 16, 16) float32, are
    what `verdict.MAPS` names, and `verdict` the log-odds that its network makes of them.
    """

    quad: Quads
    inliers: int
    seen: float
    own_correlation: float
    sharply: float
    colour: float
    tint: float
    agreeing: float
    differing: float
    explained: Explained
    maps: NDArray[np.float32]

    @property
    def verdict(self) -> float:
        return verdict(self.maps)


class Reference:
    """A cover, prepared: its patches and windows, made when they are asked for.

    `own` is (16, 16) float32, 0–1: how much of each cell no similar cover of the catalogue has.
    """

    def __init__(self, cover: Pixels, own: NDArray[np.float32] | None = None) -> None:
        self.cover = _resized(cover, REFERENCE_SIDE)
        self.own = np.ones((_OWN, _OWN), np.float32) if own is None else own
        self._patches: dict[_Step, _Patches] = {}

    def patches(self, step: _Step) -> _Patches:
        if step not in self._patches:
            self._patches[step] = _Patches(self.cover, step)
        return self._patches[step]

    @cached_property
    def is_plain(self) -> bool:
        return len(self.patches(_FINE).at) < 3 * _FEWEST

    @cached_property
    def windows(self) -> tuple[Windows, ...]:
        """As sharp as it is, and as blurred as photos are."""
        return (self.sharp, *(Windows(self.view, _WINDOW, blur) for blur in _BLURS[1:]))

    @cached_property
    def sharp(self) -> Windows:
        return Windows(self.view, _WINDOW)

    @cached_property
    def view(self) -> Pixels:
        """What a photo of it would show in its outline."""
        return _resized(self.cover, _SEEN_SIDE)


def prove(
    levels: Sequence[Pixels],
    quad: Quads,
    reference: Reference,
    aligned: Callable[[Quads], object] | None = None,
    *,
    rough: bool = False,
) -> Proof | None:
    """(4, 2) outline in `levels[0]` (see `views.halvings`), from the cover's top left → proof.

    `rough`: the outline is hardly exact, and less likely to be the cover's than not.
    `aligned` is told the exact outline before the cover is compared with what lies in it, where
    that is worth a look.
    None also where little of the cover is seen: so much agrees by chance.
    A plain cover has too few patches to align by: it is compared where the outline lies, and its
    proof has no inliers.
    """
    found = _placed(levels, quad, reference, rough)
    if found is None and reference.is_plain:
        found = quad, 0, 0
    if found is None:
        return None
    quad, inliers, _ = found
    if aligned is not None and _share(found) >= _HOPEFUL:
        aligned(quad)
    return _proof(rectify(levels, quad, _SEEN_SIDE), quad, inliers, reference)


def _placed(
    levels: Sequence[Pixels], quad: Quads, reference: Reference, rough: bool
) -> tuple[Quads, int, int] | None:
    """As `_aligned`, in as many rounds as it takes; None where what agrees may agree by chance."""
    found = None if rough else _aligned(levels, quad, reference, _FINE)
    # Most outlines are exact enough; others are brought nearer first.
    if _share(found) < _MOST:
        nearer = _aligned(levels, quad, reference, _COARSE)
        least = _LEAST_NEARER if rough else _HOPEFUL - _share(found)
        if _share(nearer) < least:
            return None
        if nearer is not None:
            found = _aligned(levels, nearer[0], reference, _FINE)
    return found if _share(found) >= _LEAST_ALIGNED else None


def _share(aligned: tuple[Quads, int, int] | None) -> float:
    """Of the patches that were looked for, those that lie where one homography puts them."""
    return 0.0 if aligned is None else aligned[1] / max(1, aligned[2])


def _proof(view: Pixels, quad: Quads, inliers: int, reference: Reference) -> Proof | None:
    photo = Windows(view, _WINDOW)
    compared = [windows.correlation(photo)[_AT] for windows in reference.windows]
    blur = int(np.argmax([np.maximum(one, 0).mean() for one in compared]))
    correlation, windows = compared[blur], reference.windows[blur]
    textured = windows.textured[_AT]
    seen = float((textured & (correlation > _WINDOW_CORRELATION)).sum() / (textured.sum() + 0.1))
    if inliers and seen < _LEAST_SEEN:
        return None
    own = reference.own * textured
    chroma, brightness, tint = _colours(windows.mean[_AT], photo.mean[_AT])
    colour = chroma + np.abs(brightness)
    # What lies over a cover blurs into the windows beside it.
    over = cv2.dilate((colour > _OTHER_COLOUR).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    bare = textured & ~over
    left = correlation[bare] if bare.sum() > 3 else np.zeros(1, np.float32)
    total = float(own.sum()) + 0.1
    explained = explain(view, reference.view)
    *rest, printed, noise = explained.cells
    chroma, brightness = np.minimum(chroma, 2), np.clip(brightness, -1.5, 1.5)
    level = photo.mean[_AT].mean(2) / 255
    maps = [*rest, chroma, brightness, reference.own, printed, compared[0], noise, level]
    return Proof(
        quad=quad,
        inliers=inliers,
        seen=seen,
        own_correlation=float((np.maximum(correlation, 0) * own).sum()) / total,
        sharply=float(np.quantile(left, 0.25)) if blur == 0 else 0.0,
        colour=float(np.median(colour)),
        tint=tint,
        agreeing=float(np.sqrt((own * bare * (correlation > _WINDOW_CORRELATION)).mean())),
        differing=float(np.sqrt((own * bare * (correlation < _WINDOW_DIFFERENCE)).mean())),
        explained=explained,
        maps=np.stack(maps),
    )


def own_map(cover: Windows, others: Sequence[Windows]) -> NDArray[np.float32]:
    """(16, 16) float32, 0–1: 1 less the best correlation of any other cover in each cell; 0 where
    the cover has no texture to tell. Covers of the same artwork are passed over: having it twice
    does not make it less its own."""
    best = np.zeros(cover.variance.shape, np.float32)
    for other in others:
        correlation = cover.correlation(other)
        if not _all_agree(correlation, cover.textured):
            best = np.maximum(best, correlation)
    own = np.where(cover.textured, 1 - np.clip(best, 0, 1), 0).astype(np.float32)
    return np.asarray(cv2.resize(own, (_OWN, _OWN), interpolation=cv2.INTER_AREA), np.float32)


def same_artwork(one: Reference, two: Reference) -> bool:
    """Whether two covers show the same picture: nowhere a window that tells them apart."""
    correlation = one.sharp.correlation(two.sharp)
    textured = one.sharp.textured
    if textured.mean() < _PLAIN:
        difference = one.cover.astype(np.int16) - two.cover.astype(np.int16)
        return bool(np.abs(difference).mean() < 6)
    return _all_agree(correlation, textured)


def _all_agree(correlation: NDArray[np.float32], textured: NDArray[np.bool_]) -> bool:
    return bool(textured.mean() >= _PLAIN and np.quantile(correlation[textured], 0.03) > 0.75)


class _Patches:
    """A grid of grey patches of a cover, those without texture left out."""

    def __init__(self, cover: Pixels, step: _Step) -> None:
        image = _grey(_resized(cover, step.side))
        every = sliding_window_view(image, (step.patch, step.patch))[:: step.step, :: step.step]
        rows, columns = np.nonzero(every.std((2, 3)) > _TEXTURE)
        self.at = [(x * step.step, y * step.step) for y, x in zip(rows, columns, strict=True)]
        self.pixels = [every[y, x].copy() for y, x in zip(rows, columns, strict=True)]


class Windows:
    """Means and variances of a view in sliding windows of `window` pixels."""

    def __init__(self, view: Pixels, window: int, blur: float = _BLURS[0]) -> None:
        self._window = (window, window)
        self.values = cv2.GaussianBlur(view, (0, 0), blur).astype(np.float32)
        self.mean = self._box(self.values)
        self.variance = summed(self._box(self.values * self.values) - self.mean**2)
        self.textured = np.asarray(self.variance > 60)

    def _box(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(values, self._window), np.float32)

    def correlation(self, other: Windows) -> NDArray[np.float32]:
        """(side, side) float32: normalised correlation with another view of the same size in each
        window, −1 to 1."""
        shared = summed(self._box(self.values * other.values) - self.mean * other.mean)
        scale = np.sqrt((np.maximum(self.variance, 0) + 1) * (np.maximum(other.variance, 0) + 1))
        return np.asarray(shared / scale, np.float32)


def _aligned(
    levels: Sequence[Pixels], quad: Quads, reference: Reference, step: _Step
) -> tuple[Quads, int, int] | None:
    """One round: a better quad, inliers and the number of patches looked for."""
    patches = reference.patches(step)
    # Of floats: of bytes OpenCV takes a third longer to compare a patch.
    view = _grey(rectify(levels, quad, step.side, step.reach)).astype(np.float32)
    span, reach = step.patch + 2 * step.reach, step.reach
    source, target = [], []
    for (x, y), patch in zip(patches.at, patches.pixels, strict=True):
        around = view[y : y + span, x : x + span]
        scores = cv2.matchTemplate(around, patch.astype(np.float32), cv2.TM_CCOEFF_NORMED)
        _, best, _, (dx, dy) = cv2.minMaxLoc(scores)
        if best < _PATCH_CORRELATION:
            continue
        finer_x = finer_y = 0.0
        if 0 < dx < 2 * reach and 0 < dy < 2 * reach:
            finer_x = _vertex(scores[dy, dx - 1], best, scores[dy, dx + 1])
            finer_y = _vertex(scores[dy - 1, dx], best, scores[dy + 1, dx])
        middle_x, middle_y = x + step.patch / 2, y + step.patch / 2
        source.append((middle_x, middle_y))
        target.append((middle_x + dx - reach + finer_x, middle_y + dy - reach + finer_y))
    if len(source) < _FEWEST:
        return None
    warp, mask = _homography(
        np.array(source, np.float32), np.array(target, np.float32), step.tolerance, 300
    )
    inliers = int(mask.sum())
    if warp is None or inliers < _FEWEST:
        return None
    corners = UNIT * step.side
    outline = cv2.getPerspectiveTransform(corners, quad.astype(np.float32))
    moved = _moved(_moved(corners, warp), outline)
    return (moved, inliers, len(patches.at)) if is_plausible(moved) else None


def _homography(
    source: NDArray[np.float32], target: NDArray[np.float32], tolerance: float, rounds: int
) -> tuple[NDArray[np.float64] | None, NDArray[np.uint8]]:
    try:
        warp, mask = cv2.findHomography(
            source, target, cv2.USAC_MAGSAC, tolerance, maxIters=rounds, confidence=0.99
        )
    except cv2.error:  # all points on one line
        warp = mask = None
    if warp is None or not np.isfinite(warp).all():
        return None, np.zeros(len(source), np.uint8)
    return np.asarray(warp, np.float64), np.asarray(mask, np.uint8)


def _colours(
    cover: NDArray[np.float32], photo: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """(16, 16, 3) means of windows → how far each is from the cover's chroma and, signed, from its
    brightness in the photo's light, and how coloured that light would be."""
    logs = np.log(photo + 10) - np.log(cover + 10)
    light = np.median(logs, axis=(0, 1))
    logs = logs - light
    bright = logs.mean(2)
    chroma = np.abs(logs - bright[..., None]).sum(2)
    return chroma, bright, float(np.abs(light - light.mean()).sum())


def _grey(view: Pixels) -> Pixels:
    """Brightness alone: patches in colour cost 2.5 times as much and align no better."""
    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.8), np.uint8)


def _vertex(left: float, top: float, right: float) -> float:
    """Where a parabola through three neighbours is highest, −0.5 to 0.5."""
    bend = left - 2 * top + right
    return float(0.5 * (left - right) / bend) if bend < -1e-6 else 0.0


def _resized(image: Pixels, side: int) -> Pixels:
    if image.shape[:2] == (side, side):
        return image
    way = cv2.INTER_AREA if min(image.shape[:2]) > side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side, side), interpolation=way), np.uint8)


def _moved(points: NDArray[np.float32], warp: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(cv2.perspectiveTransform(points[None], warp)[0], np.float32)
