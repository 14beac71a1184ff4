"""`engine/covers/image.py`: bytes → image → pixels."""

from __future__ import annotations

import io
import struct
import sys
import time
import tracemalloc
import zlib
from typing import Any

import layouts
import numpy as np
import profiles
import pytest
from encoded import ENCODED, heic, quarters, saved
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from engine.base.errors import ImageTooLarge, InvalidRequest, UnreadableImage
from engine.covers.formats.known import register_heif
from engine.covers.image import (
    Preprocessing,
    begins_like_a_picture,
    decode,
    thumbnail,
    to_pixels,
)

CLIP = Preprocessing(224, (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Smooth shapes and some grain, as a camera sees."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (9 + 5 * c) + seed) * np.cos(y / (13 - 3 * c)) for c in range(3)]
    values = np.stack(waves, axis=-1) * 100 + 128 + rng.normal(0, 6, (height, width, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def near(colour: Any, expected: tuple[int, int, int], within: int = 12) -> bool:
    return all(abs(int(a) - b) <= within for a, b in zip(colour, expected, strict=True))


def corners(image: Image.Image) -> list[Any]:
    width, height = image.size
    return [
        image.getpixel((x, y))
        for x, y in [(3, 3), (width - 4, 3), (3, height - 4), (width - 4, height - 4)]
    ]


RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize("name", ENCODED)
def test_every_promised_format_is_read(name: str) -> None:
    assert begins_like_a_picture(ENCODED[name][:64])
    image = decode(ENCODED[name])
    assert (image.mode, image.size) == ("RGB", (64, 48))
    for colour, expected in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(colour, expected, 25), name


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, BLUE, GREEN)]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:])
    assert near(decode(data).getpixel((10, 10)), RED, 6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(format: str, orientation: int) -> None:
    undo: dict[int, Image.Transpose | None] = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turn = undo[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(saved(stored, format, exif=exif, quality=95))
    assert image.size == (64, 48)
    for colour, expected in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(colour, expected, 40)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_rotated_heic_is_rotated_once(orientation: int) -> None:
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode(heic(quarters().transpose(turn), exif=exif.tobytes()))
    for colour, expected in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(colour, expected, 25)


def test_broken_exif_does_not_refuse_a_whole_picture() -> None:
    data = saved(quarters(), "JPEG", exif=b"Exif\0\0II\x2a\x00\xff\xff\xff\xff junk", quality=95)
    assert decode(data).size == (64, 48)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparency_is_laid_over_white(format: str) -> None:
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (10, 0, 20, 20))
    image.paste((0, 0, 0, 128), (0, 10, 10, 20))
    result = decode(saved(image, format, quality=100))
    assert near(result.getpixel((4, 4)), RED)
    assert near(result.getpixel((16, 4)), WHITE)
    assert near(result.getpixel((4, 16)), (127, 127, 127))


def test_a_palette_with_transparency_is_laid_over_white() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (0, 0, 10, 20))
    for options in ({"transparency": 0}, {"transparency": b"\x00\xff"}):
        result = decode(saved(image, "PNG", **options))
        assert result.getpixel((4, 4)) == RED
        assert result.getpixel((16, 4)) == WHITE
    assert decode(saved(image, "GIF", transparency=0)).getpixel((16, 4)) == WHITE


def test_an_rgb_png_with_a_transparent_colour_is_laid_over_white() -> None:
    result = decode(saved(quarters(), "PNG", transparency=BLUE))
    assert result.getpixel((4, 40)) == WHITE


def test_grey_with_alpha_is_laid_over_white() -> None:
    image = Image.new("LA", (8, 8), (0, 0))
    assert decode(saved(image, "PNG")).getpixel((4, 4)) == WHITE


