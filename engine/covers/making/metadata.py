"""Metadata → albums: tables beside covers, and the columns of a pickle.

Rows and covers are joined by file name and never by position.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.covers.catalogue import UNKNOWN_GENRE, Album
from engine.covers.making.embedding import Cover

_FILE_COLUMNS = ("file", "filename", "file_name", "path", "image", "cover")
_KNOWN_COLUMNS = ("album_id", "genre_id", "title", "artist", "genre", "year")


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """CSV, JSON Lines or Parquet → file name → its row. Raises `BuildError` by name.

    The column that names the file is `file`, `filename`, `path`, `image` or `cover`.
    """
    if not path.is_file():
        raise BuildError(f"The metadata file {path} does not exist.")
    try:
        rows = list(_rows(path))
    except (OSError, ValueError, csv.Error) as error:
        raise BuildError(f"{path.name} cannot be read: {error}") from error
    if not rows:
        raise BuildError(f"{path.name} holds no rows.")
    key = next((name for name in _FILE_COLUMNS if name in rows[0]), None)
    if key is None:
        raise BuildError(
            f"{path.name} has the columns {', '.join(map(str, rows[0]))}; one named 'file' must "
            "give each cover's file name, since rows are joined by name and never by position."
        )
    table: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, start=2):
        name = str(row.get(key) or "").replace("\\", "/")
        if not name:
            raise BuildError(f"{path.name}, row {number}: the column {key!r} is empty.")
        if name in table:
            raise BuildError(f"{path.name}, row {number}: {name} has a row already.")
        table[name] = {column: value for column, value in row.items() if column != key}
    return table


def read_genres(path: Path) -> dict[int, str]:
    """Genre names by id: a JSON list or object, or a text file with one name a line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() != ".json":
            return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
        raw = json.loads(text)
        pairs = raw.items() if isinstance(raw, dict) else enumerate(raw)
        return {int(number): str(name) for number, name in pairs}
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(f"{path} is not a list of genres: {error}") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    kind = path.suffix.lower()
    if kind == ".csv":
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if None in row:
                    raise ValueError(f"the row of {next(iter(row.values()))!r} has too many values")
                yield row
    elif kind in (".jsonl", ".ndjson"):
        with path.open(encoding="utf-8-sig") as file:
            for line in file:
                if line.strip():
                    row = json.loads(line)
                    if not isinstance(row, dict):
                        raise ValueError("each line must be a JSON object")
                    yield row
    elif kind == ".parquet":
        import pyarrow.parquet

        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    else:
        raise ValueError(f"{kind or 'a file without an ending'} is not .csv, .jsonl or .parquet")


def albums_of_covers(
    covers: Sequence[Cover],
    columns: Mapping[str, Mapping[str, Any]],
    progress: Progress,
    *,
    first_id: int = 0,
    known_genres: Mapping[str, int] | None = None,
) -> list[Album]:
    """Join covers and metadata by file name. Genre ids are given in order of name where missing.

    Raises `BuildError` for an id that is no whole number, negative or used twice.
    """
    rows = [_row_of(cover.name, columns) for cover in covers]
    unused = len(columns) - sum(row is not None for row in rows)
    if columns and unused:
        progress.remark(f"{unused} metadata rows name a file that is not among the covers")
    missing = [cover.name for cover, row in zip(covers, rows, strict=True) if row is None]
    if columns and missing:
        progress.remark(f"{len(missing)} covers have no metadata row, the first is {missing[0]}")
    genres = dict(known_genres or {})
    given = {
        str(row["genre"]): _integer(row["genre_id"], "genre_id")
        for row in rows
        if row and row.get("genre") and row.get("genre_id") not in (None, "")
    }
    genres.update(given)
    names = sorted({str(row["genre"]) for row in rows if row and row.get("genre")} - set(genres))
    free = max(genres.values(), default=-1) + 1
    genres.update({name: free + i for i, name in enumerate(names)})
    albums, seen = [], set()
    for position, (cover, found) in enumerate(zip(covers, rows, strict=True)):
        row: Mapping[str, Any] = found or {}
        given_id = row.get("album_id")
        album_id = first_id + position if given_id in (None, "") else _integer(given_id, "album_id")
        if album_id in seen or album_id < 0:
            raise BuildError(f"album_id {album_id} ({cover.name}) is negative or used twice.")
        seen.add(album_id)
        genre = _text(row.get("genre"))
        genre_id = row.get("genre_id")
        albums.append(
            Album(
                album_id,
                genres[genre]
                if genre
                else UNKNOWN_GENRE
                if genre_id in (None, "")
                else _integer(genre_id, "genre_id"),
                _text(row.get("title")),
                _text(row.get("artist")),
                genre,
                _year(row.get("year")),
                cover.name,
                cover.digest,
                {
                    key: value
                    for key, given in row.items()
                    if key not in _KNOWN_COLUMNS and (value := _plain(given)) not in (None, "")
                },
            )
        )
    return albums


