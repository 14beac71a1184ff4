"""Identify among a million references: resident memory, milliseconds, how often it is right.

    python benchmarks/identify_million.py [--count 60] [--only 20000]

The starter's albums but a fifth, which are strangers, lie among others:

- 4,240 covers are *composed*: parts of the starter's, squeezed, mirrored, in other colours.
  Everything of them is what `build` makes of any cover.
- the others are *drawn*. A code is a mixture of two of the former's and noise. Each of 64 keypoints
  is one of the former's, moved as far as those of different covers are from their nearest (measured
  first); of a million covers an eighth is drawn so, and the rest are put together of the codes of
  two in one cell. Places and maps of what is their own are others'. Asked for its picture, a drawn
  reference shows a composed cover that is in no other.

So for memory and time a million is a million; for being right it is no kinder than real covers as
far as what they were drawn from is not. The encoder's rows are the starter's: what a million of
them cost is in scale.md. What is built stays in build/identify-million (2.3 GB). Each size answers
in a process of its own, on one thread, the same photos, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
from engine.covers.catalogue import Catalogue
from engine.covers.identify import mapped
from engine.covers.identify.calibration import Calibration
from engine.covers.identify.codes import dequantised, quantised
from engine.covers.identify.identifier import Identification, Identifier
from engine.covers.identify.keypoints import OF_COVER, KeypointIndex, Keypoints, of_cover, unit
from engine.covers.identify.layout import Codes
from engine.covers.identify.proving import Prover
from engine.covers.identify.references import (
    CALIBRATION,
    FOLDER,
    KEYPOINTS,
    LAYOUT,
    PLACES,
    References,
    cover_of,
    thumbnail_pixels,
)
from engine.covers.making.mapping import SAMPLE
from engine.covers.making.references import write_references
from engine.covers.photos.photo import PRESETS, Distortion, simulate_photo
from engine.covers.search import CoverSearch
from engine.covers.trials import identify as trial
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.neighbours import Neighbour

PROJECT = Path(__file__).parents[1]
STARTER = PROJECT / "artifacts" / "starter"
HOME = PROJECT / "build" / "identify-million"
REAL, FEW, MILLION = 6_000, 20_000, 1_000_000
POOL = 125_000  # covers whose keypoints are drawn
WARM_UP = 10
KINDS: dict[str, Distortion] = {
    "mild": PRESETS["mild"],
    "mixed": PRESETS["mixed"],
    "hidden": trial.CONDITIONS["turned, 30 % of the frame, a quarter hidden"],
    "strangers": PRESETS["mixed"],
}


class Crowd:
    """The starter's covers, and any number of others, drawn when they are asked for."""

    has_thumbnails = True

    def __init__(self, count: int) -> None:
        self.starter = Catalogue(STARTER / "catalogue.sqlite", STARTER / "thumbnails.sqlite")
        self._all = self.starter.ids()
        parted = np.random.default_rng(5).permutation(self._all)
        few = len(parted) // 5
        self.strangers, self.known = parted[:few].tolist(), np.sort(parted[few:])
        self.first = int(self._all.max()) + 1
        self._count = count

    def ids(self) -> Ids:
        others = self.first + np.arange(self._count - len(self.known))
        return np.concatenate([self.known, others])

    def thumbnail(self, album_id: int) -> bytes | None:
        if album_id < self.first:
            return self.starter.thumbnail(album_id)
        picture = cv2.cvtColor(self._composed(album_id), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", picture)[1].tobytes()

    def _composed(self, album_id: int) -> NDArray[np.uint8]:
        """(256, 256, 3): two parts of covers, mirrored, half as wide or as high as they were, in
        other colours."""
        rng = np.random.default_rng([17, album_id])
        halves = []
        for album in rng.choice(self._all, 2).tolist():
            cover = cover_of(self.starter, album)
            assert cover is not None
            side, (high, wide) = rng.integers(120, 200), cover.shape[:2]
            y, x = rng.integers(0, high - side), rng.integers(0, wide - side)
            part = cover[y : y + side, x : x + side, rng.permutation(3)][:, ::-1]
            part = cv2.resize(part, (256, 128), interpolation=cv2.INTER_AREA)
            halves.append(np.clip(part * rng.uniform(0.7, 1.3, 3), 0, 255))
        both = np.concatenate(halves).astype(np.uint8)
        return np.rot90(both, int(rng.integers(4))).copy()


class StarterRows:
    """The starter's index, which knows of any further album what it knows of one of its own."""

    def __init__(self, index: Any, own: Ids) -> None:
        self._index, self._own = index, own

    def search(self, queries: Embeddings, k: int, among: None = None) -> list[list[Neighbour]]:
        found: list[list[Neighbour]] = self._index.search(queries, k, among)
        return found

    def vectors(self, ids: Any) -> Embeddings:
        known: Embeddings = self._index.vectors([int(self._own[i % len(self._own)]) for i in ids])
        return known


# --- what is built


def build(count: int) -> Path:
    folder = HOME / str(count)
    if not (folder / FOLDER / CALIBRATION).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / FOLDER).mkdir(parents=True)
        begun = time.process_time()
        if count == REAL:
            write_references(folder, Crowd(count))
        else:
            Drawing().write(folder / FOLDER, count)
        shutil.copyfile(STARTER / FOLDER / CALIBRATION, folder / FOLDER / CALIBRATION)
        print(f"{count:,} built in {time.process_time() - begun:,.0f} s of CPU", flush=True)
    return folder


