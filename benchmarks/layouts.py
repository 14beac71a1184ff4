"""Pictures in every layout that TIFF, BMP and PNG allow → who sees them right, we and others.

    python benchmarks/layouts.py

The drawn pictures of tests/layouts.py, whose pixels are known, are given to this service, to OpenCV
and, where it is installed, to ImageMagick (Debian's `imagemagick`). Prints a table, and what we see
as others do not. That two others see what was drawn shows that it was drawn as the formats say.
"""

# ruff: noqa: E402 (it finds the project itself)
from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests")]

import cv2
import layouts
import numpy as np
from layouts import Layout

from engine.base.errors import UnreadableImage
from engine.covers.image import Pixels, decode

NEAR = 3
MAGICK = shutil.which("magick") or shutil.which("convert")


def by_this_service(layout: Layout) -> Pixels | None:
    try:
        return np.asarray(decode(layout.data))
    except UnreadableImage:
        return None


def by_opencv(layout: Layout) -> Pixels | None:
    seen = cv2.imdecode(np.frombuffer(layout.data, np.uint8), cv2.IMREAD_COLOR)
    return None if seen is None else np.asarray(seen[..., ::-1], np.uint8)


def by_imagemagick(layout: Layout) -> Pixels | None:
    height, width = layout.seen.shape[:2]
    kind = layout.name.split()[0].lower()
    over_white = ("-auto-orient", "-background", "white", "-alpha", "remove")
    ran = subprocess.run(
        [str(MAGICK), f"{kind}:-[0]", *over_white, "-colorspace", "sRGB", "-depth", "8", "rgb:-"],
        input=layout.data,
        capture_output=True,
        check=False,
    )
    if len(ran.stdout) != height * width * 3:
        return None
    return np.frombuffer(ran.stdout, np.uint8).reshape(height, width, 3)


def verdict(seen: Pixels | None, layout: Layout) -> str:
    if seen is None:
        return "refused"
    same = seen.shape == layout.seen.shape
    near = same and np.abs(seen.astype(int) - layout.seen).max() <= NEAR
    return "right" if near else "otherwise"


def main() -> None:
    decoders: dict[str, Callable[[Layout], Pixels | None]] = {
        "this service": by_this_service,
        "OpenCV": by_opencv,
    }
    if MAGICK:
        decoders["ImageMagick"] = by_imagemagick
    tally: Counter[tuple[str, str, str]] = Counter()
    for layout in layouts.all_layouts():
        found = {name: verdict(decode(layout), layout) for name, decode in decoders.items()}
        for name, word in found.items():
            tally[layout.name.split()[0], name, word] += 1
        others = {word for name, word in found.items() if name != "this service"}
        if found["this service"] == "right" and "right" not in others:
            print(f"we alone: {layout.name}")
        if found["this service"] == "otherwise":
            print(f"WRONG: {layout.name}")
    print("\n| Format | Decoder | right | otherwise | refused |\n|---|---|---|---|---|")
    for kind in dict.fromkeys(kind for kind, _, _ in tally):
        for name in decoders:
            counts = [tally[kind, name, word] for word in ("right", "otherwise", "refused")]
            print(f"| {kind} | {name} | {' | '.join(map(str, counts))} |")


if __name__ == "__main__":
    main()
