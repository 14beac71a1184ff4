"""What audfprint2 and fpcalc say of the clips of `sound.py`, which runs this with the Python of an
environment that has audfprint2: `sound_others.py audfprint2|fpcalc WORK`.

audfprint2: density 70 and four shifts of the query, the best that was found for it; its score is
the count of matching hashes in one alignment. fpcalc: raw fingerprints, every place of every track
tried; its score is the share of equal bits. Both get the samples that we get.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
Answer = tuple[int, float, float, float]  # track, seconds, score, CPU seconds
Ask = Callable[[np.ndarray], Answer]


def audfprint2(tracks: list[np.ndarray]) -> tuple[int, Ask]:
    """Bytes of the index and how it is asked."""
    from audfprint2.core import analyzer, hash_table, matcher
    from scipy.signal import resample_poly

    tuned = analyzer.Analyzer(density=70.0)
    given: list[np.ndarray] = []

    def read(*_: Any, **__: Any) -> tuple[np.ndarray, int]:
        sound = resample_poly(given[0].astype(np.float32) / 32768, 441, 640)
        return sound, tuned.target_sr

    analyzer.audio.audio_read = read
    table = hash_table.HashTable()
    for number, samples in enumerate(tracks):
        given[:] = [samples]
        table.store(str(number), tuned.wavfile2hashes("track"))
    tuned.shifts = 4
    judge = matcher.Matcher()
    judge.threshcount, judge.window = 1, 2

    def ask(samples: np.ndarray) -> Answer:
        start = time.process_time()
        given[:] = [samples]
        found = judge.match_hashes(table, tuned.wavfile2hashes("clip"))
        took = time.process_time() - start
        if not len(found):
            return -1, 0.0, 0.0, took
        track, count, offset = (int(n) for n in found[0][:3])
        return int(table.names[track]), offset * tuned.n_hop / tuned.target_sr, float(count), took

    return int(np.minimum(table.counts, table.depth).sum()) * 4, ask


def cpu() -> float:
    """Seconds of this process and of those it waited for."""
    return sum(os.times()[:4])


def fpcalc(tracks: list[np.ndarray], work: Path) -> tuple[int, Ask]:
    step_s = 1365 / 11025  # of a raw fingerprint's numbers

    def raw(samples: np.ndarray) -> np.ndarray:
        path = work / "asked.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(np.ascontiguousarray(samples, np.int16).tobytes())
        told = ["fpcalc", "-raw", "-json", "-length", "0", str(path)]
        said = subprocess.run(told, capture_output=True, check=False).stdout
        return np.array(json.loads(said)["fingerprint"] if said else [], np.uint32)

    prints = [raw(samples) for samples in tracks]

    def ask(samples: np.ndarray) -> Answer:
        start = cpu()
        clip = raw(samples)
        best = (-1, 0.0, 0.0)
        for number, whole in enumerate(prints):
            if len(clip) and len(whole) > len(clip):
                every = np.lib.stride_tricks.sliding_window_view(whole, len(clip))
                unlike = np.bitwise_count(every ^ clip).sum(axis=1)
                at = int(unlike.argmin())
                score = 1 - float(unlike[at]) / (32 * len(clip))
                if score > best[2]:
                    best = (number, at * step_s, score)
        return *best, cpu() - start

    return 4 * sum(map(len, prints)), ask


def answers(ask: Ask, clips: np.ndarray, lengths_s: list[float]) -> Iterator[list[Answer]]:
    for number, clip in enumerate(clips):
        yield [ask(clip[: round(length_s * RATE)]) for length_s in lengths_s]
        if number % 50 == 0:
            print(f"\r{number} of {len(clips)}", end="", file=sys.stderr, flush=True)


def main() -> None:
    system, work = sys.argv[1], Path(sys.argv[2])
    asked = json.loads((work / "asked.json").read_text())
    tracks = [np.load(path, mmap_mode="r") for path in asked["tracks"]]
    start = cpu()
    size, ask = audfprint2(tracks) if system == "audfprint2" else fpcalc(tracks, work)
    built = cpu() - start
    clips = np.load(work / "clips.npy", mmap_mode="r")
    said = list(answers(ask, clips, asked["lengths_s"]))
    told = {"bytes": size, "build_s": built, "answers": said}
    (work / f"{system}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main()
