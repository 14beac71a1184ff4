"""Photo → outlines: where in a picture a record sleeve could lie.

    gradients ─Hough→ straight lines ─pairs of pairs→ quadrilaterals ─edge support→ the best few

A line is found by its whole length, so it survives blur, noise and a hand across it; a sleeve has
four. Nothing here knows any cover: wrong outlines cost a millisecond each and are weeded out by
`engine.covers.identify.layout` and `engine.covers.identify.proof`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.covers.image import Pixels

# (N, 4, 2) float32: corners in pixels, clockwise; a pixel's centre lies at its index + 0.5.
Quads = NDArray[np.float32]
Floats = NDArray[np.float32]

_ANGLES = 120  # Hough bins over 180°
_BIN = 2.0  # pixels a Hough bin of distance
# A side may run this share of the longer edge beyond the picture: a sleeve held too near.
_BEYOND = 0.2
# What a piece of a side outside of the picture counts as, where inside 1 is a perfect edge.
_UNSEEN = 0.4
_SMALLEST = 0.03  # of the picture's area
_NUMBERED = (np.arange(4) - np.arange(4)[:, None]) % 4  # from each of the four corners on
_THETA = np.arange(-1, _ANGLES + 2) * (np.pi / _ANGLES)  # the one before and the one after, too
_COSINES, _SINES = np.cos(_THETA), np.sin(_THETA)


@dataclass(frozen=True, slots=True)
class _Search:
    """`side`: shorter edge worked at, pixels. `faint`: votes a line needs, as a share of it."""

    side: int
    lines: int
    faint: float
    most: int


Effort = Literal["brief", "usual"]
_SEARCHES: dict[Effort, _Search] = {
    "brief": _Search(side=128, lines=20, faint=0.06, most=2),
    "usual": _Search(side=180, lines=28, faint=0.06, most=8),
}


def frames(photo: Pixels) -> Quads:
    """(H, W, 3) → (1 or 2, 4, 2) float32: the picture's own frame, and of a long one, such as a
    screenshot, the square in its middle."""
    height, width = photo.shape[:2]
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    if 0.8 < width / height < 1.25:
        return frame[None]
    half, middle = min(width, height) / 2, frame.mean(0)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    return np.stack([frame, middle + np.float32(half) * square])


def find_outlines(photo: Pixels, effort: Effort = "usual") -> Quads:
    """(H, W, 3) uint8 RGB → (N, 4, 2) float32, likeliest first.

    N is at most 8; 2 where the effort is `brief`.
    """
    return _find(photo, _SEARCHES[effort])


def _find(photo: Pixels, search: _Search) -> Quads:
    scale = min(1.0, search.side / min(photo.shape[:2]))
    image: Any = photo
    if scale < 1:
        image = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if min(image.shape[:2]) < 16:
        return np.zeros((0, 4, 2), np.float32)
    edges = _edges(image)
    lines = _lines(edges, search)
    quads = _quads(lines, edges, search.most)
    return np.asarray((quads + 0.5) / np.float32(scale), np.float32)


def _edges(image: Pixels) -> Floats:
    """(H, W, 3) uint8 → (H, W, 3) float32: xx, yy and xy of the colour structure tensor
    (Di Zenzo 1986), divided by what is usual around, so that a faint edge in a shadow counts like
    a strong one in the light. xx + yy lies in 0–1."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.2).astype(np.float32)
    smooth = 14 * np.sqrt(smooth + 1)  # evens out the noise of light and dark
    gx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    gy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    ones = np.ones((1, 3), np.float32)
    xx, yy, xy = (cv2.transform(part, ones) for part in (gx * gx, gy * gy, gx * gy))
    strength = xx + yy
    usual = 0.5 * cv2.blur(strength, (31, 31)) + 0.5 * float(np.median(strength)) + 2.0
    tensor = np.dstack([xx, yy, xy]) / (strength + usual)[..., None]
    return np.asarray(cv2.GaussianBlur(tensor, (0, 0), 0.8), np.float32)