def test_one_bit_is_black_and_white() -> None:
    image = Image.new("1", (8, 8), 1)
    image.putpixel((0, 0), 0)
    result = decode(saved(image, "PNG"))
    assert (result.getpixel((0, 0)), result.getpixel((4, 4))) == ((0, 0, 0), WHITE)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_colours_come_out_right(format: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    colour = decode(saved(cyan, format)).getpixel((8, 8))
    assert colour[0] < 60
    assert colour[2] > 180


def test_adobes_inverted_cmyk_is_not_a_negative() -> None:
    # Photoshop stores 255 where there is no ink, and says so with an "Adobe" marker.
    data = saved(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")
    marker = struct.pack(">2sH5sHHHB", b"\xff\xee", 14, b"Adobe", 100, 0, 0, 0)
    with_marker = data if b"Adobe" in data else data[:2] + marker + data[2:]
    assert near(decode(with_marker).getpixel((8, 8)), WHITE)


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(1, 256).repeat(4, axis=0)
    for format in ("PNG", "TIFF"):
        greys = np.asarray(decode(saved(Image.fromarray(ramp), format)))[0, :, 0]
        assert np.abs(greys.astype(int) - np.arange(256)).max() <= 1


def test_dark_thirty_two_bit_and_float_tiffs_are_readable() -> None:
    wide = np.array([[0, 2**20, 2**21]], np.int32)
    assert np.asarray(decode(saved(Image.fromarray(wide), "TIFF")))[0, :, 0].tolist() == [
        0,
        128,
        255,
    ]
    unit = np.array([[0.0, 0.5, 1.0]], np.float32)
    assert np.asarray(decode(saved(Image.fromarray(unit), "TIFF")))[0, :, 0].tolist() == [
        0,
        128,
        255,
    ]
    nan = np.array([[np.nan, 255.0]], np.float32)
    assert np.asarray(decode(saved(Image.fromarray(nan), "TIFF")))[0, :, 0].tolist() == [0, 255]


# --- what may be missing, and what may not -------------------------------------------------------


def cut_at(data: bytes, part: float) -> bytes:
    """A JPEG without the last of its coded bytes, and without its end."""
    start = data.index(b"\xff\xda")
    return data[: start + int((len(data) - start) * part)]


JPEGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "grey": {},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 3},
    "a restart a row": {"restart_marker_rows": 1},
    "CMYK": {},
}


def jpeg(name: str, size: tuple[int, int] = (330, 250)) -> bytes:
    mode = {"grey": "L", "CMYK": "CMYK"}.get(name, "RGB")
    return saved(photo(*size).convert(mode), "JPEG", quality=85, **JPEGS[name])


@pytest.mark.parametrize("name", JPEGS)
@pytest.mark.parametrize("size", [(330, 250), (1100, 900)])
def test_a_jpeg_that_lacks_only_its_end_is_whole(name: str, size: tuple[int, int]) -> None:
    data = jpeg(name, size)
    assert data.endswith(b"\xff\xd9")
    for side in (None, 224):
        whole = np.asarray(decode(data, shortest_side=side))
        for end in (data[:-2], data[:-1], data[:-2] + bytes(40)):
            assert np.array_equal(np.asarray(decode(end, shortest_side=side)), whole)


@pytest.mark.parametrize("name", [name for name in JPEGS if name != "progressive"])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_jpeg_that_lacks_rows_is_damaged(name: str, end: bytes) -> None:
    data = jpeg(name)
    for part in (0.1, 0.5, 0.9, 0.97):
        for side in (None, 120):
            with pytest.raises(UnreadableImage, match="damaged"):
                decode(cut_at(data, part) + end, shortest_side=side)


