"""Identify beside SIFT and RANSAC on real photos: `evaluate --photos`, then features alone.

    python benchmarks/sift.py ARTIFACT --photos DIR --pairs FILE

The artifact was built from the covers that the photos show, and maybe more; half of them are left
out in turn, as `evaluate` does. The baseline compares a photo of 720 pixels with every cover: SIFT,
Lowe's ratio test at 0.8, a homography within 5 pixels; the cover with most inliers is its answer.
*12 inliers*: a match from 12 inliers on, as is usual. *of 0.5 %*: from as many on as match
0.5 % of the strangers, which is what a precision like identify's costs it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from endurance import PROJECT
from numpy.typing import NDArray

sys.path.insert(0, str(PROJECT))
from engine.covers.catalogue import Catalogue
from engine.covers.identify.references import cover_of
from engine.covers.image import Pixels, decode
from engine.covers.search import CoverSearch
from engine.covers.trials.identify import table
from engine.covers.trials.photos import HALVES, Pair, read_pairs, run_photos

PHOTO_SIDE, RATIO, TOLERANCE = 720, 0.8, 5.0
USUAL, FALSE = 12, 0.005
FEWEST = 8  # matches that make a homography worth fitting


def features(picture: Pixels, side: int | None) -> tuple[NDArray[np.float32], Any]:
    """(N, 2) places and (N, 128) descriptors, of a picture whose shorter edge is made `side`."""
    grey: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = 1.0 if side is None else side / min(grey.shape)
    if scale < 1:
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points, found = cv2.SIFT_create(2000).detectAndCompute(grey, None)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    return places, np.zeros((0, 128), np.float32) if found is None else found


def inliers(photo: tuple[NDArray[np.float32], Any], cover: tuple[NDArray[np.float32], Any]) -> int:
    if len(photo[0]) < 2 or len(cover[0]) < 2:
        return 0
    likest = cv2.BFMatcher().knnMatch(cover[1], photo[1], 2)
    sure = [one for one, other in likest if one.distance < RATIO * other.distance]
    if len(sure) < FEWEST:
        return 0
    here = cover[0][[one.queryIdx for one in sure]]
    there = photo[0][[one.trainIdx for one in sure]]
    _, inside = cv2.findHomography(here, there, cv2.RANSAC, TOLERANCE, maxIters=2000)
    return 0 if inside is None else int(inside.sum())


def counted(pairs: list[Pair], catalogue: Catalogue) -> tuple[NDArray[np.int64], float]:
    """Inliers of every photo and every cover, by id, and seconds a photo."""
    ids = catalogue.ids().tolist()
    pictures = {one: cover for one in ids if (cover := cover_of(catalogue, one)) is not None}
    covers = {one: features(cover, None) for one, cover in pictures.items()}
    counts = np.zeros((len(pairs), max(ids) + 1), np.int64)
    start = time.perf_counter()
    for number, pair in enumerate(pairs):
        photo = features(np.asarray(decode(pair.photo.read_bytes()), np.uint8), PHOTO_SIDE)
        for album_id, cover in covers.items():
            counts[number, album_id] = inliers(photo, cover)
    return counts, (time.perf_counter() - start) / len(pairs)


def answers(
    pairs: list[Pair], counts: NDArray[np.int64], seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """While a photo's album is there: most inliers, and whether they are of the right cover; and
    most inliers while it is left out, with the others of its half."""
    albums = np.array([pair.album_id for pair in pairs])
    order = np.random.default_rng(seed).permutation(sorted(set(albums.tolist())))
    known, right = np.zeros(len(pairs), np.int64), np.zeros(len(pairs), bool)
    strangers = np.zeros(len(pairs), np.int64)
    for half in range(HALVES):
        out = order[half::HALVES]
        kept = counts.copy()
        kept[:, out] = -1
        lacking = np.isin(albums, out)
        strangers[lacking] = kept[lacking].max(1)
        known[~lacking] = kept[~lacking].max(1)
        right[~lacking] = kept[~lacking].argmax(1) == albums[~lacking]
    return known, right, strangers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    options = parser.parse_args()
    search = CoverSearch.open(options.artifact)
    pairs = read_pairs(options.photos, options.pairs, search.catalogue)
    table(run_photos(search, pairs))
    counts, seconds = counted(pairs, search.catalogue)
    known, right, strangers = answers(pairs, counts)
    allowed = int(FALSE * len(strangers))
    strict = int(np.sort(strangers)[-1 - allowed]) + 1
    print(f"SIFT and RANSAC, {seconds:.2f} s a photo among {len(search.catalogue):,} covers:")
    for name, least in ((f"{USUAL} inliers", USUAL), (f"of {FALSE:.1%}: {strict} inliers", strict)):
        print(
            f"  {name}: {np.mean(right & (known >= least)):.1%} right, "
            f"{int((~right & (known >= least)).sum())} wrong, "
            f"{int((strangers >= least).sum())} of {len(strangers)} strangers matched"
        )


if __name__ == "__main__":
    main()
