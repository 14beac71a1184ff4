"""`build.import_pair`: the index and pickle that users of the original design hold."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from encoders import write_clip

from engine.base.errors import BuildError, UnsafePickle
from engine.base.progress import Progress
from engine.covers.artifact import Artifact
from engine.covers.making.assemble import Built
from engine.covers.making.import_pair import import_pair
from engine.covers.question import Wanted
from engine.covers.search import CoverSearch
from engine.vectors.embeddings import unit_rows

COUNT, WIDTH = 2_000, 32
ROWS = unit_rows(np.random.default_rng(0).normal(size=(COUNT, WIDTH)))
LABELS = (np.arange(COUNT) % 12).tolist()


@pytest.fixture(autouse=True)
def _quick(quick_runtime: None) -> None: ...


class Told(Progress):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, line: str) -> None:
        self.remarks.append(line)


@pytest.fixture
def bring(tiny_clip: Path, tmp_path: Path) -> Any:
    """bring(index, metadata, **options) writes the pair, imports it and returns what was built."""

    def run(index: Any, metadata: Any, /, **options: Any) -> Built:
        index_file, pickle_file = tmp_path / "album_covers.index", tmp_path / "metadata.pkl"
        if isinstance(index, bytes):
            index_file.write_bytes(index)
        elif index is not None:
            faiss.write_index(index, str(index_file))
        if isinstance(metadata, bytes):
            pickle_file.write_bytes(metadata)
        elif metadata is not None:
            pickle_file.write_bytes(pickle.dumps(metadata))
        options.setdefault("encoder", str(tiny_clip))
        return import_pair(index_file, pickle_file, tmp_path / "out", **options)

    return run


def flat(rows: np.ndarray = ROWS, kind: Any = faiss.IndexFlatIP) -> Any:
    index = kind(rows.shape[1])
    index.add(np.ascontiguousarray(rows, np.float32))
    return index


def ivf() -> Any:
    index = faiss.index_factory(WIDTH, "IVF30,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(ROWS)
    index.add(ROWS)
    return index


def check(built: Built, rows: np.ndarray = ROWS, exact: bool = True) -> CoverSearch:
    """Every album is found by its own row, with cosines for scores and its label for a genre."""
    search = CoverSearch.open(built.path, runtime="torch-cpu")
    units, shares = unit_rows(rows), []
    for i in range(0, len(rows), 97):
        hits = search.by_vector(units[i], Wanted(k=5))
        assert hits[0].album.album_id == i
        assert hits[0].similarity == pytest.approx(1, abs=1e-4)
        assert hits[0].album.genre_id == i % 12
        wanted = set(np.argsort(-(units @ units[i]))[:5].tolist())
        shares.append(len(wanted & {hit.album.album_id for hit in hits}) / 5)
    assert np.mean(shares) >= (1 if exact else 0.8)
    return search


@pytest.mark.parametrize("kind", ["auto", "keep", "flat", "hnsw", "ivf"])
@pytest.mark.parametrize("source", ["FlatIP", "FlatL2", "IVF"])
def test_a_pair_is_searched_as_before(source: str, kind: str, bring: Any) -> None:
    index = {
        "FlatIP": flat,
        "FlatL2": lambda: flat(kind=faiss.IndexFlatL2),
        "IVF": ivf,
    }[source]()
    told = Told()
    built = bring(index, {"labels": LABELS}, index=kind, progress=told)
    expected = {"auto": "flat", "keep": "ivf" if source == "IVF" else "flat"}.get(kind, kind)
    assert built.manifest.index.kind == expected
    assert built.manifest.catalogue.albums == COUNT
    assert built.manifest.catalogue.genres == 12
    assert built.manifest.catalogue.thumbnails == 0
    assert told.remarks == []
    check(built, exact=expected == "flat")


def test_rows_of_other_lengths_are_normalised_and_it_is_said(bring: Any) -> None:
    lengths = np.random.default_rng(1).uniform(0.2, 30, (COUNT, 1))
    told = Told()
    built = bring(flat(ROWS * lengths), {"labels": LABELS}, progress=told)
    assert len(told.remarks) == 1
    assert "were not of unit length (0.2" in told.remarks[0]
    check(built)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf])
def test_a_row_without_a_direction_is_refused(bad: float, bring: Any) -> None:
    rows = ROWS.copy()
    rows[123] = 0
    rows[123, 5] = bad
    with pytest.raises(BuildError, match=r"Row 123 of album_covers\.index is zero or not finite"):
        bring(flat(rows), {"labels": LABELS})


def test_permuted_ids_stay_with_their_labels(bring: Any) -> None:
    order = np.random.default_rng(2).permutation(COUNT).astype(np.int64)
    index = faiss.IndexIDMap(faiss.IndexFlatIP(WIDTH))
    index.add_with_ids(ROWS[order], order)
    check(bring(index, {"labels": LABELS}))


def test_ids_beyond_the_columns_are_refused(bring: Any) -> None:
    index = faiss.IndexIDMap(faiss.IndexFlatIP(WIDTH))
    index.add_with_ids(ROWS, np.arange(COUNT) * 10)
    with pytest.raises(BuildError, match="ids up to 19990 for 2,000 rows"):
        bring(index, {"labels": LABELS})


def test_an_id_given_twice_is_refused(bring: Any) -> None:
    index = faiss.IndexIDMap(faiss.IndexFlatIP(WIDTH))
    index.add_with_ids(ROWS, np.arange(COUNT) // 2)
    with pytest.raises(BuildError, match="holds an id twice"):
        bring(index, {"labels": LABELS})


def test_titles_artists_and_other_columns_come_along(bring: Any) -> None:
    metadata = {
        "labels": np.array(LABELS, np.int32),
        "titles": [f"Title {i}" for i in range(COUNT)],
        "artists": np.array([f"Artist {i}" for i in range(COUNT)]),
        "years": np.arange(COUNT, dtype=np.float64) % 50 + 1970,
        "country": np.array([b"GB"] * COUNT),
        "score": [float("nan"), *[0.5] * (COUNT - 1)],
        "tags": [{"b", "a"}] * COUNT,
        "made": "2021-05-05",
    }
    search = check(bring(flat(), metadata))
    album = search.album(17)
    assert (album.title, album.artist, album.year) == ("Title 17", "Artist 17", 1987)
    assert album.extra == {"country": "GB", "score": 0.5, "tags": ["a", "b"]}
    assert search.album(0).extra["score"] is None


def test_a_column_that_holds_itself_comes_along_cut(bring: Any) -> None:
    ring: list[Any] = []
    ring.append(ring)
    laughs: list[Any] = ["ha"]
    for _ in range(60):
        laughs = [laughs, laughs]
    metadata = {"labels": LABELS, "ring": [ring] * COUNT, "laughs": [laughs] * COUNT}
    assert "ring" in check(bring(flat(), metadata)).album(3).extra


def test_labels_may_be_names(bring: Any) -> None:
    names = ["jazz", "metal", "folk"]
    built = bring(flat(), {"labels": [names[i % 3] for i in range(COUNT)]})
    genres = Artifact.open(built.path).open_catalogue().genres()
    assert [(genre.genre_id, genre.genre) for genre in genres] == list(enumerate(names))


def test_labels_may_be_numbers_in_quotes_or_missing(bring: Any) -> None:
    labels: list[Any] = [str(i % 12) for i in range(COUNT)]
    labels[5] = None
    search = CoverSearch.open(bring(flat(), {"labels": labels}).path, runtime="torch-cpu")
    assert search.album(4).genre_id == 4
    assert (search.album(5).genre_id, search.album(5).genre) == (-1, None)


@pytest.mark.parametrize("label", [1.5, float("nan"), [1], 2**70])
def test_labels_that_are_no_genre_are_refused(label: Any, bring: Any) -> None:
    with pytest.raises(BuildError, match="labels"):
        bring(flat(), {"labels": [label, *LABELS[1:]]})


@pytest.mark.parametrize(
    ("factory", "metric", "words"),
    [
        ("SQ4", faiss.METRIC_INNER_PRODUCT, "IndexScalarQuantizer) keeps 16 of the 128 bytes"),
        ("IDMap,PQ8x4", faiss.METRIC_L2, "IndexPQ) keeps 4 of the 128 bytes of a row, 3%"),
    ],
)
def test_an_index_that_keeps_approximations_is_remarked_on(
    factory: str, metric: int, words: str, bring: Any
) -> None:
    index = faiss.index_factory(WIDTH, factory, metric)
    index.train(ROWS)
    if factory.startswith("IDMap"):
        index.add_with_ids(ROWS, np.arange(COUNT))
    else:
        index.add(ROWS)
    told = Told()
    bring(index, {"labels": LABELS}, progress=told)
    assert sum(words in line for line in told.remarks) == 1


def test_an_index_of_another_metric_is_refused(bring: Any) -> None:
    index = faiss.IndexFlat(WIDTH, faiss.METRIC_L1)
    index.add(ROWS)
    with pytest.raises(BuildError, match="compares by L1 distance"):
        bring(index, {"labels": LABELS})


def test_removed_rows_and_titles_come_along(bring: Any, tmp_path: Path) -> None:
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(WIDTH))
    index.add_with_ids(ROWS, np.arange(COUNT))
    index.remove_ids(np.array([3, COUNT - 1]))
    lines = [f"{i},Title {i}" for i in range(COUNT)]
    (tmp_path / "titles.csv").write_text("\n".join(["album_id,title", *lines]))
    told = Told()
    built = bring(index, {"labels": LABELS}, titles=tmp_path / "titles.csv", progress=told)
    assert built.manifest.catalogue.albums == COUNT - 2
    search = CoverSearch.open(built.path, runtime="torch-cpu")
    hit = search.by_vector(ROWS[7], Wanted(k=1))[0]
    assert (hit.album.album_id, hit.album.title, hit.album.genre_id) == (7, "Title 7", 7)
    assert told.remarks == [
        "metadata.pkl: 2 of 2,000 rows belong to no row of album_covers.index and are left out",
        "2 rows of titles.csv are about no album of the index",
    ]


def test_genre_names_come_from_a_file(bring: Any, tmp_path: Path) -> None:
    (tmp_path / "genres.txt").write_text("\n".join(f"genre {i}" for i in range(11)))
    built = bring(flat(), {"labels": LABELS}, genres=tmp_path / "genres.txt")
    catalogue = Artifact.open(built.path).open_catalogue()
    assert catalogue.album(3).genre == "genre 3"  # type: ignore[union-attr]
    assert catalogue.album(11).genre is None  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["labels", "titles", "anything"])
def test_columns_of_another_length_are_refused(name: str, bring: Any) -> None:
    metadata = {"labels": LABELS, name: LABELS[:-1]}
    with pytest.raises(BuildError, match=f"'{name}' has 1,999 values.*2,000 rows"):
        bring(flat(), metadata)


def test_an_encoder_of_another_width_is_named(bring: Any) -> None:
    rows = unit_rows(np.random.default_rng(0).normal(size=(50, 512)))
    with pytest.raises(BuildError, match=r"512 dimensions, the encoder .* 32"):
        bring(flat(rows), {"labels": [0] * 50})


def test_a_pickle_that_runs_code_is_refused(bring: Any, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    with pytest.raises(UnsafePickle):
        bring(flat(), {"labels": LABELS, "x": Evil()})
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


def test_missing_and_damaged_files_are_named(bring: Any, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"album_covers\.index does not exist"):
        bring(None, {"labels": LABELS})
    with pytest.raises(BuildError, match=r"album_covers\.index is not a FAISS index"):
        bring(b"junk", None)
    with pytest.raises(BuildError, match=r"metadata\.pkl is not a pickle"):
        bring(flat(), b"junk")
    (tmp_path / "metadata.pkl").unlink()
    with pytest.raises(BuildError, match=r"metadata\.pkl does not exist"):
        bring(flat(), None)
    assert not list(tmp_path.glob("*out*"))


def test_the_same_pair_gives_the_same_id(bring: Any, tmp_path: Path) -> None:
    first = bring(flat(), {"labels": LABELS}).manifest.id
    shutil.rmtree(tmp_path / "out")
    assert bring(flat(), {"labels": LABELS}).manifest.id == first
    shutil.rmtree(tmp_path / "out")
    assert bring(flat(), {"labels": LABELS[::-1]}).manifest.id != first
    shutil.rmtree(tmp_path / "out")
    assert bring(flat(ROWS[::-1]), {"labels": LABELS}).manifest.id != first


def test_an_imported_artifact_can_grow_and_shrink(bring: Any, tmp_path: Path, covers: Path) -> None:
    from engine.covers.making.revise import add, remove

    built = bring(flat(), {"labels": LABELS})
    grown = add(built.path, covers, tmp_path / "grown")
    assert grown.manifest.catalogue.albums == COUNT + grown.embedded
    less = remove(grown.path, [0], tmp_path / "less")
    search = CoverSearch.open(less.path, runtime="torch-cpu")
    assert search.by_image((covers / "cover-03.png").read_bytes())[0].album.source == "cover-03.png"
    assert search.catalogue.thumbnail(5) is None


def test_twenty_thousand_rows_as_wide_as_those_of_vit_b_32(bring: Any, tmp_path: Path) -> None:
    count = 20_000
    encoder = write_clip(tmp_path / "vit-b-32", vit_b_32=True, layers=1)
    rows = unit_rows(np.random.default_rng(0).normal(size=(count, 512)))
    labels = (np.arange(count) % 12).tolist()
    built = bring(flat(rows), {"labels": labels}, encoder=str(encoder))
    assert (built.manifest.index.rows, built.manifest.index.dimension) == (count, 512)
    search = CoverSearch.open(built.path, runtime="torch-cpu", with_encoder=False)
    for i in (0, 9_999, 19_999):
        hits = search.by_vector(rows[i], Wanted(k=3))
        assert [hits[0].album.album_id, hits[0].album.genre_id] == [i, i % 12]