def _lines(edges: Floats, search: _Search) -> Floats:
    """→ (N, 3) float32 rows (a, b, c): the line a·x + b·y = c, a² + b² = 1; most votes first.

    A Hough transform in which a pixel votes only for lines across its own gradient.
    """
    height, width = edges.shape[:2]
    xx, yy, xy = edges[..., 0], edges[..., 1], edges[..., 2]
    weight = np.sqrt((xx - yy) ** 2 + 4 * xy**2)  # strength × coherence
    ys, xs = np.nonzero(weight > 0.25)
    weights = weight[ys, xs]
    angle = (0.5 * np.arctan2(2 * xy[ys, xs], xx[ys, xs] - yy[ys, xs])) % np.pi
    diagonal = int(np.hypot(height, width)) + 2
    bins = int(2 * diagonal / _BIN)
    x, y = xs - width / 2, ys - height / 2
    votes = np.zeros(_ANGLES * bins)
    nearest = np.round(angle / np.pi * _ANGLES).astype(np.int64)
    for step in (-1, 0, 1):
        at = nearest + step
        rho = x * _COSINES[at + 1] + y * _SINES[at + 1]
        wrapped = at % _ANGLES
        rho = np.where(wrapped == at, rho, -rho)  # the line at θ + 180° has the opposite distance
        cell = np.clip(np.round((rho + diagonal) / _BIN).astype(np.int64), 0, bins - 1)
        votes += np.bincount(wrapped * bins + cell, weights, votes.size)
    table = cv2.GaussianBlur(votes.reshape(_ANGLES, bins).astype(np.float32), (3, 3), 0.7)
    around = np.concatenate([table[-4:, ::-1], table, table[:4, ::-1]])
    peak = cv2.dilate(around, np.ones((7, 5), np.uint8))[4:-4]
    at_theta, at_rho = np.nonzero((table == peak) & (table > search.faint * min(height, width)))
    best = np.argsort(-table[at_theta, at_rho], kind="stable")[: search.lines]
    theta = at_theta[best] * (np.pi / _ANGLES)
    rho = at_rho[best] * _BIN - diagonal
    a, b = np.cos(theta), np.sin(theta)
    return np.stack([a, b, rho + a * width / 2 + b * height / 2], axis=1).astype(np.float32)


def _quads(lines: Floats, edges: Floats, most: int) -> Quads:
    """All quadrilaterals of two pairs of opposite lines, scored by the edges along their sides."""
    none = np.zeros((0, 4, 2), np.float32)
    if len(lines) < 4:
        return none
    height, width = edges.shape[:2]
    support, reach = _support(lines, edges)
    normal_x, normal_y, offset = lines.T
    cross = normal_x[:, None] * normal_y - normal_y[:, None] * normal_x
    cross = np.where(np.abs(cross) < 0.3, np.nan, cross)  # lines within 17° meet too far away
    x = (offset[:, None] * normal_y - offset * normal_y[:, None]) / cross
    y = (normal_x[:, None] * offset - normal_x * offset[:, None]) / cross
    margin = _BEYOND * max(height, width)
    meets = (x > -margin) & (x < width + margin) & (y > -margin) & (y < height + margin)
    # Where along line i line j crosses it, in pixels from the point nearest to the origin.
    along = np.clip(-normal_y[:, None] * x + normal_x[:, None] * y, -reach, reach)

    one, two = np.triu_indices(len(lines), 1)
    angles = np.arctan2(normal_y, normal_x)
    apart = np.abs((angles[one] - angles[two] + np.pi / 2) % np.pi - np.pi / 2)
    opposite = apart < np.radians(40)
    one, two = one[opposite], two[opposite]
    closed = (
        meets[one[:, None], one]
        & meets[one[:, None], two]
        & meets[two[:, None], one]
        & meets[two[:, None], two]
    )
    first, second = np.nonzero(np.triu(closed, 1))
    i, j, k, m = one[first], two[first], one[second], two[second]

    def side(line: Any, start: Any, end: Any) -> tuple[Any, Any]:
        """Mean support of `line` between two others, and its length in pixels."""
        a, b = along[line, start], along[line, end]
        low, high = np.minimum(a, b), np.maximum(a, b)
        low_at = (low + reach + 0.5).astype(np.int32)
        high_at = (high + reach + 0.5).astype(np.int32)
        total = support[line, high_at] - support[line, low_at]
        return total / np.maximum(high_at - low_at, 1), high - low

    found = [side(i, k, m), side(j, k, m), side(k, i, j), side(m, i, j)]
    sides = np.sort(np.stack([mean for mean, _ in found], axis=1), axis=1)
    lengths = np.stack([length for _, length in found], axis=1)
    shortest, longest = lengths.min(1), np.maximum(lengths.max(1), 1)  # three lines in a point
    # The worst side counts most: three sides of a sleeve and a stranger's fourth are common.
    score = (
        sides.mean(1)
        + 0.5 * sides[:, 1]
        + 0.25 * sides[:, 0]
        - 0.8 * (1 - shortest / longest)
        + 0.15 * np.sqrt(shortest * longest / (height * width))
    )
    score[(shortest < 0.45 * longest) | (shortest < 0.12 * min(height, width))] = -np.inf
    best = np.argsort(-score, kind="stable")[: 12 * most]
    best = best[np.isfinite(score[best])]
    i, j, k, m, score = i[best], j[best], k[best], m[best], score[best]
    corners = ((i, k), (i, m), (j, m), (j, k))
    quads = np.stack([np.stack([x[a, b], y[a, b]], -1) for a, b in corners], axis=1)
    turned = _sines(quads)[1] < 0
    quads[turned] = quads[turned][:, ::-1]
    sines, area = _sines(quads)
    good = (sines.min(1, initial=1) > 0.55) & (area > _SMALLEST * height * width)
    quads, area = quads[good], area[good]
    score = score[good] - 0.8 * (1 - sines[good].min(1, initial=1))
    order = np.argsort(-score, kind="stable")
    quads, area = quads[order], area[order]
    kept: list[int] = []
    alive = np.ones(len(quads), bool)
    while len(kept) < most and alive.any():
        next_one = int(np.argmax(alive))
        kept.append(next_one)
        alive &= shift(quads, quads[next_one]) > 0.045 * np.sqrt(area[next_one])
    return quads[kept].astype(np.float32) if kept else none


