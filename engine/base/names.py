"""Words → rows of a catalogue whose names have them, best first, a typo forgiven.

SQLite's full-text search (FTS5), over a table that is made from the catalogue when somebody first
asks: the artifact's format stays as it is, and a service that is never asked for a name pays
nothing. Letters count without their accents and their case; the last letters of a word may be
missing. A word that no name has stands for those it is one or two letters away from.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.base.database import read_only

_MADE = """
CREATE VIRTUAL TABLE names USING fts5(
    {columns}, content='', tokenize="unicode61 remove_diacritics 2", prefix='2 3');
INSERT INTO names (rowid, {columns}) SELECT {key}, {columns} FROM catalogue.{table};
CREATE VIRTUAL TABLE words USING fts5vocab(names, 'row');
"""
_FOUND = """
FROM names JOIN catalogue.{table} a ON a.{key} = names.rowid
WHERE names MATCH ?
"""
_ORDER = "ORDER BY bm25(names, {weights}), names.rowid LIMIT ? OFFSET ?"

_WORD = re.compile(r"\w+")
MOST_WORDS = 12
# Of how many letters a word must be for one, and for two, of them to be wrong.
_ONE_WRONG, _TWO_WRONG = 4, 8
_MOST_SPELLINGS = 8


@dataclass(frozen=True)
class Named:
    """What of a catalogue has names: a table, the column of its ids, its columns of names with the
    weight of each."""

    table: str
    key: str
    names: Mapping[str, float]

    def sql(self, text: str) -> str:
        columns, weights = ", ".join(self.names), ", ".join(map(str, self.names.values()))
        return text.format(table=self.table, key=self.key, columns=columns, weights=weights)


class Names:
    """The names of one catalogue, a file or what `fill` puts into the schema `catalogue`. Safe for
    concurrent use; the first question makes the table."""

    def __init__(
        self, catalogue: Path | Callable[[sqlite3.Connection], object], named: Named
    ) -> None:
        self._catalogue, self._named = catalogue, named
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def search(
        self,
        text: str,
        *,
        offset: int = 0,
        limit: int = 20,
        among: Mapping[str, int | str] | None = None,
        without: Collection[int] = (),
        where: str = "",
    ) -> tuple[int, list[int]]:
        """How many rows have all the words of `text`, and the ids of `limit` of them from `offset`
        on, best first. Text without a word, or with one that nothing is like, finds none.

        `among` restricts it to rows with these values, by column of the table, and `where` to
        those of which this SQL of its columns is true; the ids `without` are passed over.
        """
        words = _WORD.findall(text)[:MOST_WORDS]
        with self._lock:
            database = self._open()
            asked = _match(words, database)
            if asked is None:
                return 0, []
            among = among or {}
            values = [asked, *among.values()]
            found, order = self._named.sql(_FOUND), self._named.sql(_ORDER)
            found += "".join(f" AND a.{column} = ?" for column in among)
            if where:
                found += f" AND ({where})"
            if without:
                found += " AND names.rowid NOT IN (SELECT value FROM json_each(?))"
                values.append(json.dumps([*without]))
            (total,) = database.execute(f"SELECT count(*) {found}", values).fetchone()
            rows = database.execute(
                f"SELECT names.rowid {found} {order}",
                (*values, min(limit, 2**62), min(offset, 2**62)),
            )
            return int(total), [id_ for (id_,) in rows]

    def close(self) -> None:
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _open(self) -> sqlite3.Connection:
        if self._opened is None:
            # A temporary file where it grows large, memory where it does not: SQLite decides.
            database = sqlite3.connect("", uri=True, check_same_thread=False)
            if isinstance(self._catalogue, Path):
                database.execute("ATTACH ? AS catalogue", (read_only(self._catalogue),))
            else:
                database.execute("ATTACH ':memory:' AS catalogue")
                self._catalogue(database)
            database.executescript(self._named.sql(_MADE))
            self._opened = database
        return self._opened


def _match(words: Iterable[str], database: sqlite3.Connection) -> str | None:
    """FTS5's query for rows that have every word, or a word it may stand for; None where one
    stands for nothing."""
    parts = []
    for word in words:
        quoted = f'"{word}"*'
        if database.execute(
            "SELECT 1 FROM names WHERE names MATCH ? LIMIT 1", (quoted,)
        ).fetchone():
            parts.append(quoted)
            continue
        spellings = _spellings(word.lower(), database)
        if not spellings:
            return None
        parts.append("(" + " OR ".join(f'"{spelling}"' for spelling in spellings) + ")")
    return " AND ".join(parts) or None


def _spellings(word: str, database: sqlite3.Connection) -> list[str]:
    """The words of the catalogue that `word` may be meant for, nearest and most frequent first."""
    wrong = 2 if len(word) >= _TWO_WRONG else 1 if len(word) >= _ONE_WRONG else 0
    if not wrong:
        return []
    near = database.execute(
        "SELECT term, doc FROM words WHERE length(term) BETWEEN ? AND ?",
        (len(word) - wrong, len(word) + wrong),
    )
    found = []
    for term, rows in near:
        # Two words one edit apart share their beginning or their end.
        if wrong == 1 and term[0] != word[0] and term[-1] != word[-1]:
            continue
        edits = distance(word, term, wrong)
        if edits <= wrong:
            found.append((edits, -rows, term))
    return [term for _, _, term in sorted(found)[:_MOST_SPELLINGS]]


def distance(one: str, other: str, most: int) -> int:
    """How many letters must be put in, left out, exchanged or swapped with their neighbour to make
    `other` of `one` (optimal string alignment); `most` + 1 where it is more than `most`.

    >>> distance("marlow", "marlwo", 2), distance("lantern", "lanterns", 1), distance("a", "xyz", 1)
    (1, 1, 2)
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, theirs in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != theirs))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == theirs:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before, last = last, row
    return min(last[-1], most + 1)
