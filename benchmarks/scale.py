"""What the number of albums costs: build, disk, memory, latency and recall at 10,000 to 10 million.

    python benchmarks/scale.py                  # 10 k, 100 k, 1 M; writes scale.json, .md, .png
    python benchmarks/scale.py --ten-million    # … and 10 M: 6 GB of disk, 3 GB of memory
    python benchmarks/scale.py --again          # measure anew what was built

What was built stays in build/scale, and a run goes on where the last one stopped.

The rows are generated, seeded and streamed: a cone (mean cosine 0.5, as CLIP's pictures have), 256
directions of power-law weight, 2,000 clusters. Each size is built and measured in processes of
their own. Cold is what 100 queries take once the system's cache has let go of every file; all else
is measured with the files in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402

from engine.vectors.embeddings import BLOCK  # noqa: E402
from engine.vectors.exact import Exact, recall_at_10  # noqa: E402
from engine.vectors.index import Index, set_index_threads  # noqa: E402
from engine.vectors.making import build_index  # noqa: E402
from engine.vectors.rows import Rows  # noqa: E402
from engine.vectors.selection import Selection  # noqa: E402
from engine.vectors.tuning import Point, Tuning  # noqa: E402

DIMENSION, DIRECTIONS, CLUSTERS = 512, 256, 2_000
SIZES = (10_000, 100_000, 1_000_000)
TEN_MILLION = 10_000_000
QUERIES, COLD = 500, 100
SELECTIVITIES = (0.001, 0.01, 0.1, 0.5)


class Generated:
    """(count, 512) float32 unit rows as an `inverted.Source`; the same for the same seed."""

    dimension = DIMENSION

    def __init__(self, count: int, seed: int = 0) -> None:
        self._count, self._seed = count, seed
        random = np.random.default_rng(seed)
        basis = np.linalg.qr(random.normal(size=(DIMENSION, DIRECTIONS + 1)))[0].T
        weights = np.arange(1, DIRECTIONS + 1) ** -0.5
        weights /= np.linalg.norm(weights)
        self._axis = basis[0].astype(np.float32)
        # Half of a row's spread is its cluster's, half its own; together as long as the axis.
        self._mix = (basis[1:] * weights[:, None] * 0.5**0.5).astype(np.float32)
        self._centres = random.standard_normal((CLUSTERS, DIRECTIONS), dtype=np.float32)

    def __len__(self) -> int:
        return self._count

    def block(self, number: int, count: int = BLOCK) -> np.ndarray:
        """Rows of one block; numbers beyond the last give rows that are in no index: queries."""
        rows = np.random.default_rng([self._seed, number, 1]).standard_normal(
            (count, DIRECTIONS), dtype=np.float32
        )
        rows += self._centres[self.clusters(number, count)]
        rows = rows @ self._mix
        rows += self._axis
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    def clusters(self, number: int, count: int = BLOCK) -> np.ndarray:
        """(count,) int64: the cluster of each row of a block."""
        return np.random.default_rng([self._seed, number, 0]).integers(0, CLUSTERS, count)

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        for start in range(0, self._count, BLOCK):
            yield start, self.block(start // BLOCK)[: self._count - start]

    def sample(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        # The rows are drawn independently, so the first of them are as good a sample as any.
        count = min(count, self._count)
        parts = [self.block(number) for number in range(-(-count // BLOCK))]
        return np.arange(count), np.concatenate(parts)[:count]

    def queries(self) -> np.ndarray:
        return self.block(10**9, QUERIES)


class Watched(Generated):
    """Generated rows that show each block to `exact` as it goes into the index."""

    exact: Exact

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        for start, block in super().blocks():
            self.exact.add(block, np.arange(start, start + len(block)))
            yield start, block
            note(f"{start + len(block):,} of {len(self):,} rows")


def note(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def build(count: int, folder: Path, recall: float) -> None:
    """Build one size into `folder`, with the exact answers of the queries and what it took."""
    folder.mkdir(parents=True)
    source = Watched(count)
    source.exact = Exact(source.queries(), np.full(QUERIES, -1))
    start, cpu = time.perf_counter(), time.process_time()
    index = build_index(source, np.arange(count), "auto", recall=recall, folder=folder)
    index.write(folder / "index.faiss")
    tuning = index.tuning
    made = {
        "rows": count,
        "kind": index.kind,
        "codes": tuning.codes if tuning else "Flat",
        "build_s": time.perf_counter() - start,
        "build_cpu_s": time.process_time() - cpu,
        "build_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "bytes_an_album": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / count,
        "tuning": None if tuning is None else _plain(tuning),
    }
    np.save(folder / "exact.npy", np.stack([ids[:10] for ids in source.exact.nearest()]))
    (folder / "made.json").write_text(json.dumps(made, indent=2))


def _plain(tuning: Tuning) -> dict[str, Any]:
    return {**vars(tuning), "curve": [[p.nprobe, p.reach, p.recall, p.ms] for p in tuning.curve]}


def measure(folder: Path) -> None:
    """Open one size in this process, ask it, and write what that took beside it."""
    made = json.loads((folder / "made.json").read_text())
    tuning = made["tuning"] and Tuning(
        **{**made["tuning"], "curve": tuple(Point(*point) for point in made["tuning"]["curve"])}
    )
    queries, exact = Generated(made["rows"]).queries(), np.load(folder / "exact.npy")
    set_index_threads(1)
    _forget(folder)
    before = _memory()
    start = time.perf_counter()
    rows = Rows(folder / "rows", DIMENSION) if tuning and tuning.reach else None
    index = Index.read(folder / "index.faiss", made["kind"], rows=rows, tuning=tuning)
    opened = time.perf_counter()
    index.search(queries[:1], 10)
    answered = time.perf_counter()
    first = _memory()
    cold, _ = _asked(index, queries[:COLD], exact)
    _remember(folder)
    times, shares = _asked(index, queries, exact)
    steady = _memory()
    measured = {
        "open_ms": 1000 * (opened - start),
        "first_query_ms": 1000 * (answered - opened),
        "cold_p50_ms": 1000 * float(np.median(cold)),
        "p50_ms": 1000 * float(np.median(times)),
        "p99_ms": 1000 * float(np.quantile(times, 0.99)),
        "recall_at_10": float(np.mean(shares)),
        "resident_before_mb": before["VmRSS"],
        "resident_first_mb": first["VmRSS"],
        "resident_mb": steady["VmRSS"],
        "of_which_mapped_mb": steady["RssFile"] - before["RssFile"],
        "peak_mb": steady["VmHWM"],
    }
    if made["kind"] == "ivf" and made["rows"] < TEN_MILLION:
        measured["filters"] = _filters(index, queries[:100])
    (folder / "measured.json").write_text(json.dumps({**made, **measured}, indent=2))


def _asked(index: Index, queries: Any, exact: Any) -> tuple[list[float], list[float]]:
    """Seconds and recall@10 of each query, one after the other."""
    times, shares = [], []
    for query, right in zip(queries, exact, strict=False):
        asked = time.perf_counter()
        found = index.search(query[None], 10)[0]
        times.append(time.perf_counter() - asked)
        shares.append(recall_at_10(found, -1, right))
    return times, shares


def _forget(folder: Path) -> None:
    """Let the system's cache go of every file, as if the machine had just been started."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _remember(folder: Path) -> None:
    """Read every file once, as on a machine that has answered for a while."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass


def _filters(index: Index, queries: np.ndarray) -> list[dict[str, Any]]:
    """Recall and latency where a filter leaves a share of the albums: anywhere, or whole clusters,
    which lie together as a genre's covers do."""
    source = Generated(len(index))
    chosen, truths = {}, {}
    for share in SELECTIVITIES:
        for where in ("anywhere", "clusters"):
            chosen[share, where] = np.zeros(len(index), bool)
            truths[share, where] = Exact(queries, np.full(len(queries), -1))
    for start, block in source.blocks():
        ids = np.arange(start, start + len(block))
        clusters = source.clusters(start // BLOCK)[: len(block)]
        luck = np.random.default_rng([1, start]).random(len(block))
        for (share, where), mask in chosen.items():
            inside = luck < share if where == "anywhere" else clusters < share * CLUSTERS
            mask[ids] = inside
            truths[share, where].add(block[inside], ids[inside])
    rows = []
    for (share, where), mask in chosen.items():
        among = Selection(np.flatnonzero(mask))
        index.search(queries[:1], 10, among)
        times, shares = [], []
        for query, right in zip(queries, truths[share, where].nearest(), strict=True):
            asked = time.perf_counter()
            found = index.search(query[None], 10, among)[0]
            times.append(time.perf_counter() - asked)
            shares.append(recall_at_10(found, -1, right))
        rows.append(
            {
                "share": share,
                "where": where,
                "albums": among.count,
                "recall_at_10": float(np.mean(shares)),
                "p50_ms": 1000 * float(np.median(times)),
            }
        )
    return rows


def _memory() -> dict[str, float]:
    """MB resident now, of which mapped from files, and the most there ever was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    wanted = ("VmRSS:", "RssFile:", "VmHWM:")
    return {
        line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith(wanted)
    }


def table(results: list[dict[str, Any]]) -> str:
    lines = [
        "| rows | index | build s (CPU) | build peak MB | bytes an album | open ms "
        "| first query ms | p50 cold ms | p50 ms | p99 ms | recall@10 | resident MB (mapped) "
        "| peak MB |",
        "|" + "---|" * 13,
    ]
    for r in results:
        made = r["codes"] if r["kind"] == "ivf" else r["kind"]
        tuned = r["tuning"]
        if tuned:
            made = f"IVF{tuned['lists']},{made}, nprobe {tuned['nprobe']}"
            made += f", {tuned['reach']} again" if tuned["reach"] else ""
        lines.append(
            f"| {r['rows']:,} | {made} | {r['build_s']:.0f} ({r['build_cpu_s']:.0f}) "
            f"| {r['build_peak_mb']:,.0f} | {r['bytes_an_album']:.0f} | {r['open_ms']:.1f} "
            f"| {r['first_query_ms']:.2f} | {r['cold_p50_ms']:.2f} | {r['p50_ms']:.2f} "
            f"| {r['p99_ms']:.2f} | {r['recall_at_10']:.4f} | {r['resident_mb']:,.0f} "
            f"({r['of_which_mapped_mb']:,.0f}) | {r['peak_mb']:,.0f} |"
        )
    for r in results:
        if "filters" not in r:
            continue
        lines += ["", f"Filters at {r['rows']:,} rows:", ""]
        lines += ["| share | its albums lie | albums | recall@10 | p50 ms |", "|" + "---|" * 5]
        lines += [
            f"| {f['share']:.1%} | {f['where']} | {f['albums']:,} | {f['recall_at_10']:.4f} "
            f"| {f['p50_ms']:.2f} |"
            for f in r["filters"]
        ]
    return "\n".join(lines) + "\n"


def plot(results: list[dict[str, Any]], target: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 3.4), layout="constrained")
    all_axes = figure.subplots(1, 4)
    rows = [r["rows"] for r in results]
    for axes, title, keys in zip(
        all_axes,
        ("milliseconds a query", "recall@10", "resident MB", "build, CPU seconds"),
        (("p50_ms", "p99_ms"), ("recall_at_10",), ("resident_mb", "peak_mb"), ("build_cpu_s",)),
        strict=True,
    ):
        for key in keys:
            axes.plot(rows, [r[key] for r in results], marker="o", label=key)
        axes.set(xscale="log", xlabel="albums", title=title)
        if keys != ("recall_at_10",):
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    figure.savefig(target, dpi=110)


def run(sizes: list[int], work: Path, recall: float, *, again: bool = False) -> None:
    results = []
    for count in sizes:
        folder = work / str(count)
        for step in ("--build", "--measure"):
            done = folder / ("made.json" if step == "--build" else "measured.json")
            if done.is_file() and not (again and step == "--measure"):
                continue
            if step == "--build":
                shutil.rmtree(folder, ignore_errors=True)
            note(f"{step[2:]} {count:,}")
            # One thread: what is compared is work, and FAISS's threads wait by spinning.
            subprocess.run(
                [
                    *(sys.executable, __file__, step, str(count)),
                    *("--work", str(work), "--recall", str(recall)),
                ],
                check=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        results.append(json.loads((folder / "measured.json").read_text()))
    (HERE / "scale.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "scale.md").write_text(table(results))
    plot(results, HERE / "scale.png")
    print(table(results))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ten-million", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--recall", type=float, default=0.98)
    parser.add_argument("--work", type=Path, default=HERE.parent / "build" / "scale")
    parser.add_argument("--again", action="store_true", help="measure what was built once more")
    parser.add_argument("--build", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.build:
        build(options.build, options.work / str(options.build), options.recall)
    elif options.measure:
        measure(options.work / str(options.measure))
    else:
        sizes = options.sizes + ([TEN_MILLION] if options.ten_million else [])
        run(sizes, options.work, options.recall, again=options.again)


if __name__ == "__main__":
    main()
