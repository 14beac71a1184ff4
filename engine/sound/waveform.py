"""Samples → the lowest and highest of each stretch of time, and what is drawn of those.

Peaks of `KEPT` points are stored with a track; any fewer are made from them.
"""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from engine.sound.audio import Samples

Peaks = npt.NDArray[np.float32]

LEAST, MOST = 16, 4096  # points that may be asked for
KEPT = MOST
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
FOREGROUND = "#3b5bdb"
_LINE = 1  # pixels of silence
_SMOOTH = 2  # a PNG is drawn this many times as large, and made smaller


def peaks(samples: Samples, points: int) -> Peaks:
    """(N,) float32, N ≥ 1 → (points, 2): the lowest and highest sample of each equal part, −1…1.

    Of fewer samples than points, each is shown in several.
    """
    starts, ends = _parts(len(samples), points)
    if len(samples) >= points:
        return np.stack([end.reduceat(samples, starts) for end in _ENDS], 1)
    return np.stack([samples[starts], samples[ends - 1]], 1)


def reduce(kept: Peaks, points: int) -> Peaks:
    """(P, 2) → (points, 2): nothing that stood out is lost. More points than P repeat."""
    starts, _ = _parts(len(kept), points)
    if len(kept) < points:
        return kept[starts]
    low, high = (end.reduceat(kept[:, n], starts) for n, end in enumerate(_ENDS))
    return np.stack([low, high], 1)


_ENDS = (np.minimum, np.maximum)


def _parts(count: int, points: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where each of `points` parts of `count` values begins and ends; none is empty."""
    edges = np.arange(points + 1, dtype=np.int64) * count // points
    return edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)


def to_svg(
    drawn: Peaks,
    title: str,
    *,
    width: int = 800,
    height: int = 120,
    foreground: str = FOREGROUND,
    background: str | None = None,
) -> str:
    """(P, 2) peaks → an SVG of `width` × `height`, its title read aloud by screen readers.

    Colours are `#rrggbb`; another raises `ValueError`. Without `background` it is transparent.
    """
    _check(foreground, background)
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in _outline(drawn, width, height))
    behind = f'<rect width="100%" height="100%" fill="{background}"/>' if background else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img"><title>{html.escape(title)}</title>{behind}'
        f'<polygon fill="{foreground}" points="{outline}"/></svg>'
    )


def to_png(
    drawn: Peaks,
    *,
    width: int = 800,
    height: int = 120,
    foreground: str = FOREGROUND,
    background: str | None = None,
) -> bytes:
    """(P, 2) peaks → a PNG of `width` × `height`, transparent where no `background` is given.

    Colours are `#rrggbb`; another raises `ValueError`.
    """
    _check(foreground, background)
    # A mask in grey is smoothed and coloured: transparent black must not darken the edges.
    size = (_SMOOTH * width, _SMOOTH * height)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon([(x, y) for x, y in _outline(drawn, *size)], fill=255)
    mask = mask.resize((width, height), Image.Resampling.BOX)
    picture = Image.new("RGBA", (width, height), background or f"{foreground}00")
    picture.paste(foreground, (0, 0), mask)
    if background is None:
        picture.putalpha(mask)
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def _outline(drawn: Peaks, width: int, height: int) -> npt.NDArray[np.float64]:
    """(P, 2) peaks → (2 P, 2) corners x, y: along the highest to the right, back by the lowest."""
    across = (np.arange(len(drawn)) + 0.5) * width / len(drawn)
    middle = (height - _LINE) / 2
    top = middle - drawn[:, 1] * middle
    bottom = np.maximum(middle - drawn[:, 0] * middle, top) + _LINE
    return np.concatenate([np.stack([across, top], 1), np.stack([across, bottom], 1)[::-1]])


def _check(*colours: str | None) -> None:
    for colour in colours:
        if colour is not None and not _COLOUR.fullmatch(colour):
            raise ValueError(f"{colour!r} is not a colour of the form #rrggbb")
