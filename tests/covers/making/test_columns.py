"""`making/columns.py`: a pickle's columns and a table of titles, by the ids of an index."""

from __future__ import annotations

import collections
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.base.errors import BuildError, UnsafePickle
from engine.base.progress import Progress
from engine.covers.catalogue import Album
from engine.covers.making.columns import Columns, with_titles
from engine.covers.making.unpickle import read_metadata_pickle
from engine.vectors.foreign import Foreign


class Told(Progress):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, line: str) -> None:
        self.remarks.append(line)


@pytest.fixture
def bring(tmp_path: Path) -> Any:
    """bring(metadata, ids, genres=, titles=) → albums as `import` describes them, by id."""

    def run(
        metadata: Any,
        ids: Any = None,
        *,
        genres: str = "",
        titles: str = "",
        told: Told | None = None,
    ) -> dict[int, Album]:
        told = told or Told()
        path, listed, table = (tmp_path / n for n in ("metadata.pkl", "g.txt", "titles.csv"))
        data = metadata if isinstance(metadata, bytes) else pickle.dumps(metadata)
        path.write_bytes(data)
        listed.write_text(genres)
        table.write_text(titles)
        columns = Columns(read_metadata_pickle(path), path.name, listed if genres else None, told)
        given = np.arange(len(columns.values["labels"])) if ids is None else np.array(ids)
        found = Foreign(
            np.zeros((len(given), 4), np.float32), given, "flat", ids is not None, "IndexFlat", 16
        )
        rows = columns.rows_of("covers.index", found)
        albums = columns.albums(given, rows)
        if titles:
            albums = with_titles(albums, rows, table, columns, told)
        return {album.album_id: album for album in albums}

    return run


# --- shapes of a pickle -------------------------------------------------------------------------

THREE = {"labels": [1, 0, 1], "titles": ["A", "Björk", "C"]}


def factory(kind: Any) -> Any:
    found = collections.defaultdict(kind)
    found.update(THREE)
    return found


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "metadata",
    [
        THREE,
        factory(list),
        factory(int),
        factory(None),
        {key.encode(): value for key, value in THREE.items()},
        {"label": THREE["labels"], "title": THREE["titles"]},
        [{"label": 1, "title": "A"}, {"label": 0, "title": "Björk"}, {"label": 1, "title": "C"}],
        ({"labels": 1, "title": "A"}, {"labels": 0, "title": "Björk"}, {"labels": 1, "title": "C"}),
        [
            {b"label": 1, b"title": b"A"},
            {b"label": 0, b"title": "Björk".encode()},
            {b"label": 1, b"title": b"C"},
        ],
        {**THREE, "labels": np.array([[1], [0], [1]])},
        {**THREE, "labels": np.array([1.0, 0.0, 1.0])},
        {**THREE, "titles": [b"A", "Björk".encode("latin-1"), b"C"]},
    ],
)
def test_columns_are_read_in_any_plain_shape(metadata: Any, protocol: int, bring: Any) -> None:
    found = bring(pickle.dumps(metadata, protocol))
    assert [(a.genre_id, a.title) for a in found.values()] == [(1, "A"), (0, "Björk"), (1, "C")]


def test_what_python_2_wrote_is_read(bring: Any) -> None:
    text = b"U\x06titles](U\x01AU\x06Bj\xc3\xb6rkU\x05Bj\xf6rke"
    numbers = (
        b"U\x06labelscnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x03\x85cnumpy\ndtype\nU\x02i8K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x18"
        + np.array([1, 0, 200], "<i8").tobytes()
        + b"tb"
    )
    found = bring(b"\x80\x02}(" + text + numbers + b"u.")
    assert [album.genre_id for album in found.values()] == [1, 0, 200]
    assert [album.title for album in found.values()] == ["A", "Björk", "Björk"]


def test_rows_by_id_are_read_by_their_ids(bring: Any) -> None:
    found = bring({70: {"label": 1, "title": "A"}, 50: {"label": 2, "title": "B"}}, [50, 70])
    assert {i: (a.genre_id, a.title) for i, a in found.items()} == {70: (1, "A"), 50: (2, "B")}


