"""`tables/` and `making/{genres,metadata}.py`: what tables say before all else."""

from __future__ import annotations

import json
import unicodedata
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.catalogue import Album
from engine.covers.formats.known import ENDINGS
from engine.covers.making import KNOWN_COLUMNS
from engine.covers.making.embedding import Cover
from engine.covers.making.files import Picture
from engine.covers.making.genres import Genres, read_genres
from engine.covers.making.metadata import Planned, read_metadata
from engine.tables.joining import Joined, Named, join
from engine.tables.table import Table
from engine.tables.table import read_table as read
from engine.tables.values import is_bulk, plain, whole_number, year

FOUR = ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
ROWS = '{0}0.jpg,"Two\nlines","Say ""hi"""\n{0}1.jpg,Ångström,Jürgen\n{0}2.jpg,"a, b",x\n'


class Told(Progress):
    def __init__(self) -> None:
        self.remarks: list[str] = []

    def remark(self, line: str) -> None:
        self.remarks.append(line)


def albums(
    table: Path, names: list[str] | None = None, told: Told | None = None, **options: Any
) -> list[Album]:
    """The albums of covers with these names, as `build` plans them."""
    names = FOUR if names is None else names
    told = told or Told()
    planned = Planned(names, read_metadata(table, told), told, **options)
    return planned.albums([Cover(Picture(name, ""), name, "") for name in names], told)


def read_table(path: Path, told: Told | None = None) -> Table:
    """A table of covers."""
    return read(path, told, known=KNOWN_COLUMNS)


