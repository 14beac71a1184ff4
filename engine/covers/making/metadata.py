"""Metadata → albums: tables beside covers, and the columns of a pickle.

Rows and covers are joined by file name and never by position. What a table asks for is checked
before anything is embedded.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.catalogue import UNKNOWN_GENRE, Album
from engine.covers.formats.known import ENDINGS
from engine.covers.making import ALBUM_COLUMNS, FILE_COLUMNS, KNOWN_COLUMNS
from engine.covers.making.embedding import Cover
from engine.covers.making.filenames import NOTHING, told_by_name
from engine.covers.making.genres import Genres
from engine.tables.joining import Named, join, refuse_strangers, tell
from engine.tables.table import Row, read_table
from engine.tables.values import (
    is_bulk,
    is_missing_number,
    plain,
    text,
    whole_number,
    year,
)


@dataclass(frozen=True)
class Metadata:
    """A table's rows, each with the name of the file that it is about."""

    table: str
    rows: list[tuple[Named, Row]]


def read_metadata(path: Path, progress: Progress | None = None) -> Metadata:
    """CSV, JSON Lines or Parquet → rows with the file that each names. Raises `BuildError`.

    The column that names the file is `file`, `filename`, `path`, `image` or `cover`.
    """
    progress = progress or Progress()
    table = read_table(path, progress, known=KNOWN_COLUMNS)
    key = table.first_of(FILE_COLUMNS)
    if key is None:
        raise BuildError(
            f"{path.name} has the columns {', '.join(table.columns)}; one named 'file' must "
            "give each cover's file name, since rows are joined by name and never by position."
        )
    bulk = _bulk(table.columns, table.rows, progress, path.name)
    rows, seen = [], set[str]()
    for row in table.rows:
        name = _file_name(row.values.get(key))
        if not name.strip():
            raise BuildError(f"{row.where}: the column {key!r} is empty.")
        if name in seen:
            raise BuildError(f"{row.where}: {name} has a row already.")
        seen.add(name)
        values = {k: v for k, v in row.values.items() if k != key and k not in bulk}
        rows.append((Named(name, row.where), Row(row.table, row.number, row.line, values)))
    return Metadata(path.name, rows)


def _file_name(value: Any) -> str:
    if isinstance(value, Mapping):  # Hugging Face's image column: {"bytes", "path"}
        value = value.get("path")
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)


def _bulk(columns: Iterable[str], rows: Sequence[Row], progress: Progress, table: str) -> set[str]:
    """Columns of embeddings or of whole files, left out with a remark."""
    bulk = {
        name
        for name in columns
        if is_bulk([next((r.values[name] for r in rows if r.values.get(name) is not None), None)])
    }
    bulk -= set(FILE_COLUMNS)
    tell_bulk(bulk, progress, table)
    return bulk


def tell_bulk(bulk: Iterable[str], progress: Progress, table: str) -> None:
    for name in sorted(bulk):
        progress.remark(
            f"{table}: the column {name!r} holds embeddings or files and is left out of the albums"
        )


# --- albums of covers ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _About:
    """What a row says of an album, understood."""

    where: str
    album_id: int | None
    genre_id: int | None
    genre: str | None
    title: str | None
    artist: str | None
    year: int | None
    extra: Mapping[str, Any]


