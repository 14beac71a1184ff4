"""`engine/vectors/exact.py`: the exact neighbours, and the share of them that an index finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.vectors.embeddings import unit_rows
from engine.vectors.exact import DEPTH, Exact, recall_at_10
from engine.vectors.index import Index
from engine.vectors.making import build_index
from engine.vectors.neighbours import Neighbour
from engine.vectors.publishing import fewest_lists

COUNT = 2_000


def found(*ids: int) -> list[Neighbour]:
    return [Neighbour(id_, 1 - place / 100) for place, id_ in enumerate(ids)]


RIGHT = np.arange(1, 11)


@pytest.mark.parametrize(
    ("ids", "share"),
    [
        ((0, *range(1, 11)), 1.0),
        # Its twin has the lower id and comes first; what goes is the query itself, in any place.
        ((1, 0, *range(2, 11)), 1.0),
        ((*range(1, 11), 0), 1.0),
        (tuple(range(1, 11)), 1.0),
        ((0, *range(1, 10)), 0.9),
        ((1, 2, 99, 0, 3), 0.3),
        # The eleventh of the others is no answer any more.
        ((99, *range(1, 11)), 0.9),
        ((), 0.0),
    ],
)
def test_the_query_itself_is_left_out_wherever_it_stands(
    ids: tuple[int, ...], share: float
) -> None:
    assert recall_at_10(found(*ids), 0, RIGHT) == pytest.approx(share)


def test_a_query_that_is_no_row_leaves_nothing_out() -> None:
    assert recall_at_10(found(*range(1, 11)), -1, RIGHT) == 1.0


def test_a_draw_with_the_tenth_may_stand_for_it() -> None:
    right = np.arange(1, 16)  # ten and five as near as the tenth
    assert recall_at_10(found(0, 1, 2, 3, 4, 5, 11, 12, 13, 14, 15), 0, right) == 1.0


def test_of_fewer_than_ten_all_are_wanted() -> None:
    assert recall_at_10(found(0, 1, 2), 0, np.array([1, 2, 3])) == pytest.approx(2 / 3)
    assert recall_at_10(found(0), 0, np.zeros(0, np.int64)) == 1.0


@pytest.mark.parametrize("block", [COUNT, 90])
def test_draws_are_kept_however_many_there_are(block: int) -> None:
    # More copies than a block is asked for, in blocks that hold all of them or a few each.
    vectors = unit_rows(np.random.default_rng(0).normal(size=(COUNT, 16)))
    copies = np.random.default_rng(1).permutation(COUNT)[:150]
    vectors[copies] = vectors[copies[0]]
    ids = np.arange(COUNT, dtype=np.int64) + 10
    own = np.array([ids[copies[0]], -1])
    exact = Exact(vectors[[copies[0], copies[0]]], own)
    for start in range(0, COUNT, block):
        exact.add(vectors[start : start + block], ids[start : start + block])
    others, all_of_them = exact.nearest()
    assert sorted(others.tolist()) == sorted(ids[copies[1:]].tolist())
    assert sorted(all_of_them.tolist()) == sorted(ids[copies].tolist())


def test_the_nearest_come_best_first() -> None:
    vectors = unit_rows(np.random.default_rng(0).normal(size=(COUNT, 16)))
    queries = unit_rows(np.random.default_rng(1).normal(size=(3, 16)))
    exact = Exact(queries, np.full(3, -1))
    for start in range(0, COUNT, 300):
        exact.add(vectors[start : start + 300], np.arange(start, min(COUNT, start + 300)))
    for query, ids in zip(queries, exact.nearest(), strict=True):
        assert ids.tolist() == np.argsort(-(vectors @ query))[:DEPTH].tolist()


# --- a row that is there twice, under another id ------------------------------------------------


@pytest.fixture
def twins() -> tuple[np.ndarray, np.ndarray]:
    """Rows of which each is there twice, and ids in no order: half the twins come before."""
    once = unit_rows(np.random.default_rng(3).normal(size=(COUNT // 2, 16)))
    return np.repeat(once, 2, axis=0), np.random.default_rng(4).permutation(COUNT).astype(np.int64)


def test_twins_cost_an_inverted_file_no_recall(
    twins: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    index = build_index(*twins, "ivf", recall=1.0, folder=tmp_path)
    assert index.tuning is not None
    assert index.tuning.queries > 0
    assert max(point.recall for point in index.tuning.curve) == 1.0


def test_twins_cost_a_table_no_recall(twins: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    vectors, ids = twins
    inverted = build_index(vectors, ids, "ivf", folder=tmp_path)
    assert inverted.tuning is not None

    visited: list[int] = []

    class Table:
        """What `fewest_lists` asks of a table, of an inverted file."""

        def tuned(self, nprobe: int, lists: int) -> Index:
            visited.append(nprobe)
            return inverted.tuned(nprobe, 0)

    own = ids[:100]
    exact = Exact(vectors[:100], own)
    exact.add(vectors, ids)
    lists = inverted.tuning.lists
    asked = Table(), lists, vectors[:100], own, exact.nearest()
    nprobe, recall = fewest_lists(*asked, target=1.0)  # type: ignore[arg-type]
    # Told by the place alone, itself was kept and its twin dropped: never more than 0.95.
    assert recall == 1.0
    assert visited[-1] == nprobe <= lists
    fewer, recall = fewest_lists(*asked, target=0.5)  # type: ignore[arg-type]
    assert fewer < nprobe
    assert recall >= 0.5
