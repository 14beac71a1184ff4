"""Embedding → neighbours where the index outgrows a machine's disk: LanceDB on an object store.

    python -m engine publish ARTIFACT --index lancedb:s3://bucket/covers
    SHAZAM_INDEX=lancedb:s3://bucket/covers make serve ARTIFACT=…

One table an artifact, named after its id, so that an older version stays where it is until nobody
serves it, and a service never meets the rows of another. A table holds ids, labels and
the rows themselves; more than `EXACT_UP_TO` rows get an inverted file of RaBitQ codes, four bits a
dimension, whose best candidates LanceDB compares again by their rows. Needs
`requirements/lancedb.in`; LanceDB was chosen by benchmarks/engines.py.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import CountMismatch, IndexNotPublished, IndexUnavailable, ShazamError
from engine.vectors.embeddings import Embeddings, Ids, unit_rows
from engine.vectors.neighbours import TIES, Found, Neighbour, best_of, check_width, past_ties
from engine.vectors.selection import EXACT_AMONG, FILTER_EFFORT, Selection
from engine.vectors.tuning import Tuning
from engine.vectors.where import LANCEDB, check_installed

# The columns of a table, by the names that those already published have.
ID, LABEL, ROW = "album_id", "genre_id", "vector"
# The tag of the version that a publication finished with: no tag, no answers.
COMPLETE = "complete"
# Of 20,000 rows, recall@10 with so many candidates for each answer compared again by their rows:
# one bit a dimension 0.74 with none, 0.91 with 2, 0.97 with 5; four bits 0.95, 0.98, 0.98. Each
# candidate is a read of 2 KB from the store.
BITS, _REFINE = 4, 2
_LOOKED_UP_AT_ONCE = 1_000
# Waiting for a store is no work: a batch's queries wait together.
_AT_ONCE = 8


class LanceIndex:
    """A published index, opened for reading; what `index.Index` is to a file of ours."""

    kind = "lancedb"
    tuning: Tuning | None = None  # of an inverted file of ours

    def __init__(self, table: Any, dimension: int, rows: int, limit_s: float) -> None:
        self.dimension = dimension
        self._table, self._rows = table, rows
        self._limit = timedelta(seconds=limit_s)
        told = metadata(table)
        self._nprobe, self._lists = int(told.get("nprobe", 0)), int(told.get("lists", 0))
        self._asking = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lancedb")

    @classmethod
    def open(
        cls, where: str, artifact_id: str, *, rows: int, dimension: int, limit_s: float = 30.0
    ) -> LanceIndex:
        """The rows of an artifact at `where` (`lancedb:s3://…`): so many and so wide, its manifest
        says. No answer may take longer than `limit_s`.

        Raises `IndexUnavailable` where the store cannot be reached, `IndexNotPublished` where it
        does not hold this artifact's rows, and all of them.
        """
        name = table_name(artifact_id)
        with named(where):
            table = opened(connect(where, limit_s), name)
            if table is None:
                raise _not_published(where, artifact_id, "no rows of it")
            if COMPLETE not in table.tags.list():
                raise _not_published(where, artifact_id, "a part of its rows")
            table.checkout(COMPLETE)
            held, told = table.count_rows(), metadata(table)
        if told.get("artifact") != artifact_id:
            raise _not_published(where, artifact_id, f"rows of {told.get('artifact')} in its place")
        width = table.schema.field(ROW).type.list_size
        if (held, width) != (rows, dimension):
            raise CountMismatch(
                f"{where} holds {held:,} rows of {width} dimensions for {artifact_id}, the "
                f"manifest says {rows:,} of {dimension}. Drop {name} and publish it again."
            )
        return cls(table, dimension, rows, limit_s)

    def tuned(self, nprobe: int, lists: int) -> LanceIndex:
        """This table as it is searched by visiting `nprobe` of its `lists`; 0 compares all rows.
        How this object searches does not change."""
        changed = copy.copy(self)
        changed._nprobe, changed._lists = nprobe, lists
        return changed

    def __len__(self) -> int:
        return self._rows

    def ids(self) -> Ids:
        """(N,) int64, ascending: every id; 8 bytes a row to fetch."""
        asked = self._table.search().select([ID]).limit(self._rows)
        with named():
            return np.sort(column(asked, ID))

    def search(
        self, queries: Embeddings, k: int, among: Selection | None = None
    ) -> list[list[Neighbour]]:
        """(N, D) unit rows → N lists of at most `k` neighbours, as `Index.search`.

        Raises `IndexUnavailable` where the store does not answer in time.
        """
        check_width(queries, self.dimension)
        most = self._rows if among is None else among.count
        if k < 1 or not len(queries) or not most:
            return [[] for _ in queries]
        queries = np.asarray(queries, np.float32)
        with named():
            if len(queries) == 1:
                return [self._nearest(queries[0], k, most, among)]
            asked = [self._asking.submit(self._nearest, query, k, most, among) for query in queries]
            return [answer.result() for answer in asked]

    def _nearest(
        self, query: NDArray[np.float32], k: int, most: int, among: Selection | None
    ) -> list[Neighbour]:
        further = partial(self._found, query, among)
        reach = min(k + TIES, most)
        return best_of(*past_ties(further(reach), reach, k, most, further), k)

    def _found(self, query: NDArray[np.float32], among: Selection | None, reach: int) -> Found:
        asked = self._table.search(query).distance_type("dot").limit(reach)
        nprobe = self._nprobe
        if among is not None:
            asked = asked.where(_only(among), prefilter=True)
            nprobe = min(self._lists, FILTER_EFFORT * nprobe)
        if nprobe and (among is None or among.count > EXACT_AMONG):
            asked = asked.nprobes(nprobe).refine_factor(_REFINE)
        else:
            asked = asked.bypass_vector_index()
        found = asked.select([ID, "_distance"]).to_arrow(timeout=self._limit)
        # LanceDB's distance of this kind is 1 − the inner product.
        return 1 - found["_distance"].to_numpy(), found[ID].to_numpy()

    def vectors(self, ids: Sequence[int] | Ids) -> Embeddings:
        """(N, D) float32 unit rows of these ids; KeyError names the first unknown id."""
        wanted = np.asarray(ids, np.int64)
        rows = np.empty((len(wanted), self.dimension), np.float32)
        for start in range(0, len(wanted), _LOOKED_UP_AT_ONCE):
            part = wanted[start : start + _LOOKED_UP_AT_ONCE]
            with named():
                asked = self._table.search().where(_in(part)).select([ID, ROW])
                found = asked.limit(len(part)).to_arrow(timeout=self._limit)
            places = {int(id_): i for i, id_ in enumerate(found[ID].to_pylist())}
            flat = found[ROW].combine_chunks().flatten().to_numpy()
            table = flat.reshape(len(places), self.dimension)
            rows[start : start + len(part)] = table[[places[int(id_)] for id_ in part]]
        return unit_rows(rows)


def table_name(artifact_id: str) -> str:
    """The table of an artifact's rows."""
    return f"artifact-{artifact_id}"


