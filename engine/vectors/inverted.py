"""Rows → an inverted file: trained, filled and tuned to a recall target, all in passes over blocks.

    up to EXACT_UP_TO rows   the rows themselves in the lists (somebody asked for `ivf` by name)
    up to COMPACT_FROM       SQ8: a byte a number, within 4e-4 of the cosine
    above                    PQ: 64 bytes a row in the lists, and int8 rows beside them on disk
                             (`vectors.rows`), with which the best candidates are compared again

Memory is that of a block, a training sample and the finished lists, whatever the number of rows.
Some rows are kept out of the training; each, its own id left out of the answers, is a query
whose exact neighbours are known. FAISS's operating points keep the settings worth their time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.vectors.embeddings import Embeddings, Ids
from engine.vectors.exact import DEPTH, Exact, recall_at_10
from engine.vectors.index import Index
from engine.vectors.rows import FOLDER, Rows, RowWriter
from engine.vectors.sources import Source
from engine.vectors.tuning import EXACT_UP_TO, Point, Tuning

# From here on the rows leave the lists: SQ8 of two million rows of 512 numbers is 1 GB to map, as
# much as the compact codes of fourteen million.
COMPACT_FROM = 2_000_000

# FAISS's guidelines ask for 4·√N lists and more. Comparing a row with all centroids is most of a
# build (4,096 × 512: 43 µs a row and core), so there are fewer, and never more than that.
_LISTS, _MOST_LISTS = 2.5, 4_096
_POINTS_A_LIST = 48
# FAISS's own least; below it k-means warns and the lists mean little.
_FEWEST_POINTS_A_LIST = 39
_ITERATIONS = 8
# From this many lists on k-means prunes by the first dimensions (SuperKMeans).
_PRUNED_FROM_LISTS = 1_024

# Of the compact codes: the axes that the projection keeps, and how many of them share a byte.
_AXES, _AXES_A_BYTE = 256, 4

# How many rows are kept out to tune on, a tenth of all at most; with fewer nothing is tuned.
_QUERIES, _FEWEST_QUERIES = 256, 50
# How many candidates, for ten answers, may be compared again by their rows.
_REACHES = (50, 100, 200, 400, 800)

# How often a great step between two numbers of lists, half as many again, is halved at most.
_HALVINGS = 4

_METRIC = faiss.METRIC_INNER_PRODUCT


def build_inverted(
    source: Source,
    ids: Ids,
    *,
    recall: float,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Index:
    """`Source` and its (N,) ids → `Index`, tuned to `recall` (0–1) at 10.

    Where the rows need files of their own they are written to `folder`. Raises `BuildError` where
    that is not given.
    """
    progress = progress or Progress()
    count, dimension = len(source), source.dimension
    lists = _lists(count)
    held_out = min(_QUERIES, count // 10)
    held_out = held_out if held_out >= _FEWEST_QUERIES else 0
    positions, drawn = source.sample(held_out + lists * _POINTS_A_LIST, seed=0)
    own, queries = ids[positions[:held_out]], drawn[:held_out]
    training = drawn[held_out:]
    writer = None
    if count <= EXACT_UP_TO:
        codes, index = "Flat", faiss.index_factory(dimension, f"IVF{lists},Flat", _METRIC)
    elif count <= COMPACT_FROM:
        codes, index = "SQ8", faiss.index_factory(dimension, f"IVF{lists},SQ8", _METRIC)
    else:
        if folder is None:
            raise BuildError(f"{count:,} rows need a folder beside the index for their files.")
        codes, index = _compact(training, lists)
        writer = RowWriter(folder / FOLDER)
    inverted = faiss.downcast_index(faiss.extract_index_ivf(index))
    inverted.cp.niter, inverted.cp.seed = _ITERATIONS, 0
    inverted.cp.min_points_per_centroid = 1
    inverted.cp.max_points_per_centroid = _POINTS_A_LIST
    inverted.cp.use_super_kmeans = lists >= _PRUNED_FROM_LISTS
    progress.step(0, count, "rows")  # training can take minutes, and tells nothing meanwhile
    index.train(np.ascontiguousarray(training))
    exact = Exact(queries, own)
    places = []
    for start, block in source.blocks():
        part = ids[start : start + len(block)]
        # To all lists compared; through a graph over 4,096 centroids (HNSW) the same time puts one
        # row in seven into a list that is not its nearest.
        index.add_with_ids(block, part)
        exact.add(block, part)
        if writer is not None:
            places.append(writer.add(block))
        progress.step(start + len(block), count, "rows")
    rows = None
    if writer is not None and folder is not None:
        writer.finish(ids, np.concatenate(places))
        rows = Rows(folder / FOLDER, dimension)
    # Without queries to tune on there are so few rows that every list is visited.
    tuning = Tuning(codes, lists, recall, held_out, lists, max(_REACHES) if rows else 0)
    made = Index(index, "ivf", rows=rows, tuning=tuning)
    if not held_out:
        return made
    return tune(made, queries, own, exact.nearest(), recall, progress)


def tune(
    index: Index,
    queries: Embeddings,
    own: Ids,
    nearest: Sequence[Ids],
    target: float,
    progress: Progress | None = None,
) -> Index:
    """Try settings on (Q, D) queries one by one, and return the index with the fastest that
    reaches `target`, or with the best recall where none does.

    `own` (Q,) are the queries' own ids, left out of the answers; `nearest` what `Exact` found.
    First how many candidates are worth comparing again, with most lists visited; then how many
    lists to visit: in great steps, then between the last that was too few and the first that was
    enough.
    """
    progress = progress or Progress()
    tried: list[Point] = []

    def attempt(nprobe: int, reach: int) -> Point:
        changed = index.tuned(nprobe, reach)
        shares, times = [], []
        for query, itself, right in zip(queries, own.tolist(), nearest, strict=True):
            start = time.perf_counter()
            found = changed.search(query[None], DEPTH + 1)[0]
            times.append(time.perf_counter() - start)
            shares.append(recall_at_10(found, itself, right))
        point = Point(nprobe, reach, float(np.mean(shares)), float(np.median(times) * 1000))
        tried.append(point)
        progress.step(len(tried), most, "settings")
        return point

    assert index.tuning is not None
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    reach, lists = 0, index.tuning.lists
    steps = _steps(lists)
    most = len(steps) + _HALVINGS + (len(_REACHES) if index.tuning.reach else 0)
    if index.tuning.reach:
        thorough = [attempt(min(lists, 128), reach) for reach in _REACHES]
        enough = max(point.recall for point in thorough) - (1 - target) / 4
        reach = next(point.reach for point in thorough if point.recall >= enough)
    before = 0.0
    for nprobe in steps:
        recall = attempt(nprobe, reach).recall
        # Past the target and no longer climbing: the rest is lost elsewhere.
        if recall >= 1 or (recall >= target and recall - before < 0.001):
            break
        before = recall
    while (between := _between([point for point in tried if point.reach == reach], target)) > 0:
        attempt(between, reach)
    faiss.omp_set_num_threads(threads)
    worth = worthwhile(tried)
    good = [point for point in worth if point.recall >= target]
    chosen = good[0] if good else max(worth, key=lambda p: p.recall)
    return index.tuned(chosen.nprobe, chosen.reach, len(queries), tuple(worth))


def worthwhile(tried: Sequence[Point]) -> list[Point]:
    """Those of `tried` that no cheaper one equals in recall, from the cheapest on.

    To compare as many candidates again after a visit to more lists is more work, whatever a busy
    machine's clock said: a point costs no more than any of its reach with more lists took.
    """

    def cost(point: Point) -> tuple[float, int]:
        more = [p.ms for p in tried if p.reach == point.reach and p.nprobe >= point.nprobe]
        return min(more), point.nprobe

    worth: list[Point] = []
    for point in sorted(tried, key=cost):
        if all(p.recall < point.recall for p in worth):
            worth.append(point)
    return worth


def _between(tried: Sequence[Point], target: float) -> int:
    """How many lists to try next between too few and enough; 0 where these are near each other."""
    enough = min((point.nprobe for point in tried if point.recall >= target), default=0)
    few = max((point.nprobe for point in tried if point.nprobe < enough), default=enough)
    return (few + enough) // 2 if enough - few > max(1, few // 16) else 0


def _steps(lists: int) -> list[int]:
    """How many lists are visited, each half as many again as before: 1, 2, 3, 4, 6, 9, 13 …"""
    steps = [1]
    while (further := max(steps[-1] + 1, int(steps[-1] * 1.5))) <= lists:
        steps.append(further)
    return steps


def _lists(count: int) -> int:
    """How many lists N rows get: a power of two near 2.5·√N, as far as there are rows to train."""
    wanted = 1 << math.ceil(math.log2(max(1.0, _LISTS * math.sqrt(count))))
    return max(1, min(wanted, _MOST_LISTS, count // _FEWEST_POINTS_A_LIST))


def _compact(training: Embeddings, lists: int) -> tuple[str, Any]:
    """An untrained index of compact codes behind a projection fitted to (n, D) training rows.

    The projection keeps the principal axes – about the origin, so that inner products stay what
    they are – and turns them at random, so that each byte has as much to tell.
    """
    dimension = training.shape[1]
    axes = min(_AXES, dimension - dimension % _AXES_A_BYTE)
    rows = training[:100_000].astype(np.float64)
    _, directions = np.linalg.eigh(rows.T @ rows)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(axes, axes)))[0]
    matrix = (turn @ directions[:, ::-1][:, :axes].T).astype(np.float32)
    projection = faiss.LinearTransform(dimension, axes, False)
    faiss.copy_array_to_vector(matrix.ravel(), projection.A)
    projection.is_trained = True
    codes = f"PQ{axes // _AXES_A_BYTE}"
    inverted = faiss.index_factory(axes, f"IVF{lists},{codes}", _METRIC)
    inverted.do_polysemous_training = False  # for a search we do not use; it takes minutes
    inverted.pq.cp.niter, inverted.pq.cp.seed = 8, 0
    inverted.pq.cp.min_points_per_centroid = 1
    inverted.pq.cp.max_points_per_centroid = 64
    index = faiss.IndexPreTransform(projection, inverted)
    return codes, index
