"""The index and pickle that users of the original design hold → artifact."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.artifact.folder import refuse_existing, staging
from engine.base.errors import BuildError
from engine.base.files import file_sha256
from engine.base.progress import Progress
from engine.covers.encoder.encoder import WantedPrecision
from engine.covers.encoder.on_torch import open_torch_encoder
from engine.covers.making import DEFAULT_ENCODER
from engine.covers.making.assemble import Built, Material, Wish, assemble
from engine.covers.making.columns import Columns, with_titles
from engine.covers.making.encoder import copy_encoder, find_encoder
from engine.covers.making.unpickle import read_metadata_pickle
from engine.covers.manifest import ENCODER
from engine.vectors.embeddings import unit_rows
from engine.vectors.foreign import Foreign, read_foreign
from engine.vectors.tuning import RECALL


def import_pair(
    index_file: Path,
    metadata_file: Path,
    out: Path,
    *,
    encoder: str = DEFAULT_ENCODER,
    genres: Path | None = None,
    titles: Path | None = None,
    index: str = "auto",
    recall: float = RECALL,
    precision: WantedPrecision = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """`album_covers.index` + `metadata.pkl` of the original design → an artifact at `out`.

    Album ids are the ids the index gives (positions, unless it has an id map), and `labels[id]` is
    the album's genre id; where the columns hold the index's ids, they say which row is which.
    `titles` is a table of what more is known, joined by `album_id`. Rows that are not of unit
    length are normalised, and said so, and so is an index that keeps approximations; rows without
    a direction are refused. Raises `BuildError`, `UnsafePickle`.
    """
    progress = progress or Progress()
    refuse_existing(out, force=force)
    for file in (index_file, metadata_file, *((titles,) if titles else ())):
        if not file.is_file():
            raise BuildError(f"{file} does not exist. Give the path of the file you hold.")
    columns = Columns(read_metadata_pickle(metadata_file), metadata_file.name, genres, progress)
    source = find_encoder(encoder)
    found = read_foreign(index_file)
    rows = found.rows
    if len(np.unique(found.ids)) != len(found.ids):
        raise BuildError(f"{index_file.name} holds an id twice; every album needs its own.")
    described_by = columns.rows_of(index_file.name, found)
    order = np.argsort(found.ids)
    by_id = [described_by[i] for i in order.tolist()]
    albums = columns.albums(found.ids[order], by_id)
    if titles:
        albums = with_titles(albums, by_id, titles, columns, progress)
    norms = np.linalg.norm(rows, axis=1)
    if not np.all(np.isfinite(norms)) or np.any(norms < 1e-6):
        bad = int(np.flatnonzero(~np.isfinite(norms) | (norms < 1e-6))[0])
        raise BuildError(
            f"Row {bad} of {index_file.name} is zero or not finite, so it has no direction to "
            "compare. Embed that cover again."
        )
    if np.abs(norms - 1).max() > 1e-3:
        progress.remark(
            f"{index_file.name}: rows were not of unit length "
            f"({norms.min():.3g} to {norms.max():.3g}); they are normalised, so scores are cosines."
        )
    if found.is_lossy:
        progress.remark(_tell_loss(index_file.name, found))
    with staging(out, force=force) as folder:
        copy_encoder(source, folder / ENCODER)
        loaded = open_torch_encoder(folder / ENCODER, encoder)
        if loaded.dimension != rows.shape[1]:
            raise BuildError(
                f"{index_file.name} has {rows.shape[1]} dimensions, the encoder {encoder} "
                f"{loaded.dimension}: these rows were made by another encoder. Name it with "
                "--encoder."
            )
        material = Material(
            encoder=loaded,
            name=encoder,
            vectors=unit_rows(rows[order]),
            albums=albums,
            vectors_digest=file_sha256(index_file),
        )
        wish = Wish(found.kind if index == "keep" else index, recall, precision)
        manifest = assemble(folder, material, wish, progress)
    return Built(out, manifest)


def _tell_loss(name: str, found: Foreign) -> str:
    whole = 4 * found.rows.shape[1]
    return (
        f"{name} ({found.type}) keeps {found.bytes_a_row} of the {whole} bytes of a row, "
        f"{found.bytes_a_row / whole:.0%}: its rows, and all scores, are approximations. Build "
        "from the covers for exact ones."
    )
