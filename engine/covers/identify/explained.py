"""How much of a view a cover explains, once it is blurred and lit as the photo is.

    cover ─the photo's own blur, by least squares→ what the photo should show ─windows→ what it does

Covers of a series differ in their lettering, and a photo's blur makes all lettering alike to a
comparison that does not know the blur. It is found here: the 7 × 7 kernel that makes most of the
photo out of the cover, refitted without what it cannot explain, a hand or a glare. It stands for
defocus, motion and a pixel's misplacement at once, and has too few numbers to make one title out of
another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.covers.image import Pixels

Floats = NDArray[np.float32]

SIDE = 128
_REACH = 3  # of the kernel, pixels either way
_STEP = 5  # pixels between the equations of the fit: 1,875 say enough about 49 numbers
_WINDOW, _LIGHT = 11, 25  # pixels: what is compared at once; over which light is even
_AT = (slice(4, None, 8),) * 2  # the middles of 16 × 16 windows
_BURNT = 245  # grey levels, all channels: nothing of the cover is left
_ROUNDS = 2
_SMALLEST = 1e-4  # variance of relative brightness: 1 % of contrast


@dataclass(frozen=True, slots=True)
class Explained:
    """Over windows of a view that no glare burns out, the largest blot (a hand, a sticker) aside.

    `added` is the root of the share of the view that shows print where none should be; `agreement`
    the 25 % quantile of the correlation where print should be seen. `cells`, (7, 16, 16) float32,
    are maps, in this order: correlation; logarithms of the photo's energy, of what it should be and
    of what is not explained; the share burnt out; logarithms of the energy of the cover's own print
    and of the noise, the variance that even the best windows leave.
    """

    added: float
    agreement: float
    cells: Floats


def explain(view: Pixels, cover: Pixels) -> Explained:
    """(128, 128, 3) uint8, both: the inside of an outline, seen square-on, and the cover."""
    photo, printed = _relief(view), _relief(cover)
    red, green, blue = cv2.split(view)
    burnt = cv2.min(cv2.min(red, green), blue) >= _BURNT
    weights = (~burnt).astype(np.float32)
    equations = _neighbourhoods(printed)
    inside = (slice(_REACH, -_REACH, _STEP),) * 2
    wanted = photo[inside].reshape(len(equations), -1, 1)
    photo_mean, printed_mean = _mean(photo), _mean(printed)
    is_there = _covariance(photo, photo, photo_mean, photo_mean)
    for _ in range(_ROUNDS):
        kernel = _kernel(equations, wanted, np.repeat(weights[inside], 3, 1)[..., None])
        shown = cv2.filter2D(printed, -1, kernel, borderType=cv2.BORDER_REFLECT)
        shown_mean = _mean(shown)
        should_be = _covariance(shown, shown, shown_mean, shown_mean)
        shared = _covariance(photo, shown, photo_mean, shown_mean)
        left = np.maximum(is_there + should_be - 2 * shared, 0)
        noise = float(np.quantile(left[_AT], 0.2)) + _SMALLEST
        weights = np.asarray(~burnt / (1 + left / (4 * noise)), np.float32)
    scale = np.sqrt((np.maximum(is_there, 0) + _SMALLEST) * (np.maximum(should_be, 0) + _SMALLEST))
    correlation = (shared / scale)[_AT]
    print_there = _covariance(printed, printed, printed_mean, printed_mean)[_AT]
    is_there, should_be, left = is_there[_AT], should_be[_AT], left[_AT]
    gone = _mean(burnt.astype(np.float32))[_AT]
    energies = [_log(energy) for energy in (is_there, should_be, left, print_there)]
    cells = [correlation, *energies[:3], gone, energies[3], np.full_like(gone, _log(noise))]
    strange = ~burnt[_AT] & (left > np.maximum(6 * noise, 0.5 * np.maximum(is_there, should_be)))
    seen = ~burnt[_AT] & ~_largest_blot(strange)
    legible = seen & (should_be > 3 * noise)
    surplus = seen & (is_there > 6 * noise) & (should_be < 0.2 * is_there)
    few = legible.sum() <= 5
    return Explained(
        added=float(np.sqrt(surplus.mean())),
        agreement=0.0 if few else float(np.quantile(correlation[legible], 0.25)),
        cells=np.stack(cells),
    )


def _log(energy: Any) -> Any:
    """Of a variance of relative brightness, to about −1 to 2."""
    return (np.log(np.maximum(energy, 0) + _SMALLEST) + 6) / 3


def _relief(view: Pixels) -> Floats:
    """Brightness of each channel against its surroundings: light and its colour divided out."""
    smooth = cv2.GaussianBlur(view, (0, 0), 0.6).astype(np.float32) + 8
    around = cv2.blur(smooth, (_LIGHT, _LIGHT), borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth / around - 1, np.float32)


def _neighbourhoods(image: Floats) -> Floats:
    """(128, 128, 3) → (25, 75, 49): the surroundings of every fifth pixel in each channel."""
    width = 2 * _REACH + 1
    every = sliding_window_view(image, (width, width), axis=(0, 1))[::_STEP, ::_STEP]
    return np.ascontiguousarray(every.reshape(len(every), -1, width * width))


def _kernel(equations: Floats, wanted: Floats, weights: Floats) -> Floats:
    """Weighted ridge regression: (R, N, 49), (R, N, 1), (R, N, 1) → (7, 7)."""
    both = np.concatenate([equations, wanted], axis=2)
    # A row of pixels at a time: over all of them BLAS would start threads, which wait for those
    # of other callers longer than this takes.
    products = np.matmul((equations * weights).transpose(0, 2, 1), both).sum(0)
    square, right = products[:, :-1], products[:, -1]
    count = len(square)
    square += np.eye(count, dtype=np.float32) * (1e-3 * float(np.trace(square)) / count + 1e-6)
    width = 2 * _REACH + 1
    return np.asarray(np.linalg.solve(square, right).reshape(width, width), np.float32)


def _mean(values: Floats) -> Floats:
    return np.asarray(cv2.blur(values, (_WINDOW, _WINDOW)), np.float32)


def _covariance(one: Floats, two: Floats, one_mean: Floats, two_mean: Floats) -> Floats:
    """(128, 128): of all channels together, in a window about each pixel."""
    red, green, blue = cv2.split(_mean(one * two) - one_mean * two_mean)
    return np.asarray(red + green + blue, np.float32)


def _largest_blot(strange: NDArray[np.bool_]) -> NDArray[Any]:
    """The largest connected part of a mask, and a cell around it."""
    count, labels, about, _ = cv2.connectedComponentsWithStats(strange.astype(np.uint8))
    if count < 2:
        return np.zeros(strange.shape, bool)
    largest = 1 + int(np.argmax(about[1:, cv2.CC_STAT_AREA]))
    around = cv2.dilate((labels == largest).astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(around > 0)
