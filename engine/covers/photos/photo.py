"""A cover → a photo that a phone could have taken of it, and where the cover lies in that photo.

    cover ─place→ homography ─warp→ frame ─occlude→ ─light→ ─lens→ ─sensor→ ─JPEG→ Photo

Used by training (at 128 px, about a millisecond a photo), by `engine evaluate` and by the
calibration of identify (at 640 px and more). Everything random comes from the generator passed
in, so a seed gives the same photo on every machine with the same OpenCV.

Lengths are shares of the frame's shorter side, so that a preset means the same at every size.
Backgrounds, stickers and hands come in two sets: what training sees and what only evaluation
sees (`held_out=True`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Range = tuple[float, float]

OFF: Final[Range] = (0.0, 0.0)
ASPECTS: Final = (3 / 4, 4 / 3, 1.0, 9 / 16)  # width / height, as phones frame
BACKGROUNDS: Final = {
    False: ("wood", "cloth", "wall", "screen", "shelf", "tiles"),
    True: ("planks", "carpet", "brick", "monitor", "racks", "marble"),
}
STICKERS: Final = {False: ("box", "disc", "strip", "torn"), True: ("star", "triangle")}
HANDS: Final = {False: ("fingers", "thumb", "arm"), True: ("palm",)}
# Lie over it only where training and calibration look: evaluation meets none of their like.
OVERLAYS: Final = ("corner", "drape", "leaves", "labels", "ring", "tape")

_TEXTURE_SIDE: Final = 512
_TEXTURE_VARIANTS: Final = 12
_UNIT: Final[Floats] = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)


@dataclass(frozen=True)
class Distortion:
    """What may happen to a cover. A pair is a uniform range of strength; (0, 0) is off.

    `chance` is the probability of each effect from `glare` down, drawn independently, so a photo
    with chance 1 has all of them. `upright` is the probability that the turn stays within 10°.
    """

    share: Range = (0.5, 0.5)  # of the frame's area that the cover fills, drawn log-uniform
    turn_deg: float = 0.0  # at most, either way
    upright: float = 0.0
    tilt_deg: Range = OFF  # between the cover's plane and the sensor's
    visible: Range = (1.0, 1.0)  # share of the cover inside the frame
    chance: float = 1.0
    glare: Range = OFF  # 1 burns out the middle of the highlight
    shadow: Range = OFF  # 1 is black
    defocus: Range = OFF  # sigma, shares of the shorter side
    motion: Range = OFF  # length, shares of the shorter side
    colour: Range = OFF  # 1: gains of 0.65–1.45 a channel, exposure ±1 stop
    noise: Range = OFF  # standard deviation in grey levels at 720 px
    occlusion: Range = OFF  # share of the cover hidden by a hand or a sticker
    jpeg: Range = OFF  # quality
    backgrounds: tuple[str, ...] = ()  # empty: any of the set
    aspects: tuple[float, ...] = ASPECTS
    frame: bool = True  # False: the cover's own pixels, no camera
    scale: float = 1.0  # without a camera: resized by this before the JPEG


_TABLE: Final = ("wood", "cloth", "tiles", "planks", "carpet", "marble")
_ALONE: Final = Distortion()
PRESETS: Final[dict[str, Distortion]] = {
    "clean": Distortion(frame=False),
    "reencode": Distortion(frame=False, scale=0.5, jpeg=(40, 40)),
    "mild": Distortion(
        share=(1 / 3, 0.9),
        turn_deg=10,
        tilt_deg=(0, 15),
        chance=0.5,
        glare=(0, 0.3),
        shadow=(0, 0.3),
        defocus=(0, 0.003),
        colour=(0, 0.4),
        noise=(0, 6),
        jpeg=(60, 95),
    ),
    "table": replace(_ALONE, backgrounds=_TABLE),
    "wall": replace(_ALONE, backgrounds=("wall", "brick")),
    "screen": replace(_ALONE, backgrounds=("screen", "monitor")),
    "shelf": replace(_ALONE, backgrounds=("shelf", "racks")),
    "small": replace(_ALONE, share=(0.15, 0.3)),
    "rotation": replace(_ALONE, turn_deg=180),
    "perspective": replace(_ALONE, tilt_deg=(25, 50)),
    "crop": replace(_ALONE, visible=(0.6, 0.9)),
    "glare": replace(_ALONE, glare=(0.4, 1)),
    "shadow": replace(_ALONE, shadow=(0.4, 0.8)),
    "blur": replace(_ALONE, defocus=(0.006, 0.016)),
    "motion": replace(_ALONE, motion=(0.02, 0.06)),
    "noise": replace(_ALONE, noise=(15, 45)),
    "jpeg": replace(_ALONE, jpeg=(8, 30)),
    "colour": replace(_ALONE, colour=(0.5, 1)),
    "occlusion": replace(_ALONE, occlusion=(0.15, 0.25)),
    "mixed": Distortion(
        share=(0.15, 1),
        turn_deg=180,
        upright=0.5,
        tilt_deg=(0, 40),
        chance=0.5,
        glare=(0, 0.9),
        shadow=(0, 0.7),
        defocus=(0, 0.012),
        motion=(0, 0.04),
        colour=(0, 1),
        noise=(0, 35),
        occlusion=(0, 0.25),
        jpeg=(15, 95),
    ),
}


@dataclass(frozen=True)
class Photo:
    """`image`: (H, W, 3) uint8 RGB. `quad`: (4, 2) float32, pixels, clockwise from the cover's
    own top left; a corner may lie outside of the picture when the frame cuts the cover."""

    image: Image
    quad: Floats


def simulate_photo(
    cover: Image,
    rng: np.random.Generator,
    distortion: Distortion | str = "mixed",
    *,
    size: int = 720,
    held_out: bool = False,
) -> Photo:
    """(H, W, 3) uint8 RGB cover → a photo whose shorter side is `size` pixels.

    The cover is taken as square, as sleeves are; `held_out` draws backgrounds, stickers and hands
    from the set that training never sees.
    """
    how = PRESETS[distortion] if isinstance(distortion, str) else distortion
    if not how.frame:
        return _without_camera(cover, how, rng)

    corners = _seen_square(rng, how)
    share = math.exp(rng.uniform(math.log(how.share[0]), math.log(how.share[1])))
    width, height = _frame_for(corners, share, size, how, rng)
    quad = _place(corners, share, width, height, how, rng)

    kinds = how.backgrounds or BACKGROUNDS[held_out]
    kinds = tuple(kind for kind in kinds if kind in BACKGROUNDS[held_out])
    kind = kinds[int(rng.integers(len(kinds)))]
    frame = background(kind, width, height, rng)
    lit_screen = kind in ("screen", "monitor")
    frame = _lay_on(frame, cover, quad, shadowed=not lit_screen)

    def on(effect: Range) -> float:
        """This effect's strength in this photo; 0 when it is off."""
        if effect == OFF or rng.random() > how.chance:
            return 0.0
        return float(rng.uniform(*effect))

    if lit_screen:
        frame = _scanlines(frame, rng)
    if (hidden := on(how.occlusion)) > 0:
        _occlude(frame, quad, hidden, rng, held_out=held_out)
    frame = _light(frame, quad, on(how.glare), on(how.shadow), on(how.colour), rng)
    frame = _lens(frame, on(how.defocus) * size, on(how.motion) * size, rng)
    if (sigma := on(how.noise)) > 0:
        frame = _sensor_noise(frame, sigma, size, rng)
    if (quality := on(how.jpeg)) > 0:
        frame = _through_jpeg(frame, quality)
    return Photo(frame, quad)


