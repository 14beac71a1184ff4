"""`engine/covers/catalogue.py`: neighbours → albums."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT

from engine.base.errors import ArtifactError
from engine.covers.catalogue import (
    UNKNOWN_GENRE,
    Album,
    Catalogue,
    Genre,
    write_catalogue,
    write_thumbnails,
)

GENRES = {0: "jazz", 1: "metal", 2: None}


def album(number: int) -> Album:
    return Album(
        number * 10,
        number % 3,
        f"Title {number}",
        f"Artist {number % 4}",
        GENRES[number % 3],
        1960 + number,
        f"{number}.jpg",
        f"{number:064x}",
        {"label": "Blue Note", "tracks": number} if number % 2 else {},
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("catalogue")
    # Given out of order: the catalogue's own order is that of the ids.
    assert write_catalogue(folder / "albums", (album(n) for n in reversed(range(40)))) == 40
    assert write_thumbnails(folder / "thumbs", [(n * 10, bytes([n]) * 9) for n in range(39)]) == 39
    return folder / "albums", folder / "thumbs"


@pytest.fixture
def catalogue(paths: tuple[Path, Path]) -> Catalogue:
    return Catalogue(*paths)


def test_an_album_comes_back_as_it_was_written(catalogue: Catalogue) -> None:
    assert len(catalogue) == 40
    for number in (0, 1, 17, 39):
        assert catalogue.album(number * 10) == album(number)
    assert list(catalogue) == [album(n) for n in range(40)]
    assert catalogue.ids().tolist() == [n * 10 for n in range(40)]


def test_unknown_ids_are_left_out(catalogue: Catalogue) -> None:
    assert catalogue.album(5) is None
    assert set(catalogue.albums([10, 11, -1, 390])) == {10, 390}
    assert catalogue.albums([]) == {}


def test_more_ids_than_sqlite_takes_variables(catalogue: Catalogue) -> None:
    assert len(catalogue.albums(range(3_000))) == 40


def test_pages_follow_each_other_without_gap_or_repeat(catalogue: Catalogue) -> None:
    pages = [catalogue.page(offset, 7) for offset in range(0, 49, 7)]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 5, 0]
    assert [a for page in pages for a in page] == [album(n) for n in range(40)]


def test_pages_of_a_genre(catalogue: Catalogue) -> None:
    metal = [album(n) for n in range(40) if n % 3 == 1]
    assert catalogue.page(0, 5, 1) == metal[:5]
    assert catalogue.page(5, 100, 1) == metal[5:]
    assert catalogue.page(0, 5, 99) == []


def test_genres_are_counted(catalogue: Catalogue) -> None:
    assert catalogue.genres() == [Genre(0, "jazz", 14), Genre(1, "metal", 13), Genre(2, None, 13)]
    assert catalogue.genre(1) == Genre(1, "metal", 13)
    assert catalogue.genre(77) is None
    assert catalogue.ids_of_genre(1).tolist() == [n * 10 for n in range(40) if n % 3 == 1]
    assert catalogue.ids_of_genre(77).tolist() == []
    assert catalogue.ids_of_genre(77).dtype == np.int64


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**40, -(10**40)])
def test_numbers_beyond_sixty_four_bits_are_nobodys(catalogue: Catalogue, number: int) -> None:
    assert catalogue.album(number) is None
    assert catalogue.albums([number, 10]) == {10: album(1)}
    assert catalogue.genre(number) is None
    assert catalogue.ids_of_genre(number).tolist() == []
    assert catalogue.thumbnail(number) is None
    assert catalogue.page(0, 5, number) == []
    if number > 0:
        assert catalogue.page(number, 5) == []
        assert len(catalogue.page(0, number)) == 40


def test_the_largest_ids_work(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "albums", [Album(2**63 - 1), Album(0)])
    catalogue = Catalogue(tmp_path / "albums")
    assert catalogue.ids().tolist() == [0, 2**63 - 1]
    assert catalogue.album(2**63 - 1) == Album(2**63 - 1)


@pytest.mark.parametrize("step", [1, 10])  # ids beside each other, and a gap between any two
def test_whether_it_holds_exactly_these_albums(step: int, tmp_path: Path) -> None:
    held = np.r_[100:140, 160:200] * step
    write_catalogue(tmp_path / "albums", (Album(int(i)) for i in held))
    catalogue = Catalogue(tmp_path / "albums")
    assert catalogue.holds_exactly(held)
    end = held[-1] + 1
    others = {
        "one is missing here": np.sort(np.append(held, 150 * step)),
        "one is missing there": np.delete(held, 20),
        "the first, the last": held[1:],
        "and another instead": np.append(held[1:], end),
        "before them": np.append(0, held[:-1]),
        "in a gap": np.sort(np.append(np.delete(held, 20), 150 * step)),
        "twice": np.sort(np.append(held[1:], held[5])),
        "twice at the end": np.append(held[1:], held[-1]),
        "none": held[:0],
        "of other numbers": np.arange(len(held)),
        "beyond": np.append(held[:-1], 2**63 - 1),
        "negative": np.append(-(2**63), held[1:]),
    }
    for what, ids in others.items():
        assert not catalogue.holds_exactly(ids), what


def test_an_empty_catalogue_holds_nothing_exactly(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "albums", [])
    catalogue = Catalogue(tmp_path / "albums")
    assert catalogue.holds_exactly(np.zeros(0, np.int64))
    assert not catalogue.holds_exactly(np.arange(1))


def test_an_album_that_lacks_everything(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "albums", [Album(3)])
    catalogue = Catalogue(tmp_path / "albums")
    assert catalogue.album(3) == Album(3, UNKNOWN_GENRE)
    assert catalogue.genres() == [Genre(UNKNOWN_GENRE, None, 1)]
    assert not catalogue.has_thumbnails
    assert catalogue.thumbnail(3) is None


def test_thumbnails_are_found_by_album(catalogue: Catalogue) -> None:
    assert catalogue.has_thumbnails
    assert catalogue.thumbnail(120) == bytes([12]) * 9
    assert catalogue.thumbnail(390) is None


def test_hostile_titles_are_only_text(tmp_path: Path) -> None:
    title = "'; DROP TABLE albums; -- \" \x00 \N{SNOWMAN} 日本"
    write_catalogue(tmp_path / "albums", [Album(1, title=title)])
    found = Catalogue(tmp_path / "albums").album(1)
    assert found is not None
    assert found.title == title


def test_many_threads_read_at_once(catalogue: Catalogue) -> None:
    together = threading.Barrier(8)

    def read(seed: int) -> bool:
        together.wait()
        numbers = np.random.default_rng(seed).integers(0, 40, 60).tolist()
        return all(
            catalogue.album(n * 10) == album(n)
            and catalogue.page(n, 1) == [album(n)]
            and len(catalogue.ids_of_genre(n % 3)) in (13, 14)
            for n in numbers
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))


def test_nothing_is_written_beside_the_files(paths: tuple[Path, Path]) -> None:
    catalogue = Catalogue(*paths)
    catalogue.page(0, 5)
    catalogue.close()
    assert sorted(path.name for path in paths[0].parent.iterdir()) == ["albums", "thumbs"]


def test_nothing_can_be_written(catalogue: Catalogue) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        catalogue._albums.rows("DELETE FROM albums")


def test_a_read_only_folder_is_enough(paths: tuple[Path, Path]) -> None:
    for path in paths:
        path.chmod(0o444)
    paths[0].parent.chmod(0o555)
    try:
        assert len(Catalogue(*paths)) == 40
    finally:
        paths[0].parent.chmod(0o755)


def test_a_closed_catalogue_lets_its_files_go(tmp_path: Path) -> None:
    def held() -> int:
        links = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
        return sum(tmp_path in link.resolve().parents for link in links)

    write_catalogue(tmp_path / "albums", [Album(1)])
    write_thumbnails(tmp_path / "thumbs", [(1, b"x")])
    catalogue = Catalogue(tmp_path / "albums", tmp_path / "thumbs")
    catalogue.thumbnail(1)
    assert held() == 2
    catalogue.close()
    assert held() == 0


@pytest.mark.parametrize(
    "script",
    [
        "",
        "CREATE TABLE facts (name, value);",
        "CREATE TABLE facts (name, value); INSERT INTO facts VALUES ('albums', 'many');",
        "CREATE TABLE facts (name, value); INSERT INTO facts VALUES ('albums', NULL);",
        "CREATE TABLE facts (name, value); INSERT INTO facts VALUES ('albums', 1);",
        "CREATE TABLE facts (name, value); INSERT INTO facts VALUES ('albums', 1);"
        "CREATE TABLE albums (album_id, title); CREATE TABLE genres (genre_id, genre, albums);",
    ],
)
def test_a_database_of_another_shape_is_refused(script: str, tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "albums")
    db.executescript(script + "CREATE TABLE something (x);")
    db.close()
    with pytest.raises(ArtifactError, match="is not a catalogue"):
        Catalogue(tmp_path / "albums")


def test_bytes_that_are_no_database_are_refused(tmp_path: Path) -> None:
    (tmp_path / "albums").write_bytes(b"SQLite format 3\x00" + bytes(200))
    with pytest.raises(ArtifactError, match="is not a catalogue"):
        Catalogue(tmp_path / "albums")


def test_a_genre_without_a_row_still_shows_its_albums(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "albums", [Album(1, 5, genre="jazz")])
    db = sqlite3.connect(tmp_path / "albums")
    db.execute("DELETE FROM genres")
    db.commit()
    db.close()
    assert Catalogue(tmp_path / "albums").album(1) == Album(1, 5)


_OPEN_AND_MEASURE = """
import resource, sys
from pathlib import Path
from engine.covers.catalogue import Catalogue
def kib(): return int(open("/proc/self/statm").read().split()[1]) * 4
before = kib()
catalogue = Catalogue(Path(sys.argv[1]))
assert len(catalogue) == 1_000_000
catalogue.page(999_990, 5), catalogue.album(123_456), catalogue.genres()
print(kib() - before)
"""


def test_a_million_rows_cost_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "albums"
    write_catalogue(path, [])
    db = sqlite3.connect(path)
    db.execute(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999) "
        "INSERT INTO albums "
        "SELECT i, i % 20, 'Title ' || i, 'Artist', 1970, i || '.jpg', NULL, NULL FROM n"
    )
    db.execute("UPDATE facts SET value = 1000000")
    db.commit()
    db.close()
    assert path.stat().st_size > 30_000_000
    grown = subprocess.run(
        [sys.executable, "-c", _OPEN_AND_MEASURE, str(path)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert int(grown) < 8_000, f"{grown} KiB"
