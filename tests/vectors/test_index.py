"""`engine/vectors/index.py`: embedding → neighbours."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faiss
import numpy as np
import pytest

from engine.base.errors import ArtifactError, BuildError, InvalidRequest
from engine.vectors.embeddings import unit_rows
from engine.vectors.foreign import read_foreign
from engine.vectors.index import Index, set_index_threads
from engine.vectors.making import build_index
from engine.vectors.neighbours import Neighbour, VectorIndex
from engine.vectors.selection import Selection
from engine.vectors.sources import InMemory

KINDS = ("flat", "hnsw", "ivf")
NO_ENGINE = pytest.mark.skipif(
    importlib.util.find_spec("lancedb") is None,
    reason="LanceDB is not installed: make test-engine",
)
# What any index must do, ours or an engine's: comparing all rows, or by its lists.
ANY = (*KINDS, *(pytest.param(name, marks=NO_ENGINE) for name in ("lancedb", "lancedb-ivf")))


def rows(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, dimension)))


Make = Callable[..., VectorIndex]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """(N, D) rows and (N,) ids → an index of some kind, an engine's published and opened. There the
    labels are the ids modulo 2."""

    def made(vectors: np.ndarray, ids: np.ndarray, kind: str) -> VectorIndex:
        if kind in KINDS:
            return build_index(vectors, ids, kind)
        from engine.vectors.lance import LanceIndex
        from engine.vectors.publishing import publish_rows

        where, name = f"lancedb:{tmp_path}/engine", "0123456789abcdef"
        order = np.argsort(ids)
        ordered = np.asarray(ids)[order]
        with monkeypatch.context() as patch:
            if kind == "lancedb-ivf":
                patch.setattr("engine.vectors.publishing.EXACT_UP_TO", 50)
                patch.setattr("engine.vectors.publishing._ROWS_A_LIST", 100)
            publish_rows(where, name, InMemory(vectors[order]), ordered, ordered % 2)
        return LanceIndex.open(where, name, rows=len(ids), dimension=vectors.shape[1])

    return made


def least(found: np.ndarray, vectors: np.ndarray) -> float:
    """The lowest cosine of a row to the one it should be."""
    return float(np.sum(unit_rows(found) * vectors, axis=1).min())


def exact(vectors: np.ndarray, ids: np.ndarray, query: np.ndarray, k: int) -> list[int]:
    order = np.lexsort((ids, -(vectors @ query)))
    return [int(ids[i]) for i in order[:k]]


@pytest.mark.parametrize("kind", ANY)
def test_a_row_finds_itself_and_its_neighbours(kind: str, make: Make) -> None:
    vectors, ids = rows(2_000), np.arange(2_000, dtype=np.int64) * 3 + 7
    index = make(vectors, ids, kind)
    assert (len(index), index.dimension, index.kind) == (2_000, 16, kind.removesuffix("-ivf"))
    shares = []
    for i in range(0, 2_000, 100):
        found = index.search(vectors[i : i + 1], 10)[0]
        assert found[0] == Neighbour(int(ids[i]), pytest.approx(1.0, abs=1e-5))
        assert [n.similarity for n in found] == sorted((n.similarity for n in found), reverse=True)
        wanted = set(exact(vectors, ids, vectors[i], 10))
        shares.append(len(wanted & {n.id for n in found}) / 10)
    assert np.mean(shares) > (0.999 if kind in ("flat", "lancedb") else 0.9)


@pytest.mark.parametrize("kind", ANY)
@pytest.mark.parametrize("spread", [1, 1_000])
def test_its_ids_come_in_ascending_order(kind: str, spread: int, make: Make) -> None:
    ids = np.random.default_rng(2).permutation(500) * spread
    assert make(rows(500), ids, kind).ids().tolist() == sorted(ids.tolist())


def test_an_id_that_is_there_twice_comes_twice() -> None:
    assert build_index(rows(3), np.array([2, 1, 1])).ids().tolist() == [1, 1, 2]


@pytest.mark.parametrize("kind", ANY)
def test_equals_come_in_order_of_id(kind: str, make: Make) -> None:
    vectors = np.repeat(rows(3), 5, axis=0)
    ids = np.random.default_rng(1).permutation(15).astype(np.int64)
    found = make(vectors, ids, kind).search(vectors[:1], 15)[0]
    assert [n.id for n in found[:5]] == sorted(ids[:5].tolist())
    assert sorted(n.id for n in found) == list(range(15))


def test_equals_come_in_order_of_id_for_many_queries_at_once() -> None:
    # As a product of matrices FAISS finds equal rows up to 1e-7 apart: every one of these is there
    # some fifteen times, in places that its kernels treat differently.
    copied, rng = rows(50, 512), np.random.default_rng(3)
    vectors = copied[rng.integers(0, 50, 777)]
    ids = rng.permutation(777).astype(np.int64)
    index = build_index(vectors, ids, "flat")
    queries = rows(9, 512, seed=4)
    threads, before = faiss.omp_get_max_threads(), faiss.cvar.distance_compute_blas_threshold
    try:
        set_index_threads(1)
        together = index.search(queries, 40)
    finally:
        faiss.omp_set_num_threads(threads)
        faiss.cvar.distance_compute_blas_threshold = before
    for query, found in zip(queries, together, strict=True):
        alone = index.search(query[None], 40)[0]
        assert [n.id for n in found] == [n.id for n in alone]
        assert np.allclose([n.similarity for n in found], [n.similarity for n in alone], atol=1e-6)


@pytest.mark.parametrize("kind", [ANY[0], ANY[3]])
def test_equals_across_the_kth_place_are_cut_by_id(kind: str, make: Make) -> None:
    # Sixty copies of one cover, more than the index is first asked for.
    vectors = np.concatenate([np.repeat(rows(1), 60, axis=0), rows(200, seed=5)])
    ids = np.random.default_rng(2).permutation(260).astype(np.int64)
    index = make(vectors, ids, kind)
    for k in (1, 5, 8, 59, 60, 61):
        found = [n.id for n in index.search(vectors[:1], k)[0]]
        assert found[: min(k, 60)] == sorted(ids[:60].tolist())[:k]
    together = index.search(np.repeat(vectors[:1], 3, axis=0), 5)
    assert together[0] == together[1] == together[2]


@pytest.mark.parametrize("kind", ANY)
def test_fewer_rows_than_k_give_fewer_neighbours(kind: str, make: Make) -> None:
    vectors = rows(4)
    index = make(vectors, np.array([9, 5, 2, 0]), kind)
    found = index.search(vectors, 100)
    assert [len(row) for row in found] == [4] * 4
    assert all(n.id in (0, 2, 5, 9) for row in found for n in row)


def test_padding_never_leaks_where_few_lists_are_probed() -> None:
    vectors, ids = rows(500), np.arange(500, dtype=np.int64)
    index = build_index(vectors, ids, "ivf").tuned(1, 0)
    found = index.search(vectors[:50], 400)
    assert all(n.id >= 0 for row in found for n in row)
    assert all(np.isfinite(n.similarity) for row in found for n in row)
    assert min(len(row) for row in found) < 400  # FAISS did pad


def test_an_index_that_is_tuned_anew_leaves_the_first_as_it_was(tmp_path: Path) -> None:
    vectors, ids = rows(2_000), np.arange(2_000, dtype=np.int64)
    first = build_index(vectors, ids, "ivf")
    assert first.tuning is not None
    lists, queries = first.tuning.lists, rows(40, seed=9)
    among = Selection(ids)
    before = first.search(queries, 10), first.search(queries, 10, among)
    few, all_of_them = first.tuned(1, 0), first.tuned(lists, 0)
    with ThreadPoolExecutor(3) as pool:  # at the same time, on the same lists
        found = list(pool.map(lambda index: index.search(queries, 10), [few, all_of_them] * 5))
    assert found == found[:2] * 5
    truth = [exact(vectors, ids, query, 10) for query in queries]
    assert [[n.id for n in row] for row in found[1]] == truth
    assert [[n.id for n in row] for row in found[0]] != truth
    assert (first.search(queries, 10), first.search(queries, 10, among)) == before
    assert (few.tuning and few.tuning.nprobe, first.tuning.lists) == (1, lists)
    # What is written searches so for whoever reads the file alone, in whatever order.
    few.write(tmp_path / "few")
    first.write(tmp_path / "first")
    for name, wanted in (("few", found[0]), ("first", before[0])):
        assert Index.read(tmp_path / name, "ivf").search(queries, 10) == wanted


def test_more_lists_than_there_are_is_all_of_them() -> None:
    vectors = rows(500)
    index = build_index(vectors, np.arange(500), "ivf")
    assert index.tuning is not None
    every = index.tuned(index.tuning.lists, 0).search(vectors[:9], 5)
    assert index.tuned(2**70, 0).search(vectors[:9], 5) == every


@pytest.mark.parametrize("kind", ANY)
@pytest.mark.parametrize("size", [1, 7, 300])
def test_a_filter_gives_the_exact_answer_among_its_ids(kind: str, size: int, make: Make) -> None:
    vectors, ids = rows(2_000), np.arange(2_000, dtype=np.int64) + 100
    index = make(vectors, ids, kind)
    among = np.sort(np.random.default_rng(size).choice(ids, size, replace=False))
    chosen = np.isin(ids, among)
    for query in rows(5, seed=9):
        found = [n.id for n in index.search(query[None], 10, Selection(among))[0]]
        assert found == exact(vectors[chosen], ids[chosen], query, 10)


@pytest.mark.parametrize("kind", [*ANY[1:3], ANY[4]])
def test_a_wide_filter_keeps_to_its_ids(
    kind: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.vectors.index.EXACT_AMONG", 10)
    vectors, ids = rows(2_000), np.arange(2_000, dtype=np.int64)
    index = make(vectors, ids, kind)
    among = ids[ids % 2 == 1]
    for query in rows(5, seed=9):
        found = [n.id for n in index.search(query[None], 10, Selection(among, 1))[0]]
        assert len(found) == 10
        assert all(id_ % 2 == 1 for id_ in found)
        assert len(set(found) & set(exact(vectors[1::2], among, query, 10))) >= 8


@pytest.mark.parametrize("kind", [ANY[0], ANY[3]])
def test_nothing_asked_for_gives_nothing(kind: str, make: Make) -> None:
    index = make(rows(5), np.arange(5), kind)
    assert index.search(rows(2), 3, Selection(np.zeros(0, np.int64))) == [[], []]
    assert index.search(np.zeros((0, 16), np.float32), 3) == []


@pytest.mark.parametrize("kind", [ANY[0], ANY[3]])
def test_another_width_is_named(kind: str, make: Make) -> None:
    index = make(rows(5), np.arange(5), kind)
    with pytest.raises(InvalidRequest, match="8 dimensions, the index 16"):
        index.search(rows(1, 8), 3)


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_is_the_same_after_writing(kind: str, tmp_path: Path) -> None:
    vectors, ids = rows(1_000), np.random.default_rng(0).permutation(1_000).astype(np.int64)
    index = build_index(vectors, ids, kind)
    index.write(tmp_path / "index.faiss")
    again = Index.read(tmp_path / "index.faiss", kind)
    assert np.array_equal(np.sort(again.ids()), np.arange(1_000))
    assert again.search(vectors[:20], 5) == index.search(vectors[:20], 5)


@pytest.mark.parametrize("kind", ANY)
def test_rows_come_back_by_id_from_many_threads(kind: str, make: Make, tmp_path: Path) -> None:
    vectors, ids = rows(1_000), np.random.default_rng(0).permutation(1_000).astype(np.int64) + 5
    index = make(vectors, ids, kind)
    if isinstance(index, Index):
        index.write(tmp_path / "index.faiss")
        index = Index.read(tmp_path / "index.faiss", kind)
    with ThreadPoolExecutor(8) as pool:
        parts = list(
            pool.map(lambda i: index.vectors(ids[i : i + 50].tolist()), range(0, 1000, 50))
        )
    assert np.allclose(np.concatenate(parts), vectors, atol=1e-6)
    with pytest.raises(KeyError, match="99999"):
        index.vectors([int(ids[0]), 99_999])
    assert index.vectors([]).shape == (0, 16)


def test_auto_is_exact_for_few_rows() -> None:
    assert build_index(rows(100), np.arange(100)).kind == "flat"


def test_auto_is_an_inverted_file_for_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.vectors.making.EXACT_UP_TO", 50)
    assert build_index(rows(100), np.arange(100)).kind == "ivf"


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BuildError, match="'lsh' is unknown"):
        build_index(rows(5), np.arange(5), "lsh")


def test_an_l2_index_is_never_served(tmp_path: Path) -> None:
    foreign = faiss.IndexIDMap2(faiss.IndexFlatL2(16))
    foreign.add_with_ids(rows(5), np.arange(5))
    faiss.write_index(foreign, str(tmp_path / "index.faiss"))
    with pytest.raises(ArtifactError, match="inner product"):
        Index.read(tmp_path / "index.faiss", "flat")


@pytest.mark.parametrize(
    "data", [b"", b"not an index", b"IxMp" + bytes(100), b"IxFI" + b"\xff" * 60]
)
def test_bytes_that_are_no_index_are_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "index.faiss").write_bytes(data)
    with pytest.raises(ArtifactError, match=r"index\.faiss"):
        Index.read(tmp_path / "index.faiss", "flat")
    with pytest.raises(BuildError, match=r"index\.faiss"):
        read_foreign(tmp_path / "index.faiss")


# --- indexes of others --------------------------------------------------------------------------


def written(index: faiss.Index, folder: Path) -> Path:
    path = folder / "album_covers.index"
    faiss.write_index(index, str(path))
    return path


@pytest.mark.parametrize(
    ("factory", "metric", "kind", "least_cosine"),
    [
        ("Flat", faiss.METRIC_INNER_PRODUCT, "flat", 0.99999),
        ("Flat", faiss.METRIC_L2, "flat", 0.99999),
        ("IVF20,Flat", faiss.METRIC_INNER_PRODUCT, "ivf", 0.99999),
        ("IVF20,Flat", faiss.METRIC_L2, "ivf", 0.99999),
        ("IVF20,PQ8x4", faiss.METRIC_L2, "ivf", 0.6),
        ("IVF20,SQ8", faiss.METRIC_INNER_PRODUCT, "ivf", 0.99),
        ("SQ8", faiss.METRIC_L2, "flat", 0.99),
        ("PQ8x4", faiss.METRIC_L2, "flat", 0.6),
        ("HNSW16", faiss.METRIC_L2, "hnsw", 0.99999),
        ("HNSW16", faiss.METRIC_INNER_PRODUCT, "hnsw", 0.99999),
        ("RR16,Flat", faiss.METRIC_L2, "flat", 0.99999),
        ("PCA15,Flat", faiss.METRIC_L2, "flat", 0.6),
        ("RR16,IVF20,SQ8", faiss.METRIC_L2, "ivf", 0.99),
        ("L2norm,Flat", faiss.METRIC_L2, "flat", 0.99999),
    ],
)
def test_foreign_types_give_their_rows_back(
    factory: str, metric: int, kind: str, least_cosine: float, tmp_path: Path
) -> None:
    vectors = rows(1_000)
    index = faiss.index_factory(16, factory, metric)
    index.train(vectors)
    index.add(vectors)
    found = read_foreign(written(index, tmp_path))
    assert found.rows.dtype == np.float32
    assert np.array_equal(found.ids, np.arange(1_000))
    assert (found.kind, found.has_ids) == (kind, False)
    assert least(found.rows, vectors) > least_cosine
    assert found.is_lossy == (least_cosine < 0.9999)


@pytest.mark.parametrize("factory", ["Flat", "IVF20,Flat", "HNSW16", "RR16,Flat", "IVF20,SQ8"])
@pytest.mark.parametrize("wrapper", [faiss.IndexIDMap, faiss.IndexIDMap2])
def test_permuted_ids_of_a_map_stay_with_their_rows(
    factory: str, wrapper: type, tmp_path: Path
) -> None:
    vectors, given = rows(1_000), np.random.default_rng(3).permutation(1_000).astype(np.int64)
    inner = faiss.index_factory(16, factory, faiss.METRIC_INNER_PRODUCT)
    inner.train(vectors)
    index = wrapper(inner)
    index.add_with_ids(vectors, given)
    foreign = read_foreign(written(index, tmp_path))
    found, ids = foreign.rows, foreign.ids
    assert foreign.has_ids
    by_id = np.empty_like(vectors)
    by_id[given] = vectors
    assert least(found, by_id[ids]) > 0.99
    assert sorted(ids.tolist()) == list(range(1_000))


@pytest.mark.parametrize("spread", [1, 10])
def test_an_inverted_files_own_ids_stay_with_their_rows(spread: int, tmp_path: Path) -> None:
    vectors = rows(1_000)
    given = np.random.default_rng(3).permutation(1_000).astype(np.int64) * spread
    index = faiss.index_factory(16, "IVF20,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    index.add_with_ids(vectors, given)
    foreign = read_foreign(written(index, tmp_path))
    found, ids = foreign.rows, foreign.ids
    assert foreign.has_ids == (spread > 1)
    back = dict(zip(ids.tolist(), found, strict=True))
    assert all(np.allclose(back[int(album_id)], vectors[i]) for i, album_id in enumerate(given))


@pytest.mark.parametrize(
    ("factory", "kept"),
    [
        ("Flat", 64),
        ("IDMap,Flat", 64),
        ("SQ8", 16),
        ("SQ4", 8),
        ("SQfp16", 32),
        ("PQ8x4", 4),
        ("IVF20,PQ8x4", 4),
        ("IDMap,IVF20,SQ4", 8),
        ("HNSW16_SQ8", 16),
        ("PQ8x4,RFlat", 64),
        ("PCA8,Flat", 32),
        ("OPQ8,IVF20,PQ8x4", 4),
    ],
)
def test_what_an_index_keeps_of_a_row_is_known(factory: str, kept: int, tmp_path: Path) -> None:
    index = faiss.index_factory(16, factory, faiss.METRIC_L2)
    index.train(rows(1_000))
    if factory.startswith("IDMap"):
        index.add_with_ids(rows(1_000), np.arange(1_000))
    else:
        index.add(rows(1_000))
    found = read_foreign(written(index, tmp_path))
    assert (found.bytes_a_row, found.is_lossy) == (kept, kept < 64)


@pytest.mark.parametrize(
    ("metric", "words"),
    [(faiss.METRIC_L1, "L1"), (faiss.METRIC_Linf, "Linf"), (faiss.METRIC_Canberra, "Canberra")],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_an_index_of_another_metric_is_refused_with_the_reason(
    metric: int, words: str, wrapped: bool, tmp_path: Path
) -> None:
    index = faiss.IndexFlat(16, metric)
    if wrapped:
        index = faiss.IndexIDMap(index)
        index.add_with_ids(rows(20), np.arange(20))
    else:
        index.add(rows(20))
    with pytest.raises(BuildError, match=f"compares by .*{words}.*cosine"):
        read_foreign(written(index, tmp_path))


@pytest.mark.parametrize("factory", ["Flat", "IDMap,Flat", "HNSW16", "SQ8"])
def test_an_empty_index_is_refused(factory: str, tmp_path: Path) -> None:
    index = faiss.index_factory(16, factory)
    with pytest.raises(BuildError, match="is empty"):
        read_foreign(written(index, tmp_path))


def test_an_index_that_keeps_no_rows_is_refused_by_type(tmp_path: Path) -> None:
    index = faiss.index_factory(16, "IVF4,PQ8x4fs")
    index.train(rows(300))
    index.add(rows(300))
    with pytest.raises(BuildError, match=r"IndexIVFPQFastScan.*cannot give its rows back"):
        read_foreign(written(index, tmp_path))


def test_an_index_whose_type_cannot_reconstruct_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object) -> None:
        raise RuntimeError("Error in virtual void faiss::Index::reconstruct: not implemented")

    monkeypatch.setattr(faiss.IndexFlat, "reconstruct_n", unable)
    index = faiss.IndexFlatIP(16)
    index.add(rows(5))
    with pytest.raises(BuildError, match=r"cannot give its rows back: Error .* not implemented"):
        read_foreign(written(index, tmp_path))


def test_a_binary_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "binary.index"
    faiss.write_index_binary(faiss.IndexBinaryFlat(64), str(path))
    with pytest.raises(BuildError, match="binary"):
        read_foreign(path)