@pytest.mark.parametrize(
    ("metadata", "error", "words"),
    [
        (b"cpandas.core.frame\nDataFrame\n.", UnsafePickle, r"pandas DataFrame.*to_dict\('list'\)"),
        (b"cpandas.core.series\nSeries\n.", UnsafePickle, "pandas Series"),
        (b"cpolars.dataframe.frame\nDataFrame\n.", UnsafePickle, "polars DataFrame"),
        (b"ctorch._utils\n_rebuild_tensor_v2\n.", UnsafePickle, r"torch tensor.*tolist\(\)"),
        (b"cdatetime\ndate\n.", UnsafePickle, "a date .*as text"),
        (b"\x1f\x8b\x08\x00", BuildError, "compressed with gzip"),
        (b"PK\x03\x04", BuildError, "ZIP archive"),
        (b"\x93NUMPY\x01", BuildError, "numpy.save"),
        ([{"name": "A"}], BuildError, "holds: a list of dicts with name"),
        ({"labels": [1], b"labels": [2]}, BuildError, "a key twice"),
    ],
)
def test_what_is_not_read_is_named_with_the_way_out(
    metadata: Any, error: type[Exception], words: str, bring: Any
) -> None:
    with pytest.raises(error, match=words):
        bring(metadata)


def test_embeddings_and_pictures_are_left_out_of_the_albums_and_said_so(bring: Any) -> None:
    told = Told()
    metadata = {
        **THREE,
        "embeddings": np.zeros((3, 512), np.float32),
        "vectors": [[0.5] * 32] * 3,
        "thumbnails": [b"\xff\xd8\xff" + bytes(50)] * 3,
        "tags": [["a"], ["b"], []],
    }
    assert {tuple(album.extra) for album in bring(metadata, told=told).values()} == {("tags",)}
    assert [line.split("'")[1] for line in told.remarks] == ["embeddings", "thumbnails", "vectors"]


# --- which row is which album -------------------------------------------------------------------

FIVE = {"labels": [0, 1, 2, 3, 4], "titles": list("abcde")}


def test_rows_that_were_removed_from_the_index_are_left_out_and_said_so(bring: Any) -> None:
    told = Told()
    found = bring(FIVE, [0, 2, 4], told=told)
    assert {i: (a.genre_id, a.title) for i, a in found.items()} == {
        0: (0, "a"),
        2: (2, "c"),
        4: (4, "e"),
    }
    assert told.remarks == [
        "metadata.pkl: 2 of 5 rows belong to no row of covers.index and are left out"
    ]


@pytest.mark.parametrize("key", ["ids", "id", "album_ids", "album_id"])
def test_ids_of_a_database_are_joined_with_the_column_that_holds_them(key: str, bring: Any) -> None:
    found = bring(
        {**FIVE, key: np.array([901, 17, 33, 5000000000, 2])}, [33, 2, 901, 5000000000, 17]
    )
    assert {i: (a.genre_id, a.title) for i, a in found.items()} == {
        901: (0, "a"),
        17: (1, "b"),
        33: (2, "c"),
        5000000000: (3, "d"),
        2: (4, "e"),
    }
    assert all(album.extra == {} for album in found.values())


def test_ids_without_a_column_that_holds_them_are_refused_with_what_to_add(bring: Any) -> None:
    with pytest.raises(BuildError, match=r"ids up to 900 for 5 rows.*Add a column 'ids'"):
        bring({**FIVE, "ids": [1, 2, 3, 4, 5]}, [0, 1, 2, 3, 900])


def test_positions_go_before_a_column_of_ids_where_the_index_has_none(bring: Any) -> None:
    found = bring({**FIVE, "ids": [4, 3, 2, 1, 0]})
    assert (found[0].title, found[0].extra) == ("a", {"ids": 4})


# --- genres -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["label_names", "genre_names", "class_names"])
@pytest.mark.parametrize(
    "names", [["jazz", "folk"], {0: "jazz", 1: "folk"}, np.array(["jazz", "folk"])]
)
def test_names_of_labels_are_understood(key: str, names: Any, bring: Any) -> None:
    found = bring({**THREE, key: names})
    assert [album.genre for album in found.values()] == ["folk", "jazz", "folk"]


def test_names_of_labels_may_be_given_row_by_row(bring: Any) -> None:
    found = bring({**THREE, "label_names": ["folk", "jazz", "folk"]})
    assert [album.genre for album in found.values()] == ["folk", "jazz", "folk"]


@pytest.mark.parametrize(
    ("metadata", "genres"),
    [
        ({**THREE, "label_names": ["jazz", "folk"]}, "jazz\nska"),
        ({**THREE, "genres": ["folk", "jazz", "folk"]}, "jazz\nska"),
        ({**THREE, "genres": ["folk", "jazz", "ska"]}, ""),
    ],
)
def test_names_that_contradict_each_other_are_refused(
    metadata: Any, genres: str, bring: Any
) -> None:
    with pytest.raises(BuildError, match=r"genre_id 1 is '(folk|ska)', and in .* it is"):
        bring(metadata, genres=genres)


