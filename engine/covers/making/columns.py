"""A pickle's columns, and a table of titles, × the ids of an index → albums.

Which row of the columns is which album: by the columns' own `ids` where the index was given ids and
the columns hold them, else by position.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.catalogue import UNKNOWN_GENRE, Album
from engine.covers.making import ALBUM_COLUMNS, KNOWN_COLUMNS
from engine.covers.making.genres import Genres, read_genres
from engine.covers.making.metadata import tell_bulk, tell_years, year_as_written
from engine.covers.making.unpickle import LABEL_NAMES
from engine.tables.joining import refuse_strangers
from engine.tables.table import Row, read_table
from engine.tables.values import (
    is_bulk,
    is_missing_number,
    plain,
    text,
    whole_number,
    year,
)
from engine.vectors.embeddings import Ids
from engine.vectors.foreign import Foreign

_IDS = ("ids", "id", "album_ids", "album_id")
_TITLES = {
    "title": ("titles", "title"),
    "artist": ("artists", "artist"),
    "year": ("years", "year"),
    "genre": ("genres", "genre"),
}
_KEYS = ("album_id", "id", "ids", "row", "position")


class Columns:
    """Columns of one length, the genres that they and a list of genres name, and which of their
    rows is which album's."""

    def __init__(
        self, columns: Mapping[str, Any], name: str, genres: Path | None, progress: Progress
    ) -> None:
        """`name` is the pickle's, for complaints. Raises `BuildError` for genres that contradict
        each other."""
        self.name = name
        self._progress = progress
        self.genres = Genres()
        for number, genre in (read_genres(genres) if genres else {}).items():
            self.genres.know(number, genre, str(genres))
        bulk = [key for key, values in columns.items() if _is_bulk(key, values)]
        tell_bulk(bulk, progress, name)
        self.values = {key: values for key, values in columns.items() if key not in bulk}
        for key in LABEL_NAMES:
            if key in self.values and self._names_labels(key):
                self._learn_labels(self.values.pop(key), key)

    def _names_labels(self, key: str) -> bool:
        """Whether a column of label names has one a label, and not one a row."""
        names, labels = self.values[key], self.values["labels"]
        if isinstance(names, Mapping) or len(names) != len(labels):
            return True
        given = [plain(name) for name in names]
        by_row = dict(zip(map(str, map(plain, labels)), given, strict=True))
        return len(set(map(str, given))) == len(given) and len(by_row) < len(given)

    def _learn_labels(self, names: Any, key: str) -> None:
        pairs = names.items() if isinstance(names, Mapping) else enumerate(names)
        where = f"{self.name}: {key}"
        for number, name in pairs:
            known = text(name)
            if known is not None:
                self.genres.learn(whole_number(number, where), known, where)

    def check_lengths(self, index: str, found: Foreign) -> None:
        """Raises `BuildError` where the columns are not of one length that fits the index."""
        count = len(found.rows)
        longest = len(self.values["labels"])
        for key, values in self.values.items():
            if len(values) != count and not (found.has_ids and len(values) == longest > count):
                raise BuildError(
                    f"{self.name}: the column {key!r} has {len(values):,} values, "
                    f"{index} has {count:,} rows. They are not a pair: look for the "
                    "metadata written together with this index."
                )

    def rows_of(self, index: str, found: Foreign) -> list[int]:
        """For each of the index's ids, which row of the columns describes it."""
        self.check_lengths(index, found)
        ids, count = found.ids, len(self.values["labels"])
        key = next((key for key in _IDS if key in self.values), None)
        own = self._own_ids(key) if key and found.has_ids else {}
        if own and all(int(number) in own for number in ids):
            del self.values[str(key)]
            rows = [own[int(number)] for number in ids]
        elif ids.min() < 0 or ids.max() >= count:
            raise BuildError(
                f"{index} has ids up to {int(ids.max())} for {len(ids):,} rows, so its albums "
                f"cannot be found in the columns of {self.name} by id. Add a column 'ids' with "
                "the id of each row."
            )
        else:
            rows = ids.tolist()
        if ids.min() < 0:
            raise BuildError(f"{index} has the id {int(ids.min())}; an album's is 0 or more.")
        if len(rows) < count:
            self._progress.remark(
                f"{self.name}: {count - len(rows):,} of {count:,} rows belong to no row of {index} "
                "and are left out"
            )
        return rows

    def _own_ids(self, key: str) -> dict[int, int]:
        """Ids of the columns → their row; empty where they are no ids."""
        try:
            numbers = [whole_number(value, key) for value in self.values[key]]
        except BuildError:
            return {}
        return {number: i for i, number in enumerate(numbers)}

    def albums(self, ids: Ids, rows: Sequence[int]) -> list[Album]:
        """Albums `ids`, described by `rows`. Raises `BuildError` where a label is neither a name
        nor a whole number, and where genres contradict each other."""
        used = {"labels"}.union(*_TITLES.values())
        rest = [key for key in self.values if key not in used and key not in LABEL_NAMES]
        labels = self._genre_ids(rows)
        titles, artists, years = (self._column(name) for name in ("title", "artist", "year"))
        unknown: list[str] = []
        albums = []
        for album_id, row in zip(ids.tolist(), rows, strict=True):
            extra = {key: plain(self.values[key][row]) for key in rest}
            written = {} if years is None else year_as_written(years[row])
            found = None if years is None else year(years[row])
            if written and found is None:
                unknown.append(f"{self.name}, row {row}: {str(written['year'])[:40]!r}")
            albums.append(
                Album(
                    album_id,
                    labels[row],
                    text(titles[row]) if titles is not None else None,
                    text(artists[row]) if artists is not None else None,
                    self.genres.name_of(labels[row]),
                    found,
                    extra={**extra, **written},
                )
            )
        tell_years(unknown, self._progress)
        return albums

    def _column(self, name: str) -> Sequence[Any] | None:
        return next((self.values[key] for key in _TITLES[name] if key in self.values), None)

    def _genre_ids(self, rows: Sequence[int]) -> dict[int, int]:
        """Row → genre id, with the names learnt. Labels that are names become ids in order of
        appearance, unless a list of genres has them."""
        labels = self.values["labels"]
        names = self._column("genre")
        if names is None:
            names = next((self.values[key] for key in LABEL_NAMES if key in self.values), None)
        found: dict[int, int] = {}
        named: dict[int, str] = {}
        for row in rows:
            label = plain(labels[row]) if isinstance(labels[row], bytes) else labels[row]
            where = f"{self.name}: labels, row {row}"
            name = text(names[row]) if names is not None else None
            if isinstance(label, str) and not re.fullmatch(r"\s*[+-]?\d+(\.0*)?\s*", label):
                named[row] = str(label)
            elif label is None and name is not None:
                named[row] = name
            else:
                found[row] = UNKNOWN_GENRE if label is None else whole_number(label, where)
                self.genres.learn(found[row], name, where)
        self.genres.number(dict.fromkeys(named.values()))
        for row, name in named.items():
            number = self.genres.id_of(name)
            found[row] = UNKNOWN_GENRE if number is None else number
        return found


