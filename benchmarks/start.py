"""From a command to its first answer: where a start's seconds go, and what of it is the processor.

    python benchmarks/start.py              # five starts of each, in turns: about three minutes

`engine serve` and `bentoml serve` of ViT-B/32 as int8 beside 20,000 albums (those of serving.py, of
random weights), with all files in the system's cache and with none of the artifact's and the
packages', and the original plan's start. `--before DIR`: the same of another checkout, in the same
turns. Writes benchmarks/start.json, start.md and start.png.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from serving import (
    HERE,
    PROJECT,
    System,
    list_systems,
    machine,
    prepare,
    start_split,
    started,
)

# What the parts of `shazam_start_seconds` are, in the order of a start.
PARTS = ("launcher", "imports", "digests", "index", "encoder", "warm-up")
COLOURS = dict(
    zip(PARTS, ("#888", "#4477aa", "#cc6677", "#ddcc77", "#117733", "#88ccee"), strict=True)
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--before", type=Path, help="another checkout, with a .venv")
    options = parser.parse_args()
    made = prepare()
    systems = {system.name: system for system in _systems(made, options.before)}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in systems}
    for system in systems.values():  # kernels are prepared, caches are warm
        with started(system, made):
            pass
    for _ in range(options.starts):
        for name, system in systems.items():
            if name.endswith(COLD):
                _forget([made["artifact"], PROJECT / ".venv" / "lib"])
            with started(system, made) as running:
                split = start_split(running.port) if name != "original plan" else {}
                row = {**running.start_s, "cpu": running.cpu_s(), "split": split}
            rows[name].append(row)
            print(f"{name:<36} {row['first answer']:.2f} s, {row['cpu']:.2f} CPU-s")
    found = {"machine": machine(), "starts": {name: _median(of) for name, of in rows.items()}}
    (HERE / "start.json").write_text(json.dumps(found, indent=1) + "\n")
    (HERE / "start.md").write_text(_table(found))
    _plot(found["starts"])
    print(_table(found))


COLD = ", cold"


def _systems(made: dict[str, Path], before: Path | None) -> Iterator[System]:
    plan, ours = list_systems(made)[:2]
    yield plan
    target = [sys.executable, "-m", "bentoml", "serve", "service:ShazamVisual", "--port", "PORT"]
    env = {**ours.env, "SHAZAM_SOUND_ARTIFACT": "none"}
    own = replace(ours, name="engine serve", env=env)
    theirs = replace(own, name="bentoml serve", command=target)
    for one in (own, theirs):
        yield one
        if before is not None:
            yield replace(one, name=f"{one.name}, before", cwd=before.resolve())
    yield replace(own, name=own.name + COLD)


def _forget(folders: list[Path]) -> None:
    """Let the system drop what it holds of these folders' files."""
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    parts = rows[0]["split"]
    return {
        **{
            name: round(statistics.median(row[name] for row in rows), 2)
            for name in ("ready", "first answer", "cpu")
        },
        "split": {
            part: round(statistics.median(row["split"].get(part, 0) for row in rows), 2)
            for part in parts
        },
    }


def _table(found: dict[str, Any]) -> str:
    cores, processor = found["machine"]["cores"], found["machine"]["processor"]
    lines = [
        f"By `python benchmarks/start.py` on {cores} cores ({processor}), medians. The parts of a "
        "start overlap: the artifact is opened while the rest is imported.",
        "",
        "| | first answer | CPU | " + " | ".join(PARTS) + " |",
        "|---" * (3 + len(PARTS)) + "|",
    ]
    for name, row in found["starts"].items():
        split = [f"{row['split'][part]:.2f}" if row["split"] else "" for part in PARTS]
        first = f"{row['first answer']:.2f} s | {row['cpu']:.2f} s"
        lines.append(f"| {name} | {first} | " + " | ".join(split) + " |")
    return "\n".join(lines) + "\n"


def _plot(starts: dict[str, Any]) -> None:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    figure = Figure(figsize=(10, 1.2 + 0.55 * len(starts)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(starts.values()):
        axes.barh(place, row["first answer"], height=0.8, color="#ddd")
        split = row["split"]
        # Two lanes: what is imported in one thread, and what another opens meanwhile.
        at = 0.0
        for part in PARTS[:2]:
            axes.barh(place - 0.18, split.get(part, 0), left=at, height=0.3, color=COLOURS[part])
            at += split.get(part, 0)
        at = row["first answer"] - sum(split.get(part, 0) for part in PARTS[2:])
        for part in PARTS[2:]:
            axes.barh(place + 0.18, split.get(part, 0), left=at, height=0.3, color=COLOURS[part])
            at += split.get(part, 0)
    axes.set_yticks(range(len(starts)), list(starts))
    axes.invert_yaxis()
    axes.legend([Patch(color=colour) for colour in COLOURS.values()], PARTS, ncols=3, fontsize=8)
    axes.set(xlabel="seconds to the first answer (grey); above imports, below what is opened")
    figure.savefig(HERE / "start.png", dpi=110)


if __name__ == "__main__":
    main()
