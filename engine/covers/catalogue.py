"""Neighbours → albums: what is known of each album, and its thumbnail, in SQLite.

Nothing is held in memory but what a query asks for, so ten million rows cost as little as ten.
`catalogue.sqlite` holds the albums and genres, `thumbnails.sqlite` the small covers; both are
opened read-only and immutable, which lets any number of processes share the pages.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.database import Database, bounded
from engine.base.errors import ArtifactError
from engine.base.names import Named, Names
from engine.vectors.embeddings import Ids

_ALBUMS = """
CREATE TABLE genres (genre_id INTEGER PRIMARY KEY, genre TEXT, albums INTEGER NOT NULL DEFAULT 0);
CREATE TABLE albums (
    album_id INTEGER PRIMARY KEY,
    genre_id INTEGER NOT NULL REFERENCES genres,
    title    TEXT,
    artist   TEXT,
    year     INTEGER,
    source   TEXT,
    digest   TEXT,
    extra    TEXT
);
CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""
_THUMBNAILS = "CREATE TABLE thumbnails (album_id INTEGER PRIMARY KEY, image BLOB NOT NULL);"

# A title says more than the artist: who types one word of it wants that album.
NAMED = Named("albums", "album_id", {"title": 2.0, "artist": 1.0})

UNKNOWN_GENRE = -1

# Ids for each gap among them, below which all are read: to ask for a gap takes 3 µs, an id 0.16.
_IDS_A_GAP = 20


@dataclass(frozen=True, slots=True)
class Album:
    """One row of the catalogue. `genre_id` is −1 and `genre` None where no genre is known.

    `source` is the file name of the cover, `digest` the sha256 of its bytes (both None for an
    import that brought none); `extra` holds the metadata columns we have no name for.
    """

    album_id: int
    genre_id: int = UNKNOWN_GENRE
    title: str | None = None
    artist: str | None = None
    genre: str | None = None
    year: int | None = None
    source: str | None = None
    digest: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Genre:
    genre_id: int
    genre: str | None
    albums: int