class Drawing:
    """References of `REAL` covers, and any number of drawn ones after them."""

    def __init__(self) -> None:
        crowd = Crowd(REAL)
        real = References.open(build(REAL), crowd)
        assert real is not None
        self.rng, self.real, self.basis = np.random.default_rng(0), real, real.basis
        self.codes = real.codes.of(np.arange(len(real)))
        self.found: list[Keypoints] = []
        for album_id in crowd.ids().tolist():
            data = crowd.thumbnail(album_id)
            assert data is not None
            self.found.append(of_cover(thumbnail_pixels(data)))
        self.descriptors = np.concatenate([one.descriptors for one in self.found])
        self.places = np.concatenate([one.places for one in self.found])
        of = np.repeat(np.arange(len(real)), [len(one.places) for one in self.found])
        self.apart = nearest_of_others(self.descriptors, of, self.rng)
        print(f"squared distance to another cover's: {np.percentile(self.apart, [5, 50, 95])}")

    def write(self, part: Path, count: int) -> None:
        if count > mapped.MAPPED_FROM:
            self._write_mapped(part, count)
            return
        codes, own = self.drawn_codes(np.arange(count))
        few = count - REAL
        drawn = [
            Keypoints(places, np.round(np.minimum(rows * 510, 255)).astype(np.uint8))
            for rows, places in (self.drawn_keypoints(OF_COVER) for _ in range(few))
        ]
        found = KeypointIndex.of([*self.found, *drawn])
        assert found is not None
        ids = Crowd(count).ids()
        basis = {"mean": self.basis.mean, "axes": self.basis.axes}
        none = np.zeros(0, np.int32)
        np.savez(
            part / LAYOUT, ids=ids, codes=quantised(codes), own=own, keypoint_rows=none, **basis
        )
        faiss.write_index(found.index, str(part / KEYPOINTS))
        np.savez(part / PLACES, places=found.places, rows=found.rows)

    def _write_mapped(self, part: Path, count: int) -> None:
        layouts = mapped.index_of_codes(self.drawn_codes(np.arange(REAL, REAL + SAMPLE))[0])
        with (part / mapped.CODES).open("wb") as codes, (part / mapped.OWN).open("wb") as own:
            for start in range(0, count, 8_192):
                rows = np.arange(start, min(start + 8_192, count))
                made, maps = self.drawn_codes(rows)
                kept = quantised(made)
                kept.tofile(codes)
                maps.tofile(own)
                layouts.add_with_ids(dequantised(kept), rows)
        faiss.write_index(layouts, str(part / mapped.LAYOUTS))
        ids, gone = Crowd(count).ids(), np.zeros(count, bool)
        basis = {"mean": self.basis.mean, "axes": self.basis.axes}
        np.savez(part / mapped.ROWS, ids=ids, gone=gone, **basis)
        sample = self.rng.permutation(len(self.descriptors))[:200_000]
        cells = mapped.index_of_keypoints(self.descriptors[sample], OF_COVER * count)
        for row, one in enumerate(self.found):
            if len(one.places):
                cells.add_with_ids(unit(one.descriptors), mapped.packed(row, one.places))
        for start in range(0, POOL, 1_024):
            rows, places = self.drawn_keypoints(OF_COVER * 1_024)
            of = np.repeat(REAL + start + np.arange(1_024), OF_COVER)
            cells.add_with_ids(rows, mapped.packed(0, places) | of << 32)
        self._multiply(cells, count)
        faiss.write_index(cells, str(part / KEYPOINTS))

    def _multiply(self, cells: Any, count: int) -> None:
        """As many again as are missing, in each cell put together of two that are there."""
        wanted = OF_COVER * (count - REAL - POOL) / cells.ntotal
        for number in range(cells.nlist):
            size = cells.invlists.list_size(number)
            more = round(size * wanted)
            if not size or not more:
                continue
            codes = faiss.rev_swig_ptr(cells.invlists.get_codes(number), size * cells.code_size)
            codes = codes.reshape(size, -1)
            ids = faiss.rev_swig_ptr(cells.invlists.get_ids(number), size)
            one, other = self.rng.integers(0, size, (2, more))
            made = np.where(
                self.rng.random((more, cells.code_size)) < 0.5, codes[one], codes[other]
            )
            rows = self.rng.integers(REAL + POOL, count, more)
            at = (ids[one] & 0xFFFF_FFFF) | rows << 32
            cells.invlists.add_entries(
                number, more, faiss.swig_ptr(at), faiss.swig_ptr(np.ascontiguousarray(made))
            )
            cells.ntotal += more

    def drawn_codes(self, rows: Ids) -> tuple[Codes, NDArray[np.uint8]]:
        """(N,) rows → codes and maps of what is their own; real ones of the first rows."""
        one, other, maps = self.rng.integers(0, REAL, (3, len(rows)))
        made = self.codes[one] + 0.7 * self.codes[other]
        made += 0.03 * self.rng.standard_normal(made.shape, np.float32)
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        is_real = rows < REAL
        made[is_real], maps[is_real] = self.codes[rows[is_real]], rows[is_real]
        return made, np.asarray(self.real.own[maps])

    def drawn_keypoints(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(N, 128) unit rows and (N, 4) places."""
        which, where = self.rng.integers(0, len(self.places), (2, count))
        far = np.sqrt(self.rng.choice(self.apart, count))[:, None].astype(np.float32)
        away = self.rng.standard_normal((count, 128), np.float32)
        away *= far / np.linalg.norm(away, axis=1, keepdims=True)
        moved = np.maximum(unit(self.descriptors[which]) + away, 0)
        return moved / np.linalg.norm(moved, axis=1, keepdims=True), self.places[where]


def nearest_of_others(
    known: NDArray[np.uint8], of: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Squared distances of some descriptors to the nearest of another cover's."""
    asked = rng.permutation(len(known))[:300]
    distances, found = faiss.knn(unit(known[asked]), unit(known), 33)
    other = of[found] != of[asked][:, None]
    first = other.argmax(1)
    return np.asarray(distances[np.arange(len(asked)), first][other.any(1)])


# --- what is measured


def measure(count: int, photos: int) -> dict[str, Any]:
    cv2.setNumThreads(1)
    faiss.omp_set_num_threads(1)
    folder, crowd = HOME / str(count), Crowd(count)
    plain = CoverSearch.open(STARTER, threads=1)
    index: Any = StarterRows(plain.index, plain.catalogue.ids())
    search = CoverSearch(plain.artifact, index, plain.catalogue, plain.encoder)
    before = memory()
    begun = time.perf_counter()
    references = References.open(folder, crowd)
    assert references is not None
    opened = time.perf_counter() - begun
    identifier = Identifier(search, Prover(references, Calibration.of(folder)), threads=1)
    told: dict[str, Any] = {"references": count, "open s": opened, "before MB": before}
    ask(identifier, crowd, "mixed", WARM_UP, seed=1)
    told["kinds"] = {kind: ask(identifier, crowd, kind, photos) for kind in KINDS}
    told["after MB"] = memory()
    return told


def ask(
    identifier: Identifier, crowd: Crowd, kind: str, photos: int, seed: int = 0
) -> dict[str, Any]:
    of = crowd.strangers if kind == "strangers" else crowd.known.tolist()
    times, cpu, said = [], [], Counter[str]()
    for number, album_id in enumerate(
        np.random.default_rng(seed).permutation(of)[:photos].tolist()
    ):
        cover = cover_of(crowd.starter, album_id)
        assert cover is not None
        rng = np.random.default_rng([seed, number])
        data = trial.jpeg(simulate_photo(cover, rng, KINDS[kind], held_out=True).image)
        begun, used = time.perf_counter(), time.process_time()
        [answer] = identifier.by_image(data)
        times.append(1000 * (time.perf_counter() - begun))
        cpu.append(1000 * (time.process_time() - used))
        said[outcome(answer, album_id)] += 1
    return {
        "photos": len(times),
        "p50 ms": statistics.median(times),
        "CPU ms": statistics.median(cpu),
        **said,
    }


def outcome(answer: Identification, album_id: int) -> str:
    if answer.decision != "match":
        return answer.decision
    return "right" if answer.album_id == album_id else "wrong"


def memory() -> dict[str, float]:
    """MB of this process: resident, of which from files, and the most there ever was."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    names = {"resident": "VmRSS", "of files": "RssFile", "most": "VmHWM"}
    return {name: int(told[key].split()[0]) / 1024 for name, key in names.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=60, help="photos of a kind")
    parser.add_argument("--only", type=int, choices=(FEW, MILLION), help="this size alone")
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.count)))
        return
    for count in [options.only] if options.only else [FEW, MILLION]:
        build(count)
        command = [sys.executable, __file__, "--measure", str(count), "--count", str(options.count)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENVINO_NUM_THREADS": "1"}
        print(
            subprocess.run(
                command, check=True, env=environment, stdout=subprocess.PIPE, text=True
            ).stdout
        )


if __name__ == "__main__":
    main()