class Planned:
    """What a table says of covers, understood and checked before anything is embedded."""

    def __init__(
        self,
        names: Sequence[str],
        metadata: Metadata | None,
        progress: Progress,
        *,
        genres: Genres | None = None,
        fresh: Container[str] | None = None,
        first_id: int = 0,
        taken: Container[int] = (),
        of: str = "",
    ) -> None:
        """`names` are the covers' below their folder, of which `fresh` (all, by default) are to
        become albums beside those of the artifact `of` with the ids `taken`.

        Raises `BuildError` that names file and row: for an id that is no whole number, negative or
        used twice, for genres that contradict each other, and where hardly any row joins.
        """
        self._genres = genres or Genres()
        self._first_id, self._taken = first_id, taken
        self._has_table = metadata is not None
        self._about: dict[str, _About] = {}
        if metadata is None:
            return
        named = [name for name, _ in metadata.rows]
        joined = join(names, named, ENDINGS)
        likely = [n for n in names if n[n.rfind(".") :].casefold() in ENDINGS] or names
        refuse_strangers(
            metadata.table,
            len(joined.row_of),
            [row.name for row in named],
            likely,
            "a file among the covers",
        )
        tell(joined, named, names, progress, what="cover")
        cover_of = {row: names[cover] for cover, row in joined.row_of.items()}
        years: list[str] = []
        for i, (_, row) in enumerate(metadata.rows):
            about = self._understood(row)
            name = cover_of.get(i)
            if name is not None and (fresh is None or name in fresh):
                self._about[name] = about
                if about.year is None and "year" in about.extra:
                    years.append(f"{row.where}: {str(about.extra['year'])[:40]!r}")
        tell_years(years, progress)
        self._check_ids(of)

    def _understood(self, row: Row) -> _About:
        values, where = row.values, row.where
        about = _About(
            where,
            _number(values, "album_id", where),
            _number(values, "genre_id", where),
            text(values.get("genre")),
            text(values.get("title")),
            text(values.get("artist")),
            year(values.get("year")),
            {
                key: value
                for key, given in values.items()
                if key not in ALBUM_COLUMNS and (value := plain(given)) not in (None, "")
            }
            | year_as_written(values.get("year")),
        )
        self._genres.learn(about.genre_id, about.genre, where)
        return about

    def _check_ids(self, of: str) -> None:
        seen: dict[int, str] = {}
        for name, about in self._about.items():
            if about.album_id is None:
                continue
            if about.album_id < 0:
                raise BuildError(f"{about.where}: album_id {about.album_id} ({name}) is negative.")
            if about.album_id in seen:
                raise BuildError(
                    f"{about.where}: album_id {about.album_id} ({name}) is used twice, in "
                    f"{seen[about.album_id]} too."
                )
            if about.album_id in self._taken:
                raise BuildError(f"{about.where}: album_id {about.album_id} is taken in {of}.")
            seen[about.album_id] = about.where

    def albums(self, covers: Sequence[Cover], progress: Progress) -> list[Album]:
        """The albums of covers that could be read. Where the table gives no id, the next one that
        it gives to nobody else; genres without an id get theirs in order of name."""
        about = [self._about.get(cover.file.name) for cover in covers]
        missing = [cover.name for cover, row in zip(covers, about, strict=True) if row is None]
        if self._has_table and missing:
            progress.remark(
                f"{len(missing)} covers have no metadata row, the first is {missing[0]}"
            )
        self._genres.number(sorted({row.genre for row in about if row and row.genre}))
        given = {row.album_id for row in self._about.values()}
        albums, free = [], self._first_id
        for cover, row in zip(covers, about, strict=True):
            while free in given:
                free += 1
            album_id = row.album_id if row else None
            if album_id is None:
                album_id, free = free, free + 1
            albums.append(self._album(album_id, cover, row))
        if not self._has_table:
            _tell_guesses(albums, progress)
        return albums

    def _album(self, album_id: int, cover: Cover, row: _About | None) -> Album:
        if row is None:
            told = NOTHING if self._has_table else told_by_name(cover.name)
            return Album(
                album_id,
                title=told.title,
                artist=told.artist,
                year=told.year,
                source=cover.name,
                digest=cover.digest,
            )
        genre_id = row.genre_id
        if genre_id in (None, UNKNOWN_GENRE):
            genre_id = self._genres.id_of(row.genre) if row.genre else UNKNOWN_GENRE
        assert genre_id is not None
        return Album(
            album_id,
            genre_id,
            row.title,
            row.artist,
            self._genres.name_of(genre_id) or row.genre,
            row.year,
            cover.name,
            cover.digest,
            row.extra,
        )


def _tell_guesses(albums: Sequence[Album], progress: Progress) -> None:
    named = [album for album in albums if album.title]
    if not named:
        return
    first = named[0]
    shown = " – ".join(part for part in (first.artist, first.title) if part)
    progress.remark(
        f"without --metadata {len(named):,} of {len(albums):,} albums are named after their files; "
        f"{first.source} is {shown}"
    )


def _number(values: Mapping[str, Any], column: str, where: str) -> int | None:
    value = values.get(column)
    return None if is_missing_number(value) else whole_number(value, f"{where}: {column}")


def year_as_written(value: Any) -> dict[str, Any]:
    """What the cell of a year says besides the year, to be kept under that name."""
    if is_missing_number(value):
        return {}
    written, found = plain(value), year(value)
    if found is not None and re.fullmatch(rf"{found}(\.0*)?", str(written).strip()):
        return {}
    return {"year": written}


def tell_years(unknown: Sequence[str], progress: Progress) -> None:
    """`unknown`: where each year stands that is none, and what it says."""
    if unknown:
        progress.remark(
            f"{len(unknown)} years are not understood and are kept as they are written; the first "
            f"is in {unknown[0]}"
        )
