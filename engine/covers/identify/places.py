"""A photo, and where in it a cover may lie: each found when it is first asked for, and never twice.

What was found in a photo lies on the other side in its mirror image, and is not looked for again.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from engine.covers.identify.keypoints import Keypoints, of_photo
from engine.covers.identify.outlines import Quads, find_outlines
from engine.covers.identify.sleeves import find_sleeves
from engine.covers.identify.views import halvings
from engine.covers.image import Pixels


class Places:
    """`levels` are the photo, (H, W, 3) uint8 RGB of working size, and its halvings."""

    def __init__(self, photo: Pixels) -> None:
        self.levels = halvings(photo)

    @property
    def photo(self) -> Pixels:
        return self.levels[0]

    @cached_property
    def outlines(self) -> Quads:
        return find_outlines(self.photo)

    @cached_property
    def sleeves(self) -> Quads:
        return find_sleeves(self.photo)

    @cached_property
    def keypoints(self) -> Keypoints:
        return of_photo(self.photo)

    def mirrored(self) -> Places:
        """Those of the mirror image, what was found here found there."""
        width = self.photo.shape[1]
        other = Places(np.ascontiguousarray(self.photo[:, ::-1]))
        other.outlines = mirrored(self.outlines, width)
        other.sleeves = mirrored(self.sleeves, width)
        other.keypoints = self.keypoints.mirrored(width)
        return other


def mirrored(quads: Quads, width: int) -> NDArray[np.float32]:
    """(N, 4, 2) clockwise corners → those in the mirror image, `width` wide, clockwise again."""
    return np.array([width, 0], np.float32) + quads[:, ::-1] * np.array([-1, 1], np.float32)