def _row_of(name: str, columns: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """A cover's row by relative path, by file name, or by file name without its ending."""
    path = Path(name)
    return next(
        (columns[key] for key in (name, path.name, path.stem) if key in columns),
        None,
    )


def albums_of_columns(
    columns: Mapping[str, Sequence[Any]], genres: Mapping[int, str], count: int, name: str
) -> list[Album]:
    """`count` albums from a pickle's columns, numbered by position; errors name the file `name`.

    Raises `BuildError` where a label is neither a name nor a whole number.
    """

    def column(*names: str) -> Sequence[Any]:
        return next((columns[key] for key in names if key in columns), [None] * count)

    labels, titles = column("labels"), column("titles", "title")
    artists, years = column("artists", "artist"), column("years", "year")
    genre_names = column("genres", "genre")
    used = {"labels", "titles", "title", "artists", "artist", "years", "year", "genres", "genre"}
    rest = [key for key in columns if key not in used]
    ids: dict[str, int] = {}
    albums = []
    for i in range(count):
        label = labels[i]
        if isinstance(label, str) and not label.lstrip("-").isdigit():
            # Labels that are names become ids in order of appearance.
            genre_id, genre = ids.setdefault(label, len(ids)), label
        else:
            genre_id = UNKNOWN_GENRE if label is None else _integer(label, f"{name}: labels")
            genre = genres.get(genre_id) or _text(genre_names[i])  # type: ignore[assignment]
        extra = {key: _plain(columns[key][i]) for key in rest}
        albums.append(
            Album(
                i,
                genre_id,
                _text(titles[i]),
                _text(artists[i]),
                genre,
                _year(years[i]),
                extra=extra,
            )
        )
    return albums


def _text(value: Any) -> str | None:
    value = _plain(value)
    # A lone surrogate (half an emoji, a file name that is not UTF-8) fits into no database.
    return None if value is None or value == "" else str(value).encode(errors="replace").decode()


def _year(value: Any) -> int | None:
    text = _text(value)
    try:
        year = int(float(text)) if text else None
        return None if year is None or abs(year) > 9999 else year
    except (ValueError, OverflowError):
        return None


def _integer(value: Any, what: str) -> int:
    plain = _plain(value)
    try:
        if isinstance(plain, float) and not plain.is_integer():
            raise ValueError
        number = int(plain)
        if not -(2**63) <= number < 2**63:
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError):
        raise BuildError(f"{what}: {plain!r} is not a whole number of 64 bits.") from None


def _plain(value: Any, depth: int = 3) -> Any:
    """Any value of a row → what JSON can hold: NaN → None, a date and the like → its text.

    Containers more than `depth` deep are left out: a pickle's may hold themselves.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth == 0 or len(value) > 1000:
            return None
        if isinstance(value, Mapping):
            return {str(key)[:200]: _plain(item, depth - 1) for key, item in value.items()}
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_plain(item, depth - 1) for item in items]
    return str(value)
