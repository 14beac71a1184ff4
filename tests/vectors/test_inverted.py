"""`vectors/inverted.py`, `vectors/rows.py`: compressed, tuned, changed, still the right albums."""

from __future__ import annotations

import asyncio
import os
import pickle
import shutil
from pathlib import Path
from typing import Any, ClassVar

import faiss
import numpy as np
import pytest

from engine.base.errors import ArtifactError, BuildError, DigestMismatch, NotReady
from engine.base.progress import Progress
from engine.cli import main as cli
from engine.covers.artifact import Artifact
from engine.covers.making.import_pair import import_pair
from engine.covers.making.revise import add, compact, remove
from engine.covers.manifest import read_manifest
from engine.covers.search import CoverSearch
from engine.covers.service.asking import SUBJECT, AsyncSearch
from engine.covers.service.settings import CoverSettings
from engine.covers.trials.search import plot_tuning
from engine.serving.watch.metrics import Metrics
from engine.vectors.embeddings import unit_rows
from engine.vectors.exact import Exact
from engine.vectors.index import Index
from engine.vectors.inverted import tune, worthwhile
from engine.vectors.making import build_index
from engine.vectors.neighbours import Neighbour
from engine.vectors.rows import Rows, RowWriter, encode
from engine.vectors.selection import Selection
from engine.vectors.tuning import Point, Tuning

COUNT, DIMENSION = 3_000, 32
FORMS = {"Flat": (10**6, 10**7), "SQ8": (100, 10**7), "PQ8": (100, 200)}


def clustered(count: int, seed: int = 0, dimension: int = DIMENSION) -> np.ndarray:
    """Unit rows around forty centres, which are the same for every seed."""
    centres = np.random.default_rng(99).normal(size=(40, dimension))
    random = np.random.default_rng(seed)
    spread = 0.5 * random.normal(size=(count, dimension))
    return unit_rows(centres[random.integers(0, 40, count)] + spread)


def exact(vectors: np.ndarray, ids: np.ndarray, query: np.ndarray, k: int = 10) -> list[int]:
    return ids[np.argsort(-(vectors @ query), kind="stable")[:k]].tolist()


def recall(index: Index, vectors: np.ndarray, ids: np.ndarray, among: Selection | None) -> float:
    shares = []
    for query in clustered(60, seed=5):
        found = [n.id for n in index.search(query[None], 10, among)[0]]
        right = exact(vectors, ids, query)
        shares.append(len(set(found) & set(right)) / len(right))
    return float(np.mean(shares))


