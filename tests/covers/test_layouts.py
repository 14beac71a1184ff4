"""Every layout of pixels that TIFF, BMP and PNG allow: seen right, or refused; which is a table.

`tests/layouts.py` draws them. `benchmarks/layouts.py` shows the same to other decoders.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import layouts
import numpy as np
import pytest
from conftest import PROJECT
from layouts import Layout

from engine.base.errors import UnreadableImage
from engine.covers.image import decode

# What is refused: Pillow has no mode for it, or shows another picture. All else must be right.
REFUSED = re.compile(
    r"TIFF (?:"
    r"12-bit (?:grey .*MM|white)"
    r"|(?:2|4|32)-bit RGB"
    r"|32-bit (?:grey .*MM|white)"
    r"|(?:8|16|32)-bit form 2"  # signed
    r"|(?:16|64)-bit form 3|(?:32)-bit form 3 RGB|float 16|float 32 photometric 2"
    r"|16-bit (?:CMYK|grey) extra\S+ .*planar=1|(?:8|16)-bit grey extra=\([12],\) .*planar=2"
    r"|(?:8|16)-bit RGB undeclared .*planar=2"
    r"|16-bit photometric 0 fill=2|16-bit planar MM big=True|YCbCr planar=2"
    r")|BMP (?:2 |RLE\d holes|4 equal to index header 12 )"
)
NEAR = 3  # of 255: 16 bits are cut to 8 before their alpha is divided out


FORMATS = ("TIFF", "BMP", "PNG")


@functools.cache
def drawn() -> list[Layout]:
    """All of them, seconds of drawing: for who asks, not for who only looks for tests."""
    return list(layouts.all_layouts())


def of_kind(kind: str) -> list[Layout]:
    """Those that have this in common, whatever their order of bytes, tiles and compression."""
    how = re.compile(r" (?:\w+=\S+|header \d+)")
    return [layout for layout in drawn() if how.sub("", layout.name) == kind]


def trouble(layout: Layout) -> str:
    """What is wrong with how it is read: it is seen right, or refused where that is known."""
    try:
        seen = np.asarray(decode(layout.data)).astype(int)
    except UnreadableImage as error:
        told = re.search(r"(S|s)ave it anew", str(error))
        return "" if told and REFUSED.match(layout.name) else f"refused: {error}"
    if REFUSED.match(layout.name):
        return "read, though it is among those refused"
    if seen.shape != layout.seen.shape:
        return f"{seen.shape} instead of {layout.seen.shape}"
    off = np.abs(seen - layout.seen).max()
    return "" if off <= NEAR else f"off by {off}"


@pytest.mark.parametrize("name", FORMATS)
def test_every_layout_is_seen_right_or_refused(name: str) -> None:
    of_format = [layout for layout in drawn() if layout.name.startswith(f"{name} ")]
    assert len(of_format) > 60
    wrong = {layout.name: found for layout in of_format if (found := trouble(layout))}
    assert wrong == {}


def test_most_layouts_are_read() -> None:
    assert len(drawn()) > 1800
    assert {layout.name.split()[0] for layout in drawn()} == {*FORMATS}
    assert sum(REFUSED.match(layout.name) is None for layout in drawn()) > 1150


@pytest.mark.parametrize("kind", ["TIFF 8-bit RGB", "TIFF 16-bit RGB", "BMP 32 BGRA", "BMP 8 grey"])
def test_a_layout_that_is_cut_off_is_refused(kind: str) -> None:
    for layout in of_kind(kind):
        if "extra=(0,)" not in layout.name:  # that plane says nothing, and may be missing
            with pytest.raises(UnreadableImage):
                decode(layout.data[: len(layout.data) * 2 // 3])


def test_masks_that_are_none_are_refused() -> None:
    rows = [bytes(4 * layouts.WIDTH)] * layouts.HEIGHT
    for masks in ((0xFF, 0, 0xFF0000, 0), (0, 0, 0, 0xFF)):
        with pytest.raises(UnreadableImage):
            decode(layouts.bmp(rows, 32, header=56, compression=3, masks=masks))


def test_a_bmp_of_more_pixels_than_it_has_bytes_is_refused_before_memory_is_taken() -> None:
    data = layouts.bmp([b""], 32, header=56, compression=3, masks=(255, 255, 255, 0))
    for width, height in ((65535, 65535), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (0, 5), (-5, 5)):
        forged = data[:18] + np.array([width, height], "<i4").tobytes() + data[26:]
        with pytest.raises(UnreadableImage):
            decode(forged)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_is_turned_by_each_of_its_three_places_for_it(orientation: int) -> None:
    colour = layouts.drawn(3, 255)
    turned = layouts.turn(colour, orientation)
    tiff = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)
    xmp = f'<x tiff:Orientation="{orientation}"/>'.encode()
    raw = b"\nexif\n      38\n" + (b"Exif\0\0" + tiff).hex().encode()
    places: dict[bytes, Callable[[], bytes]] = {
        b"eXIf": lambda: tiff,
        b"iTXt": lambda: b"XML:com.adobe.xmp\0\0\0\0\0" + xmp,
        b"tEXt": lambda: b"Raw profile type exif\0" + raw,
    }
    for kind, body in places.items():
        data = layouts.png(turned, 8, 2, before=layouts.chunk(kind, body()))
        assert np.array_equal(np.asarray(decode(data)), colour), kind


def test_what_is_tried_is_documented() -> None:
    table = (PROJECT / "SECURITY.md").read_text(encoding="utf-8")
    for kind in ("JPEG", "HEIC", "AVIF", "WebP", "GIF", "ICC"):
        assert f"\n| {kind} |" in table
    for kind in ("TIFF", "BMP", "PNG"):
        [row] = [line for line in table.splitlines() if line.startswith(f"| {kind} |")]
        every = [one for one in drawn() if one.name.startswith(kind)]
        refused = sum(REFUSED.match(one.name) is not None for one in every)
        assert f"{len(every):,} drawn layouts" in row
        assert f"| {refused}: " in row if refused else "| none" in row
