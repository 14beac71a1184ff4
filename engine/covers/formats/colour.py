"""A picture and its ICC profile → the same colours in sRGB.

The same bytes of a photo look washed out or glaring if their profile is ignored, and a cover's
embedding moves with them. A profile that cannot be used is ignored: the pixels are there.
"""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:  # a service that never sees a profile never pays for LittleCMS
    from PIL import ImageCms

PROFILE_BYTES = 4 << 20  # those of printing presses have up to 3 MB
# What LittleCMS is given at all: profiles of devices and colour spaces, not links or named colours.
_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")
_SPACES = {"RGB": b"RGB ", "L": b"GRAY", "CMYK": b"CMYK"}
_NEAR = 2  # of 255: between two writings of sRGB


def to_srgb(image: Image.Image, profile: bytes, enough: int | None = None) -> Image.Image:
    """RGB, L or CMYK → RGB in sRGB, or as it was: without a profile for its mode, with one that is
    damaged or above `PROFILE_BYTES`, or with sRGB itself.

    A picture of several times `enough` pixels a side is made smaller first: LittleCMS takes 0.4 s
    for the 12 megapixels of a telephone.
    """
    if not _fits(profile, image.mode):
        return image
    transform = _TRANSFORMS.get(profile, image.mode)
    if transform is None:
        return image
    if enough and (times := min(image.size) // enough) > 1:
        image = image.reduce(times)
    return transform.apply(image)


def _fits(profile: bytes, mode: str) -> bool:
    return (
        128 < len(profile) <= PROFILE_BYTES
        and profile[12:16] in _CLASSES
        and profile[16:20] == _SPACES.get(mode)
        and profile[36:40] == b"acsp"
    )


class _Transforms:
    """The transforms of the last profiles; None for those that change nothing, or are damaged."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._known: OrderedDict[bytes, ImageCms.ImageCmsTransform | None] = OrderedDict()
        self._lock = Lock()

    def get(self, profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
        key = hashlib.sha256(profile).digest()
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        made = _transform(profile, mode)
        with self._lock:
            self._known[key] = made
            while len(self._known) > self._count:
                self._known.popitem(last=False)
        return made


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    from PIL import ImageCms

    try:
        made = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.PERCEPTUAL,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        probe = _probe(mode)
        if probe is not None:
            changed = np.asarray(made.apply(probe), np.int16)
            if np.abs(changed - np.asarray(probe.convert("RGB"), np.int16)).max() <= _NEAR:
                return None
    except Exception:  # LittleCMS through Pillow: PyCMSError, OSError, ValueError, MemoryError
        return None
    return made


def _probe(mode: str) -> Image.Image | None:
    """A picture of many colours, to see whether a transform changes any; None: it always does."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if mode == "RGB":
        steps = np.linspace(0, 255, 9).astype(np.uint8)
        cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
        return Image.fromarray(cube.reshape(9, 81, 3))
    return None


_TRANSFORMS = _Transforms(16)
