"""What lies around and behind a sleeve: drawn, never photographed."""

from __future__ import annotations

from functools import cache
from typing import Final

import cv2
import numpy as np

from engine.covers.photos.drawing import Floats, Image, gained

BACKGROUNDS: Final = {
    False: ("wood", "cloth", "wall", "screen", "shelf", "tiles"),
    True: ("planks", "carpet", "brick", "monitor", "racks", "marble"),
}
_TEXTURE_SIDE: Final = 512
_TEXTURE_VARIANTS: Final = 12


def background(kind: str, width: int, height: int, rng: np.random.Generator) -> Image:
    """(height, width, 3) uint8 RGB: a piece of one of the textures named in `BACKGROUNDS`."""
    # A small photo is cut from the halved texture: enlarging less is most of its cost.
    halved = max(width, height) <= _TEXTURE_SIDE // 2
    whole = texture(kind, int(rng.integers(_TEXTURE_VARIANTS)), halved)
    side = whole.shape[0]
    zoom = rng.uniform(0.45, 1.0)
    crop_w = max(8, int(side * zoom * min(1.0, width / height)))
    crop_h = max(8, int(side * zoom * min(1.0, height / width)))
    x = int(rng.integers(side - crop_w + 1))
    y = int(rng.integers(side - crop_h + 1))
    crop = whole[y : y + crop_h, x : x + crop_w]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    small = crop_w > width
    crop = np.ascontiguousarray(crop)
    resized = cv2.resize(
        crop, (width, height), interpolation=cv2.INTER_AREA if small else cv2.INTER_LINEAR
    )
    tint = rng.uniform(0.75, 1.15, 3)
    return np.asarray(gained(resized, tint, 0.0), np.uint8)


