"""The index and pickle that users of the original design hold → artifact."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.artifact.folder import refuse_existing, staging
from engine.base.errors import BuildError
from engine.base.files import file_sha256
from engine.base.progress import Progress
from engine.base.settings import DEFAULT_ENCODER
from engine.covers.encoder.encoder import WantedPrecision
from engine.covers.encoder.on_torch import open_torch_encoder
from engine.covers.making.assemble import Built, Material, Wish, assemble
from engine.covers.making.encoder import copy_encoder, find_encoder
from engine.covers.making.metadata import albums_of_columns, read_genres
from engine.covers.making.unpickle import read_metadata_pickle
from engine.covers.manifest import ENCODER
from engine.vectors.embeddings import unit_rows
from engine.vectors.foreign import read_foreign
from engine.vectors.tuning import RECALL


def import_pair(
    index_file: Path,
    metadata_file: Path,
    out: Path,
    *,
    encoder: str = DEFAULT_ENCODER,
    genres: Path | None = None,
    index: str = "auto",
    recall: float = RECALL,
    precision: WantedPrecision = "auto",
    force: bool = False,
    progress: Progress | None = None,
) -> Built:
    """`album_covers.index` + `metadata.pkl` of the original design → an artifact at `out`.

    Album ids are the ids the index gives (positions, unless it has an id map), and `labels[id]` is
    the album's genre id. Rows that are not of unit length are normalised, and said so; rows
    without a direction are refused. Raises `BuildError`, `UnsafePickle`.
    """
    progress = progress or Progress()
    refuse_existing(out, force=force)
    for file in (index_file, metadata_file):
        if not file.is_file():
            raise BuildError(f"{file} does not exist. Give the path of the file you hold.")
    columns = read_metadata_pickle(metadata_file)
    names = read_genres(genres) if genres else {}
    source = find_encoder(encoder)
    rows, ids, kind = read_foreign(index_file)
    if len(np.unique(ids)) != len(ids):
        raise BuildError(f"{index_file.name} holds an id twice; every album needs its own.")
    count = len(rows)
    for name, values in columns.items():
        if len(values) != count:
            raise BuildError(
                f"{metadata_file.name}: the column {name!r} has {len(values):,} values, "
                f"{index_file.name} has {count:,} rows. They are not a pair: look for the "
                "metadata written together with this index."
            )
    if ids.min() < 0 or ids.max() >= count:
        raise BuildError(
            f"{index_file.name} has ids up to {int(ids.max())} for {count:,} rows, so its albums "
            f"cannot be found in the columns of {metadata_file.name} by id."
        )
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
    order = np.argsort(ids)
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
            albums=albums_of_columns(columns, names, count, metadata_file.name),
            vectors_digest=file_sha256(index_file),
        )
        wish = Wish(kind if index == "keep" else index, recall, precision)
        manifest = assemble(folder, material, wish, progress)
    return Built(out, manifest)