def column(asked: Any, name: str) -> NDArray[Any]:
    """(N,) values of one column of what a table is asked for."""
    values: NDArray[Any] = asked.to_arrow()[name].to_numpy()
    return values


def metadata(table: Any) -> dict[str, str]:
    """What is written at a table's rows: whose they are, and how a search visits them."""
    told = table.schema.field(ROW).metadata or {}
    return {key.decode(): value.decode() for key, value in told.items()}


def _only(among: Selection) -> str:
    if among.label is not None:
        return f"{LABEL} = {among.label}"
    assert among.count == len(among.ids), "too many ids of no one label to name each"
    return _in(among.ids)


def _in(ids: Ids) -> str:
    return f"{ID} IN ({', '.join(map(str, ids.tolist()))})"


def connect(where: str, limit_s: float) -> Any:
    """LanceDB at `lancedb:URI`; a bucket's credentials are the platform's or the environment's."""
    # Its Rust half warns on standard error, outside of any format of ours.
    os.environ.setdefault("LANCE_LOG", "error")
    check_installed(where)
    import lancedb

    uri = where.removeprefix(LANCEDB)
    options = None
    if "://" in uri:
        options = {
            "connect_timeout": "5s",
            "timeout": f"{limit_s:g}s",
            "client_max_retries": "2",
            "client_retry_timeout": f"{limit_s:g}",
        }
    return lancedb.connect(uri, storage_options=options)


def opened(database: Any, name: str) -> Any:
    """A table, or None where there is no such."""
    try:
        return database.open_table(name)
    except ValueError as error:  # its word for all that can go wrong
        if "was not found" in str(error):
            return None
        raise


@contextmanager
def named(where: str = "") -> Iterator[None]:
    """What LanceDB raises – ValueError, RuntimeError, OSError, by no rule – as one of ours."""
    try:
        yield
    except (ShazamError, KeyError):
        raise
    except Exception as error:
        raise IndexUnavailable(
            f"The index {where or 'in LanceDB'} does not answer ({type(error).__name__}: "
            f"{str(error)[:200]}). It is asked again; look at the store, its address and its keys.",
            retry_after_s=2,
        ) from error


def _not_published(where: str, artifact_id: str, held: str) -> IndexNotPublished:
    return IndexNotPublished(
        f"{where} holds {held}: the artifact served is {artifact_id}. Publish it with "
        f"`python -m engine publish ARTIFACT --index {where}`, or serve the artifact that is there."
    )
