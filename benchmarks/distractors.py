"""Covers to hide a catalogue's own among: those that the starter's encoder was trained on.

    python benchmarks/distractors.py DIR [--covers 30000]
    python -m engine evaluate artifacts/starter --identify --distractors DIR

They are of the same designers, genres, letters and things as the starter's, and none of them is in
it: what seventeen times as many albums of its kind would be. They are drawn anew where they are not
there yet, which takes two cores half an hour (training/README.md says what that needs).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1]))
from engine.covers.trials.identify import jpeg
from training.data import POOL, pool_of_covers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--covers", type=int, default=POOL)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for number, cover in enumerate(tqdm(pool_of_covers()[: options.covers], disable=None)):
        (options.folder / f"{number:05d}.jpg").write_bytes(jpeg(np.asarray(cover)))


if __name__ == "__main__":
    main()
