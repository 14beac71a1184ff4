"""A picture of any Pillow mode → RGB of 8 bits over white, in sRGB."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.covers.formats.colour import to_srgb
from engine.covers.formats.unsupported import Unsupported

_DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_LAYERED = ("RGBA", "LA", "PA", "RGBa", "La")


@dataclass(frozen=True)
class Scale:
    """What samples mean, where a file says more of them than a Pillow mode can.

    `white` is the value of the brightest (None: not said), `inverted` if that value is black.
    `alpha_is_doubtful` where nothing says that the fourth sample is alpha.
    """

    white: int | None = None
    inverted: bool = False
    unsigned: bool = False
    alpha_is_doubtful: bool = False


PLAIN = Scale()


def to_rgb(
    image: Image.Image,
    scale: Scale = PLAIN,
    profile: bytes = b"",
    enough: int | None = None,
) -> Image.Image:
    """Any mode → RGB; transparency is laid over white, 16 and 32 bits are scaled to 8, colours are
    taken from `profile` (ICC) to sRGB, of large pictures with fewer pixels (`to_srgb`).

    Raises `Unsupported` for samples below zero.
    """
    clear = image.info.get("transparency")
    if image.mode in _DEEP:
        image = _eight_bits(image, scale)
        clear = None
    if image.mode in _LAYERED or clear is not None:
        image = _layered(image, profile)
        if scale.alpha_is_doubtful and image.getchannel("A").getextrema() == (0, 0):
            return image.convert("RGB")  # a picture that nobody could see is not meant
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    if profile:
        flat = image.convert("RGB") if image.mode in ("P", "1") else image
        image = to_srgb(flat, profile, enough)
    return image if image.mode == "RGB" else image.convert("RGB")


def _layered(image: Image.Image, profile: bytes) -> Image.Image:
    """→ RGBA, its colours in sRGB."""
    if image.mode == "La":  # which Pillow takes to LA alone
        image = image.convert("LA")
    if profile and image.mode == "LA":
        grey, alpha = image.split()
        layered = to_srgb(grey, profile).convert("RGB")
    else:
        layered = image.convert("RGBA")
        if not profile:
            return layered
        alpha = layered.getchannel("A")
        layered = to_srgb(layered.convert("RGB"), profile)
    layered.putalpha(alpha)
    return layered


def _eight_bits(image: Image.Image, scale: Scale) -> Image.Image:
    """Grey of more than 8 bits → L, or LA where a value of 16 bits is transparent.

    Pillow's own conversion clips 16 bits at 255: a 16-bit scan would come out white.
    """
    stored = np.asarray(image)
    if scale.unsigned and stored.dtype == np.int32:
        stored = stored.view(np.uint32)
    values = np.nan_to_num(stored.astype(np.float64))
    if values.min(initial=0.0) < 0 and image.mode != "F":
        raise Unsupported("it has samples below zero")
    top = _white(image.mode, values, scale)
    if scale.inverted:
        values = top - values
    grey = Image.fromarray(np.clip(values * (255.0 / top), 0, 255).round().astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(stored == clear, 0, 255).astype(np.uint8)))
    return grey


def _white(mode: str, values: NDArray[np.float64], scale: Scale) -> float:
    if scale.white is not None:
        return float(scale.white)
    highest = float(values.max(initial=0.0))
    if mode == "F":
        return 1.0 if highest <= 1.0 else 255.0
    if scale.unsigned and highest >= 1 << 31:
        return float((1 << 32) - 1)
    top = 65535.0 if mode.startswith("I;16") or 255 < highest <= 65535 else 255.0
    return max(top, highest)  # 32 bits have no white of their own: the brightest pixel is it