@pytest.fixture(autouse=True)
def _mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are opened as large ones are."""
    monkeypatch.setattr("engine.vectors.index.MAPPED_FROM_BYTES", 0)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    exact_up_to, compact_from = FORMS[request.param]
    monkeypatch.setattr("engine.vectors.inverted.EXACT_UP_TO", exact_up_to)
    monkeypatch.setattr("engine.vectors.inverted.COMPACT_FROM", compact_from)
    monkeypatch.setattr("engine.vectors.inverted._QUERIES", 80)
    monkeypatch.setattr("engine.vectors.rows.ROWS_A_SEGMENT", 1_000)
    return str(request.param)


def made(folder: Path, target: float = 0.95) -> tuple[Index, np.ndarray, np.ndarray]:
    """An index written and opened again, as a service does, and the rows and ids it was made of."""
    vectors = clustered(COUNT)
    ids = np.arange(COUNT, dtype=np.int64) * 3 + 7
    index = build_index(vectors, ids, "ivf", recall=target, folder=folder)
    index.write(folder / "index.faiss")
    rows = Rows(folder / "rows", DIMENSION) if (folder / "rows").is_dir() else None
    return (
        Index.read(folder / "index.faiss", "ivf", rows=rows, tuning=index.tuning),
        vectors,
        ids,
    )


def test_the_tuned_index_finds_what_it_was_tuned_to_find(form: str, tmp_path: Path) -> None:
    index, vectors, ids = made(tmp_path)
    tuning = index.tuning
    assert tuning is not None
    assert (tuning.codes, tuning.target, len(index)) == (form, 0.95, COUNT)
    assert (tuning.reach > 0) == (form == "PQ8") == (tmp_path / "rows").is_dir()
    # Sixty queries that nothing was trained or tuned on.
    assert recall(index, vectors, ids, None) >= 0.92
    chosen = next(p for p in tuning.curve if (p.nprobe, p.reach) == (tuning.nprobe, tuning.reach))
    assert chosen.recall >= 0.95
    assert chosen.nprobe < tuning.lists
    assert all(p.recall < 0.95 or p.nprobe >= chosen.nprobe for p in tuning.curve)


class Stairs:
    """An index in which query n finds its ten as soon as 2 n lists are visited."""

    def __init__(self, nprobe: int = 1) -> None:
        self.nprobe, self.tuning = nprobe, Tuning("SQ8", 1_024, 0.8, 100, 1, 0)

    def tuned(self, nprobe: int, reach: int, *told: object) -> Stairs:
        return Stairs(nprobe)

    def search(self, query: np.ndarray, k: int) -> list[list[Neighbour]]:
        found = 10 if self.nprobe >= 2 * int(query[0, 0]) else 0
        return [[Neighbour(id, 1.0) for id in range(found)]]


def test_no_more_lists_are_visited_than_the_target_asks_for() -> None:
    queries, right = np.arange(100, dtype=np.float32)[:, None], np.arange(10)
    tuned = tune(Stairs(), queries, np.full(100, -1), [right] * 100, 0.8)  # type: ignore[arg-type]
    assert 158 <= tuned.nprobe <= 158 + 158 // 16  # type: ignore[attr-defined]


def test_a_hiccup_of_the_clock_does_not_make_more_lists_cheaper_than_fewer() -> None:
    few, many = Point(6, 50, 0.99, ms=0.38), Point(76, 50, 0.99, ms=0.24)
    assert worthwhile([few, many]) == [few]
    better = Point(76, 50, 0.995, ms=0.24)
    assert worthwhile([few, better]) == [few, better]
    other = Point(6, 10, 0.97, ms=0.2)
    assert worthwhile([few, other]) == [other, few]


def test_a_row_comes_back_and_finds_itself(form: str, tmp_path: Path) -> None:
    index, vectors, ids = made(tmp_path)
    assert np.sum(index.vectors(ids[:200]) * vectors[:200], axis=1).min() > 0.999
    for i in range(0, COUNT, 500):
        first = index.search(vectors[i : i + 1], 1)[0][0]
        assert first.id == ids[i]
        assert first.similarity == pytest.approx(1, abs=0.01)
    with pytest.raises(KeyError, match="8"):
        index.vectors([7, 8])


def test_a_filter_keeps_the_recall(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.vectors.index.EXACT_AMONG", 5)
    index, vectors, ids = made(tmp_path)
    anywhere = np.random.default_rng(2).permutation(COUNT)
    far_away = np.argsort(vectors @ vectors[0])  # a genre of look-alikes, far from most queries
    for share in (0.001, 0.01, 0.1, 0.5):
        for order in (anywhere, far_away):
            rows = order[: max(1, int(share * COUNT))]
            among = Selection(ids[rows])
            assert recall(index, vectors[rows], ids[rows], among) >= 0.92, share
            found = index.search(vectors[:20], 10, among)
            assert {n.id for row in found for n in row} <= set(ids[rows].tolist())


def test_ids_far_apart_filter_too(tmp_path: Path) -> None:
    vectors, ids = clustered(200), np.arange(200, dtype=np.int64) * 2**50
    index = build_index(vectors, ids, "flat")
    found = index.search(vectors[:1], 5, Selection(ids[::2]))[0]
    assert [n.id for n in found] == exact(vectors[::2], ids[::2], vectors[0], 5)


def test_fifty_copies_of_a_cover_come_in_order_of_id(form: str, tmp_path: Path) -> None:
    vectors = clustered(COUNT)
    vectors[100:400] = vectors[100]
    ids = np.random.default_rng(1).permutation(COUNT).astype(np.int64)
    index = build_index(vectors, ids, "ivf", folder=tmp_path)
    found = [n.id for n in index.search(vectors[100:101], 20)[0]]
    assert found == sorted(ids[100:400].tolist())[:20]


def test_the_lists_are_mapped_and_not_read(form: str, tmp_path: Path) -> None:
    index, _, _ = made(tmp_path)
    lists = faiss.downcast_InvertedLists(index._inverted.invlists)
    assert isinstance(lists, faiss.OnDiskInvertedLists)
    assert lists.prefetch_nthread == 0


def test_too_few_rows_to_tune_visit_every_list(tmp_path: Path) -> None:
    vectors, ids = clustered(300), np.arange(300)
    index = build_index(vectors, ids, "ivf", folder=tmp_path)
    assert index.tuning is not None
    assert (index.tuning.queries, index.tuning.nprobe) == (0, index.tuning.lists)
    assert recall(index, vectors, ids, None) == 1


def test_training_and_tuning_tell_how_far_they_are(tmp_path: Path) -> None:
    class Told(Progress):
        steps: ClassVar[list[tuple[int, int, str]]] = []

        def step(self, done: int, total: int, what: str) -> None:
            self.steps.append((done, total, what))

    vectors, ids = clustered(1_000), np.arange(1_000)
    build_index(vectors, ids, "ivf", folder=tmp_path, progress=Told())
    rows = [step for step in Told.steps if step[2] == "rows"]
    settings = [step for step in Told.steps if step[2] == "settings"]
    assert (rows[0], rows[-1]) == ((0, 1_000, "rows"), (1_000, 1_000, "rows"))
    assert Told.steps == rows + settings
    assert [done for done, _, _ in settings] == list(range(1, len(settings) + 1))
    assert all(done <= total for done, total, _ in settings)


def test_compact_codes_need_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.vectors.inverted.EXACT_UP_TO", 100)
    monkeypatch.setattr("engine.vectors.inverted.COMPACT_FROM", 200)
    with pytest.raises(BuildError, match="need a folder"):
        build_index(clustered(400), np.arange(400), "ivf")


def test_exact_neighbours_from_blocks_are_those_of_the_whole() -> None:
    vectors, ids = clustered(1_000), np.arange(1_000, dtype=np.int64) * 2
    vectors[50] = vectors[51] = vectors[52]
    truth = Exact(vectors[:60], ids[:60])
    for start in range(0, 1_000, 90):
        truth.add(vectors[start : start + 90], ids[start : start + 90])
    for i, found in enumerate(truth.nearest()):
        right = [album for album in exact(vectors, ids, vectors[i], 11) if album != ids[i]][:10]
        assert set(right) <= set(found.tolist())
        assert ids[i] not in found


# --- the full rows ------------------------------------------------------------------------------


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.vectors.rows.ROWS_A_SEGMENT", 100)


def written(folder: Path, count: int = 350) -> tuple[Rows, np.ndarray, np.ndarray]:
    vectors = clustered(count)
    ids = np.random.default_rng(3).permutation(count).astype(np.int64) + 1_000
    folder.mkdir()
    writer = RowWriter(folder / "rows")
    places = np.concatenate([writer.add(vectors[i : i + 130]) for i in range(0, count, 130)])
    writer.finish(ids, places)
    return Rows(folder / "rows", DIMENSION), vectors, ids


def test_rows_are_within_a_hundredth_of_what_they_were(
    small_segments: None, tmp_path: Path
) -> None:
    rows, vectors, ids = written(tmp_path / "a")
    assert [path.name for path in rows.segments] == [f"{i:05}.i8" for i in range(4)]
    back = rows.vectors(ids)
    assert np.allclose(np.linalg.norm(back, axis=1), 1, atol=1e-5)
    assert np.abs(rows.similarities(vectors[7], ids) - vectors @ vectors[7]).max() < 0.01
    assert np.array_equal(encode(back), encode(vectors))  # what is written again is the same
    with pytest.raises(KeyError, match="999"):
        rows.vectors(np.array([1_000, 999]))


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="this system cannot be told")
def test_all_rows_are_asked_for_before_the_first_is_waited_for(
    small_segments: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _, ids = written(tmp_path / "a")
    plain = rows.vectors(ids)
    asked, read = [], []

    def advise(file: int, offset: int, length: int, advice: int) -> None:
        assert (length, advice) == (DIMENSION + 4, os.POSIX_FADV_WILLNEED)
        assert not read
        asked.append((file, offset))

    def pread(file: int, length: int, offset: int, inner: Any = os.pread) -> bytes:
        read.append((file, offset))
        return inner(file, length, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fadvise", advise)
        patch.setattr(os, "pread", pread)
        rows.vectors(ids[40:90])
        assert asked == read
        assert len(asked) == 50
        patch.delattr(os, "posix_fadvise")  # as on macOS
        assert np.array_equal(rows.vectors(ids), plain)


def test_changed_rows_share_the_segments_that_stay(small_segments: None, tmp_path: Path) -> None:
    rows, vectors, ids = written(tmp_path / "a")
    (tmp_path / "b").mkdir()
    fresh = clustered(60, seed=8)
    changed, linked = rows.revised(tmp_path / "b", ids[:20], fresh, np.arange(60))
    assert linked == {"rows/00000.i8", "rows/00001.i8", "rows/00002.i8"}
    for name in linked:
        assert (tmp_path / "a" / name).samefile(tmp_path / "b" / name)
    assert len(changed) == 350 - 20 + 60
    assert np.sum(changed.vectors(np.arange(60)) * fresh, axis=1).min() > 0.999
    assert np.array_equal(changed.vectors(ids[20:]), rows.vectors(ids[20:]))
    with pytest.raises(KeyError):
        changed.vectors(ids[:1])
    assert np.sum(rows.vectors(ids) * vectors, axis=1).min() > 0.999  # the old ones are untouched
    assert (tmp_path / "a/rows/00003.i8").stat().st_size == 50 * (DIMENSION + 4)


def test_rows_of_albums_long_gone_are_dropped(small_segments: None, tmp_path: Path) -> None:
    rows, _, ids = written(tmp_path / "a")
    (tmp_path / "b").mkdir()
    nothing = np.zeros((0, DIMENSION), np.float32)
    changed, linked = rows.revised(tmp_path / "b", ids[:200], nothing, np.zeros(0, np.int64))
    assert (linked, changed.held, len(changed)) == (set(), 150, 150)
    assert np.array_equal(changed.vectors(ids[200:]), rows.vectors(ids[200:]))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: os.truncate(folder / "00003.i8", 37),
        lambda folder: os.truncate(folder / "00001.i8", 36),
        lambda folder: (folder / "00003.i8").unlink(),
        lambda folder: (folder / "ids.npy").write_bytes(b"no array"),
        lambda folder: (folder / "ids.npy").unlink(),
        lambda folder: np.save(folder / "ids.npy", np.arange(3)),
        lambda folder: np.save(folder / "places.npy", np.full(350, 350, np.uint32)),
        lambda folder: [path.unlink() for path in folder.glob("*.i8")],
    ],
)
def test_rows_that_do_not_fit_together_are_refused(
    damage: object, small_segments: None, tmp_path: Path
) -> None:
    written(tmp_path / "a")
    damage(tmp_path / "a" / "rows")  # type: ignore[operator]
    with pytest.raises(ArtifactError, match="rows/"):
        Rows(tmp_path / "a" / "rows", DIMENSION)


# --- whole artifacts ----------------------------------------------------------------------------


@pytest.fixture
def artifact(
    form: str, tiny_clip: Path, quick_runtime: None, tmp_path: Path
) -> tuple[Path, np.ndarray]:
    """3,000 albums in three genres, imported, and the rows they have."""
    vectors = clustered(COUNT)
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(vectors)
    faiss.write_index(flat, str(tmp_path / "album_covers.index"))
    labels = {"labels": [i % 3 for i in range(COUNT)]}
    (tmp_path / "metadata.pkl").write_bytes(pickle.dumps(labels))
    pair = tmp_path / "album_covers.index", tmp_path / "metadata.pkl"
    import_pair(*pair, tmp_path / "made", encoder=str(tiny_clip), index="ivf", recall=0.95)
    return tmp_path / "made", vectors


def test_an_artifact_is_changed_and_trained_again(
    artifact: tuple[Path, np.ndarray], covers: Path, form: str, tmp_path: Path
) -> None:
    folder, vectors = artifact
    before = read_manifest(folder)
    assert before.index.tuning is not None
    assert (before.index.kind, before.index.tuning.codes) == ("ivf", form)
    search = CoverSearch.open(folder, runtime="torch-cpu")
    found = search.nearest(vectors[:1], 5, genre_id=1)[0]
    assert all(n.id % 3 == 1 for n in found)

    remove(folder, list(range(200)), tmp_path / "fewer")
    fewer = CoverSearch.open(tmp_path / "fewer", with_encoder=False)
    assert (len(fewer.index), len(fewer.catalogue)) == (COUNT - 200,) * 2
    assert min(n.id for n in fewer.nearest(vectors[:1], 50)[0]) >= 200
    assert [g.albums for g in fewer.catalogue.genres()] == [933, 933, 934]

    grown = add(tmp_path / "fewer", covers, tmp_path / "grown", progress=None)
    assert grown.embedded == grown.manifest.catalogue.albums - (COUNT - 200)
    more = CoverSearch.open(tmp_path / "grown", runtime="torch-cpu")
    for album_id in range(COUNT, len(more.catalogue) + 200):
        near = more.nearest(more.album_vector(album_id)[None], grown.embedded)[0]
        assert album_id in [n.id for n in near]
    link = folder / "encoder/model.safetensors"
    assert link.samefile(tmp_path / "grown/encoder/model.safetensors")

    again = compact(tmp_path / "grown", tmp_path / "again", index="ivf", recall=0.9)
    assert again.manifest.inputs == grown.manifest.inputs
    assert again.manifest.id != grown.manifest.id  # another recall was asked for
    assert CoverSearch.open(tmp_path / "again", runtime="torch-cpu").index.tuning is not None
    exactly = compact(tmp_path / "again", tmp_path / "flat", index="flat")
    assert exactly.manifest.index.tuning is None
    assert read_manifest(folder) == before


@pytest.mark.parametrize("form", ["PQ8"], indirect=True)
def test_large_segments_are_verified_after_the_start(
    artifact: tuple[Path, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(artifact[0], tmp_path / "bad")
    path = tmp_path / "bad/rows/00001.i8"
    data = bytearray(path.read_bytes())
    data[5_000] ^= 1
    path.write_bytes(data)
    with pytest.raises(DigestMismatch, match="00001"):
        Artifact.open(tmp_path / "bad")
    monkeypatch.setattr("engine.covers.artifact.ROWS_BEFORE_START", 1_000)
    opened = Artifact.open(tmp_path / "bad")
    assert len(opened.unverified) == 3
    with pytest.raises(DigestMismatch, match="00001"):
        opened.verify_rest()
    assert cli.main(["verify", str(tmp_path / "bad")]) == 1
    assert "digest_mismatch" in capsys.readouterr().err
    (tmp_path / "bad/rows/ids.npy").write_bytes(bytes(100))  # what is parsed is never put off
    with pytest.raises(DigestMismatch):
        Artifact.open(tmp_path / "bad")

    async def serve(folder: Path) -> AsyncSearch:
        service = AsyncSearch(
            CoverSettings(artifact=str(folder), runtime="torch-cpu"), Metrics([SUBJECT])
        )
        service.start()
        await service.search()
        verifying = service._readiness._verifying
        assert verifying is not None
        await verifying
        return service

    path.write_bytes(data)
    shutil.copyfile(artifact[0] / "rows/ids.npy", tmp_path / "bad/rows/ids.npy")
    service = asyncio.run(serve(tmp_path / "bad"))
    with pytest.raises(NotReady, match=r"rows/00001\.i8"):
        _ = service.about
    assert asyncio.run(serve(artifact[0])).ready


@pytest.mark.parametrize("form", ["SQ8"], indirect=True)
def test_the_curve_is_told_and_drawn(
    artifact: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["inspect", str(artifact[0])]) == 0
    printed = capsys.readouterr().out
    assert '"target": 0.95' in printed
    assert '"curve"' in printed
    tuning = Artifact.open(artifact[0]).open_index().tuning
    assert tuning is not None
    drawn = plot_tuning(tuning, tmp_path / "plots")
    assert drawn.read_bytes().startswith(b"\x89PNG")