@cache
def texture(kind: str, variant: int, halved: bool = False) -> Image:
    """(512, 512, 3) uint8 RGB, or half that; the same for the same name and number."""
    if halved:
        half = (_TEXTURE_SIDE // 2, _TEXTURE_SIDE // 2)
        whole = texture(kind, variant)
        return np.asarray(cv2.resize(whole, half, interpolation=cv2.INTER_AREA), np.uint8)
    names = BACKGROUNDS[False] + BACKGROUNDS[True]
    rng = np.random.default_rng([2, names.index(kind), variant])
    draw = {
        "wood": _wood,
        "planks": _planks,
        "cloth": _cloth,
        "carpet": _carpet,
        "wall": _wall,
        "brick": _brick,
        "screen": _screen,
        "monitor": _monitor,
        "shelf": _shelf,
        "racks": _racks,
        "tiles": _tiles,
        "marble": _marble,
    }[kind]
    return np.ascontiguousarray(np.clip(draw(rng), 0, 255).astype(np.uint8))


def _noise(rng: np.random.Generator, rows: int, columns: int) -> Floats:
    """(512, 512) float32, -1 to 1: random values on a grid, smoothly enlarged."""
    grid = rng.uniform(-1, 1, (rows, columns)).astype(np.float32)
    size = (_TEXTURE_SIDE, _TEXTURE_SIDE)
    return np.asarray(cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _clouds(rng: np.random.Generator) -> Floats:
    octaves = [_noise(rng, 2**k + 2, 2**k + 2) / 2 ** (k - 1) for k in range(1, 7)]
    return np.asarray(sum(octaves[1:], octaves[0]), np.float32)


def any_colour(rng: np.random.Generator, low: int = 40, high: int = 225) -> Floats:
    return rng.uniform(low, high, 3).astype(np.float32)


def _wood(rng: np.random.Generator) -> Floats:
    base = np.array([[150, 105, 65], [95, 62, 38], [190, 155, 110], [60, 45, 35]])
    tone = base[rng.integers(len(base))] * rng.uniform(0.85, 1.1)
    grain = _noise(rng, 120, 3) * 0.12 + _noise(rng, 40, 4) * 0.12 + _noise(rng, 300, 6) * 0.06
    if rng.random() < 0.5:
        grain = grain.T
    return np.asarray(tone * (1 + grain[..., None]), np.float32)


def _planks(rng: np.random.Generator) -> Floats:
    image = _wood(rng)
    edges = np.sort(rng.integers(0, _TEXTURE_SIDE, 6))
    for start, end in zip([0, *edges], [*edges, _TEXTURE_SIDE], strict=True):
        image[start:end] *= rng.uniform(0.75, 1.15)
        image[max(0, start - 2) : start + 2] *= 0.4
    return image


def _cloth(rng: np.random.Generator) -> Floats:
    tone, other = any_colour(rng), any_colour(rng)
    weave = np.indices((_TEXTURE_SIDE, _TEXTURE_SIDE)).sum(0) % 4 / 4 - 0.4
    image = tone * (1 + 0.12 * weave[..., None] + 0.12 * _clouds(rng)[..., None])
    pattern = rng.integers(3)
    period = int(rng.integers(24, 90))
    along = np.arange(_TEXTURE_SIDE) % period < period * rng.uniform(0.2, 0.5)
    if pattern == 1:
        image[along] = image[along] * 0.4 + other * 0.6
    elif pattern == 2:
        image[along] = image[along] * 0.6 + other * 0.4
        image[:, along] = image[:, along] * 0.6 + other * 0.4
    return np.asarray(image, np.float32)


def _carpet(rng: np.random.Generator) -> Floats:
    tone, other = any_colour(rng), any_colour(rng)
    pile = rng.normal(0, 0.16, (_TEXTURE_SIDE, _TEXTURE_SIDE, 1))
    y, x = np.indices((_TEXTURE_SIDE, _TEXTURE_SIDE)) / rng.uniform(14, 40)
    rhombs = (np.abs((x % 4) - 2) + np.abs((y % 4) - 2) < rng.uniform(0.8, 1.6))[..., None]
    return np.asarray(np.where(rhombs, other, tone) * (1 + pile), np.float32)


def _wall(rng: np.random.Generator) -> Floats:
    tone = any_colour(rng, 120, 245) * 0.4 + rng.uniform(130, 245) * 0.6
    plaster = 0.06 * _clouds(rng) + rng.normal(0, 0.02, (_TEXTURE_SIDE, _TEXTURE_SIDE))
    slope = np.linspace(rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), _TEXTURE_SIDE)
    return np.asarray(tone * (1 + plaster[..., None] + slope[None, :, None]), np.float32)


def _brick(rng: np.random.Generator) -> Floats:
    tone = np.array([[160, 75, 55], [200, 190, 180], [120, 90, 80]])[rng.integers(3)]
    image = np.full((_TEXTURE_SIDE, _TEXTURE_SIDE, 3), rng.uniform(150, 210), np.float32)
    high, wide = int(rng.integers(22, 40)), int(rng.integers(60, 100))
    for row, y in enumerate(range(0, _TEXTURE_SIDE, high)):
        for x in range(-wide + (row % 2) * wide // 2, _TEXTURE_SIDE, wide):
            left = max(0, x + 2)
            image[y + 2 : y + high - 2, left : max(left, x + wide - 2)] = tone * rng.uniform(
                0.7, 1.2
            )
    return np.asarray(image * (1 + 0.08 * _clouds(rng)[..., None]), np.float32)


def _screen(rng: np.random.Generator) -> Floats:
    """A page in a browser: a plain ground with bars of text and a few boxes."""
    dark = rng.random() < 0.5
    image = np.full((_TEXTURE_SIDE, _TEXTURE_SIDE, 3), rng.uniform(10, 45), np.float32)
    if not dark:
        image += 200
    for _ in range(int(rng.integers(14, 40))):
        x, y = rng.integers(0, _TEXTURE_SIDE, 2)
        wide, high = int(rng.integers(20, 160)), int(rng.choice([4, 6, 8, 40, 90]))
        tone = any_colour(rng, 0, 255) if high > 20 else np.float32(200 if dark else 70)
        image[y : y + high, x : x + wide] = tone
    return image


def _monitor(rng: np.random.Generator) -> Floats:
    """Windows with title bars over a gradient."""
    top, bottom = any_colour(rng), any_colour(rng)
    ramp = np.linspace(0, 1, _TEXTURE_SIDE, dtype=np.float32)[:, None, None]
    image = np.repeat(top * (1 - ramp) + bottom * ramp, _TEXTURE_SIDE, axis=1)
    for _ in range(int(rng.integers(3, 9))):
        x, y = rng.integers(0, _TEXTURE_SIDE - 60, 2)
        wide, high = rng.integers(80, 260, 2)
        image[y : y + high, x : x + wide] = rng.uniform(20, 245)
        image[y : y + 14, x : x + wide] = any_colour(rng)
    return np.asarray(image, np.float32)


def _shelf(rng: np.random.Generator) -> Floats:
    """Rows of spines."""
    image = np.full((_TEXTURE_SIDE, _TEXTURE_SIDE, 3), 45, np.float32)
    high = int(rng.integers(110, 200))
    for y in range(0, _TEXTURE_SIDE, high):
        x = 0
        while x < _TEXTURE_SIDE:
            wide = int(rng.integers(6, 34))
            lean = int(rng.integers(0, high // 4))
            image[y + lean : y + high - 10, x : x + wide - 1] = any_colour(rng, 20, 240)
            x += wide
        image[y + high - 10 : y + high] = (90, 65, 45)
    return image


def _racks(rng: np.random.Generator) -> Floats:
    """Other things in a grid, face on: flat squares with a shape in each."""
    image = np.full((_TEXTURE_SIDE, _TEXTURE_SIDE, 3), rng.uniform(30, 220), np.float32)
    cell = int(rng.integers(70, 150))
    for y in range(0, _TEXTURE_SIDE, cell):
        for x in range(0, _TEXTURE_SIDE, cell):
            image[y + 4 : y + cell - 4, x + 4 : x + cell - 4] = any_colour(rng, 10, 250)
            middle = (x + cell // 2, y + cell // 2)
            tone = tuple(float(value) for value in any_colour(rng, 10, 250))
            cv2.circle(image, middle, int(rng.integers(cell // 8, cell // 3)), tone, -1)
    return image


def _tiles(rng: np.random.Generator) -> Floats:
    tone, other = any_colour(rng, 90, 240), any_colour(rng, 60, 240)
    side = int(rng.integers(40, 110))
    y, x = np.indices((_TEXTURE_SIDE, _TEXTURE_SIDE))
    checks = (((x // side) + (y // side)) % 2 == 0)[..., None]
    image = np.where(checks, tone, other if rng.random() < 0.5 else tone * 0.95)
    image[((x % side < 3) | (y % side < 3))] = rng.uniform(90, 200)
    return np.asarray(image * (1 + 0.06 * _clouds(rng)[..., None]), np.float32)


def _marble(rng: np.random.Generator) -> Floats:
    tone = np.array([[225, 222, 215], [60, 62, 66], [170, 150, 140]])[rng.integers(3)]
    veins = np.exp(-np.abs(np.sin(6 * _clouds(rng) + _noise(rng, 3, 3))) * 9)
    sign = -0.45 if tone[0] > 120 else 1.2
    return np.asarray(
        tone * (1 + sign * veins[..., None] + 0.05 * _clouds(rng)[..., None]), np.float32
    )
