"""What a build has finished, by the sha256 of the content it was made of: a SQLite file beside the
artifact to be, so that an interrupted build resumes."""

from __future__ import annotations

import sqlite3
from collections.abc import Set
from pathlib import Path
from typing import Any, ClassVar, Self


class WorkFile:
    """Finished pieces beside `out`. A subclass says what one is made of.

    Belongs to what `made_by` names, the digest of a network: with another, what it would hold is of
    another space, so it is begun anew.
    """

    # Columns of a piece, beside the digest of its content.
    COLUMNS: ClassVar[str]

    def __init__(self, out: Path, made_by: str) -> None:
        self._path = out.parent / f".{out.name}.work.sqlite"
        self._made_by = made_by
        # Left behind until then: the next build goes on with it.
        self.finished = False

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self._path, check_same_thread=False)
        self._db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE IF NOT EXISTS made_by (digest TEXT);"
            f"CREATE TABLE IF NOT EXISTS done (digest TEXT PRIMARY KEY, {self.COLUMNS});"
        )
        if self._db.execute("SELECT digest FROM made_by").fetchone() != (self._made_by,):
            self._db.executescript("DELETE FROM done; DELETE FROM made_by;")
            self._db.execute("INSERT INTO made_by VALUES (?)", (self._made_by,))
            self._db.commit()
        self._known = {row[0] for row in self._db.execute("SELECT digest FROM done")}
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        if self.finished:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)

    @property
    def known(self) -> Set[str]:
        """Digests of what is finished."""
        return self._known

    def _keep(self, rows: list[tuple[Any, ...]]) -> None:
        """Pieces, each its digest and its columns in order."""
        if not rows:
            return
        marks = ", ".join("?" * len(rows[0]))
        with self._db:
            self._db.executemany(f"INSERT OR REPLACE INTO done VALUES ({marks})", rows)
        self._known.update(row[0] for row in rows)

    def _piece(self, digest: str, columns: str = "*") -> tuple[Any, ...]:
        sql = f"SELECT {columns} FROM done WHERE digest = ?"
        row: tuple[Any, ...] = self._db.execute(sql, (digest,)).fetchone()
        return row