def test_labels_that_are_names_have_the_ids_of_the_list(bring: Any) -> None:
    found = bring({"labels": ["folk", "ska", b"jazz"]}, genres="jazz\nfolk")
    assert [(a.genre_id, a.genre) for a in found.values()] == [(1, "folk"), (2, "ska"), (0, "jazz")]


def test_labels_that_are_names_take_no_number_of_another(bring: Any) -> None:
    found = bring({"labels": ["folk", 0, "1.0", None], "genres": ["", "", "", "ska"]})
    assert [(a.genre_id, a.genre) for a in found.values()] == [
        (2, "folk"),
        (0, None),
        (1, None),
        (3, "ska"),
    ]


def test_years_of_a_pickle_are_dates_too(bring: Any) -> None:
    told = Told()
    years = [np.datetime64("1979-11-30"), "1990/2004", 1980.0]
    found = bring({**THREE, "years": years}, told=told)
    assert [album.year for album in found.values()] == [1979, None, 1980]
    assert [dict(album.extra) for album in found.values()] == [
        {"year": "1979-11-30"},
        {"year": "1990/2004"},
        {},
    ]
    assert told.remarks == [
        "1 years are not understood and are kept as they are written; the first is in "
        "metadata.pkl, row 1: '1990/2004'"
    ]


# --- titles -------------------------------------------------------------------------------------


def test_a_table_gives_titles_to_a_pair_of_labels_alone(bring: Any) -> None:
    told = Told()
    titles = (
        "Album ID,Title,Artist,Year,Genre,Country\n2,C,Cee,1979-11-30,folk,GB\n0.0,A,,,jazz,\n9,X\n"
    )
    found = bring({"labels": [1, 0, 2]}, titles=titles, told=told)
    assert (found[2].title, found[2].artist, found[2].year) == ("C", "Cee", 1979)
    assert found[2].extra == {"Country": "GB", "year": "1979-11-30"}
    assert (found[2].genre_id, found[2].genre) == (2, "folk")
    assert (found[0].title, found[0].genre_id, found[0].genre) == ("A", 1, "jazz")
    assert found[1].title is None
    assert told.remarks == [
        "1 rows of titles.csv are about no album of the index",
        "1 albums have no row in titles.csv",
    ]


def test_a_table_is_joined_by_the_ids_of_the_index_or_by_row(bring: Any) -> None:
    metadata = {"labels": [0, 1], "ids": [70, 50]}
    by_id = bring(metadata, [50, 70], titles="id,title\n70,seventy\n50,fifty\n")
    by_row = bring(metadata, [50, 70], titles="row,title\n0,seventy\n1,fifty\n")
    for found in (by_id, by_row):
        assert {i: a.title for i, a in found.items()} == {50: "fifty", 70: "seventy"}


@pytest.mark.parametrize(
    ("titles", "words"),
    [
        ("title\nA\n", "one named 'album_id', or 'row'"),
        ("album_id,title\nx,A\n", "titles.csv, row 2: album_id: 'x' is not a whole number"),
        (
            "album_id,title\n0,A\n0,B\n",
            "row 3: album_id 0 has a row already, titles.csv",
        ),
        (
            "album_id,genre_id\n0,5\n",
            "row 2: genre_id 5, and the label of album 0 is 1",
        ),
        ("album_id,genre\n0,jazz\n2,folk\n", "genre_id 1 is 'folk', and in titles.csv, row 2"),
        (
            "album_id,title\n70,A\n80,B\n",
            r"0 of its 2 rows name an album by its number.*'70', '80'",
        ),
    ],
)
def test_wrong_titles_are_named_by_their_row(titles: str, words: str, bring: Any) -> None:
    with pytest.raises(BuildError, match=words):
        bring({"labels": [1, 0, 1]}, titles=titles)


def test_titles_that_replace_others_are_told(bring: Any) -> None:
    told = Told()
    found = bring(THREE, titles="album_id,title\n0,A\n1,Other\n2,\n", told=told)
    assert [album.title for album in found.values()] == ["A", "Other", "C"]
    assert told.remarks == [
        "1 albums had another title or artist before; the first is in titles.csv, row 3"
    ]


def test_a_table_names_genres_of_albums_without_a_label(bring: Any) -> None:
    found = bring({"labels": [None, 4, None]}, titles="album_id,genre\n0,jazz\n1,ska\n2,\n")
    assert [(a.genre_id, a.genre) for a in found.values()] == [(5, "jazz"), (4, "ska"), (-1, None)]
