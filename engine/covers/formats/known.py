"""The formats that are promised: their names, how their files begin and end, who opens them.

A file's bytes → the one of `FORMATS` that they begin like → a picture of known size, no pixel of it
decoded. Pillow knows some 40 formats; opening only these, each by its own decoder, keeps the rarely
fuzzed ones (PSD, FLI, EPS…) out of reach of strangers' bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from PIL import Image

from engine.covers.formats import bmff, bmp, png
from engine.covers.formats.colour import PROFILE_BYTES
from engine.covers.formats.rgb import PLAIN, Scale
from engine.covers.formats.unsupported import Unsupported


@dataclass(frozen=True)
class OpenedPicture:
    """A picture whose size is known, and what is needed to see it right."""

    image: Image.Image
    profile: bytes
    scale: Scale = PLAIN


@dataclass(frozen=True)
class Format:
    """`begins` tells by a file's first bytes (64 are plenty), `endings` of names are in lower case;
    `opened` reads no more than a header, and a profile. The declared type says nothing."""

    name: str
    begins: Callable[[bytes], object]
    endings: tuple[str, ...]
    opened: Callable[[bytes], OpenedPicture]


def open_as(data: bytes, *formats: str) -> Image.Image:
    """By these of Pillow's decoders alone."""
    return Image.open(io.BytesIO(data), formats=formats)


def _by_pillow(name: str) -> Callable[[bytes], OpenedPicture]:
    return lambda data: _with_profile(open_as(data, name))


def _with_profile(image: Image.Image, scale: Scale = PLAIN) -> OpenedPicture:
    return OpenedPicture(image, image.info.get("icc_profile") or b"", scale)


def _png(data: bytes) -> OpenedPicture:
    data, profile = png.mended(data, PROFILE_BYTES)
    return OpenedPicture(open_as(data, "PNG"), profile)


def _bmp(data: bytes) -> OpenedPicture:
    image = bmp.masked(data) or open_as(bmp.mended(data), "BMP", "DIB")
    return OpenedPicture(image, bmp.profile(data, PROFILE_BYTES))


def _tiff(data: bytes) -> OpenedPicture:
    from engine.covers.formats import tiff  # Pillow's plugin takes 20 ms to import

    image = tiff.opened(data)
    return _with_profile(image, tiff.prepare(image))


def _of_family(family: bmff.Family) -> Callable[[bytes], bool]:
    return lambda head: bmff.family(head) == family


def _heic(data: bytes) -> OpenedPicture:
    register_heif()
    return _with_profile(open_as(bmff.readable(data, "HEIF"), "HEIF"))


def _avif(data: bytes) -> OpenedPicture:
    return _with_profile(open_as(bmff.readable(data, "AVIF"), "AVIF"))


@cache
def register_heif() -> None:
    """At the first HEIC: pillow-heif loads libheif (10 MB)."""
    try:
        import pillow_heif
    except ImportError:  # left out for its licence (requirements/LICENCES.md)
        raise Unsupported("it is a HEIC, and this service has no decoder for it") from None
    pillow_heif.register_heif_opener()


def _bytes(pattern: bytes) -> Callable[[bytes], object]:
    return re.compile(pattern, re.DOTALL).match


FORMATS = (
    # Pillow's JPEG opens MPO, too: several in one file.
    Format(
        "JPEG",
        _bytes(rb"\xff\xd8\xff"),
        (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        _by_pillow("JPEG"),
    ),
    Format("PNG", _bytes(rb"\x89PNG\r\n"), (".png",), _png),
    Format("WebP", _bytes(rb"RIFF....WEBP"), (".webp",), _by_pillow("WEBP")),
    Format("GIF", _bytes(rb"GIF8[79]a"), (".gif",), _by_pillow("GIF")),
    Format("BMP", _bytes(rb"BM"), (".bmp", ".dib"), _bmp),
    # Of either order of bytes, and BigTIFF's.
    Format("TIFF", _bytes(rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]"), (".tif", ".tiff"), _tiff),
    Format("HEIC", _of_family("HEIF"), (".heic", ".heif", ".hif"), _heic),
    Format("AVIF", _of_family("AVIF"), (".avif",), _avif),
)
# As in a sentence.
PROMISED = ", ".join(one.name for one in FORMATS[:-1]) + f" or {FORMATS[-1].name}"
ENDINGS = frozenset(ending for one in FORMATS for ending in one.endings)


def format_of(head: bytes) -> Format | None:
    """The format that a file's first bytes are of; None: of none that is promised."""
    return next((one for one in FORMATS if one.begins(head)), None)