@pytest.fixture
def table(tmp_path: Path) -> Any:
    """table(text, name="m.csv", encoding="utf-8") writes a file and returns its path."""

    def write(text: str, name: str = "m.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


# --- what a table's bytes mean ------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_encoding_of_unicode_is_read(encoding: str, end: str, table: Any) -> None:
    path = table(f"file,title{end}a.png,Björk{end}", encoding=encoding)
    assert read_table(path).rows[0].values == {"file": "a.png", "title": "Björk"}


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_another_encoding_is_refused_with_its_line_and_the_way_out(name: str, table: Any) -> None:
    text = "file,title\na.png,Björk\n" if name == "m.csv" else '{}\n{"file": "Björk"}\n'
    with pytest.raises(BuildError, match=r"cannot be read: line 2 is not UTF-8.*Björk.*iconv"):
        read_table(table(text, name, "cp1252"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("file;title\na.png;A, b\n", "m.csv"),
        ("file\ttitle\na.png\tA, b\n", "m.csv"),
        ("file\ttitle\na.png\tA, b\n", "m.tsv"),
        ("file|title\na.png|A, b\n", "m.csv"),
        ("sep=;\nfile;title\na.png;A, b\n", "m.csv"),
        ('"sep=;"\r\nfile;title\r\na.png;A, b\r\n', "m.csv"),
        ("SEP=;\nfile;title\na.png;A, b\n", "m.csv"),
        ("sep=;;\nfile;title\na.png;A, b\n", "m.csv"),
        ("sep=\t\nfile\ttitle\na.png\tA, b\n", "m.csv"),
        ('\n\nfile,title\na.png,"A, b"\n', "m.csv"),
    ],
)
def test_separators_are_understood(text: str, name: str, table: Any) -> None:
    [row] = read_table(table(text, name)).rows
    assert row.values == {"file": "a.png", "title": "A, b"}


@pytest.mark.parametrize(
    "head",
    [
        "file, title, artist",
        " file ,\ttitle,artist ",
        "File,Title,ARTIST",
        "FILE,title,Artist",
        "file\u200b,title,\ufeffartist",
    ],
)
def test_heads_with_blanks_and_capitals_keep_their_columns(head: str, table: Any) -> None:
    found = read_table(table(f"{head}\n{ROWS.format('')}"))
    assert found.columns == ("file", "title", "artist")
    assert [row.values["title"] for row in found.rows] == ["Two\nlines", "Ångström", "a, b"]


def test_a_value_in_quotes_behind_a_blank_is_one_value(table: Any) -> None:
    path = table('file, title, artist\n0.jpg, "Two\nlines", "a, b"\n')
    assert read_table(path).rows[0].values == {
        "file": "0.jpg",
        "title": "Two\nlines",
        "artist": "a, b",
    }


def test_rows_are_named_by_number_and_line(table: Any) -> None:
    csv = read_table(table(f"sep=,\nfile,title,artist\n{ROWS.format('')}"))
    assert [row.where for row in csv.rows] == [
        "m.csv, row 2 (line 3)",
        "m.csv, row 3 (line 5)",
        "m.csv, row 4 (line 6)",
    ]
    lines = read_table(table('{"file": "a"}\n\n{"file": "b"}\n', "m.jsonl"))
    assert [row.where for row in lines.rows] == ["m.jsonl, row 1", "m.jsonl, row 3"]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ('file,title\na.png,"A\nb.png,B\nc.png,C\n', "m.csv", "line 2 opens a quote"),
        ("file,title,Title\na.png,A,B\n", "m.csv", "'title' and 'Title' are one"),
        ("file,title\na.png,A,extra\n", "m.csv", r"row 2 \(line 2\) has too many values"),
        ('{"file": 1}\n[1]', "m.jsonl", "line 2: each line must be a JSON object"),
        ('{"file": 1}\n{', "m.jsonl", "line 2"),
        ('{"file": 1, "File": 2}', "m.jsonl", "line 1: the columns 'file' and 'File' are one"),
        ("0.jpg,A\n1.jpg,B\n", "m.csv", "columns 0.jpg, A; one named 'file'"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_where_it_is(
    text: str, name: str, words: str, table: Any
) -> None:
    with pytest.raises(BuildError, match=words):
        read_metadata(table(text, name))


def test_empty_rows_and_columns_of_a_spreadsheet_are_nothing(table: Any) -> None:
    told = Told()
    found = read_table(table("file,title,\na.png,A,\n,,\n\nb.png,B,,,\n"), told)
    assert [row.values for row in found.rows] == [
        {"file": "a.png", "title": "A"},
        {"file": "b.png", "title": "B"},
    ]
    assert told.remarks == []


def test_the_index_that_pandas_writes_is_left_out_and_said_so(table: Any) -> None:
    told = Told()
    found = read_table(table(",file,title\n0,a.png,A\n"), told)
    assert found.rows[0].values == {"file": "a.png", "title": "A"}
    assert told.remarks == ["m.csv: column 1 has no name and is left out"]


def test_embeddings_and_files_in_a_table_are_left_out_and_said_so(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    rows = [
        {
            "image": {"bytes": b"\x89PNG\0", "path": name},
            "embedding": [0.5] * 64,
            "ratings": [1, 2],
        }
        for name in FOUR
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "m.parquet")
    told = Told()
    found = albums(tmp_path / "m.parquet", told=told)
    assert [album.extra for album in found] == [{"ratings": [1, 2]}] * 4
    assert told.remarks == [
        "m.parquet: the column 'embedding' holds embeddings or files and is left out of the albums"
    ]


# --- which row is whose -------------------------------------------------------------------------

SLEEVES = ["Abba/cover.jpg", "Bach/cover.jpg", "Cher/cover.jpg", "cover.jpg"]


def joined(covers: list[str], names: list[str]) -> dict[str, str]:
    """Cover → the name in its row."""
    found = matched(covers, names)
    return {covers[cover]: names[row] for cover, row in found.row_of.items()}


def matched(covers: list[str], names: list[str]) -> Joined:
    return join(
        covers, [Named(name, f"m.csv, row {i + 2}") for i, name in enumerate(names)], ENDINGS
    )


def test_a_row_titles_one_cover_and_no_other_of_its_name() -> None:
    assert joined(SLEEVES, ["cover.jpg", "Abba/cover.jpg"]) == {
        "cover.jpg": "cover.jpg",
        "Abba/cover.jpg": "Abba/cover.jpg",
    }


@pytest.mark.parametrize("covers", [SLEEVES[:3], SLEEVES[:2]])
def test_a_name_that_several_covers_have_is_joined_to_none(covers: list[str]) -> None:
    found = matched(covers, ["cover.jpg", "Abba/cover.jpg"])
    assert found.row_of == {0: 1}
    assert list(found.unclear) == [0]


@pytest.mark.parametrize(
    "names",
    [
        ["./0.jpg", "./1.jpg"],
        ["/data/covers/0.jpg", "/data/covers/1.jpg"],
        ["C:\\covers\\0.jpg", "C:\\covers\\1.jpg"],
        ["covers\\0.jpg", "covers\\1.jpg"],
        ["file:///data/0.jpg", "file:///data/1.jpg"],
        ["https://host/a%20b/0.jpg?size=5", "https://other/1.jpg#x"],
        ["s3://bucket/covers/0.jpg", "s3://bucket/covers/1.jpg"],
        ["0.JPG", "1.Jpg"],
        ["0.jpg ", " 1.jpg"],
        ["0", "1"],
        ["0.png", "1.webp"],
        ["../covers/0.jpg", "../covers/1.jpg"],
    ],
)
def test_names_written_in_another_way_join(names: list[str]) -> None:
    assert joined(FOUR, names) == {"0.jpg": names[0], "1.jpg": names[1]}


def test_composed_and_decomposed_letters_are_the_same_name() -> None:
    nfc, nfd = (unicodedata.normalize(form, "Björk/Début.jpg") for form in ("NFC", "NFD"))
    assert joined([nfd], [nfc]) == {nfd: nfc}
    assert joined([nfc], [nfd]) == {nfc: nfd}


def test_percent_signs_of_a_url_are_letters() -> None:
    assert joined(["Abba Gold.jpg"], ["/covers/Abba%20Gold.jpg"]) != {}
    assert joined(["100%.jpg"], ["100%.jpg"]) != {}


def test_a_folder_that_all_names_have_in_common_makes_no_difference() -> None:
    names = ["C:\\x\\cover.jpg", "C:\\x\\Abba\\cover.jpg", "C:\\x\\Dido\\cover.jpg"]
    assert joined(SLEEVES, names) == {"cover.jpg": names[0], "Abba/cover.jpg": names[1]}
    below = [f"music/{name}" for name in SLEEVES]
    assert joined(below, ["Abba/cover.jpg", "cover.jpg"]) == {
        "music/Abba/cover.jpg": "Abba/cover.jpg",
        "music/cover.jpg": "cover.jpg",
    }


def test_a_stranger_of_the_same_file_name_is_not_taken_for_a_cover() -> None:
    covers = ["Abba/cover.jpg", "x.jpg", "cover.jpg", "back.jpg"]
    assert joined(covers, ["x.jpg", "Dido/cover.jpg", "Dido/back.jpg"]) == {"x.jpg": "x.jpg"}
    assert joined(SLEEVES, ["/d/Dido/cover.jpg"]) == {}


@pytest.mark.parametrize(
    ("covers", "names"),
    [
        (["A.jpg", "a.jpg"], ["A.JPG"]),
        (["c.png", "c.jpg"], ["c"]),
        (["x/1.jpg", "y/1.jpg"], ["1.jpg"]),
        (["c.jpg"], ["./c.jpg", ".\\c.jpg"]),
    ],
)
def test_what_a_looser_step_cannot_tell_apart_is_joined_to_none(
    covers: list[str], names: list[str]
) -> None:
    found = matched(covers, names)
    assert found.row_of == {}
    assert sorted(found.unclear) == list(range(len(names)))


def test_exact_names_go_before_looser_ones() -> None:
    assert joined(["c.png", "c.jpg"], ["c.jpg"]) == {"c.jpg": "c.jpg"}
    found = matched(["c.jpg"], ["./c.jpg", "c.jpg"])
    assert (dict(found.row_of), dict(found.second)) == ({0: 1}, {0: 0})
    assert joined(["a.jpg", "A.jpg"], ["A.jpg", "a.jpg"]) == {"A.jpg": "A.jpg", "a.jpg": "a.jpg"}


def test_dots_inside_a_name_are_no_ending() -> None:
    names = ["Vol. 1", "Vol. 2", "St.Anger"]
    assert joined([f"{name}.jpg" for name in names], names) == {f"{n}.jpg": n for n in names}


def test_what_is_not_joined_is_told_and_counted(table: Any) -> None:
    told = Told()
    text = (
        "file,title\ncover.jpg,Loose\nABBA/Cover.jpg,Arrival\ngone.jpg,Gone\n./Bach/cover.jpg,B\n"
    )
    found = albums(table(text), SLEEVES[:3], told)
    assert [album.title for album in found] == ["Arrival", "B", None]
    assert told.remarks == [
        "1 metadata rows name a file that is not among the covers",
        "1 metadata rows could be of several covers, or several rows of one, and are joined to "
        "none; the first is m.csv, row 2, 'cover.jpg', and Abba/cover.jpg or Bach/cover.jpg or "
        "Cher/cover.jpg",
        "2 metadata rows are joined although their file names are written in another way; the "
        "first is m.csv, row 3, 'ABBA/Cover.jpg' for Abba/cover.jpg",
        "1 covers have no metadata row, the first is Cher/cover.jpg",
    ]


def test_where_hardly_a_row_joins_nothing_is_begun(table: Any) -> None:
    text = "file,title\n" + "".join(f"sleeve-{i}.jpg,T\n" for i in range(20))
    with pytest.raises(BuildError) as refusal:
        albums(table(text))
    message = refusal.value.message
    assert "0 of its 20 rows name a file among the covers" in message
    assert "'sleeve-0.jpg', 'sleeve-1.jpg', 'sleeve-2.jpg', …" in message
    assert "'0.jpg', '1.jpg', '2.jpg', …" in message
    with pytest.raises(BuildError, match="1 of its 21 rows"):
        albums(table(text + "0.jpg,A\n"))
    # The table of a whole shop beside the covers of a shelf is none the worse for its length.
    assert albums(table(text + "0.jpg,A\n"), ["0.jpg"])[0].title == "A"


# --- numbers, years -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [3, "3", 3.0, "3.0", " 3 ", "3.", "+3", np.int64(3), "3.000"])
def test_whole_numbers_are_understood(value: Any) -> None:
    assert whole_number(value, "x") == 3


@pytest.mark.parametrize("value", [3.5, "3.5", "x", True, [3], float("nan"), "3,0", 2**63, ""])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(BuildError, match=r"x: .* is not a whole number"):
        whole_number(value, "x")


@pytest.mark.parametrize(
    "value",
    [
        1979,
        1979.0,
        "1979",
        "1979.0",
        "1979-11-30",
        "1979-11",
        "1979/11/30",
        "1979-11-30T00:00:00+1000",
        "11/30/1979",
        "30.11.1979",
        "30 Nov 1979",
        "1979-00-00",
        "1979-11-00",
        "November 1979",
        "19791130",
        "c. 1979",
        "ca. 1979",
        "[1979?]",
        "℗ 1979",
        "1979年",
        "1979, 1979",
        date(1979, 11, 30),
        np.datetime64("1979-11-30"),
        np.datetime64("1979-11-30T00:00:00", "ns"),
        np.float64(1979),
    ],
)
def test_the_year_is_taken_where_there_is_one(value: Any) -> None:
    assert year(value) == 1979


@pytest.mark.parametrize(
    "value",
    [
        *("1990/2004", "1990-2004", "1969/70", "1998-99", "1980s", "1980's", "'79", "11/30/79"),
        *("12345", "unknown", "", None, 0, 79, 310694400, float("nan"), True, "19xx", [1979]),
        "0000",
    ],
)
def test_no_year_is_guessed(value: Any) -> None:
    assert year(value) is None


def test_dates_keep_what_they_say_and_what_is_not_understood_is_told(table: Any) -> None:
    told = Told()
    text = "file,year\n0.jpg,1979-11-30\n1.jpg,1979.0\n2.jpg,c. 1980\n3.jpg,1990/2004\n"
    found = albums(table(text), told=told)
    assert [album.year for album in found] == [1979, 1979, 1980, None]
    assert [album.extra for album in found] == [
        {"year": "1979-11-30"},
        {},
        {"year": "c. 1980"},
        {"year": "1990/2004"},
    ]
    assert told.remarks == [
        "1 years are not understood and are kept as they are written; the first is in m.csv, row "
        "5: '1990/2004'"
    ]


def test_empty_numbers_of_any_program_are_none(table: Any) -> None:
    rows = ["0.jpg,3.0,1979.0,", "1.jpg,,,", "2.jpg,nan,NaN,NULL", "3.jpg,7.0,1980.0,9.0"]
    text = "\n".join(["file,genre_id,year,album_id", *rows])
    told = Told()
    found = albums(table(text), told=told)
    assert [(a.album_id, a.genre_id, a.year) for a in found] == [
        (0, 3, 1979),
        (1, -1, None),
        (2, -1, None),
        (9, 7, 1980),
    ]
    assert told.remarks == []


def test_partial_ids_do_not_collide(table: Any) -> None:
    text = "file,album_id\n0.jpg,\n1.jpg,0\n2.jpg,\n3.jpg,2\n"
    assert [album.album_id for album in albums(table(text))] == [1, 0, 3, 2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("0.jpg,x\n", "m.csv, row 2: album_id: 'x' is not a whole number"),
        (
            "0.jpg,1\n1.jpg,1.0\n",
            r"m.csv, row 3: album_id 1 \(1.jpg\) is used twice, in m.csv, row 2",
        ),
        ("0.jpg,-4\n", "m.csv, row 2: album_id -4"),
        ("0.jpg,1\nelsewhere.jpg,1.5\n", "m.csv, row 3: album_id: '1.5' is not a whole number"),
    ],
)
def test_wrong_ids_are_named_by_their_row(rows: str, words: str, table: Any) -> None:
    with pytest.raises(BuildError, match=words):
        albums(table(f"file,album_id\n{rows}"))


def test_taken_ids_are_named_by_their_row(table: Any) -> None:
    path = table("file,album_id\n0.jpg,5\n1.jpg,\n")
    with pytest.raises(BuildError, match=r"m.csv, row 2: album_id 5 is taken in mine"):
        albums(path, taken={5}, of="mine")
    # What is there already may have its old id in the table.
    planned = albums(path, taken={5}, of="mine", fresh={"1.jpg"}, first_id=7)
    assert [album.album_id for album in planned[:2]] == [7, 8]


def test_values_of_strange_kinds_are_json() -> None:
    assert plain({b"k\xe9": np.datetime64("NaT")}) == {"ké": None}
    assert plain(np.datetime64("1999-12-31")) == "1999-12-31"


@pytest.mark.parametrize(
    ("values", "bulk"),
    [
        ([None, [0.1] * 16], True),
        ([np.zeros(64)], True),
        ([b"\xff\xd8\xff\x00"], True),
        ([b"x" * 2000], True),
        ([{"bytes": b"\0", "path": "x"}], True),
        ([[0.1] * 15], False),
        ([["a"] * 20], False),
        ([b"GB"], False),
        (["x" * 5000], False),
        ([None], False),
        ([], False),
    ],
)
def test_bulk_is_known(values: list[Any], bulk: bool) -> None:
    assert is_bulk(values) == bulk


# --- genres -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["rock,1", "jazz,1"], "row 3: genre_id 1 is 'jazz', and in m.csv, row 2 it is 'rock'"),
        (["rock,1", "rock,2"], "row 3: 'rock' has the genre_id 2, and in m.csv, row 2 it has 1"),
        (["rock,1", "Rock,2"], "row 3: 'Rock' has the genre_id 2, and in m.csv, row 2 it has 1"),
        (["rock,1", ",1", "Jazz,1.0"], "row 4: genre_id 1 is 'Jazz'"),
    ],
)
def test_genres_that_contradict_each_other_are_refused(
    rows: list[str], words: str, table: Any
) -> None:
    lines = [f"{i}.jpg,{row}" for i, row in enumerate(rows)]
    with pytest.raises(BuildError, match=words):
        albums(table("\n".join(["file,genre,genre_id", *lines])))