def test_a_progressive_jpeg_has_its_rows_with_the_first_scan() -> None:
    data = jpeg("progressive")
    whole = np.asarray(decode(data)).astype(int)
    first_ends = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    for end in (b"", b"\xff\xd9"):
        with pytest.raises(UnreadableImage, match="damaged"):
            decode(data[: first_ends * 2 // 3] + end)
        coarse = np.asarray(decode(cut_at(data, 0.8) + end)).astype(int)
        assert np.abs(coarse - whole).mean() < 10


def test_a_jpeg_whose_last_pixel_is_the_grey_of_missing_rows_is_whole() -> None:
    for mode, options in (("RGB", {}), ("L", {}), ("RGB", {"restart_marker_rows": 1})):
        grey = photo(64, 48).convert(mode)
        grey.paste(128 if mode == "L" else (128, 128, 128), (0, 24, 64, 48))
        data = saved(grey, "JPEG", quality=90, **options)
        assert decode(data).getpixel((63, 47)) == (128, 128, 128)
        assert decode(data[:-2]).getpixel((63, 47)) == (128, 128, 128)


def with_chunk(chunk: bytes, after: bool = False) -> bytes:
    colour = layouts.drawn(3, 255)
    return layouts.png(colour, 8, 2, **{"after" if after else "before": chunk})


MEGABYTES = zlib.compress(bytes(5_000_000))
USELESS = {
    "a long zTXt": layouts.chunk(b"zTXt", b"Comment\0\0" + MEGABYTES),
    "a long iTXt": layouts.chunk(b"iTXt", b"Comment\0\1\0\0\0" + MEGABYTES),
    "a long XMP": layouts.chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + MEGABYTES),
    "a long raw profile": layouts.chunk(b"zTXt", b"Raw profile type exif\0\0" + MEGABYTES),
    "a long profile": layouts.chunk(b"iCCP", b"wide\0\0" + MEGABYTES),
    "a broken profile": layouts.chunk(b"iCCP", b"wide\0\0no zlib"),
    "no zlib": layouts.chunk(b"zTXt", b"Comment\0\0no zlib"),
    "an empty time": layouts.chunk(b"tIME", b""),
    "short pHYs": layouts.chunk(b"pHYs", b"1"),
    "short gAMA": layouts.chunk(b"gAMA", b"1"),
    "short cHRM": layouts.chunk(b"cHRM", b"1"),
    "empty sRGB": layouts.chunk(b"sRGB", b""),
    "broken acTL": layouts.chunk(b"acTL", b"1"),
    "broken fcTL": layouts.chunk(b"fcTL", b"1"),
    "a wrong checksum of text": layouts.chunk(b"tEXt", b"Comment\0words", 1),
    "a wrong checksum of a profile": layouts.chunk(b"iCCP", b"wide\0\0" + MEGABYTES[:50], 1),
    "a wrong checksum of EXIF": layouts.chunk(b"eXIf", b"II*\0", 1),
    "a wrong checksum of a time": layouts.chunk(b"tIME", bytes(7), 1),
    "an unknown chunk": layouts.chunk(b"abCd", b"words", 1),
}


@pytest.mark.parametrize("name", USELESS)
@pytest.mark.parametrize("after", [False, True])
def test_what_says_nothing_of_a_pixel_damages_no_png(name: str, after: bool) -> None:
    data = with_chunk(USELESS[name], after)
    tracemalloc.start()
    seen = np.asarray(decode(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(seen, layouts.drawn(3, 255))
    assert peak < 12_000_000  # of which five for a profile, read to its bound


def test_a_hundred_long_texts_take_no_memory() -> None:
    data = with_chunk(USELESS["a long zTXt"] * 100 + USELESS["a long XMP"] * 100)
    tracemalloc.start()
    decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_a_png_needs_neither_its_end_nor_the_checksum_of_its_end() -> None:
    colour = layouts.drawn(3, 255)
    for end in (b"", layouts.chunk(b"IEND", b"", 1), bytes(30), b"\0\0"):
        assert np.array_equal(np.asarray(decode(layouts.png(colour, 8, 2, end=end))), colour)


def test_a_wrong_checksum_of_what_carries_pixels_is_damage() -> None:
    index = layouts.drawn(1, 255)
    colours, clear = bytes(range(256)) * 3, bytes(range(256))
    for broken in (
        layouts.png(index, 8, 3, before=layouts.chunk(b"PLTE", colours, 1)),
        layouts.png(
            index, 8, 3, before=layouts.chunk(b"PLTE", colours) + layouts.chunk(b"tRNS", clear, 1)
        ),
        with_chunk(b"")[:20] + b"\0\0\0\x09" + with_chunk(b"")[24:],  # IHDR
    ):
        with pytest.raises(UnreadableImage, match="damaged"):
            decode(broken)


def test_a_png_that_lacks_rows_is_damaged() -> None:
    data = saved(photo(200, 150), "PNG")
    for part in (0.3, 0.7, 0.97):
        cut = data[: int(len(data) * part)]
        for end in (b"", layouts.chunk(b"IEND", b"")):
            with pytest.raises(UnreadableImage, match="damaged"):
                decode(cut + end)


def rebranded(data: bytes, major: bytes, *brands: bytes) -> bytes:
    """A HEIC or AVIF whose list of brands is another, of the same length."""
    length = int.from_bytes(data[:4], "big")
    listed = b"".join(brands)[: length - 16].ljust(length - 16, b"\0")
    return data[:8] + major + bytes(4) + listed + data[length:]


@pytest.mark.parametrize("major", [b"mif1", b"miaf", b"MA1B", b"MA1A", b"tmap", b"mif2", b"avif"])
@pytest.mark.parametrize("others", [(b"avif", b"mif1", b"miaf", b"MA1B"), (b"mif1", b"miaf")])
def test_an_avif_is_one_whatever_its_first_brand(major: bytes, others: tuple[bytes, ...]) -> None:
    data = rebranded(ENCODED["AVIF"], major, *others)
    assert begins_like_a_picture(data[:64])
    image = decode(data)
    for colour, expected in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(colour, expected, 25)


@pytest.mark.parametrize("major", [b"mif1", b"miaf", b"MiHB", b"MiHE", b"tmap", b"heic", b"heix"])
@pytest.mark.parametrize("others", [(b"heic", b"mif1", b"miaf"), (b"mif1", b"miaf")])
def test_a_heic_is_one_whatever_its_first_brand(major: bytes, others: tuple[bytes, ...]) -> None:
    data = rebranded(ENCODED["HEIC"], major, *others)
    assert begins_like_a_picture(data[:64])
    image = decode(data)
    for colour, expected in zip(corners(image), (RED, GREEN, BLUE, WHITE), strict=True):
        assert near(colour, expected, 25)


def test_an_avif_loads_no_decoder_of_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    register_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert decode(rebranded(ENCODED["AVIF"], b"mif1", b"avif")).size == (64, 48)


def test_a_film_is_no_picture_whatever_its_brands() -> None:
    for major in (b"isom", b"mp42", b"qt  ", b"M4V "):
        data = b"\0\0\0\x18ftyp" + major + b"\0\0\2\0isommp42" + bytes(100)
        with pytest.raises(UnreadableImage, match="not an image we can read"):
            decode(data)


# --- colour ---------------------------------------------------------------------------------------

WIDE = {"Display P3": (profiles.P3, 2.2), "ProPhoto": (profiles.PROPHOTO, 1.8)}


def colours() -> np.ndarray:
    """(48, 64, 3) uint8, smooth."""
    return np.asarray(photo(64, 48))


def with_profile(format: str, picture: np.ndarray, profile: bytes) -> bytes:
    options: dict[str, Any] = {
        "JPEG": {"quality": 100, "subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }.get(format, {})
    image = Image.fromarray(picture)
    if format == "HEIF":
        image.info["icc_profile"] = profile
        return heic(image, chroma=444)
    if format == "BMP":
        rows = [row.tobytes() for row in picture[..., ::-1]]
        data = bytearray(layouts.bmp(rows, 24, header=124, width=64, height=48))
        data[70:74] = b"DEBM"
        data[126:134] = struct.pack("<II", len(data) - 14, len(profile))
        return bytes(data) + profile
    return saved(image, format, icc_profile=profile, **options)


@pytest.mark.parametrize("space", WIDE)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "BMP"])
def test_colours_of_a_wide_space_are_taken_to_srgb(format: str, space: str) -> None:
    columns, gamma = WIDE[space]
    meant = colours()
    wide = profiles.in_space(meant, columns, gamma)
    assert np.abs(wide.astype(int) - meant).mean() > 5
    seen = np.asarray(decode(with_profile(format, wide, profiles.rgb(columns, gamma)))).astype(int)
    assert np.abs(seen - meant).mean() < 2


def test_a_palette_grey_and_transparent_pictures_have_profiles_too() -> None:
    wide, grey = profiles.rgb(profiles.P3, 2.2), profiles.grey(1.0)
    paletted = Image.new("P", (8, 8), 1)
    paletted.putpalette([0, 0, 0, 200, 100, 50])
    meant = decode(saved(paletted.convert("RGB"), "PNG", icc_profile=wide)).getpixel((4, 4))
    assert meant != (200, 100, 50)
    assert near(decode(saved(paletted, "PNG", icc_profile=wide)).getpixel((4, 4)), meant, 1)
    layered = paletted.convert("RGBA")
    layered.putpixel((0, 0), (0, 0, 0, 0))
    image = decode(saved(layered, "PNG", icc_profile=wide))
    assert near(image.getpixel((4, 4)), meant, 1)
    assert image.getpixel((0, 0)) == WHITE
    # Half of linear light is 188 in sRGB.
    for mode, middle in (("L", 128), ("LA", (128, 255))):
        data = saved(Image.new(mode, (8, 8), middle), "PNG", icc_profile=grey)
        assert near(decode(data).getpixel((4, 4)), (188, 188, 188), 2)
    deep = Image.fromarray(np.full((8, 8), 32896, np.uint16))
    data = saved(deep, "PNG", icc_profile=grey)
    assert near(decode(data).getpixel((4, 4)), (188, 188, 188), 2)


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_inks_are_what_their_profile_says(format: str) -> None:
    paper, full = (255, 128, 128), (128, 200, 128)  # Lab: white, and a purple for any ink
    profile = profiles.ink(paper, full)
    for inks in ((255, 0, 0, 0), (0, 0, 255, 0)):
        data = saved(Image.new("CMYK", (16, 16), inks), format, icc_profile=profile, quality=100)
        red, green, blue = decode(data).getpixel((8, 8))  # type: ignore[misc]
        assert red > green + 60
        assert blue > green + 30
    data = saved(Image.new("CMYK", (16, 16)), format, icc_profile=profile, quality=100)
    assert near(decode(data).getpixel((8, 8)), WHITE, 3)


DRAWN = profiles.rgb(profiles.PROPHOTO, 1.8)
UNUSABLE = {
    "cut": DRAWN[:200],
    "short": DRAWN[:60],
    "noise": bytes(range(256)) * 4,
    "empty table": DRAWN[:128] + bytes(len(DRAWN) - 128),
    "grey's": profiles.grey(1.0),
    "ink's": profiles.ink((255, 128, 128), (0, 128, 128)),
    "a link": DRAWN[:12] + b"link" + DRAWN[16:],
    "without red": DRAWN.replace(b"rXYZ", b"none", 1),
    "too large": profiles.rgb(profiles.PROPHOTO, 1.8, padding=5_000_000),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_profile_that_cannot_be_used_is_ignored(name: str) -> None:
    for format in ("PNG", "TIFF"):
        data = with_profile(format, colours(), UNUSABLE[name])
        assert np.array_equal(np.asarray(decode(data)), colours())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["rgb", "ink", "grey"]), st.data())
def test_a_damaged_profile_costs_no_picture(name: str, data: st.DataObject) -> None:
    mode, profile = {
        "rgb": ("RGB", DRAWN),
        "ink": ("CMYK", profiles.ink((255, 128, 128), (0, 128, 128))),
        "grey": ("L", profiles.grey(2.2)),
    }[name]
    damaged = bytearray(profile)
    for _ in range(data.draw(st.integers(1, 12))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    picture = saved(Image.new(mode, (9, 7)), "TIFF", icc_profile=bytes(damaged))
    assert decode(picture).mode == "RGB"


def test_srgb_itself_changes_nothing() -> None:
    library = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = np.asarray(decode(saved(photo(64, 48), "JPEG")))
    assert np.array_equal(
        np.asarray(decode(saved(photo(64, 48), "JPEG", icc_profile=library))), plain
    )


def test_a_large_picture_in_foreign_colours_may_come_out_smaller() -> None:
    profile = profiles.rgb(profiles.P3, 2.2)
    data = saved(photo(320, 240).resize((2400, 1800)), "PNG", icc_profile=profile)
    whole, reduced = decode(data), decode(data, shortest_side=224)
    assert whole.size == (2400, 1800)
    assert min(reduced.size) >= 2 * 224
    assert min(reduced.size) < 1800
    assert np.abs(to_pixels(whole, CLIP).astype(int) - to_pixels(reduced, CLIP)).mean() < 1.5


def png(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        ]
    )


def test_sixteen_bit_colour_png_is_read() -> None:
    row = b"\x00" + struct.pack(">HHH", 65535, 32768, 0) * 8
    assert near(decode(png(8, 8, 16, 2, row * 8)).getpixel((4, 4)), (255, 128, 0), 1)


def test_sixteen_bit_colour_with_alpha_is_laid_over_white() -> None:
    row = b"\x00" + struct.pack(">HHHH", 0, 0, 0, 0) * 8
    assert decode(png(8, 8, 16, 6, row * 8)).getpixel((4, 4)) == WHITE


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 3000), (3000, 1), (2, 20_000), (20_000, 2), (5000, 7)]
)
def test_extreme_shapes_become_pixels(size: tuple[int, int]) -> None:
    image = decode(saved(Image.new("RGB", size, (10, 200, 30)), "PNG"))
    pixels = to_pixels(image, CLIP)
    assert pixels.shape == (224, 224, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - (10, 200, 30)).max() <= 1


