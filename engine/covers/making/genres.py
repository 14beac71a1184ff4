"""Genre ids and genre names, from wherever they are said → one name an id, one id a name.

Two places that contradict each other are both named; the last one never wins in silence.
"""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.base.errors import BuildError
from engine.base.texts import without_unseen_ends
from engine.covers.catalogue import UNKNOWN_GENRE
from engine.covers.making import KNOWN_COLUMNS
from engine.tables.table import TABLE_ENDINGS, read_table, read_text
from engine.tables.values import is_missing_number, text, whole_number

_IDS = ("genre_id", "id", "label", "number", "index")
_NAMES = ("genre", "name", "genre_name", "label_name")
_HEADS = frozenset(
    ("genre", "genres", "name", "names", "label", "labels", "genre_name", "label_name")
)
_PAIR = re.compile(r"\s*\"?(-?\d+)\"?\s*[,;:\t|=]\s*(\S.*?)\s*")
_COUNTED = re.compile(r"(\d+)[.)]?\s+(\S.*)")


class Genres:
    """What is known of genres so far, and who said it."""

    def __init__(self) -> None:
        self._names: dict[int, tuple[str, str]] = {}
        self._ids: dict[str, tuple[int, str]] = {}
        self._given: set[int] = set()

    def learn(self, genre_id: int | None, name: str | None, where: str) -> None:
        """`where` says both of one genre, or one of them. Raises `BuildError` where that
        contradicts what was learnt before."""
        if genre_id is None or genre_id == UNKNOWN_GENRE:
            return  # the name gets an id of its own
        self._given.add(genre_id)
        if name is None:
            return
        if genre_id in self._names and self._names[genre_id][0] == name:
            return
        known, said = self._names.setdefault(genre_id, (name, where))
        if _folded(known) != _folded(name):
            raise BuildError(
                f"{where}: genre_id {genre_id} is {name!r}, and in {said} it is {known!r}. One id "
                "has one name; give each genre its own."
            )
        number, said = self._ids.setdefault(_folded(name), (genre_id, where))
        if number != genre_id:
            raise BuildError(
                f"{where}: {name!r} has the genre_id {genre_id}, and in {said} it has {number}. "
                "One genre has one id."
            )

    def know(self, genre_id: int, name: str | None, where: str) -> None:
        """What an artifact or a list of genres says, where two ids may share a name."""
        if genre_id != UNKNOWN_GENRE:
            self._given.add(genre_id)
            if name:
                self._names.setdefault(genre_id, (name, where))
                self._ids.setdefault(_folded(name), (genre_id, where))

    def name_of(self, genre_id: int | None) -> str | None:
        return None if genre_id is None else self._names.get(genre_id, (None, ""))[0]

    def id_of(self, name: str) -> int | None:
        return self._ids.get(_folded(name), (None, ""))[0]

    def number(self, names: Iterable[str]) -> None:
        """Give those without an id the next ones free, in this order."""
        free = max((*self._given, UNKNOWN_GENRE)) + 1
        for name in names:
            if _folded(name) not in self._ids:
                self.learn(free, name, "this run")
                free += 1


def _folded(name: str) -> str:
    """What names have in common that look the same, but for capitals."""
    composed = unicodedata.normalize("NFC", without_unseen_ends(name))
    return " ".join(unicodedata.normalize("NFC", composed.casefold()).split())


def read_genres(path: Path) -> dict[int, str]:
    """Genre names by id: a JSON list or object, a table with columns for both, or a text file with
    one name a line, the first of which has the id 0. Raises `BuildError`."""
    if not path.is_file():
        raise BuildError(f"The genres file {path} does not exist.")
    try:
        if path.suffix.lower() in (".parquet", ".jsonl", ".ndjson"):
            found = list(_of_table(path))
        elif path.suffix.lower() == ".json" or read_text(path).lstrip()[:1] in ("[", "{"):
            found = list(_of_json_text(path))
        else:
            found = list(_of_text(path))
    except (OSError, ValueError, TypeError, BuildError) as error:
        raise BuildError(f"{path} is not a list of genres: {error}") from error
    return _once(found, path)


def _once(found: Iterable[tuple[int, str]], path: Path) -> dict[int, str]:
    genres: dict[int, str] = {}
    for number, name in found:
        if genres.setdefault(number, name) != name:
            raise BuildError(
                f"{path}: the id {number} is {genres[number]!r} and {name!r}. One id has one name."
            )
    if not genres:
        raise BuildError(f"{path} is not a list of genres: it holds no names.")
    return genres


