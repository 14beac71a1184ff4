"""ICC profiles made by hand: spaces wide and narrow, greys, an ink; what colours they mean.

No library at hand writes other than sRGB.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue under D50, as columns of X, Y, Z.
SRGB = ((0.4360, 0.3851, 0.1431), (0.2225, 0.7169, 0.0606), (0.0139, 0.0971, 0.7141))
P3 = ((0.5151, 0.2920, 0.1571), (0.2412, 0.6922, 0.0666), (-0.0011, 0.0419, 0.7841))
PROPHOTO = ((0.7977, 0.1352, 0.0313), (0.2880, 0.7119, 0.0001), (0.0, 0.0, 0.8249))


def _fixed(values: Sequence[float]) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _curve(gamma: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + bytes(2)


def _profile(
    kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes], padding: int = 0
) -> bytes:
    text = b"desc" + struct.pack(">II", 0, 6) + b"drawn\0" + bytes(4 + 4 + 2 + 1 + 67)
    right = b"text" + bytes(4) + b"none\0"
    tags = {b"desc": text, b"cprt": right, b"wtpt": b"XYZ " + bytes(4) + _fixed(D50), **tags}
    if padding:
        tags[b"junk"] = b"data" + bytes(4 + padding)
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    size = at + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"drwn", 0x02100000, kind, space, pcs)
    head += struct.pack(">6H4s4s", 2026, 1, 1, 0, 0, 0, b"acsp", b"APPL")
    head = head.ljust(64, b"\0") + struct.pack(">I", 0) + _fixed(D50)
    return head.ljust(128, b"\0") + table + body


def rgb(columns: Sequence[Sequence[float]], gamma: float, padding: int = 0) -> bytes:
    names = zip((b"rXYZ", b"gXYZ", b"bXYZ"), zip(*columns, strict=True), strict=True)
    tags = {name: b"XYZ " + bytes(4) + _fixed(values) for name, values in names}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags, padding)


def grey(gamma: float) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def ink(paper: tuple[int, int, int], full: tuple[int, int, int]) -> bytes:
    """CMYK of three Lab colours (8 bits each): `paper` where there is no ink at all, `full` where
    one to three are full, black where all four are; mixtures lie between them."""
    corners = [paper, *[full] * 14, (0, 128, 128)]
    clut = bytes(value for corner in corners for value in corner)
    ramp = bytes(range(256))
    head = struct.pack(">4B", 4, 3, 2, 0) + _fixed((1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1" + bytes(4) + head + ramp * 4 + clut + ramp * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def in_space(
    picture: NDArray[np.uint8], columns: Sequence[Sequence[float]], gamma: float
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 in sRGB → the same colours written in a wider space."""
    part = picture / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array(SRGB).T
    wide = np.clip(xyz @ np.linalg.inv(np.array(columns)).T, 0, 1)
    return np.rint(255 * wide ** (1 / gamma)).astype(np.uint8)