class Catalogue:
    """Read-only view of the two files; safe for concurrent use (one connection a thread)."""

    def __init__(self, albums: Path, thumbnails: Path | None = None) -> None:
        self._albums = Database(albums)
        self.names = Names(albums, NAMED)
        self._thumbnails = Database(thumbnails) if thumbnails else None
        try:
            facts = dict(self._albums.rows("SELECT name, value FROM facts"))
            self._count = int(facts["albums"])
            # One row through every statement: a file of another shape is refused now, not later.
            next(iter(self), None)
            self.genres()
            if self._thumbnails:
                next(self._thumbnails.rows("SELECT album_id, image FROM thumbnails LIMIT 1"), None)
        except (sqlite3.Error, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{albums.name} is not a catalogue ({error}).") from error

    def __len__(self) -> int:
        return self._count

    @property
    def has_thumbnails(self) -> bool:
        return self._thumbnails is not None

    def album(self, album_id: int) -> Album | None:
        return self.albums([album_id]).get(album_id)

    def albums(self, album_ids: Sequence[int]) -> dict[int, Album]:
        """The albums with these ids; unknown ids are left out. At most some thousand at a time."""
        found = {}
        for start in range(0, len(album_ids), 500):  # SQLite's variable limit was 999 for long
            part = [bounded(int(album_id)) for album_id in album_ids[start : start + 500]]
            marks = ",".join("?" * len(part))
            for row in self._albums.rows(f"{_SELECT} WHERE album_id IN ({marks})", part):
                found[row[0]] = _album(row)
        return found

    def page(self, offset: int, limit: int, genre_id: int | None = None) -> list[Album]:
        """Albums in order of id, `limit` of them from `offset` on."""
        where, values = "", [] if genre_id is None else [bounded(genre_id)]
        if genre_id is not None:
            where = "WHERE genre_id = ?"
        # The inner statement skips rows by index alone, without joining or reading them.
        sql = (
            f"{_SELECT} WHERE album_id IN (SELECT album_id FROM albums {where} ORDER BY album_id "
            "LIMIT ? OFFSET ?) ORDER BY album_id"
        )
        # Beyond SQLite's 64 bits an offset is past the end of any catalogue.
        values += [min(limit, 2**62), min(offset, 2**62)]
        return [_album(row) for row in self._albums.rows(sql, values)]

    def genres(self) -> list[Genre]:
        sql = "SELECT genre_id, genre, albums FROM genres ORDER BY genre_id"
        return [Genre(*row) for row in self._albums.rows(sql)]

    def genre(self, genre_id: int) -> Genre | None:
        sql = "SELECT genre_id, genre, albums FROM genres WHERE genre_id = ?"
        return next((Genre(*row) for row in self._albums.rows(sql, [bounded(genre_id)])), None)

    def ids_of_genre(self, genre_id: int) -> Ids:
        """(N,) int64 album ids of a genre, ascending; empty for an unknown genre."""
        sql = "SELECT album_id FROM albums WHERE genre_id = ? ORDER BY album_id"
        return self._numbers(sql, [bounded(genre_id)])

    def genres_of(self, album_ids: Ids) -> Ids:
        """(N,) ascending ids that follow each other in the catalogue → (N,) int64 genre ids."""
        sql = (
            "SELECT genre_id AS album_id FROM albums WHERE albums.album_id BETWEEN ? AND ? "
            "ORDER BY albums.album_id"
        )
        return self._numbers(sql, [int(album_ids[0]), int(album_ids[-1])])

    def ids(self) -> Ids:
        """(N,) int64, every album id, ascending."""
        return self._numbers("SELECT album_id FROM albums ORDER BY album_id")

    def holds_exactly(self, album_ids: Ids) -> bool:
        """Whether its albums are these (N,) ascending ids, each once.

        It is so where there are as many albums as ids, none before or after them and none in a gap.
        Of a million ids without gaps that takes 4 ms, to read them all 160.
        """
        gaps = np.flatnonzero(np.diff(album_ids) != 1)
        if len(gaps) > len(album_ids) // _IDS_A_GAP or not len(album_ids):
            return np.array_equal(album_ids, self.ids())
        between = zip(album_ids[gaps].tolist(), album_ids[gaps + 1].tolist(), strict=True)
        inside = "SELECT EXISTS (SELECT 1 FROM albums WHERE album_id > ? AND album_id < ?)"
        return (
            self._number("SELECT count(*) FROM albums") == len(album_ids)
            and self._number("SELECT min(album_id) FROM albums") == album_ids[0]
            and self._number("SELECT max(album_id) FROM albums") == album_ids[-1]
            and not any(self._number(inside, gap) for gap in between)
        )

    def _number(self, sql: str, values: Sequence[Any] = ()) -> int:
        return int(next(self._albums.rows(sql, values))[0])

    def _numbers(self, sql: str, values: Sequence[Any] = ()) -> Ids:
        # As one text: a quarter of the time of a million rows made into Python's objects.
        joined = f"SELECT group_concat(album_id, ' ') FROM ({sql})"
        text = next(self._albums.rows(joined, values))[0]
        return np.fromstring(text or "", np.int64, sep=" ")

    def __iter__(self) -> Iterator[Album]:
        return (_album(row) for row in self._albums.rows(f"{_SELECT} ORDER BY album_id"))

    def thumbnail(self, album_id: int) -> bytes | None:
        """WebP or JPEG bytes, or None where the artifact holds no cover of this album."""
        if self._thumbnails is None:
            return None
        sql = "SELECT image FROM thumbnails WHERE album_id = ?"
        rows = self._thumbnails.rows(sql, [bounded(album_id)])
        return next((bytes(row[0]) for row in rows), None)

    def close(self) -> None:
        self._albums.close()
        self.names.close()
        if self._thumbnails:
            self._thumbnails.close()


def write_catalogue(path: Path, albums: Iterable[Album]) -> int:
    """Write `catalogue.sqlite`; returns the number of albums. Rows may come as a stream."""
    with sqlite3.connect(path) as db:
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" + _ALBUMS)
        genres: dict[int, str | None] = {}

        def rows() -> Iterator[tuple[Any, ...]]:
            for album in albums:
                genres[album.genre_id] = genres.get(album.genre_id) or album.genre
                yield _row(album)

        db.executemany("INSERT INTO albums VALUES (?,?,?,?,?,?,?,?)", rows())
        db.executemany("INSERT INTO genres VALUES (?,?,0)", genres.items())
        db.execute("CREATE INDEX albums_by_genre ON albums (genre_id, album_id)")
        count = _count(db)
    db.close()
    return count


def revise_catalogue(
    source: Path, target: Path, gone: Sequence[int], albums: Iterable[Album]
) -> int:
    """Copy a catalogue without the albums `gone` and with new ones; returns the number of albums.

    By the database's own pages: a million rows take a second or two instead of twenty.
    """
    shutil.copyfile(source, target)
    with sqlite3.connect(target) as db:
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        db.executemany("DELETE FROM albums WHERE album_id = ?", ((i,) for i in gone))
        for album in albums:
            db.execute(
                "INSERT INTO genres VALUES (?,?,0) ON CONFLICT (genre_id) "
                "DO UPDATE SET genre = coalesce(genre, excluded.genre)",
                (album.genre_id, album.genre),
            )
            db.execute("INSERT INTO albums VALUES (?,?,?,?,?,?,?,?)", _row(album))
        count = _count(db)
        db.execute("DELETE FROM genres WHERE albums = 0")
    db.close()
    return count


def _count(db: sqlite3.Connection) -> int:
    """Count again what is written down beside the albums."""
    db.execute(
        "UPDATE genres SET albums = "
        "(SELECT count(*) FROM albums WHERE albums.genre_id = genres.genre_id)"
    )
    (count,) = db.execute("SELECT count(*) FROM albums").fetchone()
    db.execute("INSERT OR REPLACE INTO facts VALUES ('albums', ?)", (count,))
    return int(count)


def _row(album: Album) -> tuple[Any, ...]:
    return (
        album.album_id,
        album.genre_id,
        album.title,
        album.artist,
        album.year,
        album.source,
        album.digest,
        json.dumps(dict(album.extra), sort_keys=True) if album.extra else None,
    )


def write_thumbnails(path: Path, thumbnails: Iterable[tuple[int, bytes]]) -> int:
    """Write `thumbnails.sqlite` from (album id, image bytes); returns how many."""
    with sqlite3.connect(path) as db:
        # Small pages: with SQLite's usual 4 KiB a sixth of the file would be empty.
        db.executescript(
            "PRAGMA page_size = 1024; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            + _THUMBNAILS
        )
        db.executemany("INSERT INTO thumbnails VALUES (?,?)", thumbnails)
        (count,) = db.execute("SELECT count(*) FROM thumbnails").fetchone()
    db.close()
    return int(count)


def revise_thumbnails(
    source: Path, target: Path, gone: Sequence[int], thumbnails: Iterable[tuple[int, bytes]]
) -> int:
    """Copy a thumbnails file likewise; returns how many it holds."""
    shutil.copyfile(source, target)
    with sqlite3.connect(target) as db:
        db.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        db.executemany("DELETE FROM thumbnails WHERE album_id = ?", ((i,) for i in gone))
        db.executemany("INSERT INTO thumbnails VALUES (?,?)", thumbnails)
        (count,) = db.execute("SELECT count(*) FROM thumbnails").fetchone()
    db.close()
    return int(count)


_SELECT = (
    "SELECT album_id, a.genre_id, title, artist, g.genre, year, source, digest, extra "
    "FROM albums a LEFT JOIN genres g ON g.genre_id = a.genre_id"
)


def _album(row: Sequence[Any]) -> Album:
    album_id, genre_id, title, artist, genre, year, source, digest, extra = row
    known = json.loads(extra) if extra else {}
    return Album(album_id, genre_id, title, artist, genre, year, source, digest, known)
