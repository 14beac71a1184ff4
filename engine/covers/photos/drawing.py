"""What all photos are drawn with: points on a picture, filled, blended, brightened."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Range = tuple[float, float]
# Corners of a cover, clockwise from its own top left.
UNIT: Final[Floats] = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


def area(quad: Floats) -> float:
    return float(cv2.contourArea(quad.astype(np.float32)))


def fill(image: Image, points: Floats, colour: Any) -> None:
    """Paint the inside of (N, 2) points, in pixels, edges antialiased, in place."""
    fixed = np.round((points - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(image, [fixed], colour, lineType=cv2.LINE_AA, shift=4)


def blend(below: Image, above: Image, mask: Image) -> Image:
    """Above where the mask is 255, below where it is 0."""
    weight = mask.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(above, below, weight, 1 - weight), np.uint8)


def gained(image: Any, gains: Any, lift: float) -> Any:
    """uint8 → uint8: each channel times its gain, plus `lift` grey levels."""
    table = np.arange(256, dtype=np.float32)[:, None] * np.asarray(gains, np.float32) + lift
    return cv2.LUT(np.ascontiguousarray(image), np.clip(table, 0, 255).astype(np.uint8)[None])
