"""Bytes → image → pixels: the part of a search that can fail because of one caller.

`decode` turns an upload into an upright RGB picture or says why it cannot; `to_pixels` makes of it
what the encoder was trained on. Build and serve call the same two functions with the
`Preprocessing` recorded in the manifest, so a cover and a photo of it meet on equal terms.
"""

from __future__ import annotations

import io
import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.base.errors import ImageTooLarge, InvalidRequest, Overloaded, UnreadableImage
from engine.covers.formats import jpeg, png
from engine.covers.formats.known import PROMISED, Format, format_of, open_as
from engine.covers.formats.rgb import to_rgb
from engine.covers.formats.unsupported import Unsupported

Pixels = NDArray[np.uint8]

MAX_IMAGE_PIXELS = 50_000_000
# A JPEG is decoded at half its size where that leaves this many times the encoder's side.
HALVED_SIDES = 1.25
# Pillow's own cap would answer a bomb before ours does, and refuse what a setting allows. Set where
# pictures are decoded and not where a process starts: the service, the command line, training and
# tests all come this way, and one that forgot would refuse what the others take.
Image.MAX_IMAGE_PIXELS = None

# What the beginning of a refused file looks like, to say so: (offset, magic, sentence's end).
_LOOKALIKES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"%PDF", "it starts like a PDF"),
    (0, b"PK\x03\x04", "it starts like a ZIP archive"),
    (0, b"\x1f\x8b", "it starts like a gzip file"),
    (4, b"ftypisom", "it starts like a video"),
    (4, b"ftypmp4", "it starts like a video"),
    (4, b"ftypqt", "it starts like a video"),
    (0, b"\x1aE\xdf\xa3", "it starts like a video"),
    (0, b"<svg", "it is an SVG drawing"),
    (0, b"<?xml", "it starts like an XML document"),
    (0, b"<", "it starts like a web page"),
    (0, b"{", "it starts like JSON"),
    (0, b"8BPS", "it is a Photoshop document"),
)


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes an encoder's input; recorded in the manifest.

    `size` is both the shortest edge after resizing and the side of the centre crop, in pixels;
    `mean` and `std` are per channel (RGB) for values scaled to 0–1. Resampling is bicubic with
    antialiasing, as in CLIP's own `preprocess`.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def from_transformers(cls, config: dict[str, Any]) -> Preprocessing:
        """Read a `preprocessor_config.json`; ValueError if it is not a resize-then-crop."""

        def side(value: Any) -> int:
            if isinstance(value, dict):
                value = value.get("shortest_edge", value.get("height"))
            return int(value)

        size = config["size"]
        if isinstance(size, dict) and "shortest_edge" not in size:
            raise ValueError("'size' stretches the picture instead of keeping its proportions")
        crop, resize = side(config["crop_size"]), side(size)
        if crop != resize or crop < 1 or config.get("resample", 3) != 3:
            raise ValueError("only a bicubic resize to the side of a centre crop is supported")
        for step in ("do_resize", "do_center_crop", "do_rescale", "do_normalize"):
            if config.get(step, True) is not True:
                raise ValueError(f"{step!r} is off")
        mean, std = (
            (float(red), float(green), float(blue))
            for red, green, blue in (config["image_mean"], config["image_std"])
        )
        if not all(map(math.isfinite, mean)) or not all(0 < value < math.inf for value in std):
            raise ValueError("'image_mean' and 'image_std' must be finite, and 'image_std' above 0")
        scale = 255 * float(config.get("rescale_factor", 1 / 255))
        if not 0 < scale < math.inf:
            raise ValueError("'rescale_factor' must be finite and above 0")
        if not math.isclose(scale, 1, rel_tol=1e-9):
            # (scale · x − mean) / std, for x of 0–1, is (x − mean / scale) / (std / scale).
            red, green, blue = (value / scale for value in mean)
            mean = red, green, blue
            red, green, blue = (value / scale for value in std)
            std = red, green, blue
        return cls(crop, mean, std)


def begins_like_a_picture(head: bytes) -> bool:
    """Whether the first bytes of a file (64 are plenty) are those of a format we promise."""
    return format_of(head) is not None


def decode(
    data: bytes,
    *,
    name: str = "The upload",
    max_pixels: int = MAX_IMAGE_PIXELS,
    shortest_side: int | None = None,
) -> Image.Image:
    """Bytes of one picture → upright RGB image in sRGB, first frame, alpha over white.

    `shortest_side` allows a large JPEG, or a large picture in foreign colours, to come out at a
    fraction of its size (never below 1.25 times that side, in pixels), several times faster; leave
    it out where coordinates matter.

    Raises `InvalidRequest` (empty), `UnreadableImage` (not a picture, damaged, not a promised
    format), `ImageTooLarge` (more than `max_pixels`, checked before a pixel is decoded),
    `Overloaded` (no memory for a picture that is not too large).
    """
    if not data:
        raise InvalidRequest(f"{name} is empty. Send the bytes of a picture in the field 'file'.")
    kind = format_of(data)
    if kind is None:
        raise UnreadableImage(f"{name} is not an image we can read{_looks_like(data)}. {_ADVICE}")
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and of bombs; the cap below is the rule here.
            warnings.simplefilter("ignore")
            return _decode(kind, data, name, max_pixels, shortest_side)
    except (ImageTooLarge, UnreadableImage, Overloaded):
        raise
    except Unsupported as error:
        raise UnreadableImage(
            f"{name} is laid out in a way we cannot read: {error}. Save it anew as JPEG or PNG."
        ) from error
    except Exception as error:
        # Pillow's plugins raise nearly anything on damaged bytes (OSError, SyntaxError,
        # struct.error, ValueError, IndexError, MemoryError…); a caller needs this sentence.
        raise UnreadableImage(
            f"{name} is damaged, or laid out in a rare way: it begins like a picture but cannot be "
            f"decoded. Send it again, or save it anew as JPEG or PNG."
        ) from error