def _without_camera(cover: Image, how: Distortion, rng: np.random.Generator) -> Photo:
    image: Any = cover
    if how.scale != 1:
        height, width = cover.shape[:2]
        smaller = (max(1, round(width * how.scale)), max(1, round(height * how.scale)))
        image = cv2.resize(cover, smaller, interpolation=cv2.INTER_AREA)
    if how.jpeg != OFF:
        image = _through_jpeg(image, float(rng.uniform(*how.jpeg)))
    height, width = image.shape[:2]
    return Photo(image, _UNIT * np.array([width, height], np.float32))


# --- where the cover lies -------------------------------------------------------------------


def _seen_square(rng: np.random.Generator, how: Distortion) -> Floats:
    """(4, 2) float32: a unit square turned, tilted and seen through a pinhole, about (0, 0)."""
    limit = 10.0 if rng.random() < how.upright else how.turn_deg
    turn = math.radians(rng.uniform(-limit, limit)) if limit else 0.0
    tilt = math.radians(rng.uniform(*how.tilt_deg)) if how.tilt_deg != OFF else 0.0
    axis = rng.uniform(0, 2 * math.pi)
    square = _UNIT - 0.5
    square = square @ np.array(
        [[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]], np.float32
    )
    along = np.array([math.cos(axis), math.sin(axis)], np.float32)
    across = np.array([-along[1], along[0]], np.float32)
    u, v = square @ along, square @ across
    # A phone at arm's length sees a sleeve from about 1.6 to 3 sleeve widths.
    distance = rng.uniform(1.6, 3.0)
    depth = distance + v * math.sin(tilt)
    u, v = u * distance / depth, v * math.cos(tilt) * distance / depth
    seen = u[:, None] * along + v[:, None] * across
    seen = seen - (seen.min(0) + seen.max(0)) / 2
    return np.asarray(seen, np.float32)