def _support(lines: Floats, edges: Floats) -> tuple[Floats, int]:
    """Prefix sums of the edge strength along each line: (N, 2R + 2) float32, and R in pixels.

    Strength is the tensor across the line less the tensor along it, at most 1 a pixel.
    """
    height, width = edges.shape[:2]
    reach = int(np.ceil(np.hypot(height, width) * 1.25))
    t = np.arange(-reach, reach + 1, dtype=np.float32)
    a, b, c = lines[:, 0:1], lines[:, 1:2], lines[:, 2:3]
    strength = np.zeros((len(lines), len(t)), np.float32)
    for beside in (-1.2, 0.0, 1.2):  # a Hough line is a pixel or so off
        x, y = a * (c + beside) - b * t, b * (c + beside) + a * t
        seen = cv2.remap(edges, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        across = (a * a - b * b) * (seen[..., 0] - seen[..., 1]) + 4 * a * b * seen[..., 2]
        strength = np.maximum(strength, np.clip(1.6 * across, -0.3, 1))
    x, y = a * c - b * t, b * c + a * t
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    strength = np.where(inside, strength, np.float32(_UNSEEN))
    start = np.zeros((len(lines), 1), np.float32)
    return np.concatenate([start, np.cumsum(strength, axis=1)], axis=1), reach


def _sines(quads: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """(N, 4, 2) → the sine of each corner, (N, 4), and the signed area, (N,): clockwise is +."""
    edge = np.roll(quads, -1, 1) - quads
    after = np.roll(edge, -1, 1)
    cross = edge[..., 0] * after[..., 1] - edge[..., 1] * after[..., 0]
    length = np.linalg.norm(edge, axis=2)
    return cross / (length * np.roll(length, -1, 1) + 1e-6), cross.sum(1) / 4


def shift(quads: NDArray[Any], quad: NDArray[Any]) -> NDArray[Any]:
    """Largest distance of a corner between each of (N, 4, 2) and one (4, 2), however numbered."""
    apart = quads[:, None] - quad[_NUMBERED]
    shift: NDArray[Any] = np.hypot(apart[..., 0], apart[..., 1]).max(2).min(1)
    return shift


def is_plausible(quad: NDArray[np.float32]) -> bool:
    """Whether (4, 2) corners are what a camera makes of a square sleeve: convex, clockwise, no
    side under 0.35 of another, no corner flatter than 27°."""
    if not np.isfinite(quad).all():
        return False
    edge = np.linalg.norm(np.roll(quad, -1, 0) - quad, axis=1)
    return bool(
        _sines(quad[None])[0].min() > 0.45 and edge.min() > 0.35 * edge.max() and edge.min() > 8
    )