_ADVICE = f"Send a {PROMISED} picture."


def _decode(
    kind: Format, data: bytes, name: str, max_pixels: int, shortest_side: int | None
) -> Image.Image:
    opened = kind.opened(data)
    image = opened.image
    if not image.width or not image.height:
        raise UnreadableImage(f"{name} has no pixels. {_ADVICE}")
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(
            f"{name} has {image.width} × {image.height} pixels; at most {max_pixels:,} are "
            f"accepted. Send a smaller picture: 1,000 pixels a side are plenty."
        )
    try:
        image = _load(image, data, shortest_side)
    except MemoryError:
        # Its size was checked, so it is we who are short. (While it was opened, MemoryError would
        # have meant an invented size.)
        raise Overloaded(
            f"There is no memory to decode {name[0].lower()}{name[1:]} now. Try again later.",
            retry_after_s=2,
        ) from None
    if image.width * image.height > max_pixels:
        raise ImageTooLarge(f"{name} grew past {max_pixels:,} pixels while being decoded.")
    try:
        image = ImageOps.exif_transpose(image)
    except Exception:
        # The pixels are whole; a broken EXIF block is no reason to refuse them.
        image.info.pop("exif", None)
    enough = 2 * shortest_side if shortest_side else None
    return to_rgb(image, opened.scale, opened.profile, enough)


def _load(image: Image.Image, data: bytes, shortest_side: int | None) -> Image.Image:
    """A picture as it was opened → with its pixels."""
    if image.format not in ("JPEG", "MPO"):
        image.load()
        if image.format == "PNG" and png.lacks_rows(image, data):
            raise OSError("rows are missing")
        return image

    def load(data: bytes) -> Image.Image:
        again = open_as(data, "JPEG")
        _reduce(again, shortest_side)
        again.load()
        return again

    _reduce(image, shortest_side)
    try:
        image.load()
        cut = jpeg.looks_cut(image) and jpeg.lacks_rows(data, load)
    except OSError:
        # It has no end. If that is all it lacks, it is the picture that was meant.
        cut = jpeg.lacks_rows(data, load)
        image = load(data + jpeg.END)
    if cut:
        raise OSError("rows are missing")
    return image


def _reduce(image: Image.Image, shortest_side: int | None) -> None:
    """Have a large JPEG decoded at a fraction of its size."""
    if not shortest_side:
        return
    # libjpeg scales by 1/2, 1/4 or 1/8 while decoding. Twice the encoder's side is kept, so
    # that the final bicubic step still decides what the pixels look like; halving may go
    # further, since it moves pixels by less than 1/255 on average (1/8 moves them by 5).
    half, least = min(image.size) // 2, 2 * shortest_side
    if HALVED_SIDES * shortest_side <= half < least:
        least = half
    image.draft("RGB", (least, least))


def to_pixels(image: Image.Image, preprocessing: Preprocessing) -> Pixels:
    """RGB image of any size → (S, S, 3) uint8, S = `preprocessing.size`.

    Shortest edge to S (bicubic, antialiased), then the centre S × S: the resize and crop of
    github.com/openai/CLIP `_transform`, which transformers' processor repeats; the longer edge is
    truncated to an integer as there. Equal to transformers within 1/255 on average.
    """
    size = preprocessing.size
    width, height = image.size
    # A strip 20,000 pixels long and 2 high would be resized to a huge one: cut its middle first.
    longest = 16 * min(width, height)
    if max(width, height) > longest:
        left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
        image = image.crop((left, top, min(width, left + longest), min(height, top + longest)))
        width, height = image.size
    if width <= height:
        resized = (size, max(size, int(size * height / width)))
    else:
        resized = (max(size, int(size * width / height)), size)
    if resized != image.size:
        image = image.resize(resized, Image.Resampling.BICUBIC)
    left, top = (resized[0] - size) // 2, (resized[1] - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.uint8)


def thumbnail(image: Image.Image, side: int, quality: int) -> bytes:
    """RGB image → WebP bytes, its longer edge at most `side` pixels, `quality` 0–100."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _looks_like(data: bytes) -> str:
    head = data[:64].lstrip()
    for offset, magic, words in _LOOKALIKES:
        if (head if offset == 0 else data)[offset : offset + len(magic)] == magic:
            return f" ({words})"
    return ""
