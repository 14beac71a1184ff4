"""What tracks that are held beside an artifact cost: memory, and the time of an answer.

    python benchmarks/held.py [TRACKS …]

Tracks of three and a half minutes of vectors drawn by lot, beside the embedded artifact; a clip of
ten seconds of one of its own tracks.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import psutil

from engine.sound.audio import decode
from engine.sound.catalogue import Track
from engine.sound.fingerprint.files import encoded
from engine.sound.held import Heard, HeldTrack
from engine.sound.search import SoundSearch, Wanted

TRACK_S, CLIP_S, TURNS = 210.0, 10.0, 5
FIRST = 1_000_000_001


def held(search: SoundSearch, number: int) -> HeldTrack:
    rng = np.random.default_rng(number)
    index, told = search.identifier.index, search.artifact.manifest
    rows = rng.standard_normal((round(TRACK_S / index.step_s), index.dimension))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    heard = Heard(
        encoded(rows.astype(np.float32)),
        rng.standard_normal(told.encoder.dimension).astype(np.float32),
        rng.random(told.encoder.tags).astype(np.float32),
        rng.integers(-127, 127, (4096, 2), np.int8),
        told.fingerprint.digest,
        told.encoder.digest,
    )
    return HeldTrack(Track(FIRST + number, TRACK_S, title=f"Track {number}"), heard)


def main(counts: list[int]) -> None:
    search = SoundSearch.open("artifacts/starter-sound", threads=1)
    clip = decode(Path("web/clip-1.m4a"), first_s=CLIP_S)
    vector, before = search.embed(clip)[None], psutil.Process().memory_info().rss
    print("| tracks | MB | identify, ms | alike, ms | hold 1 more, ms |\n|---|---|---|---|---|")
    there = 0
    for count in [0, *counts]:
        search.hold(held(search, number) for number in range(there, count))
        there = count
        identify = best(lambda: search.identify(clip))
        alike = best(lambda: search.nearest(vector, Wanted()))
        one = held(search, count)
        start = time.perf_counter()
        search.hold([one])
        more = time.perf_counter() - start
        search.let_go([one.track.track_id])
        search.identify(clip)
        used = (psutil.Process().memory_info().rss - before) / 1e6
        print(
            f"| {count:,} | {used:.0f} | {1000 * identify:.0f} | {1000 * alike:.1f} "
            f"| {1000 * more:.0f} |"
        )


def best(call: object) -> float:
    """Seconds, the least of `TURNS`: others compute on this machine, too."""
    taken = []
    for _ in range(TURNS):
        start = time.process_time()
        call()  # type: ignore[operator]
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or [100, 1_000, 3_000])