@pytest.mark.parametrize("name", ENCODED)
def test_a_truncated_picture_is_named_unreadable_wherever_it_ends(name: str) -> None:
    data = ENCODED[name]
    cuts = sorted({*range(1, 40), *np.linspace(40, len(data) - 1, 25, dtype=int).tolist()})
    refused = 0
    for cut in cuts:
        try:
            decode(data[:cut])
        except UnreadableImage:
            refused += 1
    # The very last bytes (a trailer, padding, the second picture of an MPO) may go missing unseen.
    assert refused >= (len(cuts) * 0.6 if name == "MPO" else len(cuts) - 6)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ENCODED)), st.data())
def test_damaged_bytes_raise_only_named_errors(name: str, data: st.DataObject) -> None:
    damaged = bytearray(ENCODED[name])
    for _ in range(data.draw(st.integers(1, 12))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        image = decode(bytes(damaged), max_pixels=1_000_000)
    except (UnreadableImage, ImageTooLarge):
        return
    assert image.mode == "RGB"
    to_pixels(image, CLIP)


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_random_bytes_raise_only_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableImage):
        decode(data)


def test_without_its_library_heic_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    register_heif.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(UnreadableImage):
        decode(ENCODED["HEIC"])
    assert decode(ENCODED["AVIF"]).size == quarters().size


