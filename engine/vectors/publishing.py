"""An artifact's rows → a table in LanceDB."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.base.errors import BuildError
from engine.vectors.embeddings import Embeddings
from engine.vectors.index import Ids
from engine.vectors.neighbours import VectorIndex
from engine.vectors.tuning import EXACT_UP_TO, RECALL

if TYPE_CHECKING:
    from engine.covers.artifact import Artifact
from engine.vectors.lance import (
    _BITS,
    _BLOCK,
    _COMPLETE,
    _ROWS_A_LIST,
    _TUNED_ON,
    LanceIndex,
    _column,
    _connect,
    _metadata,
    _named,
    _opened,
    table_name,
)


@dataclass(frozen=True)
class Published:
    """What a publication left in the store. `nprobe` of `lists` are visited by a search, 0 where it
    compares all rows; `recall` is recall@10 on rows of its own, `added` the rows this run wrote."""

    table: str
    rows: int
    added: int
    nprobe: int = 0
    lists: int = 0
    recall: float = 1.0


def publish_index(
    artifact: Artifact, where: str, progress: Callable[[int, int, str], None] | None = None
) -> Published:
    """Write the index of an artifact to LanceDB at `where`, for services to search it there.

    What is there already is not written again: an interrupted publication goes on, a finished one
    changes nothing. Raises `IndexUnavailable`, and `BuildError` where a table of that name holds
    something else.
    """
    from engine.covers.artifact import check_ids

    index, catalogue = artifact.open_index(), artifact.open_catalogue()
    check_ids(index, catalogue)
    ids, name = catalogue.ids(), table_name(artifact.id)
    with _named(where):
        database = _connect(where, 60.0)
        schema = _schema(index.dimension, artifact.id)
        table = _opened(database, name) or database.create_table(name, schema=schema)
        held = _held(table, ids, name)
        if _COMPLETE in table.tags.list():
            table.checkout(_COMPLETE)
            told = _metadata(table)
            nprobe, lists = int(told["nprobe"]), int(told["lists"])
            return Published(name, len(ids), 0, nprobe, lists, float(told["recall"]))
    exact, queries = _questions(index, ids)
    for start in range(0, len(ids), _BLOCK):
        part = ids[start : start + _BLOCK]
        rows = index.vectors(part)
        exact.add(rows, part)
        fresh = slice(max(0, held - start), len(part))
        if fresh.start < len(part):
            batch = _batch(schema, part[fresh], catalogue.genres_of(part[fresh]), rows[fresh])
            with _named(where):
                table.add(batch)
        if progress is not None:
            progress(start + len(part), len(ids), "rows")
    with _named(where):
        nprobe, lists, recall = _make_searchable(table, artifact, queries, exact.nearest())
        rows_there = table.count_rows()
        if rows_there != len(ids):
            raise BuildError(
                f"{name} at {where} holds {rows_there:,} rows instead of {len(ids):,}: somebody "
                "else writes to it. Drop it and publish it again."
            )
        told = {"nprobe": str(nprobe), "lists": str(lists), "recall": f"{recall:.4f}"}
        table.update_field_metadata({"path": "vector", "metadata": told})
        table.tags.create(_COMPLETE, table.version)
    return Published(name, len(ids), len(ids) - held, nprobe, lists, recall)


def _questions(index: VectorIndex, ids: Ids) -> tuple[Any, Embeddings]:
    from engine.vectors.exact import Exact

    own = np.random.default_rng(0).permutation(ids)[:_TUNED_ON]
    queries = index.vectors(own)
    return Exact(queries, own), queries


def _make_searchable(
    table: Any, artifact: Artifact, queries: Embeddings, right: list[Ids]
) -> tuple[int, int, float]:
    """Build the engine's own indexes; → (nprobe, lists, recall@10): the fewest lists a search must
    visit for the artifact's recall target."""
    from lancedb.index import Bitmap, BTree, IvfRq

    entry = artifact.manifest.index
    if entry.rows:
        table.create_index("album_id", config=BTree())
        table.create_index("genre_id", config=Bitmap())
    if entry.rows <= EXACT_UP_TO:
        return 0, 0, 1.0
    lists = 1 << round(np.log2(max(2.0, entry.rows / _ROWS_A_LIST)))
    codes = IvfRq(distance_type="dot", num_partitions=lists, num_bits=_BITS)
    table.create_index("vector", config=codes)
    target = entry.tuning.target if entry.tuning else RECALL
    opened = LanceIndex(table, entry.dimension, entry.rows, 60.0)
    opened._lists, opened._nprobe = lists, max(1, lists // 64)
    while True:
        shares = [
            len({n.album_id for n in found[1:]} & set(ids.tolist())) / 10
            for found, ids in zip(opened.search(queries, 11), right, strict=True)
        ]
        recall = float(np.mean(shares))
        if recall >= target or opened._nprobe == lists:
            return opened._nprobe, lists, recall
        opened._nprobe = min(lists, 2 * opened._nprobe)


def _held(table: Any, ids: Ids, name: str) -> int:
    """How many of `ids`, from the first on, a table holds; it was written in their order."""
    held = int(table.count_rows())
    there = _column(table.search().select(["album_id"]).limit(max(1, held)), "album_id")
    if not np.array_equal(np.sort(there), ids[:held]):
        raise BuildError(f"{name} holds rows that are not this artifact's. Drop it, then publish.")
    return held


def _schema(dimension: int, artifact_id: str) -> Any:
    import pyarrow as pa

    vector = pa.list_(pa.float32(), dimension)
    told = {"artifact": artifact_id}
    return pa.schema(
        [
            pa.field("album_id", pa.int64(), nullable=False),
            pa.field("genre_id", pa.int64(), nullable=False),
            pa.field("vector", vector, nullable=False, metadata=told),
        ]
    )


def _batch(schema: Any, ids: Ids, genres: Ids, rows: Embeddings) -> Any:
    import pyarrow as pa

    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    return pa.record_batch([pa.array(ids), pa.array(genres), vectors], schema=schema)