def _is_bulk(key: str, values: Any) -> bool:
    if key == "labels" or isinstance(values, Mapping):
        return False
    if isinstance(values, np.ndarray) and values.ndim > 1 and len(values):
        return is_bulk([values[0]])
    return is_bulk(values)


# --- titles -------------------------------------------------------------------------------------


def with_titles(
    albums: Sequence[Album],
    rows: Sequence[int],
    titles: Path,
    columns: Columns,
    progress: Progress,
) -> list[Album]:
    """`albums` with what a CSV, JSON Lines or Parquet file says of them, joined by the column
    `album_id` (or `id`), or by `row`: the place in the pickle's columns, counted from 0.

    Raises `BuildError` that names file and row.
    """
    table = read_table(titles, progress, what="titles", known=(*KNOWN_COLUMNS, *_KEYS))
    key = table.first_of(_KEYS)
    if key is None:
        raise BuildError(
            f"{titles.name} has the columns {', '.join(table.columns)}; one named 'album_id', or "
            "'row' (counted from 0), must say which album each row is about."
        )
    numbers = rows if key in ("row", "position") else [album.album_id for album in albums]
    place = {number: i for i, number in enumerate(numbers)}
    about: dict[int, Row] = {}
    given = []
    for row in table.rows:
        number = whole_number(row.values.get(key), f"{row.where}: {key}")
        given.append(str(number))
        i = place.get(number)
        if i is not None and i in about:
            raise BuildError(f"{row.where}: {key} {number} has a row already, {about[i].where}.")
        if i is not None:
            about[i] = row
    refuse_strangers(titles.name, len(about), given, [*map(str, numbers)], "an album by its number")
    strangers = len(table.rows) - len(about)
    if strangers:
        progress.remark(f"{strangers} rows of {titles.name} are about no album of the index")
    if len(about) < len(albums):
        progress.remark(f"{len(albums) - len(about)} albums have no row in {titles.name}")
    return _joined(albums, about, key, columns.genres, progress)