def _frame_for(
    corners: Floats, share: float, size: int, how: Distortion, rng: np.random.Generator
) -> tuple[int, int]:
    """Width and height with `size` as the shorter: of the aspects, one that holds the cover."""
    extent = np.ptp(corners, axis=0) / math.sqrt(_area(corners))

    def holds(aspect: float) -> bool:
        width, height = math.sqrt(aspect / share), math.sqrt(1 / (aspect * share))
        return bool(extent[0] <= width and extent[1] <= height)

    fitting = [aspect for aspect in how.aspects if holds(aspect)]
    aspect = fitting[int(rng.integers(len(fitting)))] if fitting else 1.0
    if aspect < 1:
        return size, round(size / aspect)
    return round(size * aspect), size


def _place(
    corners: Floats,
    share: float,
    width: int,
    height: int,
    how: Distortion,
    rng: np.random.Generator,
) -> Floats:
    quad = corners * math.sqrt(share * width * height / _area(corners))
    room = np.maximum(np.array([width, height]) - np.ptp(quad, axis=0), 0) / 2
    # People aim: the cover's middle stays in the inner third of the room it has.
    jitter = rng.uniform(-0.35, 0.35, 2) * room
    quad = np.asarray(quad + np.array([width, height]) / 2 + jitter, np.float32)
    if how.visible == (1.0, 1.0):
        return quad
    visible = rng.uniform(*how.visible)
    angle = rng.uniform(0, 2 * math.pi)
    step = np.array([math.cos(angle), math.sin(angle)], np.float32)
    near, far = 0.0, 2.0 * max(width, height)
    for _ in range(24):
        middle = (near + far) / 2
        if visible_share(quad + step * middle, width, height) > visible:
            near = middle
        else:
            far = middle
    return np.asarray(quad + step * near, np.float32)


def visible_share(quad: Floats, width: int, height: int) -> float:
    """(4, 2) pixels → share of the quadrilateral's area inside the picture, 0–1."""
    frame = _UNIT * np.array([width, height], np.float32)
    inside, _ = cv2.intersectConvexConvex(quad.astype(np.float32), frame)
    return float(inside) / max(_area(quad), 1e-6)


def _area(quad: Floats) -> float:
    return float(cv2.contourArea(quad.astype(np.float32)))


