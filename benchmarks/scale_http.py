"""What a million albums cost a request: 20,000 and 1,000,000 of them behind the same encoder.

    python benchmarks/scale_http.py     # writes scale_http.json and .md; needs wrk

Two artifacts with the encoder of serving.py (ViT-B/32's configuration) and the rows of scale.py are
served beside each other, and asked in turns, so that a busy machine is busy for both: pictures and
words, by one client and by eight. Then each is started in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import serving  # noqa: E402
from scale import Generated, note  # noqa: E402

from engine.artifact import (  # noqa: E402
    CATALOGUE,
    GOLDEN,
    INDEX,
    Artifact,
    CatalogueEntry,
    Inputs,
    staging,
    write_manifest,
)
from engine.catalogue import Album, write_catalogue  # noqa: E402
from engine.index import build_index  # noqa: E402

WORK = HERE.parent / "build" / "scale-http"
SIZES = (20_000, 1_000_000)
GENRES = 20
POINTS = (("image", 1), ("image", 8), ("text", 1), ("text", 8))


def make(count: int, like: Artifact) -> Path:
    """An artifact of `count` generated rows, with the encoder and the golden queries of another."""
    out = WORK / str(count)
    if out.is_dir():
        return out
    note(f"making {count:,} albums")
    with staging(out) as folder:
        shutil.copytree(like.path / "encoder", folder / "encoder", copy_function=os.link)
        index = build_index(Generated(count), np.arange(count), "auto", folder=folder)
        index.write(folder / INDEX)
        albums = (Album(i, i % GENRES, genre=f"genre {i % GENRES}") for i in range(count))
        write_catalogue(folder / CATALOGUE, albums)
        golden = like.golden()
        golden.album_ids[:] = -1  # its pictures are no albums of this catalogue
        golden.write(folder / GOLDEN)
        entry = like.manifest.encoder
        write_manifest(
            folder,
            name=entry.name,
            dimension=entry.dimension,
            precision=entry.precision,
            index=index,
            catalogue=CatalogueEntry(albums=count, genres=GENRES, thumbnails=0),
            inputs=Inputs(albums=f"{count:064x}"),
            runtimes=entry.runtimes,
        )
    return out


def measure(folders: dict[int, Path], made: dict[str, Path], rounds: int, seconds: float) -> Any:
    """Per size: p50 and CPU of a request at each point, median of the rounds; seconds to ready."""
    systems = {}
    for count, folder in folders.items():
        (ours,) = (it for it in serving.list_systems(made) if it.name == "ours")
        systems[count] = serving.System(
            f"{count:,} albums",
            ours.command,
            {**ours.env, "SHAZAM_ARTIFACT": str(folder)},
            "/readyz",
        )
    rows: dict[tuple[int, str], list[dict[str, float]]] = {}
    with contextlib.ExitStack() as stack:
        running = {
            count: stack.enter_context(serving.started(system, made))
            for count, system in systems.items()
        }
        for turn in range(-1, rounds):  # the first one warms up
            for mode, clients in POINTS:
                for count in sorted(running, reverse=bool(turn % 2)):
                    photo = str(made["600"]) if mode == "image" else ""
                    cpu = running[count].cpu_s()
                    row = serving.load(running[count], mode, photo, clients, seconds)
                    row["cpu_ms"] = 1000 * (running[count].cpu_s() - cpu) / row["answered"]
                    assert not row["broken"]
                    assert not row["socket_errors"]
                    if turn >= 0:
                        rows.setdefault((count, f"{mode}, {clients}"), []).append(row)
    ready: dict[int, list[float]] = {}
    for turn in range(rounds):
        for count in sorted(systems, reverse=bool(turn % 2)):
            with serving.started(systems[count], made) as one:
                ready.setdefault(count, []).append(one.start_s["ready"])
    return {
        "points": {
            point: {
                str(count): {
                    what: float(np.median([row[what] for row in rows[count, point]]))
                    for what in ("p50_ms", "cpu_ms")
                }
                for count in folders
            }
            for point in (f"{mode}, {clients}" for mode, clients in POINTS)
        },
        "ready_s": {str(count): float(np.median(times)) for count, times in ready.items()},
        "ready_each_s": {str(count): times for count, times in ready.items()},
        "rounds": rounds,
    }


def table(found: dict[str, Any]) -> str:
    few, many = (str(count) for count in SIZES)
    lines = [
        "| clients | p50 ms, {0:,} | {1:,} | | CPU ms, {0:,} | {1:,} | |".format(*SIZES),
        "|" + "---|" * 7,
    ]
    for point, sizes in found["points"].items():
        cells = []
        for what in ("p50_ms", "cpu_ms"):
            one, other = sizes[few][what], sizes[many][what]
            cells += [f"{one:.1f}", f"{other:.1f}", f"{other / one - 1:+.1%}"]
        lines.append(f"| {point} | {' | '.join(cells)} |")
    ready, each = found["ready_s"], found["ready_each_s"]
    later = np.median(np.subtract(each[many], each[few]))
    lines += [
        "",
        f"Start to ready: {ready[few]:.2f} s with {SIZES[0]:,}, {ready[many]:.2f} s with "
        f"{SIZES[1]:,} (medians of {found['rounds']}); of two starts after each other "
        f"the larger one was ready {later:.2f} s later (median).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--make", action="store_true", help="only make what is served")
    options = parser.parse_args()
    made = serving.prepare()
    like = Artifact.open(made["artifact"].with_name(made["artifact"].name.removesuffix("-serving")))
    WORK.mkdir(parents=True, exist_ok=True)
    folders = {count: make(count, like) for count in SIZES}
    if options.make:
        return
    start = time.perf_counter()
    found = measure(folders, made, options.rounds, options.seconds)
    note(f"measured in {time.perf_counter() - start:.0f} s")
    (HERE / "scale_http.json").write_text(json.dumps(found, indent=2) + "\n")
    (HERE / "scale_http.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()
