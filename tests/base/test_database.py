"""`engine/base/database.py`: one file for every thread, as long as it is that file."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.base.database import Database


def write(path: Path, word: str) -> None:
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE words (word TEXT)")
        made.execute("INSERT INTO words VALUES (?)", [word])
    made.close()


def test_a_thread_that_comes_later_reads_no_file_that_was_put_in_its_place(tmp_path: Path) -> None:
    path, other = tmp_path / "words", tmp_path / "others"
    write(path, "first")
    write(other, "other")
    database = Database(path)
    try:
        assert [*database.rows("SELECT word FROM words")] == [("first",)]
        other.replace(path)
        assert [*database.rows("SELECT word FROM words")] == [("first",)]
        with (
            ThreadPoolExecutor(1) as pool,
            pytest.raises(sqlite3.DatabaseError, match="words is another file than was opened"),
        ):
            pool.submit(lambda: [*database.rows("SELECT word FROM words")]).result()
    finally:
        database.close()
