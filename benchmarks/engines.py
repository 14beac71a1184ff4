"""Where an index could live that outgrows a machine's disk: existing engines, measured.

    python benchmarks/engines.py             # 20,000 and 100,000 rows; writes engines.json and .md
    python benchmarks/engines.py --rows 1000000                       # half an hour, 12 GB of disk

Every engine is installed into an environment of its own below build/engines, given the rows of
scale.py, and asked by a process of its own, one query at a time. Measured: what it adds to an
image, what importing it costs, publishing, and a process that starts from nothing: until its first
answer, then, with the least effort that finds 0.98 of the exact ten, its median and tail, recall,
memory, and a filter of one genre in a hundred.

What can run here of each: LanceDB is a library, on a disk and on an S3 (moto's, in a process
beside, for few rows: it copies a whole file for each piece of it, so that its times are its own
and the number of reads is what tells). Of Qdrant there is no server in a package registry; its Edge
is the same engine in a library, on a disk. Of Milvus there is Lite, a server's API over one
machine's files.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "build" / "engines"
QUERIES, FILTERED, GENRES, GENRE = 200, 50, 100, 7
TARGET = 0.98
MOTO_HOLDS = 20_000
BUCKET = "covers"
# A query, a genre or none, how much effort → ten ids.
Ask = Callable[[np.ndarray, int | None, int], list[int]]

# What each needs besides NumPy; our own index needs what serves anyway.
PACKAGES = {
    "faiss": [],
    "lancedb": ["lancedb==0.40.0"],
    "lancedb-s3": ["lancedb==0.40.0"],
    "qdrant-edge": ["qdrant-edge-py==0.9.0", "numpy==2.4.6"],
    "milvus-lite": ["pymilvus==3.0.2", "milvus-lite==3.2.2"],
}
MODULES = {
    "faiss": "faiss",
    "lancedb": "lancedb",
    "lancedb-s3": "lancedb",
    "qdrant-edge": "qdrant_edge",
    "milvus-lite": "pymilvus",
}


# The engines: each publishes (N, 512) rows with ids 0 to N − 1 and a genre, and answers top tens.


class Faiss:
    """What serves today, beside the others: the artifact's own index, tuned when it was built."""

    queries, efforts = QUERIES, (0,)

    def publish(self, place: Path, rows: np.ndarray, genres: np.ndarray) -> None:
        sys.path.insert(0, str(HERE.parent))
        from engine.vectors.making import build_index

        place.mkdir()
        index = build_index(np.asarray(rows), np.arange(len(rows)), "auto", folder=place)
        index.write(place / "index.faiss")
        tuning = index.tuning
        made = {**vars(tuning), "curve": ()} if tuning else None
        (place / "made.json").write_text(json.dumps([index.kind, made]))
        np.save(place / "genres.npy", genres)

    def open(self, place: Path) -> Ask:
        sys.path.insert(0, str(HERE.parent))
        from engine.vectors.index import Index, set_index_threads
        from engine.vectors.rows import Rows
        from engine.vectors.selection import Selection
        from engine.vectors.tuning import Tuning

        set_index_threads(1)
        kind, made = json.loads((place / "made.json").read_text())
        tuning = Tuning(**made) if made else None
        rows = Rows(place / "rows", 512) if tuning and tuning.reach else None
        index = Index.read(place / "index.faiss", kind, rows=rows, tuning=tuning)
        genres = np.load(place / "genres.npy")
        chosen: dict[int, Selection] = {}

        def ask(query: np.ndarray, genre: int | None, effort: int) -> list[int]:
            if genre is not None and genre not in chosen:
                chosen[genre] = Selection(np.flatnonzero(genres == genre))
            among = None if genre is None else chosen[genre]
            return [n.id for n in index.search(query[None], 10, among)[0]]

        return ask


class LanceDB:
    """RaBitQ codes in an inverted file, as vectors/lance.py makes it; effort: lists visited."""

    queries, efforts = QUERIES, (4, 8, 16, 32, 64, 128, 256)

    def where(self, place: Path) -> str:
        return str(place)

    def publish(self, place: Path, rows: np.ndarray, genres: np.ndarray) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.index import BTree, IvfRq

        schema = pa.schema(
            {"album_id": pa.int64(), "genre_id": pa.int64(), "vector": pa.list_(pa.float32(), 512)}
        )

        def batches() -> Iterator[Any]:
            for at in range(0, len(rows), 16_384):
                part = np.ascontiguousarray(rows[at : at + 16_384])
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), 512)
                ids = pa.array(np.arange(at, at + len(part)))
                yield pa.record_batch(
                    [ids, pa.array(genres[at : at + len(part)]), vectors], schema=schema
                )

        database = lancedb.connect(self.where(place))
        table = database.create_table("albums", batches(), schema=schema)
        lists = 1 << round(np.log2(len(rows) / 2_048))
        codes = IvfRq(distance_type="dot", num_partitions=lists, num_bits=4)
        table.create_index("vector", config=codes)
        table.create_index("genre_id", config=BTree())

    def open(self, place: Path) -> Ask:
        import lancedb

        table = lancedb.connect(self.where(place)).open_table("albums")

        def ask(query: np.ndarray, genre: int | None, effort: int) -> list[int]:
            asked = table.search(query).distance_type("dot").limit(10)
            asked = asked.nprobes(effort).refine_factor(2)
            if genre is not None:
                asked = asked.where(f"genre_id = {genre}", prefilter=True)
            return list(asked.select(["album_id", "_distance"]).to_arrow()["album_id"].to_pylist())

        return ask


