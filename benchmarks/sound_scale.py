"""What the number of tracks costs fingerprints: disk, memory and time at 10,000 and a million.

    python benchmarks/sound_scale.py            # writes sound_scale.json and sound_scale.md
    python benchmarks/sound_scale.py --again    # measures anew what was built

A track is a minute: a million of them are 16,667 hours. Vectors glide as those of music do, through
64 directions of power-law weight. At 10,000 all are generated and indexed as `build` does it. At a
million, 10,000 tracks are; every further row is in the list of one of theirs, has the half of its
code and the half of that of another in that list, and is what these decode to: as near to a query
as theirs are, without the hour that it takes to find lists for 120 million rows.

Asked are clips of 10 s of the tracks that were indexed properly, with as much noise as a vector is
long, half of it and twice; strangers are in no index.

Opening and asking is done in a process of its own, on one thread, with the files in the system's
cache; a query is vectors to tracks (the network takes 15 ms more for a clip of 10 s).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import faiss  # noqa: E402
import numpy as np  # noqa: E402

from engine.base.progress import Progress  # noqa: E402
from engine.sound.fingerprint import files  # noqa: E402
from engine.sound.fingerprint.files import FingerprintWriter, encoded  # noqa: E402
from engine.sound.fingerprint.index import FingerprintIndex  # noqa: E402
from engine.sound.identify import STEP_S as QUERY_S  # noqa: E402

DIMENSION, STEP_S, TRACK_S, CLIP_S = 64, 0.5, 60, 10.0
ROWS = round(TRACK_S / STEP_S)
GENERATED = 10_000
SIZES = (10_000, 1_000_000)
NOISES = (0.5, 1.0, 2.0)
QUERIES = 60
_GRID_S = 0.25
_WINDOW = np.array([0.15, 0.5, 0.85, 1.0, 0.85, 0.5, 0.15], np.float32)
BLOCK = 1 << 18


def path_of(seed: int) -> np.ndarray:
    """(T, 64) float32: where a track goes, a point each quarter of a second."""
    rng = np.random.default_rng([seed, 31])
    weights = np.arange(1, DIMENSION + 1, dtype=np.float32) ** -0.35
    count = round(TRACK_S / _GRID_S) + 8
    steps = rng.standard_normal((count + len(_WINDOW), DIMENSION), np.float32) * weights
    return sum(w * steps[k : k + count] for k, w in enumerate(_WINDOW))  # type: ignore[return-value]


def at(path: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """(N, 64): points of a path, between two in a straight line."""
    place = seconds / _GRID_S
    left = place.astype(int)
    share = (place - left)[:, None].astype(np.float32)
    return path[left] * (1 - share) + path[left + 1] * share


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clip(track: int, noise: float, seed: int) -> tuple[np.ndarray, float]:
    """(Q, 64) of ten seconds of a track, and from when on; the noise glides as well."""
    rng = np.random.default_rng([seed, track])
    offset_s = float(rng.uniform(0, TRACK_S - CLIP_S - 2))
    when = np.arange(0, CLIP_S - 1.5, QUERY_S)
    heard = unit(at(path_of(track), offset_s + when))
    around = unit(at(path_of(10_000_000 + seed * 1000 + track), when + 1))
    return unit(heard + noise * around), offset_s


def build(tracks: int, folder: Path) -> None:
    """Write an index of so many tracks into `folder`."""
    start = time.process_time()
    first = folder if tracks <= GENERATED else folder.parent / str(GENERATED)
    if not (first / files.INDEX).exists():
        when = np.arange(ROWS) * STEP_S
        with FingerprintWriter(first, DIMENSION, STEP_S) as writer:
            for number in range(GENERATED):
                writer.add(number, unit(at(path_of(number), when)))
    if tracks > GENERATED:
        multiply(first, tracks, folder)
    size = {path.name: path.stat().st_size for path in folder.iterdir() if path.suffix != ".made"}
    made = {"tracks": tracks, "build_s": time.process_time() - start, "bytes": size}
    (folder / "index.made").write_text(json.dumps(made))


def multiply(first: Path, tracks: int, folder: Path) -> None:
    """`GENERATED` tracks in `first`, and so many in all: lists and codes of theirs, joined anew."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = files.open_files(first)
    codes = files.make_codes(opened.rows, Progress(), files.lists_for(tracks * ROWS))
    lists, pool = _as_they_are(codes)
    begins = np.searchsorted(lists, np.arange(codes.nlist + 1))
    rng = np.random.default_rng(1)
    count = (tracks - GENERATED) * ROWS
    one = rng.integers(0, len(lists), count, np.int32)
    list_of = lists[one]
    # Of the same list: a residual of another would make a row longer or shorter than any is.
    sizes = np.diff(begins)[list_of]
    other = (begins[list_of] + rng.random(count, np.float32) * sizes).astype(np.int32)
    centroids = codes.quantizer.reconstruct_n(0, codes.nlist)
    residuals = codes.pq.decode(pool).astype(np.float16)
    half = DIMENSION // 2
    with (folder / files.ROWS).open("wb") as file:
        opened.rows.tofile(file)
        for start in range(0, count, BLOCK):
            part = slice(start, start + BLOCK)
            rows = centroids[list_of[part]]
            rows[:, :half] += residuals[one[part], :half]
            rows[:, half:] += residuals[other[part], half:]
            encoded(unit(rows)).tofile(file)
    order = np.argsort(list_of, kind="stable")
    ends = np.cumsum(np.bincount(list_of, minlength=codes.nlist))
    inverted = faiss.downcast_InvertedLists(codes.invlists)
    for number in range(codes.nlist):
        places = order[ends[number - 1] if number else 0 : ends[number]]
        ids = places + len(opened.rows)
        own = pool[one[places]]
        own[:, own.shape[1] // 2 :] = pool[other[places], own.shape[1] // 2 :]
        if len(ids):
            inverted.add_entries(number, len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(own))
    codes.ntotal = len(opened.rows) + count
    faiss.write_index(codes, str(folder / files.CODES))
    table = np.stack(
        [np.arange(tracks), np.arange(tracks) * ROWS, np.full(tracks, ROWS)], axis=1
    ).astype(np.int64)
    files.describe(folder, table, DIMENSION, STEP_S, tracks * ROWS, codes.nlist)


def _as_they_are(codes: Any) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the list and (N, 16) the code of every row of an inverted file."""
    inverted, lists, pool = faiss.downcast_InvertedLists(codes.invlists), [], []
    for number in range(codes.nlist):
        size = inverted.list_size(number)
        if size:
            pointer = inverted.get_codes(number)
            pool.append(faiss.rev_swig_ptr(pointer, size * inverted.code_size).copy())
            lists.append(np.full(size, number, np.uint16))
    return np.concatenate(lists), np.concatenate(pool).reshape(-1, codes.code_size)


def measure(folder: Path) -> dict[str, Any]:
    """Open what was built and ask it."""
    faiss.omp_set_num_threads(1)
    before = memory()
    start = time.perf_counter()
    index = FingerprintIndex.open(folder)
    opened = time.perf_counter()
    index.search(clip(0, 1.0, 1)[0], QUERY_S)
    first = time.perf_counter()
    for path in folder.iterdir():
        with path.open("rb") as file:
            while file.read(1 << 24):
                pass
    found, times = {}, []
    for noise in NOISES:
        right, placed = 0, 0
        for number in range(QUERIES):
            track = number * (GENERATED // QUERIES)
            asked, offset_s = clip(track, noise, number)
            began = time.process_time()
            [best, *_] = index.search(asked, QUERY_S)
            times.append(time.process_time() - began)
            right += best.track_id == track
            placed += best.track_id == track and abs(best.offset_s - offset_s) <= 0.1
        found[f"{noise:g}"] = {"found": right / QUERIES, "placed": placed / QUERIES}
    strangers = [index.search(clip(5_000_000 + n, 1.0, n)[0], QUERY_S) for n in range(QUERIES)]
    after = memory()
    return {
        "minutes": index.minutes,
        "open_ms": 1000 * (opened - start),
        "first_query_ms": 1000 * (first - opened),
        "cpu_p50_ms": 1000 * float(np.median(times)),
        "cpu_p95_ms": 1000 * float(np.quantile(times, 0.95)),
        "found": found,
        "stranger_score": max(one[0].score for one in strangers if one),
        "resident_mb": after["VmRSS"],
        "of_which_mapped_mb": after["RssFile"] - before["RssFile"],
        "before_mb": before["VmRSS"],
    }


def memory() -> dict[str, float]:
    """Of this process, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {
        name: int(value.split()[0]) / 1024
        for name, _, value in (line.partition(":") for line in lines)
        if name in ("VmRSS", "RssFile", "RssAnon")
    }


def lines(measured: list[dict[str, Any]]) -> Iterator[str]:
    noises = " | ".join(f"found, noise {noise:g}" for noise in NOISES)
    yield (
        "| tracks of a minute | rows | codes | KB a minute | open | first query | CPU p50 | p95 "
        f"| {noises} | resident (of which mapped) |"
    )
    yield "|" + "---|" * (9 + len(NOISES))
    for one in measured:
        size, minutes = one["bytes"], one["minutes"]
        found = " | ".join(f"{one['found'][f'{noise:g}']['found']:.3f}" for noise in NOISES)
        yield (
            f"| {one['tracks']:,} | {size[files.ROWS] / 1e6:,.0f} MB | "
            f"{size[files.CODES] / 1e6:,.0f} MB | {sum(size.values()) / minutes / 1000:.1f} | "
            f"{one['open_ms']:.0f} ms | {one['first_query_ms']:.0f} ms | "
            f"{one['cpu_p50_ms']:.0f} ms | {one['cpu_p95_ms']:.0f} ms | {found} | "
            f"{one['resident_mb']:,.0f} MB ({one['of_which_mapped_mb']:,.0f}) |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--work", type=Path, default=HERE.parent / "build" / "sound-scale")
    parser.add_argument("--again", action="store_true", help="measure what was built once more")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        told = measure(options.work / str(options.measure))
        (options.work / str(options.measure) / "measured.made").write_text(json.dumps(told))
        return
    measured = []
    for tracks in options.sizes:
        folder = options.work / str(tracks)
        if not (folder / "index.made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            build(tracks, folder)
        if options.again or not (folder / "measured.made").exists():
            told = [sys.executable, __file__, "--measure", str(tracks), "--work", options.work]
            subprocess.run(told, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        parts = [json.loads((folder / f"{n}.made").read_text()) for n in ("index", "measured")]
        measured.append({**parts[0], **parts[1]})
    (HERE / "sound_scale.json").write_text(json.dumps(measured, indent=2) + "\n")
    (HERE / "sound_scale.md").write_text("\n".join(lines(measured)) + "\n")
    print("\n".join(lines(measured)))


if __name__ == "__main__":
    main()