def test_genres_that_say_the_same_are_one(table: Any) -> None:
    found = albums(
        table("file,genre,genre_id\n0.jpg,,1\n1.jpg,Rock,1\n2.jpg,rock ,1\n3.jpg,rock,\n")
    )
    assert [(a.genre_id, a.genre) for a in found[:3]] == [(1, "Rock")] * 3
    assert found[3].genre_id != -1


def test_names_that_look_the_same_are_one_genre(table: Any) -> None:
    names = ["Variété", unicodedata.normalize("NFD", "Variété"), "variété\u200b", "VARIÉTÉ"]
    rows = [f"{i}.jpg,{name},{'' if i == 3 else 1}" for i, name in enumerate(names)]
    found = albums(table("\n".join(["file,genre,genre_id", *rows])))
    assert [(a.genre_id, a.genre) for a in found] == [(1, "Variété")] * 4


def test_a_genre_without_an_id_gets_one_that_no_row_has(table: Any) -> None:
    found = albums(table("file,genre,genre_id\n0.jpg,,0\n1.jpg,jazz,\n2.jpg,folk,-1\n3.jpg,,\n"))
    assert [(a.genre_id, a.genre) for a in found] == [
        (0, None),
        (2, "jazz"),
        (1, "folk"),
        (-1, None),
    ]


