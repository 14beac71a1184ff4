"""Identify on trial by real photos: a folder of them, and a table of which shows which cover.

    pairs.csv ─read_pairs→ photo, album ─halves of the albums left out in turn→ known and strangers

Nothing is fitted on them: they are what simulated photos are measured by.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.catalogue import Catalogue
from engine.covers.identify.calibration import Calibration
from engine.covers.identify.identifier import Identifier
from engine.covers.identify.proving import Prover
from engine.covers.making.references import make_references
from engine.covers.search import CoverSearch
from engine.covers.trials.identify import Look, Trial, look, outcome_of, searched_first

# The albums are known in one half of the trial and strangers in the other.
HALVES = 2


@dataclass(frozen=True)
class Pair:
    """A photo, the album it shows, and what kind of photo it is."""

    photo: Path
    album_id: int
    kind: str


def read_pairs(photos: Path, table: Path, catalogue: Catalogue) -> list[Pair]:
    """CSV with the columns `photo` and `cover`, and maybe `kind` → pairs.

    `photo` is a file below `photos`; `cover` the file that the album was built from, by its path or
    its name alone, or the album's id. Raises `BuildError` that names the first line that is wrong.
    """
    albums = _by_source(catalogue)
    pairs = []
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if not {"photo", "cover"} <= set(rows.fieldnames or ()):
            raise BuildError(f"{table} needs the columns photo and cover, as photo,cover[,kind].")
        for row in rows:
            where = f"{table}, line {rows.line_num}"
            photo, cover = photos / (row["photo"] or ""), row["cover"] or ""
            album_id = albums.get(cover)
            if album_id is None:
                raise BuildError(
                    f"{where}: no album of this artifact was built from {cover[:80]!r}; name a "
                    "cover's file, or an album's id."
                )
            if not photo.is_file():
                raise BuildError(f"{where}: {photo} is not there.")
            pairs.append(Pair(photo, album_id, row.get("kind") or "photos"))
    if not pairs:
        raise BuildError(f"{table} names no photo.")
    return pairs


def _by_source(catalogue: Catalogue) -> Mapping[str, int]:
    """Paths, bare names that only one album has, and ids → albums."""
    albums: dict[str, int] = {}
    twice: set[str] = set()
    for album in catalogue.page(0, len(catalogue), None):
        albums[str(album.album_id)] = album.album_id
        if album.source:
            albums[album.source] = album.album_id
            name = Path(album.source).name
            if albums.setdefault(name, album.album_id) != album.album_id:
                twice.add(name)
    return {name: album_id for name, album_id in albums.items() if name not in twice}


def run_photos(
    search: CoverSearch,
    pairs: Sequence[Pair],
    *,
    seed: int = 0,
    prior: float = 0.5,
    progress: Progress | None = None,
) -> Trial:
    """Ask about every photo twice: while its album is there, and while it is left out.

    Raises `BuildError` where the artifact holds no covers.
    """
    progress = progress or Progress()
    shown = sorted({pair.album_id for pair in pairs})
    order = np.random.default_rng(seed).permutation(shown)
    every = search.catalogue.ids()
    looked: dict[str, list[Look]] = {}
    searched: dict[str, list[tuple[bool, float]]] = {}
    trial = Trial()
    for half in range(HALVES):
        out = set(order[half::HALVES].tolist())
        kept = np.array([one for one in every.tolist() if one not in out], np.int64)
        references = make_references(search.catalogue, kept, progress)
        if references is None:
            raise BuildError("This artifact holds no covers to identify by; build it from them.")
        trial.references = len(references)
        calibration = Calibration.of(search.artifact.path)
        identifier = Identifier(search, Prover(references, calibration), prior=prior)
        for number, pair in enumerate(pairs, start=1):
            data = pair.photo.read_bytes()
            truth = None if pair.album_id in out else pair.album_id
            looked.setdefault(pair.kind, []).append(look(identifier, data, truth))
            if truth is not None:
                first = searched_first(search, data, truth)
                searched.setdefault(pair.kind, []).append(first)
            progress.step(half * len(pairs) + number, HALVES * len(pairs), "photos")
        identifier.close()
    for kind, looks in looked.items():
        trial.outcomes[kind] = outcome_of(looks, searched.get(kind, []))
        trial.count(looks)
    return trial
