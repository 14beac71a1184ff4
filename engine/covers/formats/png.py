"""A PNG's bytes → the chunks that decide how it looks, and its colour profile.

Pillow reads all chunks and refuses the picture for any that is damaged, or that is a long text.
Most say nothing of a pixel: they are left out, unread.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Where programs without eXIf leave a picture's orientation.
_ORIENTED = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
_TEXT_BYTES = 1 << 20  # Pillow's own bound, past which it refuses the picture


class Chunk(NamedTuple):
    kind: bytes
    body: bytes
    raw: bytes
    """All of it, with its length and checksum."""
    whole: bool
    """Whether its checksum is right."""


def chunk(kind: bytes, body: bytes) -> bytes:
    crc = zlib.crc32(body, zlib.crc32(kind))
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)


def mended(data: bytes, profile_bytes: int) -> tuple[bytes, bytes]:
    """A PNG → one of the same pixels and orientation without the rest, and its ICC profile (b"":
    none, damaged, or longer than `profile_bytes`). What is cut off stays cut off."""
    kept, profile = [SIGNATURE], b""
    texts: set[bytes] = set()
    for kind, body, raw, whole in _chunks(data):
        if kind == b"iCCP" and whole and not profile:
            profile = _inflated(body.partition(b"\0")[2][1:], profile_bytes)
        elif kind == b"tRNS" and whole:
            kept.append(chunk(kind, _transparent(body, data[25:26], data[24:25])))
        elif kind in (b"iTXt", b"zTXt", b"tEXt") and whole:
            keyword = body[: body.find(b"\0") + 1]
            if keyword in _ORIENTED and keyword not in texts and _is_short(kind, body):
                texts.add(keyword)
                kept.append(raw)
        elif kind == b"IEND":
            kept.append(chunk(kind, b""))
        elif kind[:1].isupper() or kind == b"tRNS" or (kind == b"eXIf" and whole):
            kept.append(raw)
    return b"".join(kept), profile


def _chunks(data: bytes) -> Iterator[Chunk]:
    """The chunks up to IEND; of an IDAT that is cut off, what there is."""
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if kind == b"IDAT":
            # Pillow does not check its checksum either: zlib's own stands behind the pixels.
            yield Chunk(kind, b"", data[at:end], True)
        elif end > len(data):
            return  # Pillow misses what was needed of it
        else:
            body = data[at + 8 : end - 4]
            crc = struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
            yield Chunk(kind, body, data[at:end], crc == data[end - 4 : end])
        if kind == b"IEND":
            return
        at = end


def lacks_rows(image: Image.Image, data: bytes) -> bool:
    """Whether a decoded PNG holds fewer rows than it says, in data that end as they should: zlib is
    content then, and so is Pillow, which leaves the rest black.

    Its pixels are counted only where the last row is empty: that takes as long as decoding did.
    """
    width, height = image.size
    if image.crop((0, height - 1, width, height)).getbbox() is not None:
        return False
    depth, colour, interlaced = data[24], data[25], data[28]
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    wanted = sum(_bytes_of(width, height, bits, *one) for one in passes)
    reader, found = zlib.decompressobj(), 0
    for kind, _, raw, _ in _chunks(data):
        packed = raw[8:-4] if kind == b"IDAT" else b""
        while packed and not reader.eof and found < wanted:
            found += len(reader.decompress(packed, 1 << 20))
            packed = reader.unconsumed_tail
    return found < wanted


# Of each pass: its first column and row, and the steps between its columns and rows (PNG, 8.2).
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def _bytes_of(
    width: int, height: int, bits: int, left: int, top: int, right: int, down: int
) -> int:
    """Of one pass, each row with the byte that tells its filter."""
    columns, rows = -(-(width - left) // right), -(-(height - top) // down)
    return rows * (1 + -(-columns * bits // 8)) if columns > 0 and rows > 0 else 0


def _transparent(body: bytes, colour: bytes, depth: bytes) -> bytes:
    """A tRNS as Pillow compares it: with samples that it has scaled to 8 bits, but for grey's 16.

    Of colour with 16 bits it keeps the high bytes, so that what differs from the transparent
    colour by less than 1/255 is transparent with it.
    """
    if colour == b"\0" and depth in (b"\2", b"\4") and len(body) >= 2:
        top = (1 << depth[0]) - 1
        return struct.pack(">H", (body[1] & top) * 255 // top)
    if colour == b"\2" and depth == b"\x10" and len(body) >= 6:
        return bytes((0, body[0], 0, body[2], 0, body[4]))
    return body


def _is_short(kind: bytes, body: bytes) -> bool:
    _, _, rest = body.partition(b"\0")
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] != b"\1"):
        return len(rest) <= _TEXT_BYTES
    if kind == b"iTXt":
        rest = b"\0" + rest[2:].split(b"\0", 2)[-1]
    return bool(_inflated(rest[1:], _TEXT_BYTES))


def _inflated(packed: bytes, most: int) -> bytes:
    """zlib data → at most `most` bytes; b"" if there are more, or it is damaged."""
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(packed, most)
    except zlib.error:
        return b""
    return found if reader.eof else b""
