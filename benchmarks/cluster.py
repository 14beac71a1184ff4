"""What a second worker of a Ray cluster is worth to a build: covers a second with one and with two.

    python benchmarks/cluster.py            # writes cluster.json and .md; needs requirements/ray.in
    python benchmarks/cluster.py --more     # … and more turns to those that are there
    python benchmarks/cluster.py --address auto     # on the cluster that is there, of two cores

In each turn `build --ray`'s own code embeds the same covers twice, with the encoder of serving.py
(ViT-B/32's configuration, float32): with one core of a cluster of two taken, and with both free.
What counts is the steady state: from when every worker has returned two batches to when the first
has nothing more to do, so neither the start of processes nor their imports. What Ray's own
processes and the driver take of the same two cores is told beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import numpy as np  # noqa: E402
import psutil  # noqa: E402
import ray  # noqa: E402
import serving  # noqa: E402

from engine.covers.making import cluster  # noqa: E402
from engine.covers.making.files import cover_files  # noqa: E402

WORKERS = (1, 2)


def make_covers(count: int, photo: Path) -> Path:
    """A folder of JPEGs of 600 × 600, no two alike by their bytes."""
    folder = serving.WORK / f"covers-{count}"
    if not folder.is_dir():
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for i in range(count):
            # Bytes behind a JPEG's end change its digest and not its pixels.
            (partial / f"{i:05}.jpg").write_bytes(photo.read_bytes() + i.to_bytes(4))
        partial.rename(folder)
    return folder


def measure(workers: int, address: str, covers: Path, encoder: Path) -> dict[str, float]:
    """Steady covers a second, and CPU milliseconds a cover: of the workers, and of all else."""
    taken = [ray.remote(num_cpus=1)(_Nothing).remote() for _ in range(max(WORKERS) - workers)]
    ray.get([one.__ray_ready__.remote() for one in taken])
    files = cover_files(covers).files
    arrived, used = [], []
    for rows in cluster.embed_on_cluster(address, files, encoder, "vit-b-32", frozenset()):
        assert all(row.vector is not None for row in rows)
        arrived.append(time.perf_counter())
        used.append(_cpu_s())
    for one in taken:
        ray.kill(one)
    first, last = 2 * workers - 1, len(arrived) - workers
    seconds, done = arrived[last] - arrived[first], cluster.BATCH * (last - first)
    inside, beside = np.subtract(used[last], used[first]) * 1000 / done
    return {"per_s": done / seconds, "worker_ms": float(inside), "beside_ms": float(beside)}


class _Nothing:
    """Takes a core of the cluster, and none of the machine's."""


def _cpu_s() -> tuple[float, float]:
    """CPU seconds so far of the workers that embed, and of the driver and Ray's own processes."""
    inside, beside = 0.0, sum(os.times()[:2])
    for process in psutil.process_iter():
        try:
            times, command = process.cpu_times(), " ".join(process.cmdline())
        except psutil.Error:
            continue
        if command.startswith("ray::") and "_Worker" in command:
            inside += times.user + times.system
        elif command.startswith("ray::") or "/ray/" in command:
            beside += times.user + times.system
    return inside, beside


def table(turns: list[dict[str, Any]]) -> str:
    lines = ["| workers | covers a second | CPU ms a cover, worker | beside |", "|---|---|---|---|"]
    for workers in WORKERS:
        cells = [
            f"{np.median([turn[str(workers)][what] for turn in turns]):.1f}"
            for what in ("per_s", "worker_ms", "beside_ms")
        ]
        lines.append(f"| {workers} | {' | '.join(cells)} |")
    ratios = [turn["2"]["per_s"] / turn["1"]["per_s"] for turn in turns]
    lines += [
        "",
        f"Two workers embed {np.median(ratios):.2f} × as many as one (median of {len(turns)} "
        f"turns: {', '.join(f'{ratio:.2f}' for ratio in ratios)}).",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--covers", type=int, default=640)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--address", help="of a cluster; without one, it is started here")
    parser.add_argument("--more", action="store_true", help="add to what was measured before")
    options = parser.parse_args()
    made = serving.prepare()
    covers = make_covers(options.covers, made["600"])
    cluster.BATCH = options.batch
    results = HERE / "cluster.json"
    turns = json.loads(results.read_text()) if options.more else []
    own = {} if options.address else {"num_cpus": max(WORKERS), "include_dashboard": False}
    ray.init(
        options.address,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"py_modules": [str(cluster.ENGINE)]},
        **own,
    )
    address = ray.get_runtime_context().gcs_address
    for turn in range(options.turns):
        order = WORKERS[:: -1 if turn % 2 else 1]
        turns.append({str(n): measure(n, address, covers, made["encoder"]) for n in order})
        print(turns[-1], flush=True)
        results.write_text(json.dumps(turns, indent=1) + "\n")
    ray.shutdown()
    (HERE / "cluster.md").write_text(table(turns))
    print(table(turns))


if __name__ == "__main__":
    main()