def test_no_bytes_are_an_invalid_request() -> None:
    with pytest.raises(InvalidRequest, match="is empty"):
        decode(b"")


@pytest.mark.alone
def test_a_bomb_is_refused_before_a_pixel_is_decoded() -> None:
    rows = zlib.compressobj(9)
    body = b"".join([rows.compress(bytes(6251)) for _ in range(500)]) + rows.flush()
    bomb = png(50_000, 50_000, 1, 0, b"")
    bomb = bomb[:33] + struct.pack(">I", len(body)) + b"IDAT" + body + bytes(4)
    assert len(bomb) < 50_000
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(ImageTooLarge, match=r"50000 × 50000 pixels; at most 50,000,000"):
        decode(bomb)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 0.2
    assert peak < 5_000_000


@pytest.mark.parametrize("name", ENCODED)
def test_the_pixel_cap_holds_for_every_format(name: str) -> None:
    with pytest.raises(ImageTooLarge):
        decode(ENCODED[name], max_pixels=64 * 48 - 1)
    assert decode(ENCODED[name], max_pixels=64 * 48).size == (64, 48)


def test_a_cap_above_pillows_own_is_honoured() -> None:
    # Pillow warns from 89 M pixels and refuses from 179 M; the setting allows a thousand million.
    # Nothing is decoded here: past the cap, what is missing is the next complaint.
    with pytest.raises(UnreadableImage, match="damaged"):
        decode(png(20_000, 9_500, 1, 0, b"")[:60], max_pixels=200_000_000)