class LanceDBOnS3(LanceDB):
    # moto answers some hundred requests a second; more queries would measure it alone.
    queries = 25

    def where(self, place: Path) -> str:
        return f"s3://{BUCKET}/{place.name}"


class QdrantEdge:
    """Qdrant's HNSW over int8 codes, rows and graph in mapped files; effort: hnsw_ef."""

    queries, efforts = QUERIES, (16, 32, 64, 128, 256, 512)

    def publish(self, place: Path, rows: np.ndarray, genres: np.ndarray) -> None:
        import qdrant_edge as edge

        place.mkdir()
        config = edge.EdgeConfig(
            vectors={"": edge.EdgeVectorParams(size=512, distance=edge.Distance.Dot, on_disk=True)},
            hnsw_config=edge.HnswIndexConfig(
                m=16, ef_construct=100, full_scan_threshold=10_000, on_disk=True
            ),
            quantization_config=edge.ScalarQuantizationConfig(
                type=edge.ScalarType.Int8, always_ram=True
            ),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=1_000),
        )
        shard = edge.EdgeShard.create(str(place), config)
        for at in range(0, len(rows), 1_000):
            points = [
                edge.Point(at + i, row.tolist(), {"genre_id": int(genres[at + i])})
                for i, row in enumerate(rows[at : at + 1_000])
            ]
            shard.update(edge.UpdateOperation.upsert_points(points))
        shard.update(
            edge.UpdateOperation.create_field_index("genre_id", edge.PayloadSchemaType.Integer)
        )
        shard.optimize()
        shard.flush()
        shard.close()

    def open(self, place: Path) -> Ask:
        import qdrant_edge as edge

        shard = edge.EdgeShard.load(str(place))

        def ask(query: np.ndarray, genre: int | None, effort: int) -> list[int]:
            only = None
            if genre is not None:
                match = edge.FieldCondition("genre_id", match=edge.MatchValue(genre))
                only = edge.Filter(must=[match])
            request = edge.SearchRequest(
                edge.Query.Nearest(query.tolist()),
                10,
                filter=only,
                params=edge.SearchParams(
                    hnsw_ef=effort, quantization=edge.QuantizationSearchParams(rescore=True)
                ),
            )
            return [int(point.id) for point in shard.search(request)]

        return ask


class MilvusLite:
    """Milvus's API over FAISS in a process that the client starts; effort: lists visited."""

    queries, efforts = QUERIES, (8, 16, 32, 64, 128, 256, 512)

    def publish(self, place: Path, rows: np.ndarray, genres: np.ndarray) -> None:
        from pymilvus import DataType, MilvusClient

        client = MilvusClient(str(place) + ".db")
        schema = client.create_schema(auto_id=False)
        schema.add_field("album_id", DataType.INT64, is_primary=True)
        schema.add_field("genre_id", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=512)
        index = client.prepare_index_params()
        lists = 1 << round(np.log2(len(rows) / 100))
        index.add_index("vector", index_type="IVF_SQ8", metric_type="IP", params={"nlist": lists})
        client.create_collection("albums", schema=schema)
        for at in range(0, len(rows), 2_000):
            client.insert(
                "albums",
                [
                    {"album_id": at + i, "genre_id": int(genres[at + i]), "vector": row.tolist()}
                    for i, row in enumerate(rows[at : at + 2_000])
                ],
            )
        client.flush("albums")
        client.create_index("albums", index)
        client.close()

    def open(self, place: Path) -> Ask:
        from pymilvus import MilvusClient

        client = MilvusClient(str(place) + ".db")
        client.load_collection("albums")

        def ask(query: np.ndarray, genre: int | None, effort: int) -> list[int]:
            found = client.search(
                "albums",
                data=[query.tolist()],
                limit=10,
                filter="" if genre is None else f"genre_id == {genre}",
                search_params={"metric_type": "IP", "params": {"nprobe": effort}},
            )
            return [int(hit["album_id"]) for hit in found[0]]

        return ask


