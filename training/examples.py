"""A dozen photos of demo covers for `tests/photos`: seeded, in settings never trained on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from engine.covers.photos.photo import PRESETS, simulate_photo
from engine.covers.photos.surroundings import BACKGROUNDS
from training import RUN, data

FOLDER = Path(__file__).parent.parent / "tests" / "photos"
MAX_BYTES = 80_000


def sheet(path: Path, side: int = 120) -> None:
    """Fifty covers of the catalogue, two or three of each genre, ten in a row."""
    by_genre: dict[str, list[str]] = {}
    for made in data.catalogue():
        by_genre.setdefault(made.genre, []).append(data.file_name(made))
    chosen = [name for names in by_genre.values() for name in names[:2]]
    chosen += [names[2] for names in by_genre.values()][: 50 - len(chosen)]
    whole = Image.new("RGB", (10 * side, 5 * side))
    for k, name in enumerate(chosen):
        with Image.open(RUN / "covers" / name) as cover:
            whole.paste(cover.resize((side, side)), (k % 10 * side, k // 10 * side))
    path.parent.mkdir(exist_ok=True)
    whole.save(path, quality=85)


def write(count: int = 12, seed: int = 5) -> None:
    """JPEGs of at most 80 kB, each of another genre, the cover on half of the frame or more."""
    albums = data.catalogue()
    rng = np.random.default_rng([21, seed])
    by_genre: dict[str, list[int]] = {}
    for row, made in enumerate(albums):
        by_genre.setdefault(made.genre, []).append(row)
    genres = list(rng.permutation(list(by_genre)))[:count]
    FOLDER.mkdir(parents=True, exist_ok=True)
    sheet(Path(__file__).parent / "plots" / "fifty.jpg")
    listed = {}
    for number, genre in enumerate(genres):
        made = albums[by_genre[genre][int(rng.integers(len(by_genre[genre])))]]
        cover = np.asarray(Image.open(RUN / "covers" / data.file_name(made)).convert("RGB"))
        ground = BACKGROUNDS[True][number % len(BACKGROUNDS[True])]
        how = replace(
            PRESETS["mild"], share=(0.5, 0.72), backgrounds=(ground,), aspects=(3 / 4, 1.0, 4 / 3)
        )
        shown = simulate_photo(cover, rng, how, size=660, held_out=True)
        path = (
            FOLDER
            / f"{number + 1:02d}-{genre.replace(' ', '-').replace(chr(39), '')}-on-{ground}.jpg"
        )
        for quality in range(90, 20, -5):
            bgr = cv2.cvtColor(shown.image, cv2.COLOR_RGB2BGR)
            _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if jpeg.nbytes <= MAX_BYTES:
                break
        path.write_bytes(jpeg.tobytes())
        listed[path.name] = {
            "cover": data.file_name(made), "title": made.title, "artist": made.artist,
            "genre": made.genre, "quad": np.round(shown.quad, 1).tolist(),
        }  # fmt: skip
    (FOLDER / "photos.json").write_text(
        json.dumps(listed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
