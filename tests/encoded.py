"""Pictures drawn on the spot, and encoded in every format that is promised."""

from __future__ import annotations

import io
from typing import Any

import pillow_heif
from PIL import Image


def quarters(width: int = 64, height: int = 48) -> Image.Image:
    """Red, green over blue, white: which corner is where can be seen after any rotation."""
    image = Image.new("RGB", (width, height), (255, 255, 255))
    image.paste((255, 0, 0), (0, 0, width // 2, height // 2))
    image.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    image.paste((0, 0, 255), (0, height // 2, width // 2, height))
    return image


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def heic(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=95, **options)
    return buffer.getvalue()


ENCODED = {
    "JPEG": saved(quarters(), "JPEG", quality=95, subsampling=0),
    "progressive JPEG": saved(quarters(), "JPEG", quality=95, subsampling=0, progressive=True),
    "MPO": saved(
        quarters(), "MPO", quality=95, subsampling=0, save_all=True, append_images=[quarters()]
    ),
    "PNG": saved(quarters(), "PNG"),
    "WebP": saved(quarters(), "WEBP", quality=95),
    "lossless WebP": saved(quarters(), "WEBP", lossless=True),
    "GIF": saved(quarters(), "GIF"),
    "BMP": saved(quarters(), "BMP"),
    "TIFF": saved(quarters(), "TIFF"),
    "LZW TIFF": saved(quarters(), "TIFF", compression="tiff_lzw"),
    "BigTIFF": saved(quarters(), "TIFF", big_tiff=True),
    "HEIC": heic(quarters()),
    "AVIF": saved(quarters(), "AVIF", quality=95, subsampling="4:4:4"),
}
