"""Views of a photo: a working copy, halvings of it, a quadrilateral seen square-on.

photo ─working_copy→ 360 pixels ─halvings→ levels ─rectify(outline)→ a square view
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.covers.identify.outlines import Quads
from engine.covers.image import Pixels

# A sleeve on 15 % of a 3:4 frame is then 161 pixels wide, more than proof looks at.
WORKING_SIDE = 360

# Corners of a square view, clockwise from its top left.
UNIT = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
_ONES = np.ones((1, 3), np.float32)


def working_copy(photo: Pixels) -> tuple[Pixels, float]:
    """The photo, its shorter edge at most 360 pixels, and how much larger the photo itself is."""
    height, width = photo.shape[:2]
    # A strip has no sleeve in it, and its longer edge would stay enormous.
    scale = min(WORKING_SIDE / min(height, width), 4 * WORKING_SIDE / max(height, width), 1.0)
    if scale == 1.0:
        return photo, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, 1 / scale


def halvings(photo: Pixels, smallest: int = 80) -> list[Pixels]:
    """The picture, its half, its quarter …: what a warp to a small square samples from."""
    levels = [photo]
    while min(levels[-1].shape[:2]) > smallest:
        height, width = levels[-1].shape[:2]
        size = (max(1, width // 2), max(1, height // 2))
        levels.append(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA))
    return levels


def rectify(levels: Sequence[Pixels], quad: Quads, side: int, margin: int = 0) -> Pixels:
    """The inside of a (4, 2) quad of `levels[0]`, and `margin` pixels around it, seen square-on:
    (side + 2·margin,) twice, 3 uint8."""
    length = float(np.sqrt(max(1.0, abs(cv2.contourArea(quad)))))
    level = int(np.clip(np.log2(length / (1.1 * side)), 0, len(levels) - 1))
    image = levels[level]
    shrink = np.array(image.shape[1::-1], np.float32) / np.array(levels[0].shape[1::-1], np.float32)
    inside = UNIT * side + np.float32(margin - 0.5)
    warp = cv2.getPerspectiveTransform(inside, (quad * shrink - 0.5).astype(np.float32))
    full = side + 2 * margin
    return np.asarray(
        cv2.warpPerspective(
            image,
            warp,
            (full, full),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def summed(channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(…, 3) → (…) float32: the three channels together.

    To the bit what adding them one by one gives, in half of the time; `sum(-1)` takes sixty times
    as long over so short an axis.
    """
    flat = np.ascontiguousarray(channels).reshape(-1, channels.shape[-2], 3)
    return np.asarray(cv2.transform(flat, _ONES), np.float32).reshape(channels.shape[:-1])