def _joined(
    albums: Sequence[Album],
    about: Mapping[int, Row],
    key: str,
    genres: Genres,
    progress: Progress,
) -> list[Album]:
    made, unknown, replaced = [], list[str](), list[str]()
    labels = {i: _label(albums[i], row, genres) for i, row in about.items()}
    genres.number(sorted({name for row in about.values() if (name := _genre(row))}))
    for i, album in enumerate(albums):
        row = about.get(i)
        if row is not None:
            number = genres.id_of(_genre(row) or "")
            if labels[i] == UNKNOWN_GENRE and number is not None:
                labels[i] = number
            if any(
                old is not None and new is not None and old != new
                for old, new in (
                    (album.title, text(row.values.get("title"))),
                    (album.artist, text(row.values.get("artist"))),
                )
            ):
                replaced.append(row.where)
            album = _described(album, row, key, unknown)
            album = replace(album, genre_id=labels[i])
        made.append(replace(album, genre=genres.name_of(album.genre_id)))
    tell_years(unknown, progress)
    if replaced:
        progress.remark(
            f"{len(replaced)} albums had another title or artist before; the first is in "
            f"{replaced[0]}"
        )
    return made


def _genre(row: Row) -> str | None:
    return text(row.values.get("genre"))


def _label(album: Album, row: Row, genres: Genres) -> int:
    """An album's genre id, where its label and the table do not contradict each other."""
    given = row.values.get("genre_id")
    number = None if is_missing_number(given) else whole_number(given, f"{row.where}: genre_id")
    if number is None or number == UNKNOWN_GENRE:
        number = album.genre_id
    elif album.genre_id not in (UNKNOWN_GENRE, number):
        raise BuildError(
            f"{row.where}: genre_id {number}, and the label of album {album.album_id} is "
            f"{album.genre_id}. Drop one of them."
        )
    genres.learn(number, _genre(row), row.where)
    return number


def _described(album: Album, row: Row, key: str, unknown: list[str]) -> Album:
    values = row.values
    found, written = year(values.get("year")), year_as_written(values.get("year"))
    if written and found is None:
        unknown.append(f"{row.where}: {str(written['year'])[:40]!r}")
    extra = {
        name: value
        for name, given in values.items()
        if name not in (*ALBUM_COLUMNS, key) and (value := plain(given)) not in (None, "")
    }
    return replace(
        album,
        title=text(values.get("title")) or album.title,
        artist=text(values.get("artist")) or album.artist,
        year=album.year if found is None else found,
        extra={**album.extra, **extra, **written},
    )