def _of_json_text(path: Path) -> Iterator[tuple[int, str]]:
    """One value, or JSON Lines by another name."""
    written = read_text(path)
    try:
        return _of_json(json.loads(written, object_pairs_hook=_pairs))
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and written.lstrip().startswith("{"):
            return _of_table(path, ".jsonl")
        raise ValueError(f"it begins like JSON and is no JSON ({error})") from error


class _Object(dict[str, Any]):
    """A JSON object none of whose keys is there twice."""


def _pairs(pairs: list[tuple[str, Any]]) -> _Object:
    found = _Object(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"it has the key {twice!r} twice")
    return found


def _of_json(raw: Any) -> Iterator[tuple[int, str]]:
    if isinstance(raw, Mapping) and len(raw) == 1:
        [(key, inner)] = raw.items()
        if not key.strip().isdigit() and isinstance(inner, Mapping | list):
            raw = inner  # {"genres": […]}, {"id2label": {…}}
    if isinstance(raw, list):
        for number, item in enumerate(raw):
            if isinstance(item, Mapping):
                yield _of_record(item)
            elif item is not None:
                yield number, _name(item)
    elif isinstance(raw, Mapping) and raw:
        numbers = all(
            isinstance(value, int) and not isinstance(value, bool) for value in raw.values()
        )
        if numbers and not any(name.strip().isdigit() for name in raw):
            yield from ((number, _name(name)) for name, number in raw.items())
            return
        for number, item in raw.items():
            name = _of_record({"id": number, **item})[1] if isinstance(item, Mapping) else item
            if name is not None:
                yield whole_number(number, "an id"), _name(name)
    else:
        raise ValueError(f"it holds {json.dumps(raw)[:60]}, not a list or an object of names")


def _of_record(item: Mapping[str, Any]) -> tuple[int, str]:
    """{"id": 3, "name": "jazz"} → (3, "jazz")"""
    known = {str(key).strip().casefold(): value for key, value in item.items()}
    number = next((known[key] for key in _IDS if not is_missing_number(known.get(key))), None)
    name = next((known[key] for key in _NAMES if text(known.get(key))), None)
    if number is None or name is None:
        raise ValueError(f"{json.dumps(dict(item))[:80]} has no 'id' and 'name'")
    return whole_number(number, "id"), _name(name)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{json.dumps(value)[:60]} is not a name")
    return value.strip()


def _of_text(path: Path) -> Iterator[tuple[int, str]]:
    """A table with a head, lines of an id and a name, or lines of names counted from 0."""
    lines = [line.strip() for line in read_text(path).rstrip().splitlines()]
    cells = _cells(next((line for line in lines if line), ""))
    if set(cells) & set(_IDS) and set(cells) & set(_NAMES):
        return _of_table(path, ".csv")
    if lines and lines[0].casefold() in _HEADS:
        lines = lines[1:]
    pairs = [_PAIR.fullmatch(line) for line in lines if line]
    if pairs and all(pairs):
        return ((int(pair[1]), pair[2].strip('"')) for pair in pairs if pair)
    counted = [_COUNTED.fullmatch(line) for line in lines if line]
    numbers = [int(line[1]) for line in counted if line]
    # "2 Tone" is a genre; lines that count themselves have numbers before the names.
    if len(numbers) == len(counted) > 1 and numbers in (_from(0, numbers), _from(1, numbers)):
        return ((int(line[1]), line[2]) for line in counted if line)
    if path.suffix.lower() in TABLE_ENDINGS and len(cells) > 1:
        return _of_table(path, ".csv")
    return _of_lines(lines)


def _from(first: int, numbers: list[int]) -> list[int]:
    return list(range(first, first + len(numbers)))


def _cells(line: str) -> list[str]:
    """A head's cells, by whatever separates most of them."""
    split = [
        next(csv.reader([line], delimiter=sign, skipinitialspace=True), []) for sign in ",;\t|"
    ]
    return [cell.strip().casefold() for cell in max(split, key=len)]


def _of_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines):
        if not line:
            # It may be a genre without a name or nothing at all, and every id after it depends.
            raise ValueError(
                f"line {number + 1} is blank, and a line's number is its genre's id. Drop it, or "
                "write an id before each name (3, jazz)"
            )
        yield number, line.strip('"')


def _of_table(path: Path, kind: str | None = None) -> Iterator[tuple[int, str]]:
    table = read_table(path, what="genres", known=(*KNOWN_COLUMNS, *_IDS, *_NAMES), kind=kind)
    number, name = table.first_of(_IDS), table.first_of([n for n in _NAMES if n != "label"])
    if number is None or name is None:
        raise ValueError(
            f"it has the columns {', '.join(table.columns)}; one named 'id' and one named 'name' "
            "are needed"
        )
    for row in table.rows:
        found = text(row.values.get(name))
        if found is not None:
            yield whole_number(row.values.get(number), row.where), found.strip()
