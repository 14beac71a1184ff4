"""Photos of covers → how a photo's layout differs from its cover's, `identify/layout.npz`.

    pool ─photograph→ features at the outline − the cover's own → covariance

    python -m training.layout

A hand, a glare and a shadow move many features together, and always in much the same ways: what
differs so says nothing about which cover it is (`engine.covers.identify.layout.Basis`).
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from engine.covers.identify import layout
from engine.covers.identify.layout import NOISE, turns
from engine.covers.identify.outlines import Quads
from engine.covers.identify.views import halvings, rectify, working_copy
from engine.covers.photos.photo import PRESETS, Distortion, simulate_photo
from training.data import pool_of_covers

PHOTOS = 12_000
Covers = NDArray[np.uint8]  # (N, 192, 192, 3)
_HIDDEN = Distortion(share=(0.25, 0.6), turn_deg=180, occlusion=(0.1, 0.35))
MIXED = replace(PRESETS["mixed"], occlusion=(0.05, 0.35))
_HOW = (*[PRESETS["mixed"]] * 4, *[MIXED] * 4, *[_HIDDEN] * 3, PRESETS["mild"])
_SIZES = (480, 480, 720)  # pixels, the shorter side
_MISPLACED = (0.005, 0.015, 0.03)  # deviation of a found corner, as a share of the side


def photographed(cover: Covers, rng: np.random.Generator) -> tuple[list[Covers], Quads]:
    """A cover → a photo of it, halved again and again, and about where the cover lies in it."""
    how = _HOW[int(rng.integers(len(_HOW)))]
    made = simulate_photo(np.asarray(cover), rng, how, size=int(rng.choice(_SIZES)))
    photo, scale = working_copy(made.image)
    quad = made.quad / np.float32(scale)
    off = float(rng.choice(_MISPLACED)) * np.sqrt(abs(cv2.contourArea(quad)))
    return halvings(photo), (quad + rng.normal(0, off, (4, 2))).astype(np.float32)


def differences(photos: int) -> NDArray[np.float32]:
    """(photos, 1296) float32: features of a photo's outline less its cover's."""
    covers = pool_of_covers()
    made = []
    for number in tqdm(range(photos), desc="photos", disable=None):
        rng = np.random.default_rng([98, number])
        cover = np.asarray(covers[int(rng.integers(len(covers)))])
        levels, quad = photographed(cover, rng)
        views = np.stack([rectify(levels, quad, layout.SIDE), layout.shrunk(cover)])
        seen, own = layout.features(views)
        made.append(seen - own)
    return np.array(made)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make engine/covers/identify/layout.npz.")
    parser.add_argument("--photos", type=int, default=PHOTOS)
    found = differences(parser.parse_args().photos)
    found -= found.mean(0)
    every = found.T @ found / len(found)
    noise = np.mean([every[np.ix_(turn, turn)] for turn in turns()], axis=0)
    most = np.float32(noise.max())
    rows = (noise[layout.quarter()] / most).astype(np.float16)
    np.savez_compressed(NOISE, rows=rows, most=most)
    print(f"{NOISE.name}: {NOISE.stat().st_size:,} bytes, of {len(found):,} photos")


if __name__ == "__main__":
    main()
