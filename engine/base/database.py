"""A SQLite file that nobody writes → its rows, for any number of threads and processes."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def read_only(path: Path) -> str:
    """The URI by which SQLite opens a file that it must not change. `immutable` promises that
    nobody writes: no locks, no journal, and it works on a read-only disk."""
    return f"{path.resolve().as_uri()}?mode=ro&immutable=1"


def bounded(number: int) -> int:
    """A number as SQLite can hold it: one beyond its 64 bits is no id of ours, and binding it would
    raise OverflowError."""
    return number if -(2**63) <= number < 2**63 else -(2**63)


class Database:
    """A file opened to read; each thread gets a connection of its own, to the same file: one that
    was put into its place is a `sqlite3.DatabaseError`."""

    def __init__(self, path: Path) -> None:
        self._path, self._uri = path, read_only(path)
        self._file = which_file(path)
        self._local = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> Iterator[Any]:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
            if which_file(self._path) != self._file:
                connection.close()
                raise sqlite3.DatabaseError(f"{self._path.name} is another file than was opened")
            self._local.connection = connection
            with self._lock:
                self._all.append(connection)
        return iter(connection.execute(sql, values))

    def close(self) -> None:
        with self._lock:
            while self._all:
                self._all.pop().close()


def which_file(path: Path) -> tuple[int, int] | None:
    """Which file has this name now; None where none has."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_dev, told.st_ino