ENGINES: dict[str, Any] = {
    "faiss": Faiss,
    "lancedb": LanceDB,
    "lancedb-s3": LanceDBOnS3,
    "qdrant-edge": QdrantEdge,
    "milvus-lite": MilvusLite,
}


# In a process of its own, in the engine's environment


def publish(name: str, place: Path, inputs: Path) -> dict[str, float]:
    rows, genres = np.load(inputs / "rows.npy", mmap_mode="r"), np.load(inputs / "genres.npy")
    start = time.perf_counter()
    ENGINES[name]().publish(place, rows, genres)
    cpu = os.times()
    return {
        "publish_s": time.perf_counter() - start,
        "publish_cpu_s": cpu.user + cpu.system + cpu.children_user + cpu.children_system,
    }


def ask(name: str, place: Path, inputs: Path) -> dict[str, float]:
    queries = np.load(inputs / "queries.npy")
    engine = ENGINES[name]()
    answer, effort = engine.open(place), engine.efforts[-2:][0]
    answer(queries[0], None, effort)
    boot = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    cold = time.clock_gettime(time.CLOCK_BOOTTIME) - boot / os.sysconf("SC_CLK_TCK")
    first = _resident()
    tuned_on = min(50, engine.queries)
    right = np.load(inputs / "exact.npy")[-tuned_on:]
    for effort in engine.efforts:
        found = [answer(query, None, effort) for query in queries[-tuned_on:]]
        if (
            np.mean([len(set(a) & set(b)) for a, b in zip(found, right, strict=True)])
            >= 10 * TARGET
        ):
            break
    told: dict[str, float] = {"cold_s": cold, "resident_first_mb": first, "effort": effort}
    for what, exact, genre, count in (
        ("", np.load(inputs / "exact.npy"), None, engine.queries),
        ("filtered_", np.load(inputs / "exact-filtered.npy"), GENRE, min(FILTERED, engine.queries)),
    ):
        for query in queries[-5:]:
            answer(query, genre, effort)
        times, shares = [], []
        cpu, asked = time.process_time(), _requests()
        for query, right in zip(queries[:count], exact[:count], strict=True):
            start = time.perf_counter()
            found = answer(query, genre, effort)
            times.append(1000 * (time.perf_counter() - start))
            shares.append(len(set(found) & set(right.tolist())) / 10)
        told |= {
            f"{what}p50_ms": float(np.median(times)),
            f"{what}p99_ms": float(np.quantile(times, 0.99)),
            f"{what}cpu_ms": 1000 * (time.process_time() - cpu) / count,
            f"{what}reads": (_requests() - asked) / count,
            f"{what}recall_at_10": float(np.mean(shares)),
        }
    return {**told, "resident_mb": _resident()}


def _requests() -> int:
    """How many the object store has answered so far."""
    log = Path(os.environ.get("STORE_LOG", ""))
    return log.read_text().count("HTTP/1.1") if log.is_file() else 0


def _resident() -> float:
    """MB of this process and of those it started."""
    me, total = str(os.getpid()), 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(
                line.split(":", 1) for line in status.read_text().splitlines() if ":" in line
            )
        except OSError:  # ended meanwhile
            continue
        if me in (fields["Pid"].strip(), fields["PPid"].strip()) and "VmRSS" in fields:
            total += int(fields["VmRSS"].split()[0]) / 1024
    return total


# The one that runs them