def genres_of_mine() -> Genres:
    genres = Genres()
    for number, name in [(0, "jazz"), (1, None), (-1, None), (4, "other"), (5, "other")]:
        genres.know(number, name, "mine")
    return genres


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("jazz,7", "'jazz' has the genre_id 7, and in mine it has 0"),
        ("folk,0", "genre_id 0 is 'folk', and in mine it is 'jazz'"),
    ],
)
def test_genres_that_contradict_the_artifacts_are_refused(row: str, words: str, table: Any) -> None:
    with pytest.raises(BuildError, match=words):
        albums(table(f"file,genre,genre_id\n0.jpg,{row}\n"), genres=genres_of_mine())


def test_genres_of_the_artifact_are_kept(table: Any) -> None:
    text = "file,genre,genre_id\n0.jpg,,0\n1.jpg,ska,\n2.jpg,dub,1\n3.jpg,other,5\n"
    found = albums(table(text), genres=genres_of_mine())
    assert [(album.genre_id, album.genre) for album in found] == [
        (0, "jazz"),
        (6, "ska"),
        (1, "dub"),
        (5, "other"),
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("g.txt", "jazz\nfolk\n\n"),
        ("g.txt", "genre\njazz\nfolk\n"),
        ("g.txt", "0,jazz\n1,folk\n"),
        ("g.txt", "1: folk\n0: jazz\n"),
        ("g.txt", "id,name\n0,jazz\n1,folk\n"),
        ("g.txt", "name;id\njazz;0\nfolk;1\n"),
        ("g.csv", "id,name\n0,jazz\n1,folk\n"),
        ("g.csv", "Genre ID,Genre\n1.0,folk\n0.0,jazz\n"),
        ("g.csv", "name\njazz\nfolk\n"),
        ("g.csv", "jazz\nfolk\n"),
        ("g.csv", "0,jazz\n1,folk\n"),
        ("g.txt", "0 jazz\n1 folk\n"),
        ("g.txt", "0. jazz\n1. folk\n"),
        ("g.txt", '["jazz", "folk"]'),
        ("genres", '{"0": "jazz", "1": "folk"}\n'),
        ("g.json", '{"id": 0, "name": "jazz"}\n{"id": 1, "name": "folk"}\n'),
        ("g.jsonl", '{"id": 0, "name": "jazz"}\n{"id": 1, "name": "folk"}\n'),
        ("g.json", '[{"id": 1, "name": "folk"}, {"id": 0, "name": "jazz"}]'),
        (
            "g.json",
            '{"genres": [{"genre_id": 1, "genre": "folk"}, {"genre_id": 0, "genre": "jazz"}]}',
        ),
        ("g.json", '{"id2label": {"0": "jazz", "1": "folk"}}'),
        ("g.json", '{"jazz": 0, "folk": 1}'),
        ("g.json", '{"0": {"name": "jazz"}, "1": {"name": "folk"}}'),
    ],
)
def test_lists_of_genres_are_understood(name: str, text: str, table: Any) -> None:
    assert read_genres(table(text, name)) == {0: "jazz", 1: "folk"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("g.txt", "jazz\n\nfolk\n", "line 2 is blank"),
        ("g.txt", "\njazz\nfolk\n", "line 1 is blank"),
        ("g.txt", "", "holds no names"),
        ("g.txt", "0,jazz\n0,folk\n", "the id 0 is 'jazz' and 'folk'"),
        ("g.csv", "number,word\n0,jazz\n", "one named 'id' and one named 'name'"),
        ("g.json", '"jazz"', "not a list or an object"),
        ("g.json", "{}", "not a list or an object"),
        ("g.json", '{"0": "jazz", "0": "folk"}', "the key '0' twice"),
        ("g.json", '{"0": "jazz", "00": "folk"}', "the id 0 is"),
        ("g.json", '["jazz", 3]', "3 is not a name"),
        ("g.txt", "{0: 'jazz', 1: 'folk'}", "is no JSON"),
        ("g.json", '[["jazz"]]', "is not a name"),
        ("g.json", '[{"name": "jazz"}]', "has no 'id' and 'name'"),
        ("g.json", '{"0": 1, "2": 3}', "is not a name"),
    ],
)
def test_lists_of_genres_that_could_mean_two_things_are_refused(
    name: str, text: str, words: str, table: Any
) -> None:
    with pytest.raises(BuildError, match=words):
        read_genres(table(text, name))


def test_a_row_knows_its_names_in_json_lines_that_differ(table: Any) -> None:
    rows = [{"file": "0.jpg"}, {"Title": "B", "File": "1.jpg"}, {"file": "2.jpg", "label": "X"}]
    found = albums(table("\n".join(map(json.dumps, rows)), "m.jsonl"))
    assert [(a.title, a.extra) for a in found[:3]] == [
        (None, {}),
        ("B", {}),
        (None, {"label": "X"}),
    ]
