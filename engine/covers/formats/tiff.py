"""A TIFF's bytes → opened, to be read by libtiff alone, and what its samples mean.

Pillow itself reads uncompressed ones, and scrambles those with 16 bits in separate planes.
"""

from __future__ import annotations

import io
from typing import Any, cast

from PIL import Image, ImagePalette, TiffImagePlugin

from engine.covers.formats.rgb import Scale
from engine.covers.formats.unsupported import Unsupported

BITS, PHOTOMETRIC, PLANAR, COLOURS, EXTRA, FORM = 258, 262, 284, 320, 338, 339
WHITE_IS_ZERO, RGB, YCBCR = 0, 2, 6
SIGNED = 2
ALPHAS = {1, 2}  # associated, unassociated
# libtiff gives samples in the machine's order; Pillow unpacks these in the file's.
_NATIVE = {"F;32BF": "F;32NF", "I;16BS": "I;16NS", "I;32BS": "I;32NS", "I;32S": "I;32NS"}


TiffImagePlugin.READ_LIBTIFF = True
# White may be zero in either order of bytes.
TiffImagePlugin.OPEN_INFO.setdefault((b"MM", 0, (1,), 1, (16,), ()), ("I;16B", "I;16B"))


def opened(data: bytes) -> TiffImagePlugin.TiffImageFile:
    image = Image.open(io.BytesIO(data), formats=("TIFF",))
    assert isinstance(image, TiffImagePlugin.TiffImageFile)
    return image


def prepare(image: TiffImagePlugin.TiffImageFile) -> Scale:
    """How the samples are to be read; sets up `image` so that they come out at all.

    Raises `Unsupported` where Pillow would show another picture than the file holds.
    """
    tags: Any = image.tag_v2
    photometric, bits = tags.get(PHOTOMETRIC, WHITE_IS_ZERO), tags.get(BITS, (1,))[0]
    form = tags.get(FORM, (1,))[0]
    extra = tags.get(EXTRA, ())
    undeclared = photometric == RGB and image.mode == "RGBA" and not ALPHAS & set(extra)
    if tags.get(PLANAR, 1) == 2 and (undeclared or (photometric != RGB and ALPHAS & set(extra))):
        raise Unsupported("its transparency lies in a plane of its own")
    if tags.get(PLANAR, 1) == 2 and photometric == YCBCR:
        # Pillow asks libtiff for these in a way that tells of no missing rows.
        raise Unsupported("its YCbCr lies in three planes")
    if form == SIGNED and bits < 32:
        raise Unsupported(f"it has signed samples of {bits} bits")
    for number, tile in enumerate(image.tile):
        kind, *others = cast(tuple[str, Any, Any], tile.args)
        image.tile[number] = tile._replace(args=(_NATIVE.get(kind, kind), *others))
    if image.mode in ("P", "PA") and max(tags[COLOURS]) < 256:
        # Some write a palette of 8 bits, where 16 are due: all of it would be black.
        image.palette = ImagePalette.raw("RGB;L", bytes(tags[COLOURS]))
    return Scale(
        white=(1 << bits) - 1 if form == 1 and bits in (12, 16) else None,
        inverted=photometric == WHITE_IS_ZERO and bits > 8,
        unsigned=form == 1,
        alpha_is_doubtful=undeclared,
    )
