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
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np

from engine.covers.photos.camera import lens, light, scanlines, sensor_noise, through_jpeg
from engine.covers.photos.coverings import occlude
from engine.covers.photos.drawing import UNIT, Floats, Image, Range, area, blend, fill
from engine.covers.photos.surroundings import BACKGROUNDS, background

OFF: Final[Range] = (0.0, 0.0)
ASPECTS: Final = (3 / 4, 4 / 3, 1.0, 9 / 16)  # width / height, as phones frame


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
    mirrored: bool = False  # as a front camera keeps it


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
    """`image`: (H, W, 3) uint8 RGB. `quad`: (4, 2) float32, pixels, from the cover's own top left
    on, clockwise unless it is mirrored; a corner may lie outside of the picture when the frame cuts
    the cover."""

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
        frame = scanlines(frame, rng)
    if (hidden := on(how.occlusion)) > 0:
        occlude(frame, quad, hidden, rng, held_out=held_out)
    frame = light(frame, quad, on(how.glare), on(how.shadow), on(how.colour), rng)
    frame = lens(frame, on(how.defocus) * size, on(how.motion) * size, rng)
    if (sigma := on(how.noise)) > 0:
        frame = sensor_noise(frame, sigma, size, rng)
    if (quality := on(how.jpeg)) > 0:
        frame = through_jpeg(frame, quality)
    if how.mirrored:
        frame = np.ascontiguousarray(frame[:, ::-1])
        quad = np.array([width, 0], np.float32) + quad * np.array([-1, 1], np.float32)
    return Photo(frame, quad)


def _without_camera(cover: Image, how: Distortion, rng: np.random.Generator) -> Photo:
    image: Any = cover
    if how.scale != 1:
        height, width = cover.shape[:2]
        smaller = (max(1, round(width * how.scale)), max(1, round(height * how.scale)))
        image = cv2.resize(cover, smaller, interpolation=cv2.INTER_AREA)
    if how.jpeg != OFF:
        image = through_jpeg(image, float(rng.uniform(*how.jpeg)))
    height, width = image.shape[:2]
    return Photo(image, UNIT * np.array([width, height], np.float32))


def _seen_square(rng: np.random.Generator, how: Distortion) -> Floats:
    """(4, 2) float32: a unit square turned, tilted and seen through a pinhole, about (0, 0)."""
    limit = 10.0 if rng.random() < how.upright else how.turn_deg
    turn = math.radians(rng.uniform(-limit, limit)) if limit else 0.0
    tilt = math.radians(rng.uniform(*how.tilt_deg)) if how.tilt_deg != OFF else 0.0
    axis = rng.uniform(0, 2 * math.pi)
    square = UNIT - 0.5
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
    extent = np.ptp(corners, axis=0) / math.sqrt(area(corners))

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
    quad = corners * math.sqrt(share * width * height / area(corners))
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
    frame = UNIT * np.array([width, height], np.float32)
    inside, _ = cv2.intersectConvexConvex(quad.astype(np.float32), frame)
    return float(inside) / max(area(quad), 1e-6)


def _lay_on(frame: Image, cover: Image, quad: Floats, *, shadowed: bool) -> Image:
    """`frame` with the cover's pixels inside `quad`, edges antialiased by a supersampled mask."""
    height, width = frame.shape[:2]
    cover = _shrunk_to(cover, max(1.0, math.sqrt(area(quad))))
    side = np.array([cover.shape[1], cover.shape[0]], np.float32)
    # Pixel centres: the cover's outline is half a pixel outside of the outermost centres.
    warp = cv2.getPerspectiveTransform(UNIT * side - 0.5, quad - 0.5)
    warped = cv2.warpPerspective(
        cover, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    mask = np.zeros((height, width), np.uint8)
    if shadowed:
        offset = np.array([0.01, 0.015], np.float32) * min(width, height)
        fill(mask, quad + offset, 110)
        mask = cv2.blur(mask, (1 + int(min(width, height) * 0.03),) * 2)
        frame = cv2.convertScaleAbs(frame * (1 - mask[..., None] * np.float32(1 / 255)))
        mask[:] = 0
    fill(mask, quad, 255)
    return blend(frame, warped, mask)


def _shrunk_to(cover: Image, side: float) -> Image:
    """Area-averaged down when the photo shows it smaller: a bilinear warp alone would alias."""
    longest = max(cover.shape[:2])
    if longest <= 1.5 * side:
        return cover
    scale = 1.2 * side / longest
    new = (max(2, round(cover.shape[1] * scale)), max(2, round(cover.shape[0] * scale)))
    return np.asarray(cv2.resize(cover, new, interpolation=cv2.INTER_AREA), np.uint8)