def generate(count: int, inputs: Path) -> None:
    """Rows, genres, queries and their exact answers, with and without a filter."""
    if (inputs / "exact-filtered.npy").is_file():
        return
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    from scale import BLOCK, Exact, Generated

    inputs.mkdir(parents=True, exist_ok=True)
    source = Generated(count)
    queries = source.queries()[:QUERIES]
    np.save(inputs / "queries.npy", queries)
    genres = np.concatenate([source.clusters(i) for i in range(-(-count // BLOCK))])[:count]
    genres %= GENRES
    np.save(inputs / "genres.npy", genres)
    table = np.lib.format.open_memmap(
        str(inputs / "rows.npy"), mode="w+", dtype=np.float32, shape=(count, 512)
    )
    exact = Exact(queries, np.full(len(queries), -1))
    filtered = Exact(queries[:FILTERED], np.full(FILTERED, -1))
    for start, block in source.blocks():
        ids = np.arange(start, start + len(block))
        table[ids] = block
        exact.add(block, ids)
        inside = genres[ids] == GENRE
        filtered.add(block[inside], ids[inside])
    table.flush()
    np.save(inputs / "exact.npy", np.stack([ids[:10] for ids in exact.nearest()]))
    np.save(inputs / "exact-filtered.npy", np.stack([ids[:10] for ids in filtered.nearest()]))


def environment(name: str) -> tuple[Path, float, float]:
    """An engine's own Python, the MB it adds, and the seconds of processor time to import it."""
    if not PACKAGES[name]:
        python, added = Path(sys.executable), 0.0
    else:
        folder = WORK / "environments" / MODULES[name]
        python = folder / "bin" / "python"
        if not python.is_file():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES[name]], check=True)
        ours = {"pip", "setuptools", "_distutils_hack", "pkg_resources"}
        packages = next(folder.glob("lib/python*/site-packages"))
        added = sum(
            path.stat().st_size
            for top in packages.iterdir()
            if top.name.partition("-")[0] not in ours
            for path in (top.rglob("*") if top.is_dir() else [top])
            if path.is_file() and path.suffix != ".pyc"
        )
    code = f"import time; import {MODULES[name]}; print(time.process_time())"
    times = [
        float(subprocess.run([python, "-c", code], capture_output=True, text=True).stdout)
        for _ in range(3)
    ]
    return python, added / 1e6, min(times)


@contextmanager
def object_store() -> Iterator[dict[str, str]]:
    """moto's S3 on this machine, with an empty bucket; the environment that leads there."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    WORK.mkdir(parents=True, exist_ok=True)
    log = WORK / "store.log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(
                    urllib.request.Request(f"{url}/{BUCKET}", method="PUT"), timeout=5
                )
                break
            except OSError:
                time.sleep(0.2)
        yield {
            "STORE_LOG": str(log),
            "AWS_ENDPOINT": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
    finally:
        server.kill()
        server.wait()


def run(names: list[str], count: int, store: dict[str, str]) -> list[dict[str, Any]]:
    inputs, results = WORK / str(count), []
    generate(count, inputs)
    for name in names:
        if name == "lancedb-s3" and count > MOTO_HOLDS:
            continue
        python, added, imported = environment(name)
        place = inputs / name
        shutil.rmtree(place, ignore_errors=True)
        before = shutil.disk_usage(WORK).used
        # One thread in libraries that read these; engines with threads of their own keep them.
        env = {**os.environ, **store, "OMP_NUM_THREADS": "1", "LANCE_LOG": "error"}
        told: dict[str, Any] = {"engine": name, "rows": count}
        told |= {"added_mb": added, "import_cpu_s": imported}
        for step in ("publish", "ask"):
            print(f"{step} {name}, {count:,} rows", file=sys.stderr, flush=True)
            done = subprocess.run(
                [python, __file__, "--step", step, name, str(place), str(inputs)],
                env=env,
                stdout=subprocess.PIPE,
                text=True,
            )
            if done.returncode:
                told["failed"] = step
                break
            told |= json.loads(done.stdout.splitlines()[-1])
            if step == "publish":
                told["disk_mb"] = (shutil.disk_usage(WORK).used - before) / 1e6
        results.append(told)
        print(json.dumps(told), file=sys.stderr, flush=True)
    return results


COLUMNS = {
    "added MB": ("added_mb", "{:.0f}"),
    "import CPU s": ("import_cpu_s", "{:.2f}"),
    "publish s": ("publish_s", "{:.0f}"),
    "start to first answer s": ("cold_s", "{:.2f}"),
    "resident MB": ("resident_mb", "{:.0f}"),
    "store reads a query": ("reads", "{:.0f}"),
    "CPU ms a query": ("cpu_ms", "{:.1f}"),
    "p50 ms": ("p50_ms", "{:.1f}"),
    "p99 ms": ("p99_ms", "{:.1f}"),
    "recall@10": ("recall_at_10", "{:.3f}"),
    "filtered p50 ms": ("filtered_p50_ms", "{:.1f}"),
    "filtered recall@10": ("filtered_recall_at_10", "{:.3f}"),
}


def table(results: list[dict[str, Any]]) -> str:
    lines = [f"| engine | rows | {' | '.join(COLUMNS)} |", "|" + "---|" * (len(COLUMNS) + 2)]
    for told in results:
        cells = [form.format(told[key]) if key in told else "–" for key, form in COLUMNS.values()]
        lines.append(f"| {told['engine']} | {told['rows']:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step, name, place, inputs = options.step
        call = {"publish": publish, "ask": ask}[step]
        print(json.dumps(call(name, Path(place), Path(inputs))))
        return
    with object_store() as store:
        results = [told for n in options.rows for told in run(options.engines, n, store)]
    (HERE / "engines.json").write_text(json.dumps(results, indent=2) + "\n")
    (HERE / "engines.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
