"""Feeds damaged indexes and catalogues to `import` and to an artifact's reader; prints a tally.

    python tests/fuzz_files.py SEED COUNT

A process of its own, with a bound on its memory: libraries that read files in C must neither end it
nor ask for the machine. Anything but a named error ends it with a traceback.
"""

# ruff: noqa: E402 (it finds the project itself)
from __future__ import annotations

import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

import faiss
import numpy as np
from mutations import mutated

from engine.artifact import check_ids
from engine.catalogue import Album, Catalogue, write_catalogue
from engine.errors import ShazamError
from engine.index import Index, build_index, read_foreign

MEMORY = 3 << 30


ROWS, WIDTH = 80, 8


def foreign_indexes(rng: np.random.Generator) -> list[bytes]:
    """Small indexes of every kind that `import` reads."""
    rows = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    recipes = ("Flat", "IVF4,Flat", "HNSW8", "SQ8", "PQ4x4", "IVF4,PQ4x4", "PCA4,Flat")
    made = []
    for recipe in recipes:
        index = faiss.index_factory(WIDTH, recipe, faiss.METRIC_INNER_PRODUCT)
        index.train(rows)
        index.add(rows)
        made.append(faiss.serialize_index(index).tobytes())
    return made


def own_indexes(rng: np.random.Generator) -> list[bytes]:
    rows = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    kinds = ("flat", "hnsw", "ivf")
    return [
        faiss.serialize_index(build_index(rows, np.arange(ROWS), kind)._index).tobytes()
        for kind in kinds
    ]


def main(seed: int, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(seed)
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path, good = Path(folder) / "file", Path(folder) / "good.sqlite"
        write_catalogue(good, (Album(n, n % 3, f"Title {n}", "Artist") for n in range(ROWS)))
        foreign, own = foreign_indexes(rng), own_indexes(rng)
        path.write_bytes(own[0])
        catalogue, index = Catalogue(good), Index.read(path, "flat")

        def read_own_index() -> None:
            found = Index.read(path, "flat")
            check_ids(found, catalogue)
            found.search(np.ones((1, found.dimension), np.float32), 5)

        def read_catalogue() -> None:
            found = Catalogue(path)
            try:
                check_ids(index, found)
            finally:
                found.close()

        for number in range(count):
            match number % 3:
                case 0:
                    what, read, whole = "index to import", lambda: read_foreign(path), foreign
                case 1:
                    what, read, whole = "artifact's index", read_own_index, own
                case _:
                    what, read, whole = "catalogue", read_catalogue, [good.read_bytes()]
            path.write_bytes(mutated(whole[rng.integers(len(whole))], rng))
            try:
                read()
            except ShazamError as refusal:
                refusal.message.encode()
                tally[f"{what}: refused"] += 1
            else:
                tally[f"{what}: read"] += 1
    for what, times in sorted(tally.items()):
        print(f"{times} × {what}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
