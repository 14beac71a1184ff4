"""A BMP's bytes → pixels behind masks, a palette that Pillow takes for one, an embedded profile."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MASKED = (3, 6)  # BI_BITFIELDS, BI_ALPHABITFIELDS
_ROWS_SAMPLES = 1 << 20


class Header(NamedTuple):
    size: int
    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    colours: int
    offset: int


def _header(data: bytes) -> Header | None:
    """The header of 40 bytes or more; of OS/2's short one Pillow knows all there is."""
    if data[:2] != b"BM" or len(data) < 54:
        return None
    (offset,) = struct.unpack_from("<I", data, 10)
    size, width, height, _, bits, compression = struct.unpack_from("<IiiHHI", data, 14)
    if size < 40:
        return None
    (colours,) = struct.unpack_from("<I", data, 46)
    return Header(size, width, abs(height), height < 0, bits, compression, colours, offset)


def mended(data: bytes) -> bytes:
    """A BMP whose palette Pillow would take for plain grey of 8 bits (or black and white of one),
    though its samples have other sizes → the same with one blue off by 1/255."""
    header = _header(data)
    if header is None or header.bits not in (4, 8):
        return data
    at = 14 + header.size
    second = {4: (b"\1\1\1", b"\xff\xff\xff"), 8: (b"\xff\xff\xff",)}[header.bits]
    if data[at : at + 3] != bytes(3) or data[at + 4 : at + 7] not in second:
        return data
    return data[:at] + b"\1" + data[at + 1 :]


def masked(data: bytes) -> Image.Image | None:
    """A BMP with masks → RGB, or RGBA if its alpha says anything; None for every other BMP.

    Takes memory for as many pixels as there are bytes in the file at most. Raises `ValueError`,
    `struct.error` or `OSError` where it is cut off or its masks are none.
    """
    header = _header(data)
    if header is None or header.compression not in _MASKED or header.bits not in (16, 32):
        return None
    masks = list(struct.unpack_from("<3I", data, 54))
    has_alpha = header.size >= 56 or (header.size == 40 and header.compression == 6)
    masks += struct.unpack_from("<I", data, 66) if has_alpha else (0,)
    if not any(masks):
        masks = [0xFF0000, 0xFF00, 0xFF, 0]
    if header.width <= 0 or not header.height or not all(masks[:3]):
        raise OSError("a mask, the width or the height is zero")
    planes = [np.empty((header.height, header.width), np.uint8) for mask in masks if mask]
    for rows, words in _blocks(data, header):
        for plane, mask in zip(planes, filter(None, masks), strict=True):
            plane[rows] = _eight_bits(words, mask)
    # Programs that know no alpha leave it zero: a picture that nobody could see is not meant.
    if len(planes) == 4 and not planes[3].any():
        planes.pop()
    return Image.merge("RGBA"[: len(planes)], [Image.fromarray(plane) for plane in planes])


def _blocks(data: bytes, header: Header) -> Iterator[tuple[slice, NDArray[np.uint64]]]:
    """The picture's rows from above, some at once, and their samples (rows, width)."""
    stride = -(-header.width * header.bits // 32) * (32 // header.bits)
    kind = np.dtype(f"<u{header.bits // 8}")
    count = stride * header.height
    words = np.frombuffer(data, kind, count, header.offset).reshape(header.height, stride)
    words = words[:, : header.width] if header.top_down else words[::-1, : header.width]
    step = max(1, _ROWS_SAMPLES // stride)
    for top in range(0, header.height, step):
        yield slice(top, top + step), words[top : top + step].astype(np.uint64)


def _eight_bits(words: NDArray[np.uint64], mask: int) -> NDArray[np.uint8]:
    lowest = mask & -mask
    top = np.uint64(mask // lowest)
    values = (words & np.uint64(mask)) // np.uint64(lowest)
    return ((values * np.uint64(255) + top // np.uint64(2)) // top).astype(np.uint8)


def profile(data: bytes, most: int) -> bytes:
    """The ICC profile that a header of version 5 embeds, if it has at most `most` bytes."""
    header = _header(data)
    if header is None or header.size < 124 or data[70:74] != b"DEBM":
        return b""
    at, length = struct.unpack_from("<II", data, 126)
    return data[14 + at : 14 + at + length] if length <= most else b""
