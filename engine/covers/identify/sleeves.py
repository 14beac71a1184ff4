"""A photo → outlines of the sleeve it shows, by a small network.

    photo, 96 × 96 ─convolutions→ 12 × 12 cells × 4 angles → the likeliest, and its corners

Lines (`identify.outlines`) are exact, and lost where a hand lies over two sides, in a blur, or
among the bricks of a wall. The network is less exact, which the proof makes good, and is lost
elsewhere. It knows no cover: what it learned on the covers that `training/sleeves.py` photographs
holds for others. A cell answers for a sleeve whose middle lies in it, an angle for one turned about
so far.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.covers.identify import network
from engine.covers.identify.network import Floats
from engine.covers.identify.outlines import Quads, is_plausible, shift
from engine.covers.image import Pixels

SIDE, CELLS, BINS = 96, 12, 4
WEIGHTS = Path(__file__).with_name("sleeves.npz")
_PUSH, _SIZES, _TURN = 0.08, (0.88, 1.13), 0.1  # shares of the side; radians
_APART = 0.045  # shares of the side: corners nearer than this are the same outline


def find_sleeves(photo: Pixels, most: int = 2) -> Quads:
    """(H, W, 3) uint8 RGB → (N, 4, 2) float32 corners in pixels, clockwise, likeliest first; N is
    at most `most`, and may be 0. Corners may lie outside of the picture."""
    height, width = photo.shape[:2]
    small = cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    odds, corners = _answers(np.asarray(small, np.uint8))
    kept: list[Quads] = []
    for place in np.argsort(-odds, kind="stable")[: 8 * most].tolist():
        quad = np.asarray(corners[place] * np.array([width, height], np.float32))
        if not is_plausible(quad):
            continue
        near = _APART * float(np.sqrt(abs(cv2.contourArea(quad))))
        if not kept or shift(np.stack(kept), quad).min() > near:
            kept.append(quad)
        if len(kept) == most:
            break
    return np.stack(kept) if kept else np.zeros((0, 4, 2), np.float32)


def moved(quads: Quads) -> Quads:
    """(N, 4, 2) → (9 · N, 4, 2): each where it is, pushed each way, shrunk, grown and turned a
    little. Found corners are off by a tenth of the side, which a layout code hardly bears: one of
    these is nearer."""
    middles = quads.mean(1, keepdims=True)
    about = quads - middles
    right = (about[:, 1] - about[:, 0] + about[:, 2] - about[:, 3])[:, None] / 2
    down = (about[:, 3] - about[:, 0] + about[:, 2] - about[:, 1])[:, None] / 2
    pushed = [quads + way * push for way in (right, down) for push in (-_PUSH, _PUSH)]
    sized = [middles + about * size for size in _SIZES]
    turned = [middles + about @ _turn(angle) for angle in (-_TURN, _TURN)]
    return np.concatenate([quads, *pushed, *sized, *turned]).astype(np.float32)


def _turn(angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]], np.float32)


def _answers(photo: Pixels) -> tuple[Floats, Floats]:
    """(96, 96, 3) → log-odds of the 576 places and the corners each has, (576, 4, 2), as shares of
    width and height."""
    net = network.read(WEIGHTS)
    x: Floats = photo.astype(np.float32) / np.float32(64) - np.float32(2)
    for name in "abc":
        x = network.convolved(x, net, name, every=2)
    x = x + network.convolved(x, net, "d")
    y = network.convolved(x, net, "e", every=2)
    y = y + network.convolved(y, net, "f")
    y = y + network.convolved(y, net, "g")
    wide = network.linear(y, net, "down").repeat(2, 0).repeat(2, 1)
    x = x + wide + network.linear(np.asarray(y.mean((0, 1))), net, "whole")
    x = x + network.convolved(x, net, "h")
    made = network.linear(x, net, "out").reshape(-1, 9)
    middles = (np.indices((CELLS, CELLS))[::-1] + 0.5) / CELLS
    about = np.repeat(middles.reshape(2, -1).T, BINS, axis=0)
    return made[:, 0], np.asarray(made[:, 1:].reshape(-1, 4, 2) + about[:, None], np.float32)


def middle(quads: NDArray[Any]) -> NDArray[Any]:
    """(N, 4, 2) → (N, 2): where the diagonals cross."""
    one, two = quads[:, 2] - quads[:, 0], quads[:, 3] - quads[:, 1]
    across = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]
    between = quads[:, 1] - quads[:, 0]
    share = (between[:, 0] * two[:, 1] - between[:, 1] * two[:, 0]) / across
    return np.asarray(quads[:, 0] + share[:, None] * one)


def first_corner(quads: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """(N, 4, 2) clockwise → which corner is the first of the side that points most to the right,
    and by how many quarter turns it is turned from there, −0.5 to 0.5."""
    along = (quads[:, 1] - quads[:, 0]) + (quads[:, 2] - quads[:, 3])
    down = (quads[:, 3] - quads[:, 0]) + (quads[:, 2] - quads[:, 1])
    turn = np.arctan2(along[:, 1] - down[:, 0], along[:, 0] + down[:, 1]) / (np.pi / 2)
    whole = np.round(turn)
    return (-whole).astype(np.int64) % 4, turn - whole
