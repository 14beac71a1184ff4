"""Rows, their ids and labels → a table in LanceDB, tuned, for services to search them there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.exact import DEPTH, Exact, recall_at_10
from engine.vectors.lance import (
    BITS,
    COMPLETE,
    ID,
    LABEL,
    ROW,
    LanceIndex,
    column,
    connect,
    metadata,
    named,
    opened,
    table_name,
)
from engine.vectors.sources import Source
from engine.vectors.tuning import EXACT_UP_TO, RECALL

# Rows a list: a list is what a query reads as a whole, 270 bytes a row at 512 dimensions.
_ROWS_A_LIST = 2_048
_TUNED_ON = 100
_LIMIT_S = 60.0


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


def publish_rows(
    where: str,
    artifact_id: str,
    source: Source,
    ids: Ids,
    labels: Ids,
    *,
    recall: float = RECALL,
    progress: Progress | None = None,
) -> Published:
    """Write an artifact's rows to LanceDB at `where`, for services to search them there: `source`
    in order of the (N,) ascending `ids`, which have these (N,) `labels`. A search is tuned to
    `recall` (0–1) at 10.

    What is there already is not written again: an interrupted publication goes on, a finished one
    changes nothing. Raises `IndexUnavailable`, and `BuildError` where a table of that name holds
    something else.
    """
    progress = progress or Progress()
    name, schema = table_name(artifact_id), _schema(source.dimension, artifact_id)
    with named(where):
        database = connect(where, _LIMIT_S)
        table = opened(database, name) or database.create_table(name, schema=schema)
        held = _held(table, ids, name)
        if COMPLETE in table.tags.list():
            table.checkout(COMPLETE)
            told = metadata(table)
            nprobe, lists = int(told["nprobe"]), int(told["lists"])
            return Published(name, len(ids), 0, nprobe, lists, float(told["recall"]))
    positions, queries = source.sample(_TUNED_ON, seed=0)
    own = ids[positions]
    exact = Exact(queries, own)
    for start, rows in source.blocks():  # a block is one file in the store
        end = start + len(rows)
        exact.add(rows, ids[start:end])
        first = max(start, held)
        if first < end:
            batch = _batch(schema, ids[first:end], labels[first:end], rows[first - start :])
            with named(where):
                table.add(batch)
        progress.step(end, len(ids), "rows")
    with named(where):
        lists = _make_searchable(table, len(ids))
        nprobe, reached = 0, 1.0
        if lists:
            index = LanceIndex(table, source.dimension, len(ids), _LIMIT_S)
            nprobe, reached = fewest_lists(index, lists, queries, own, exact.nearest(), recall)
        _complete(table, name, where, len(ids), nprobe, lists, reached)
    return Published(name, len(ids), len(ids) - held, nprobe, lists, reached)


def fewest_lists(
    index: LanceIndex,
    lists: int,
    queries: Embeddings,
    own: Ids,
    nearest: Sequence[Ids],
    target: float,
) -> tuple[int, float]:
    """(nprobe, recall@10): how many of its `lists` an index must visit for `target`, by doubling,
    and what that finds; all of them where none is enough.

    `own` (Q,) are the ids of the (Q, D) queries, `nearest` what `Exact` found.
    """
    nprobe = max(1, lists // 64)
    while True:
        answers = index.tuned(nprobe, lists).search(queries, DEPTH + 1)
        asked = zip(answers, own.tolist(), nearest, strict=True)
        recall = float(np.mean([recall_at_10(*answer) for answer in asked]))
        if recall >= target or nprobe == lists:
            return nprobe, recall
        nprobe = min(lists, 2 * nprobe)


def _make_searchable(table: Any, rows: int) -> int:
    """Build the engine's own indexes; → how many lists the rows were put in, 0 where a search
    compares all of them."""
    from lancedb.index import Bitmap, BTree, IvfRq

    if rows:
        table.create_index(ID, config=BTree())
        table.create_index(LABEL, config=Bitmap())
    if rows <= EXACT_UP_TO:
        return 0
    lists: int = 1 << round(math.log2(max(2.0, rows / _ROWS_A_LIST)))
    codes = IvfRq(distance_type="dot", num_partitions=lists, num_bits=BITS)
    table.create_index(ROW, config=codes)
    return lists


def _complete(
    table: Any, name: str, where: str, rows: int, nprobe: int, lists: int, recall: float
) -> None:
    """Write how a search visits the rows, and the tag without which nobody is answered."""
    held = table.count_rows()
    if held != rows:
        raise BuildError(
            f"{name} at {where} holds {held:,} rows instead of {rows:,}: somebody else writes to "
            "it. Drop it and publish it again."
        )
    told = {"nprobe": str(nprobe), "lists": str(lists), "recall": f"{recall:.4f}"}
    table.update_field_metadata({"path": ROW, "metadata": told})
    table.tags.create(COMPLETE, table.version)


def _held(table: Any, ids: Ids, name: str) -> int:
    """How many of `ids`, from the first on, a table holds; it was written in their order."""
    held = int(table.count_rows())
    there = column(table.search().select([ID]).limit(max(1, held)), ID)
    if not np.array_equal(np.sort(there), ids[:held]):
        raise BuildError(f"{name} holds rows that are not this artifact's. Drop it, then publish.")
    return held


def _schema(dimension: int, artifact_id: str) -> Any:
    import pyarrow as pa

    vector = pa.list_(pa.float32(), dimension)
    told = {"artifact": artifact_id}
    return pa.schema(
        [
            pa.field(ID, pa.int64(), nullable=False),
            pa.field(LABEL, pa.int64(), nullable=False),
            pa.field(ROW, vector, nullable=False, metadata=told),
        ]
    )


def _batch(schema: Any, ids: Ids, labels: Ids, rows: Embeddings) -> Any:
    import pyarrow as pa

    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    return pa.record_batch([pa.array(ids), pa.array(labels), vectors], schema=schema)
