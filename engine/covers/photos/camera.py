"""What light, lens, sensor and file format make of a scene."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.covers.photos.drawing import Floats, Image, gained


def scanlines(frame: Image, rng: np.random.Generator) -> Image:
    """The beat between a screen's rows and the sensor's: slow bands, weakly coloured."""
    height, width = frame.shape[:2]
    angle = rng.uniform(-0.4, 0.4) + (math.pi / 2 if rng.random() < 0.7 else 0)
    bands = rng.uniform(8, 45)
    x = np.linspace(0, width / min(width, height), width, dtype=np.float32)[None]
    y = np.linspace(0, height / min(width, height), height, dtype=np.float32)[:, None]
    phase = 2 * math.pi * bands * (x * math.cos(angle) + y * math.sin(angle))
    wave = cv2.merge([np.cos(phase), np.cos(phase + rng.uniform(0, 2)), np.cos(phase + 1)])
    depth = rng.uniform(0.03, 0.16)
    return np.asarray(cv2.convertScaleAbs(frame * (1 + depth * (wave - 0.3))), np.uint8)


def light(
    frame: Image,
    quad: Floats,
    glare: float,
    shadow: float,
    colour: float,
    rng: np.random.Generator,
) -> Image:
    """Highlights and shadows are drawn on a 48 px grid and enlarged: they are soft anyway."""
    height, width = frame.shape[:2]
    if colour > 0:
        gains = np.exp(rng.uniform(-1, 1, 3) * 0.22 * colour)
        exposure = 2 ** (rng.uniform(-1, 1) * colour * (0.9 if rng.random() < 0.5 else 0.5))
        contrast = 1 + rng.uniform(-0.3, 0.2) * colour
        lift = 127.5 * (1 - contrast) * rng.uniform(0.3, 1)
        frame = gained(frame, np.clip(gains * exposure, 0.65, 1.45) * contrast, lift)
    if glare == 0 and shadow == 0:
        return frame
    grid = 48
    y, x = np.indices((grid, grid), dtype=np.float32) / (grid - 1)
    out = frame.astype(np.float32)
    if shadow > 0:
        angle, offset = rng.uniform(0, 2 * math.pi), rng.uniform(-0.25, 0.25)
        edge = ((x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle) - offset) * rng.uniform(
            4, 40
        )
        dark = 1 - shadow / (1 + np.exp(-edge))
        if rng.random() < 0.4:
            cx, cy, r = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8), rng.uniform(0.15, 0.4)
            dark = 1 - shadow * np.exp(-((((x - cx) ** 2 + (y - cy) ** 2) / r**2) ** 2))
        out *= cv2.resize(dark, (width, height))[..., None]
    if glare > 0:
        weights = rng.dirichlet(np.ones(4))
        at = (weights[:, None] * quad).sum(0) / [width, height]
        angle = rng.uniform(0, math.pi)
        u = (x - at[0]) * math.cos(angle) + (y - at[1]) * math.sin(angle)
        v = -(x - at[0]) * math.sin(angle) + (y - at[1]) * math.cos(angle)
        long, short = rng.uniform(0.15, 0.8), rng.uniform(0.05, 0.2)
        spot = np.exp(-((u / long) ** 2) - (v / short) ** 2)
        out += (glare * 260) * cv2.resize(spot, (width, height))[..., None]
    return np.asarray(cv2.convertScaleAbs(out), np.uint8)


def lens(frame: Image, sigma: float, length: float, rng: np.random.Generator) -> Image:
    """`sigma` of the defocus and `length` of the motion in pixels."""
    out: Any = frame
    if sigma > 0.25:
        out = cv2.GaussianBlur(out, (0, 0), sigma)
    if length > 1:
        side = int(length) | 1
        kernel = np.zeros((side, side), np.float32)
        angle, half = rng.uniform(0, math.pi), (side - 1) / 2
        dx, dy = half * math.cos(angle), half * math.sin(angle)
        ends = [(round(half + s * dx), round(half + s * dy)) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1)
        out = cv2.filter2D(out, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    return np.asarray(out, np.uint8)


@lru_cache(maxsize=1)
def _grain() -> NDArray[np.float32]:
    """(1024, 1024, 3) float32 of unit deviation: cut from, because drawing it anew costs more
    than the whole rest of a small photo."""
    return np.random.default_rng(3).standard_normal((1024, 1024, 3), dtype=np.float32)


def sensor_noise(frame: Image, sigma: float, size: int, rng: np.random.Generator) -> Image:
    """Noise of `sigma` grey levels at 720 px. A smaller picture is an average of those pixels, so
    it carries less; a quarter is kept, since phones smooth their noise into blotches."""
    height, width = frame.shape[:2]
    grain = _grain()
    rows, columns = -(-height // 768), -(-width // 768)
    y, x = rng.integers(0, 256, 2)
    cut = grain[y : y + 768, x : x + 768]
    if rows > 1 or columns > 1:
        cut = np.tile(cut, (rows, columns, 1))
    level = sigma * min(1.0, max(0.25, size / 720))
    return np.asarray(
        cv2.convertScaleAbs(np.maximum(frame + level * cut[:height, :width], 0)), np.uint8
    )


def through_jpeg(image: Image, quality: float) -> Image:
    """Written at `quality`, 0–100, and read again."""
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    )
    if not ok:
        raise RuntimeError(f"OpenCV could not write a JPEG of {image.shape}.")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
