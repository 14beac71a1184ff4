"""`engine/base/names.py`: words → albums that are called so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.base.names import Names, distance
from engine.covers.catalogue import NAMED, Album, write_catalogue

ALBUMS = (
    (3, 0, "A Parade for Vera", "The Lanterns"),
    (5, 1, "Blind August", "Ida Marlow"),
    (8, 1, "August", "Vera Strand"),
    (9, 2, "Élégie", "Sigur Þór"),
    (12, 2, None, None),
    (15, 2, "C++ & friends", 'The "Quotes"'),
)


@pytest.fixture
def names(tmp_path: Path) -> Names:
    path = tmp_path / "catalogue.sqlite"
    write_catalogue(
        path, [Album(i, genre, title, artist, None) for i, genre, title, artist in ALBUMS]
    )
    return Names(path, NAMED)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("blind august", [5]),
        ("vera", [3, 8]),  # a title before an artist
        ("AUGUST", [8, 5]),  # the shorter title has it more
        ("lanterns parade", [3]),  # title and artist together, in any order
        ("blind aug", [5]),  # not yet typed to its end
        ("elegie", [9]),
        ("ÉLÉGIE", [9]),
        ("parade vera blind", []),
        ("c++", [15]),
        ('"quotes" OR NEAR(', []),
        ("title:august", []),  # FTS5's own language is words here
        ("", []),
        ("  & + ", []),
        ("nothing-like-it", []),
    ],
)
def test_words_find_the_albums_that_have_them_all(names: Names, text: str, ids: list[int]) -> None:
    total, found = names.search(text)
    assert (total, found) == (len(ids), ids)


@pytest.mark.parametrize("text", ["marlwo", "marlo", "marlows", "narlow", "merlow", "blind marlwo"])
def test_a_typo_is_forgiven(names: Names, text: str) -> None:
    assert names.search(text)[1] == [5]


def test_short_words_must_be_right_and_long_ones_may_have_two_wrong(names: Names) -> None:
    assert names.search("idx")[1] == []
    assert names.search("lantarnes")[1] == [3]


def test_pages_and_genres(names: Names) -> None:
    assert names.search("august", limit=1) == (2, [8])
    assert names.search("august", limit=1, offset=1) == (2, [5])
    assert names.search("august", offset=10**30) == (2, [])
    assert names.search("vera", among={"genre_id": 0}) == (1, [3])
    assert names.search("vera", among={"genre_id": 77}) == (0, [])


def test_many_may_ask_at_once(names: Names) -> None:
    answers: list[list[int]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(names.search("vera")[1])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[3, 8]] * 8
    names.close()
    assert names.search("vera")[1] == [3, 8]


def test_a_distance_is_cut_off_where_it_is_too_far() -> None:
    assert distance("kitten", "sitting", 3) == 3
    assert distance("kitten", "sitting", 1) == 2
    assert distance("ab", "ba", 1) == 1
    assert distance("", "abc", 5) == 3