def test_a_gif_without_pixels_is_unreadable() -> None:
    data = bytearray(saved(Image.new("P", (2, 2)), "GIF"))
    at = data.index(b"\x2c", 13 + 3 * 2)  # the image descriptor, behind the palette
    data[6:10] = data[at + 5 : at + 9] = bytes(4)
    with pytest.raises(UnreadableImage):
        decode(bytes(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7 ...", "it starts like a PDF"),
        (b"PK\x03\x04....", "it starts like a ZIP archive"),
        (b"\x1f\x8b\x08....", "it starts like a gzip file"),
        (b"\x00\x00\x00\x20ftypisom....", "it starts like a video"),
        (b"\x1aE\xdf\xa3....", "it starts like a video"),
        (b"<svg xmlns='...'>", "it is an SVG drawing"),
        (b"  <!doctype html>", "it starts like a web page"),
        (b'{"image": 1}', "it starts like JSON"),
        (b"8BPS\x00\x01", "it is a Photoshop document"),
    ],
)
def test_what_was_sent_instead_is_named(data: bytes, words: str) -> None:
    with pytest.raises(UnreadableImage, match=words) as refusal:
        decode(data, name="cover.jpg")
    assert refusal.value.message.startswith("cover.jpg is not an image we can read (")
    assert "JPEG, PNG, WebP" in refusal.value.message


