"""Feeds damaged files to `import` and to an artifact's readers; prints a tally.

    python tests/fuzz_files.py SEED COUNT ARTIFACT

Indexes of strangers and pickles; an artifact's index (read and mapped), rows, catalogue and
manifest; pictures of all layouts, with and without colour profiles. ARTIFACT is a good one, whose
manifest is damaged. A process of its own, with a bound on its memory: libraries that read files in
C must neither end it nor ask for the machine. Anything but a named error ends it with a traceback.
"""

# ruff: noqa: E402 (it finds the project itself)
from __future__ import annotations

import faulthandler
import io
import pickle
import resource
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

import faiss
import layouts
import numpy as np
import profiles
from mutations import mutated
from PIL import Image

from engine.base.errors import ShazamError
from engine.covers.artifact import check_ids
from engine.covers.catalogue import Album, Catalogue, write_catalogue
from engine.covers.image import decode
from engine.covers.making.unpickle import read_metadata_pickle
from engine.covers.manifest import read_manifest
from engine.vectors import index as indexes
from engine.vectors import inverted
from engine.vectors.embeddings import unit_rows
from engine.vectors.foreign import read_foreign
from engine.vectors.index import Index
from engine.vectors.making import build_index
from engine.vectors.rows import FOLDER, Rows

MEMORY = 3 << 30
ROWS, WIDTH = 400, 8  # as few as compact codes can be trained on

Case = tuple[str, bytes, Callable[[Path], object]]
"""What it is called, a good file, and who reads it when it is damaged."""


def foreign_indexes(rows: np.ndarray) -> list[Case]:
    """Small indexes of every kind that `import` reads."""
    recipes = ("Flat", "IVF4,Flat", "HNSW8", "SQ8", "PQ4x4", "IVF4,PQ4x4", "PCA4,Flat")
    made: list[Case] = []
    for recipe in (*recipes, "IDMap2,Flat", "IDMap,HNSW8"):
        index = faiss.index_factory(WIDTH, recipe, faiss.METRIC_INNER_PRODUCT)
        index.train(rows)
        if recipe.startswith("IDMap"):
            index.add_with_ids(rows, np.arange(len(rows)))
        else:
            index.add(rows)
        made.append(("index to import", faiss.serialize_index(index).tobytes(), read_foreign))
    return made


def pickles() -> list[Case]:
    columns = {"labels": np.arange(ROWS), "title": [f"Title {n}" for n in range(ROWS)]}
    plain = {"labels": list(range(ROWS)), "year": [1970.5, None] * (ROWS // 2)}
    return [
        ("pickle", pickle.dumps(value, protocol), read_metadata_pickle)
        for value in (columns, plain)
        for protocol in range(6)
    ]


def pictures() -> list[Case]:
    """Every layout, and pictures with a profile for each kind of colour."""

    def read(path: Path) -> None:
        decode(path.read_bytes(), max_pixels=1_000_000)

    def saved(mode: str, format: str, profile: bytes) -> bytes:
        buffer = io.BytesIO()
        Image.new(mode, (40, 30), 90).save(buffer, format, icc_profile=profile)
        return buffer.getvalue()

    wide, inks = profiles.rgb(profiles.P3, 2.2), profiles.ink((255, 128, 128), (90, 160, 128))
    coloured = [saved("RGB", kind, wide) for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")]
    coloured += [saved("CMYK", kind, inks) for kind in ("JPEG", "TIFF")]
    coloured += [saved("L", kind, profiles.grey(1.8)) for kind in ("JPEG", "PNG", "TIFF")]
    drawn = [layout.data for layout in layouts.all_layouts()]
    return [("picture", data, read) for data in drawn + coloured * (len(drawn) // 20)]


def own_indexes(rows: np.ndarray, catalogue: Catalogue, folder: Path) -> list[Case]:
    """Our own kinds, each read into memory and mapped, and the rows beside the compact one."""
    ids = np.arange(ROWS)

    def reader(kind: str, mapped: bool) -> Callable[[Path], object]:
        def read(path: Path) -> None:
            indexes.MAPPED_FROM_BYTES = 0 if mapped else 1 << 40
            found = Index.read(path, kind)
            check_ids(found, catalogue)
            found.search(np.ones((1, found.dimension), np.float32), 5)

        return read

    made: list[Case] = []
    for kind in ("flat", "hnsw", "ivf", "ivf"):  # the second time with codes of a byte
        build_index(rows, ids, kind).write(folder / "own.faiss")
        data = (folder / "own.faiss").read_bytes()
        for mapped in (False, True):
            made.append((f"artifact's {kind} index", data, reader(kind, mapped)))
        inverted.EXACT_UP_TO = 0 if kind == "ivf" else inverted.EXACT_UP_TO
    inverted.COMPACT_FROM = 0
    compact = build_index(rows, ids, "ivf", folder=folder)
    lists = folder / "compact.faiss"
    compact.write(lists)
    for mapped in (False, True):
        made.append(("artifact's compact index", lists.read_bytes(), reader("ivf", mapped)))
    for part in sorted((folder / FOLDER).iterdir()):

        def read_rows(path: Path, name: str = part.name) -> None:
            copy = path.parent / "copy"
            shutil.copytree(folder / FOLDER, copy / FOLDER)
            try:
                shutil.copy(path, copy / FOLDER / name)
                beside = Rows(copy / FOLDER, WIDTH)
                found = Index.read(lists, "ivf", rows=beside, tuning=compact.tuning)
                check_ids(found, catalogue)
                found.search(rows[:1], 5)
            finally:
                shutil.rmtree(copy)

        made.append(("artifact's rows", part.read_bytes(), read_rows))
    return made


def main(seed: int, count: int, artifact: Path) -> None:
    faulthandler.enable()
    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng.normal(size=(ROWS, WIDTH)))
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, good = folder / "file", folder / "good.sqlite"
        write_catalogue(good, (Album(n, n % 3, f"Title {n}", "Artist") for n in range(ROWS)))
        catalogue = Catalogue(good)
        index = build_index(rows, np.arange(ROWS), "flat")

        def read_catalogue(path: Path) -> None:
            found = Catalogue(path)
            try:
                check_ids(index, found)
            finally:
                found.close()

        def read_changed_manifest(path: Path) -> None:
            shutil.copy(path, folder / "manifest.json")
            read_manifest(folder)

        manifest = (artifact / "manifest.json").read_bytes()
        sorts = [
            foreign_indexes(rows),
            own_indexes(rows, catalogue, folder),
            pickles(),
            pictures(),
            [("artifact's catalogue", good.read_bytes(), read_catalogue)],
            [("artifact's manifest", manifest, read_changed_manifest)],
        ]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for number in range(count):
            cases = sorts[number % len(sorts)]
            what, whole, read = cases[rng.integers(len(cases))]
            path.write_bytes(mutated(whole, rng))
            try:
                read(path)
            except ShazamError as refusal:
                refusal.message.encode()
                if "bad_alloc" in refusal.message:  # to be refused before it is tried
                    raise AssertionError(refusal.message) from refusal
                tally[f"{what}: refused"] += 1
            else:
                tally[f"{what}: read"] += 1
        grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
        assert grown < 200e6, f"{grown / 1e6:.0f} MB more at the most"
    for what, times in sorted(tally.items()):
        print(f"{times} × {what}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
