"""What lies over a sleeve: stickers, hands, leaves, shadows of things."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.covers.photos.drawing import UNIT, Floats, Image, area, blend, fill
from engine.covers.photos.surroundings import BACKGROUNDS, any_colour, background

STICKERS: Final = {False: ("box", "disc", "strip", "torn"), True: ("star", "triangle")}
HANDS: Final = {False: ("fingers", "thumb", "arm"), True: ("palm",)}
# Lie over it only where training and calibration look: evaluation meets none of their like.
OVERLAYS: Final = ("corner", "drape", "leaves", "labels", "ring", "tape")


def occlude(
    frame: Image, quad: Floats, share: float, rng: np.random.Generator, *, held_out: bool
) -> None:
    """Paint a sticker, a hand or something else over about `share` of the cover, in place."""
    warp = cv2.getPerspectiveTransform(UNIT, quad)

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
        outline = (UNIT - 0.5) * np.array([wide, share / wide], np.float32)
    elif shape == "strip":  # a band from edge to edge
        outline = (UNIT - 0.5) * np.array([1.1, share], np.float32)
    elif shape == "torn":
        angles = np.sort(rng.uniform(0, 2 * math.pi, 9))
        flat = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.5, 1.0, (9, 1))
        outline = flat * min(0.7, math.sqrt(share / max(0.2, area(flat.astype(np.float32)))))
    elif shape == "triangle":
        angles = np.array([0, 2, 4]) * math.pi / 3
        outline = np.stack([np.cos(angles), np.sin(angles)], 1) * math.sqrt(share / 1.299)
    else:
        points = 40 if shape == "disc" else 16
        angles = np.arange(points) * 2 * math.pi / points
        radius = np.where(np.arange(points) % 2, 1.0, 1.0 if shape == "disc" else 0.6)
        flat = np.stack([np.cos(angles), np.sin(angles)], 1) * radius[:, None]
        outline = flat * math.sqrt(share / area(flat.astype(np.float32)))
    spin = _spin(rng.uniform(-0.6, 0.6))
    reach = max(0.0, 0.5 - float(np.abs(outline).max()))
    middle = 0.5 + rng.uniform(-reach, reach, 2)
    tone = any_colour(rng, 10, 250)
    fill(frame, on_frame(outline @ spin + middle), tone.tolist())
    ink = (255 - tone).tolist() if rng.random() < 0.5 else (245, 245, 245)
    for row in np.linspace(-0.2, 0.2, int(rng.integers(1, 4))):
        bar = ((UNIT - 0.5) * np.array([0.5, 0.09]) + np.array([0, row])) * math.sqrt(share)
        fill(frame, on_frame(bar @ spin + middle), ink)


def _leaf(share: float, rng: np.random.Generator) -> NDArray[Any]:
    along = np.linspace(-1, 1, 12)
    wide = rng.uniform(0.3, 0.6) * np.cos(along * 1.5)
    flat = np.stack([np.r_[along, along[::-1]], np.r_[wide, -wide[::-1]]], 1)
    size = min(0.75, math.sqrt(share / area(flat)))
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
        outlines = [(UNIT - 1) * 1.3 @ _spin(rng.uniform(-0.25, 0.25)) + [long, share / long]]
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
            (UNIT - 0.5) * [1.2, share / 2] @ _spin(rng.uniform(0, math.pi)) + middle
            for middle in rng.uniform(0.2, 0.8, (2, 2))
        ]
    quarter = _spin(int(rng.integers(4)) * math.pi / 2)
    height, width = frame.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for outline in outlines:
        fill(mask, on_frame((outline - 0.5) @ quarter + 0.5), opacity)
    cloth = background(str(rng.choice(BACKGROUNDS[False])), width, height, rng)
    frame[:] = blend(frame, cloth, mask)


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
        fill(frame, turned(outline), (tone * 0.72).tolist())
        inner = (outline - [x, 0]) * [0.84, 1] + [x, 0.012]
        fill(frame, turned(inner), tone.tolist())

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
            tone = any_colour(rng, 10, 250)
        length = rng.uniform(0.4, 0.9)
        finger(from_edge, length, share / (2 * length), rng.uniform(-0.2, 0.2))
    else:
        radius = math.sqrt(share / 2.2)
        angles = np.linspace(0, 2 * math.pi, 24)
        middle = [from_edge, 1 - radius * 0.5]
        palm = np.stack([np.cos(angles), 1.1 * np.sin(angles)], 1) * radius + middle
        for k in range(4):
            finger(from_edge + (k - 1.5) * radius * 0.5, radius * 1.9, radius * 0.2, 0.0)
        fill(frame, turned(palm), tone.tolist())