def test_formats_that_are_not_promised_are_refused() -> None:
    for format in ("PPM", "PCX", "TGA", "ICO", "SGI", "JPEG2000"):
        with pytest.raises(UnreadableImage):
            decode(saved(quarters(32, 32), format))


def test_a_plain_text_named_bm_is_no_bitmap() -> None:
    with pytest.raises(UnreadableImage):
        decode(b"BMW is not an album cover, but the first two letters say bitmap")


def test_a_picture_with_an_embedded_profile_is_read() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = saved(quarters(), "JPEG", icc_profile=profile, quality=95)
    assert near(decode(data).getpixel((4, 4)), RED, 25)


# --- pixels -------------------------------------------------------------------------------------

SIZES = [
    (224, 224),
    (225, 224),
    (223, 301),
    (300, 300),
    (640, 480),
    (481, 640),
    (1023, 767),
    (97, 101),
    (50, 30),
    (333, 1001),
    (1500, 501),
    (225, 225),
    (7, 9),
]


@pytest.fixture(scope="module")
def clip_processor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(
        size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224}, do_normalize=False
    )


@pytest.mark.parametrize("size", SIZES)
def test_pixels_equal_transformers_within_one_step(
    size: tuple[int, int], clip_processor: Any
) -> None:
    image = photo(*size)
    theirs = np.asarray(clip_processor(images=image, return_tensors="np")["pixel_values"])[0]
    ours = to_pixels(image, CLIP).transpose(2, 0, 1) / 255
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 1 / 255


