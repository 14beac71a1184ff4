"""Embedding → neighbours where the index outgrows a machine's disk: LanceDB on an object store.

    python -m engine publish ARTIFACT --index lancedb:s3://bucket/covers
    SHAZAM_INDEX=lancedb:s3://bucket/covers make serve ARTIFACT=…

One table an artifact, named after its id, so that an older version stays where it is until nobody
serves it, and a service never meets the rows of another. A table holds `album_id`, `genre_id` and
the row itself; more than `EXACT_UP_TO` rows get an inverted file of RaBitQ codes, four bits a
dimension, whose best candidates LanceDB compares again by their rows. Needs
`requirements/lancedb.in`; LanceDB was chosen by benchmarks/engines.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import CountMismatch, IndexNotPublished, IndexUnavailable, ShazamError
from engine.base.settings import LANCEDB
from engine.vectors.embeddings import Embeddings, unit_rows
from engine.vectors.index import Ids
from engine.vectors.neighbours import TIES, Found, Neighbour, best_of, check_width, past_ties
from engine.vectors.selection import EXACT_AMONG, Selection
from engine.vectors.tuning import Tuning
from engine.vectors.where import check_installed

if TYPE_CHECKING:
    from engine.covers.manifest import Manifest

# The tag of the version that a publication finished with: no tag, no answers.
_COMPLETE = "complete"
# 134 MB of 512 numbers at once, and one file each in the store.
_BLOCK = 65_536
# Rows a list: a list is what a query reads as a whole, 270 bytes a row at 512 dimensions.
_ROWS_A_LIST = 2_048
# Of 20,000 rows, recall@10 with so many candidates for each answer compared again by their rows:
# one bit a dimension 0.74 with none, 0.91 with 2, 0.97 with 5; four bits 0.95, 0.98, 0.98. Each
# candidate is a read of 2 KB from the store.
_BITS, _REFINE = 4, 2
_TUNED_ON = 100
_LOOKED_UP_AT_ONCE = 1_000
# Waiting for a store is no work: a batch's queries wait together.
_AT_ONCE = 8
# Of a filter: see `engine.vectors.index`.
_FILTER_EFFORT = 6


class LanceIndex:
    """A published index, opened for reading; what `index.Index` is to a file of ours."""

    kind = "lancedb"
    tuning: Tuning | None = None  # of an inverted file of ours

    def __init__(self, table: Any, dimension: int, rows: int, limit_s: float) -> None:
        self.dimension = dimension
        self._table, self._rows = table, rows
        self._limit = timedelta(seconds=limit_s)
        told = _metadata(table)
        self._nprobe, self._lists = int(told.get("nprobe", 0)), int(told.get("lists", 0))
        self._asking = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="lancedb")

    @classmethod
    def open(cls, where: str, manifest: Manifest, *, limit_s: float = 30.0) -> LanceIndex:
        """The rows of this artifact at `where` (`lancedb:s3://…`). No answer may take longer than
        `limit_s`.

        Raises `IndexUnavailable` where the store cannot be reached, `IndexNotPublished` where it
        does not hold this artifact's rows, and all of them.
        """
        name = table_name(manifest.id)
        with _named(where):
            table = _opened(_connect(where, limit_s), name)
            if table is None:
                raise _not_published(where, manifest, "no rows of it")
            if _COMPLETE not in table.tags.list():
                raise _not_published(where, manifest, "a part of its rows")
            table.checkout(_COMPLETE)
            rows, held = table.count_rows(), _metadata(table)
        if held.get("artifact") != manifest.id:
            raise _not_published(where, manifest, f"rows of {held.get('artifact')} in its place")
        dimension = table.schema.field("vector").type.list_size
        entry = manifest.index
        if (rows, dimension) != (entry.rows, entry.dimension):
            raise CountMismatch(
                f"{where} holds {rows:,} rows of {dimension} dimensions for {manifest.id}, the "
                f"manifest says {entry.rows:,} of {entry.dimension}. Drop {name} and publish it "
                "again."
            )
        return cls(table, dimension, rows, limit_s)

    def __len__(self) -> int:
        return self._rows

    def ids(self) -> Ids:
        """(N,) int64, ascending: every album id; 8 bytes a row to fetch."""
        asked = self._table.search().select(["album_id"]).limit(self._rows)
        with _named():
            return np.sort(_column(asked, "album_id"))

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
        with _named():
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
            nprobe = min(self._lists, _FILTER_EFFORT * nprobe)
        if nprobe and (among is None or among.count > EXACT_AMONG):
            asked = asked.nprobes(nprobe).refine_factor(_REFINE)
        else:
            asked = asked.bypass_vector_index()
        found = asked.select(["album_id", "_distance"]).to_arrow(timeout=self._limit)
        # LanceDB's distance of this kind is 1 − the inner product.
        return 1 - found["_distance"].to_numpy(), found["album_id"].to_numpy()

    def vectors(self, album_ids: Sequence[int] | Ids) -> Embeddings:
        """(N, D) float32 unit rows of these albums; KeyError names the first unknown id."""
        wanted = np.asarray(album_ids, np.int64)
        rows = np.empty((len(wanted), self.dimension), np.float32)
        for start in range(0, len(wanted), _LOOKED_UP_AT_ONCE):
            part = wanted[start : start + _LOOKED_UP_AT_ONCE]
            with _named():
                asked = self._table.search().where(_in(part)).select(["album_id", "vector"])
                found = asked.limit(len(part)).to_arrow(timeout=self._limit)
            places = {int(album): i for i, album in enumerate(found["album_id"].to_pylist())}
            flat = found["vector"].combine_chunks().flatten().to_numpy()
            table = flat.reshape(len(places), self.dimension)
            rows[start : start + len(part)] = table[[places[int(album)] for album in part]]
        return unit_rows(rows)


def _column(asked: Any, name: str) -> NDArray[Any]:
    values: NDArray[Any] = asked.to_arrow()[name].to_numpy()
    return values


def _metadata(table: Any) -> dict[str, str]:
    told = table.schema.field("vector").metadata or {}
    return {key.decode(): value.decode() for key, value in told.items()}


def table_name(artifact_id: str) -> str:
    """The table of an artifact's rows."""
    return f"artifact-{artifact_id}"


def _only(among: Selection) -> str:
    if among.genre_id is not None:
        return f"genre_id = {among.genre_id}"
    assert among.count == len(among.ids), "too many albums of no one genre to name each"
    return _in(among.ids)


def _in(album_ids: Ids) -> str:
    return f"album_id IN ({', '.join(map(str, album_ids.tolist()))})"


def _connect(where: str, limit_s: float) -> Any:
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


def _opened(database: Any, name: str) -> Any:
    """A table, or None where there is no such."""
    try:
        return database.open_table(name)
    except ValueError as error:  # its word for all that can go wrong
        if "was not found" in str(error):
            return None
        raise


@contextmanager
def _named(where: str = "") -> Iterator[None]:
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


def _not_published(where: str, manifest: Manifest, held: str) -> IndexNotPublished:
    return IndexNotPublished(
        f"{where} holds {held}: the artifact served is {manifest.id}. Publish it with "
        f"`python -m engine publish ARTIFACT --index {where}`, or serve the artifact that is there."
    )