def _lay_on(frame: Image, cover: Image, quad: Floats, *, shadowed: bool) -> Image:
    """`frame` with the cover's pixels inside `quad`, edges antialiased by a supersampled mask."""
    height, width = frame.shape[:2]
    cover = _shrunk_to(cover, max(1.0, math.sqrt(_area(quad))))
    side = np.array([cover.shape[1], cover.shape[0]], np.float32)
    # Pixel centres: the cover's outline is half a pixel outside of the outermost centres.
    warp = cv2.getPerspectiveTransform(_UNIT * side - 0.5, quad - 0.5)
    warped = cv2.warpPerspective(
        cover, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros((height, width), np.uint8)
    if shadowed:
        offset = np.array([0.01, 0.015], np.float32) * min(width, height)
        _fill(mask, quad + offset, 110)
        mask = cv2.blur(mask, (1 + int(min(width, height) * 0.03),) * 2)
        frame = cv2.convertScaleAbs(frame * (1 - mask[..., None] * np.float32(1 / 255)))
        mask[:] = 0
    _fill(mask, quad, 255)
    return _blend(frame, warped, mask)


def _shrunk_to(cover: Image, side: float) -> Image:
    """Area-averaged down when the photo shows it smaller: a bilinear warp alone would alias."""
    longest = max(cover.shape[:2])
    if longest <= 1.5 * side:
        return cover
    scale = 1.2 * side / longest
    new = (max(2, round(cover.shape[1] * scale)), max(2, round(cover.shape[0] * scale)))
    return np.asarray(cv2.resize(cover, new, interpolation=cv2.INTER_AREA), np.uint8)


def _fill(image: Image, points: Floats, colour: Any) -> None:
    fixed = np.round((points - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(image, [fixed], colour, lineType=cv2.LINE_AA, shift=4)


def _blend(below: Image, above: Image, mask: Image) -> Image:
    """Above where the mask is 255, below where it is 0."""
    weight = mask.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.blendLinear(above, below, weight, 1 - weight), np.uint8)


# --- what lies around it --------------------------------------------------------------------


def background(kind: str, width: int, height: int, rng: np.random.Generator) -> Image:
    """(height, width, 3) uint8 RGB: a piece of one of the textures named in `BACKGROUNDS`."""
    # A small photo is cut from the halved texture: enlarging less is most of its cost.
    halved = max(width, height) <= _TEXTURE_SIDE // 2
    texture = _texture(kind, int(rng.integers(_TEXTURE_VARIANTS)), halved)
    side = texture.shape[0]
    zoom = rng.uniform(0.45, 1.0)
    crop_w = max(8, int(side * zoom * min(1.0, width / height)))
    crop_h = max(8, int(side * zoom * min(1.0, height / width)))
    x = int(rng.integers(side - crop_w + 1))
    y = int(rng.integers(side - crop_h + 1))
    crop = texture[y : y + crop_h, x : x + crop_w]
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    small = crop_w > width
    crop = np.ascontiguousarray(crop)
    resized = cv2.resize(
        crop, (width, height), interpolation=cv2.INTER_AREA if small else cv2.INTER_LINEAR
    )
    tint = rng.uniform(0.75, 1.15, 3)
    return np.asarray(_gained(resized, tint, 0.0), np.uint8)


@cache
def _texture(kind: str, variant: int, halved: bool = False) -> Image:
    """(512, 512, 3) uint8 RGB, or half that; the same for the same name and number."""
    if halved:
        half = (_TEXTURE_SIDE // 2, _TEXTURE_SIDE // 2)
        whole = _texture(kind, variant)
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


def _any_colour(rng: np.random.Generator, low: int = 40, high: int = 225) -> Floats:
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
    tone, other = _any_colour(rng), _any_colour(rng)
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
    tone, other = _any_colour(rng), _any_colour(rng)
    pile = rng.normal(0, 0.16, (_TEXTURE_SIDE, _TEXTURE_SIDE, 1))
    y, x = np.indices((_TEXTURE_SIDE, _TEXTURE_SIDE)) / rng.uniform(14, 40)
    rhombs = (np.abs((x % 4) - 2) + np.abs((y % 4) - 2) < rng.uniform(0.8, 1.6))[..., None]
    return np.asarray(np.where(rhombs, other, tone) * (1 + pile), np.float32)


def _wall(rng: np.random.Generator) -> Floats:
    tone = _any_colour(rng, 120, 245) * 0.4 + rng.uniform(130, 245) * 0.6
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
        tone = _any_colour(rng, 0, 255) if high > 20 else np.float32(200 if dark else 70)
        image[y : y + high, x : x + wide] = tone
    return image


def _monitor(rng: np.random.Generator) -> Floats:
    """Windows with title bars over a gradient."""
    top, bottom = _any_colour(rng), _any_colour(rng)
    ramp = np.linspace(0, 1, _TEXTURE_SIDE, dtype=np.float32)[:, None, None]
    image = np.repeat(top * (1 - ramp) + bottom * ramp, _TEXTURE_SIDE, axis=1)
    for _ in range(int(rng.integers(3, 9))):
        x, y = rng.integers(0, _TEXTURE_SIDE - 60, 2)
        wide, high = rng.integers(80, 260, 2)
        image[y : y + high, x : x + wide] = rng.uniform(20, 245)
        image[y : y + 14, x : x + wide] = _any_colour(rng)
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
            image[y + lean : y + high - 10, x : x + wide - 1] = _any_colour(rng, 20, 240)
            x += wide
        image[y + high - 10 : y + high] = (90, 65, 45)
    return image


def _racks(rng: np.random.Generator) -> Floats:
    """Other things in a grid, face on: flat squares with a shape in each."""
    image = np.full((_TEXTURE_SIDE, _TEXTURE_SIDE, 3), rng.uniform(30, 220), np.float32)
    cell = int(rng.integers(70, 150))
    for y in range(0, _TEXTURE_SIDE, cell):
        for x in range(0, _TEXTURE_SIDE, cell):
            image[y + 4 : y + cell - 4, x + 4 : x + cell - 4] = _any_colour(rng, 10, 250)
            middle = (x + cell // 2, y + cell // 2)
            tone = tuple(float(value) for value in _any_colour(rng, 10, 250))
            cv2.circle(image, middle, int(rng.integers(cell // 8, cell // 3)), tone, -1)
    return image


def _tiles(rng: np.random.Generator) -> Floats:
    tone, other = _any_colour(rng, 90, 240), _any_colour(rng, 60, 240)
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


def _scanlines(frame: Image, rng: np.random.Generator) -> Image:
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


# --- what lies on it ------------------------------------------------------------------------


def _occlude(
    frame: Image, quad: Floats, share: float, rng: np.random.Generator, *, held_out: bool
) -> None:
    """Paint a sticker, a hand or something else over about `share` of the cover, in place."""
    warp = cv2.getPerspectiveTransform(_UNIT, quad)

    def on_frame(points: Sequence[Sequence[float]] | Floats) -> Floats:
        return np.asarray(
            cv2.perspectiveTransform(np.asarray(points, np.float32)[None], warp)[0], np.float32
        )

    if not held_out and rng.random() < 0.4:
        _overlay(frame, on_frame, share, rng, str(rng.choice(OVERLAYS)))
    elif rng.random() < 0.5:
        _sticker(frame, on_frame, share, rng, str(rng.choice(STICKERS[held_out])))
    else:
        _hand(frame, on_frame, share, rng, str(rng.choice(HANDS[held_out])))


def _sticker(
    frame: Image, on_frame: Any, share: float, rng: np.random.Generator, shape: str
) -> None:
    if shape == "box":
        wide = math.sqrt(share * rng.uniform(0.6, 1.7))
        outline = (_UNIT - 0.5) * np.array([wide, share / wide], np.float32)
    elif shape == "strip":  # a band from edge to edge
        outline = (_UNIT - 0.5) * np.array([1.1, share], np.float32)
    elif shape == "torn":
        angles = np.sort(rng.uniform(0, 2 * math.pi, 9))
        flat = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.5, 1.0, (9, 1))
        outline = flat * min(0.7, math.sqrt(share / max(0.2, _area(flat.astype(np.float32)))))
    elif shape == "triangle":
        angles = np.array([0, 2, 4]) * math.pi / 3
        outline = np.stack([np.cos(angles), np.sin(angles)], 1) * math.sqrt(share / 1.299)
    else:
        points = 40 if shape == "disc" else 16
        angles = np.arange(points) * 2 * math.pi / points
        radius = np.where(np.arange(points) % 2, 1.0, 1.0 if shape == "disc" else 0.6)
        flat = np.stack([np.cos(angles), np.sin(angles)], 1) * radius[:, None]
        outline = flat * math.sqrt(share / _area(flat.astype(np.float32)))
    spin = _spin(rng.uniform(-0.6, 0.6))
    reach = max(0.0, 0.5 - float(np.abs(outline).max()))
    middle = 0.5 + rng.uniform(-reach, reach, 2)
    tone = _any_colour(rng, 10, 250)
    _fill(frame, on_frame(outline @ spin + middle), tone.tolist())
    ink = (255 - tone).tolist() if rng.random() < 0.5 else (245, 245, 245)
    for row in np.linspace(-0.2, 0.2, int(rng.integers(1, 4))):
        bar = ((_UNIT - 0.5) * np.array([0.5, 0.09]) + np.array([0, row])) * math.sqrt(share)
        _fill(frame, on_frame(bar @ spin + middle), ink)


def _leaf(share: float, rng: np.random.Generator) -> NDArray[Any]:
    along = np.linspace(-1, 1, 12)
    wide = rng.uniform(0.3, 0.6) * np.cos(along * 1.5)
    flat = np.stack([np.r_[along, along[::-1]], np.r_[wide, -wide[::-1]]], 1)
    size = min(0.75, math.sqrt(share / _area(flat)))
    middle = rng.uniform(0.25, 0.75, 2)
    return np.asarray(flat * size @ _spin(rng.uniform(0, math.pi)) + middle)


def _spin(angle: float) -> NDArray[Any]:
    """(N, 2) @ this turns by an angle in radians."""
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])


def _overlay(
    frame: Image, on_frame: Any, share: float, rng: np.random.Generator, shape: str
) -> None:
    """What is no flat patch: other sleeves and cloths with patterns of their own, things that the
    cover shows through, and many small ones."""
    if shape == "labels":
        for _ in range(count := int(rng.integers(2, 6))):
            _sticker(frame, on_frame, share / count, rng, "box")
        return
    opacity = 255
    outlines: list[Any]
    if shape == "corner":  # of another sleeve
        long = math.sqrt(share * rng.uniform(0.5, 2))
        outlines = [(_UNIT - 1) * 1.3 @ _spin(rng.uniform(-0.25, 0.25)) + [long, share / long]]
    elif shape == "drape":
        along = np.linspace(-0.1, 1.1, 25)
        waves = rng.uniform(0, 0.06) * np.sin(along * rng.uniform(3, 15) + rng.uniform(0, 6))
        hem = np.stack([along, share + waves + rng.uniform(-0.15, 0.15) * (along - 0.5)], 1)
        outlines = [np.concatenate([hem, [[1.1, -0.1], [-0.1, -0.1]]])]
    elif shape == "leaves":
        count = int(rng.integers(1, 4))
        outlines = [_leaf(share / count, rng) for _ in range(count)]
    elif shape == "ring":  # of a cup
        angles = np.linspace(0, 2 * math.pi, 40)
        circle = np.stack([np.cos(angles), np.sin(angles)], 1)
        radius = rng.uniform(0.2, 0.4)
        wide = min(0.9 * radius, share / (2 * math.pi * radius))
        middle = rng.uniform(0.3, 0.7, 2)
        outlines = [np.concatenate([circle * radius, circle[::-1] * (radius - wide)]) + middle]
        opacity = int(rng.integers(90, 200))
    else:  # strips of tape
        opacity = int(rng.integers(60, 180))
        outlines = [
            (_UNIT - 0.5) * [1.2, share / 2] @ _spin(rng.uniform(0, math.pi)) + middle
            for middle in rng.uniform(0.2, 0.8, (2, 2))
        ]
    quarter = _spin(int(rng.integers(4)) * math.pi / 2)
    height, width = frame.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for outline in outlines:
        _fill(mask, on_frame((outline - 0.5) @ quarter + 0.5), opacity)
    cloth = background(str(rng.choice(BACKGROUNDS[False])), width, height, rng)
    frame[:] = _blend(frame, cloth, mask)


def _hand(frame: Image, on_frame: Any, share: float, rng: np.random.Generator, shape: str) -> None:
    skin = np.array([[235, 195, 165], [205, 150, 115], [150, 100, 70], [95, 62, 45]], np.float32)
    tone = skin[rng.integers(4)] * rng.uniform(0.85, 1.08)
    side = rng.integers(4)
    from_edge = rng.uniform(0.15, 0.85)

    def turned(points: Any) -> Floats:
        """From 'comes in over the bottom edge' to the side this hand comes from."""
        around = np.asarray(points, np.float32) - 0.5
        for _ in range(int(side)):
            around = np.stack([-around[:, 1], around[:, 0]], 1)
        return np.asarray(on_frame(around + 0.5), np.float32)

    def finger(x: float, length: float, radius: float, lean: float) -> None:
        tip = np.linspace(math.pi, 2 * math.pi, 12)
        arc = np.stack([x + lean + radius * np.cos(tip), 1 - length + radius * np.sin(tip)], 1)
        root = np.array([[x + radius * 1.15, 1.2], [x - radius * 1.15, 1.2]])
        outline = np.concatenate([arc, root])
        _fill(frame, turned(outline), (tone * 0.72).tolist())
        inner = (outline - [x, 0]) * [0.84, 1] + [x, 0.012]
        _fill(frame, turned(inner), tone.tolist())

    if shape == "fingers":
        radius = 0.045 + 0.12 * share
        length = min(0.6, share / (4 * 2 * radius))
        for k in range(4):
            bend = (1.0, 1.18, 1.12, 0.8)[k]
            finger(from_edge + (k - 1.5) * radius * 2.1, length * bend, radius, 0.0)
    elif shape == "thumb":
        radius = 0.06 + 0.25 * share
        finger(from_edge, min(0.7, share / (2 * radius)), radius, rng.uniform(-0.1, 0.1))
    elif shape == "arm":  # bare, or in a sleeve of any colour
        if rng.random() < 0.5:
            tone = _any_colour(rng, 10, 250)
        length = rng.uniform(0.4, 0.9)
        finger(from_edge, length, share / (2 * length), rng.uniform(-0.2, 0.2))
    else:
        radius = math.sqrt(share / 2.2)
        angles = np.linspace(0, 2 * math.pi, 24)
        middle = [from_edge, 1 - radius * 0.5]
        palm = np.stack([np.cos(angles), 1.1 * np.sin(angles)], 1) * radius + middle
        for k in range(4):
            finger(from_edge + (k - 1.5) * radius * 0.5, radius * 1.9, radius * 0.2, 0.0)
        _fill(frame, turned(palm), tone.tolist())


# --- light, lens, sensor, file --------------------------------------------------------------


def _gained(image: Any, gains: Any, lift: float) -> Any:
    table = np.arange(256, dtype=np.float32)[:, None] * np.asarray(gains, np.float32) + lift
    return cv2.LUT(np.ascontiguousarray(image), np.clip(table, 0, 255).astype(np.uint8)[None])


def _light(
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
        frame = _gained(frame, np.clip(gains * exposure, 0.65, 1.45) * contrast, lift)
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


def _lens(frame: Image, sigma: float, length: float, rng: np.random.Generator) -> Image:
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


def _sensor_noise(frame: Image, sigma: float, size: int, rng: np.random.Generator) -> Image:
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


def _through_jpeg(image: Image, quality: float) -> Image:
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    )
    if not ok:
        raise RuntimeError(f"OpenCV could not write a JPEG of {image.shape}.")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