@pytest.mark.parametrize("size", SIZES)
def test_pixels_equal_openais_own_transform(size: tuple[int, int]) -> None:
    # github.com/openai/CLIP, clip.py `_transform`, torchvision's Resize and CenterCrop on Pillow.
    image = photo(*size)
    width, height = image.size
    short, long = min(size), max(size)
    wide = (224, int(224 * long / short)) if width <= height else (int(224 * long / short), 224)
    resized = image.resize(wide, Image.Resampling.BICUBIC)
    left, top = round((wide[0] - 224) / 2.0), round((wide[1] - 224) / 2.0)
    theirs = np.asarray(resized.crop((left, top, left + 224, top + 224))).astype(int)
    off_by_one = abs(left - (wide[0] - 224) // 2) + abs(top - (wide[1] - 224) // 2)
    difference = np.abs(to_pixels(image, CLIP).astype(int) - theirs)
    assert difference.max() == 0 or off_by_one == 1  # half a pixel is rounded to the other side


@pytest.mark.parametrize("size", [(3000, 2250), (4001, 3001), (1100, 900), (897, 4032)])
def test_a_reduced_jpeg_decode_stays_close(size: tuple[int, int]) -> None:
    data = saved(photo(320, 320).resize(size), "JPEG", quality=90)
    whole, reduced = decode(data), decode(data, shortest_side=224)
    assert min(reduced.size) >= 1.25 * 224
    assert min(reduced.size) < min(whole.size)
    difference = np.abs(to_pixels(whole, CLIP).astype(int) - to_pixels(reduced, CLIP))
    assert difference.mean() < 1.5  # of 255


def test_a_small_jpeg_is_not_reduced() -> None:
    data = saved(photo(500, 500), "JPEG", quality=90)
    assert decode(data, shortest_side=224).size == (500, 500)


def test_preprocessing_is_read_from_both_of_transformers_forms() -> None:
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    old = {"size": 224, "crop_size": 224, "resample": 3, "image_mean": mean, "image_std": std}
    new = {
        "size": {"shortest_edge": 224},
        "crop_size": {"height": 224, "width": 224},
        "image_mean": mean,
        "image_std": std,
    }
    expected = Preprocessing(224, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert Preprocessing.from_transformers(old) == expected
    assert Preprocessing.from_transformers(new) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"crop_size": 200},
        {"resample": 2},
        {"size": {"height": 224, "width": 224}},  # stretches
        {"do_center_crop": False},
        {"do_normalize": False},
        {"image_std": [0.5, 0.5, 0]},
        {"image_mean": [0.5, 0.5]},
        {"image_mean": [0.5, 0.5, float("nan")]},
        {"size": 0, "crop_size": 0},
        {"do_rescale": False},
        {"rescale_factor": 0},
        {"rescale_factor": float("inf")},
        {"rescale_factor": "much"},
    ],
)
def test_other_preprocessing_is_refused(change: dict[str, Any]) -> None:
    config = {"size": 224, "crop_size": 224, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    with pytest.raises(ValueError):
        Preprocessing.from_transformers({**config, **change})


@pytest.mark.parametrize("factor", [1.0, 1 / 127.5, 1 / 256, 0.0039])
def test_an_encoders_own_rescaling_is_honoured_exactly(factor: float) -> None:
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    config = {"size": 8, "crop_size": 8, "image_mean": mean, "image_std": std}
    read = Preprocessing.from_transformers({**config, "rescale_factor": factor})
    pixels = np.arange(256)[:, None]
    meant = (pixels * factor - np.array(mean)) / np.array(std)
    ours = (pixels / 255 - np.array(read.mean)) / np.array(read.std)
    np.testing.assert_allclose(ours, meant, rtol=1e-9)


@pytest.mark.parametrize("factor", [1 / 255, 0.00392156862745098])
def test_the_usual_rescaling_leaves_mean_and_deviation_as_they_are(factor: float) -> None:
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    config = {"size": 8, "crop_size": 8, "image_mean": mean, "image_std": std}
    read = Preprocessing.from_transformers({**config, "rescale_factor": factor})
    assert read == Preprocessing(8, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_a_thumbnail_is_a_small_webp_of_the_same_shape() -> None:
    data = thumbnail(photo(600, 300), 256, 70)
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.size) == ("WEBP", (256, 128))
    assert len(data) < 20_000


@pytest.mark.parametrize("colour", [0, 2, 6])
def test_a_png_that_ends_as_it_should_with_rows_missing_is_refused(colour: int) -> None:
    width, height, samples = 8, 6, {0: 1, 2: 3, 6: 4}[colour]
    row = b"\0" + bytes([200] * width * samples)
    black = b"\0" + bytes(width * samples)
    whole = png(width, height, 8, colour, row * (height - 1) + black)
    assert decode(whole).size == (width, height)  # a last row that is black is a row
    with pytest.raises(UnreadableImage):
        decode(png(width, height, 8, colour, row * (height - 1)))
