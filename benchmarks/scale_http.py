"""What a million albums cost a request: 20,000 and 1,000,000 of them behind the same encoder.

    python benchmarks/scale_http.py             # writes scale_http.json and .md; needs wrk
    python benchmarks/scale_http.py --more      # … and more rounds to those that are there
    python benchmarks/scale_http.py --rounds 0  # starts alone; --starts 0: requests alone

Two artifacts with the encoder of serving.py (ViT-B/32's configuration) and the rows of scale.py are
served beside each other, and asked in turns of two seconds, so that a busy machine is busy for
both: pictures and words, by one client and by eight. Then each is started in turns. What counts is
the ratio within a turn; the median of the turns is told, and between what half of them lie.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import serving  # noqa: E402
from scale import Generated, note  # noqa: E402

from engine.artifact.folder import staging  # noqa: E402
from engine.covers.artifact import Artifact  # noqa: E402
from engine.covers.catalogue import Album, write_catalogue  # noqa: E402
from engine.covers.manifest import (  # noqa: E402
    CATALOGUE,
    GOLDEN,
    INDEX,
    CatalogueEntry,
    Inputs,
    Parts,
    write_manifest,
)
from engine.vectors.making import build_index  # noqa: E402

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
        entry = CatalogueEntry(albums=count, genres=GENRES, thumbnails=0)
        inputs = Inputs(albums=f"{count:064x}")
        write_manifest(folder, Parts.with_encoder(like.manifest.encoder, index, entry, inputs))
    return out


Rounds = dict[str, list[dict[str, float]]]


def measure(folders: dict[int, Path], made: dict[str, Path], rounds: int, seconds: float) -> Rounds:
    """Per point, for each round: p50 and CPU milliseconds of a request with each size."""
    systems, found = serving_of(folders, made), {}
    with contextlib.ExitStack() as stack:
        running = {
            count: stack.enter_context(serving.started(system, made))
            for count, system in systems.items()
        }
        for turn in range(-1, rounds):  # the first one warms up
            for mode, clients in POINTS:
                values = {}
                for count in sorted(running, reverse=bool(turn % 2)):
                    photo = str(made["600"]) if mode == "image" else ""
                    cpu = running[count].cpu_s()
                    row = serving.load(running[count], mode, photo, clients, seconds)
                    assert not row["broken"]
                    assert not row["socket_errors"]
                    cpu_ms = 1000 * (running[count].cpu_s() - cpu) / row["answered"]
                    values |= {f"p50_ms {count}": row["p50_ms"], f"cpu_ms {count}": cpu_ms}
                if turn >= 0:
                    found.setdefault(f"{mode}, {clients}", []).append(values)
    return found


def start(folders: dict[int, Path], made: dict[str, Path], starts: int) -> list[dict[str, float]]:
    """For each round: seconds from a process's start to ready with each size."""
    systems, found = serving_of(folders, made), []
    for turn in range(starts):
        values = {}
        for count in sorted(systems, reverse=bool(turn % 2)):
            with serving.started(systems[count], made) as one:
                values[f"ready_s {count}"] = one.start_s["ready"]
        found.append(values)
    return found


def serving_of(folders: dict[int, Path], made: dict[str, Path]) -> dict[int, serving.System]:
    (ours,) = (it for it in serving.list_systems(made) if it.name == "ours")
    return {
        count: dataclasses.replace(ours, env={**ours.env, "SHAZAM_ARTIFACT": str(folder)})
        for count, folder in folders.items()
    }


def table(found: dict[str, Any]) -> str:
    def of(rounds: list[dict[str, float]], what: str, count: int) -> np.ndarray:
        return np.array([values[f"{what} {count}"] for values in rounds])

    few, many = SIZES
    lines = [
        f"| clients | turns | p50 ms, {few:,} | {many:,} | | CPU ms, {few:,} | {many:,} | |",
        "|" + "---|" * 8,
    ]
    for point, rounds in found["requests"].items():
        cells = []
        for what in ("p50_ms", "cpu_ms"):
            one, other = of(rounds, what, few), of(rounds, what, many)
            low, middle, high = np.quantile(other / one - 1, (0.25, 0.5, 0.75))
            cells += [f"{np.median(one):.1f}", f"{np.median(other):.1f}"]
            cells += [f"{middle:+.1%} ({low:+.1%} to {high:+.1%})"]
        lines.append(f"| {point} | {len(rounds)} | {' | '.join(cells)} |")
    one, other = of(found["starts"], "ready_s", few), of(found["starts"], "ready_s", many)
    if len(one):
        low, middle, high = np.quantile(other - one, (0.25, 0.5, 0.75))
        lines += [
            "",
            f"Start to ready: {np.median(one):.2f} s with {few:,}, {np.median(other):.2f} s with "
            f"{many:,} (medians of {len(one)}); of two starts after each other the larger one was "
            f"ready {middle:.2f} s later (median; {low:.2f} to {high:.2f}).",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--more", action="store_true", help="add to what was measured before")
    parser.add_argument("--make", action="store_true", help="only make what is served")
    options = parser.parse_args()
    made = serving.prepare()
    like = Artifact.open(made["artifact"].with_name(made["artifact"].name.removesuffix("-serving")))
    WORK.mkdir(parents=True, exist_ok=True)
    folders = {count: make(count, like) for count in SIZES}
    if options.make:
        return
    results = HERE / "scale_http.json"
    found: dict[str, Any] = {"requests": {}, "starts": []}
    if options.more:
        found = json.loads(results.read_text())
    if options.rounds:
        for point, rounds in measure(folders, made, options.rounds, options.seconds).items():
            found["requests"].setdefault(point, []).extend(rounds)
    found["starts"] += start(folders, made, options.starts)
    results.write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "scale_http.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()
