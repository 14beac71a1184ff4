"""A CSV, JSON Lines or Parquet file → its rows, each with the place to name in a complaint.

All of it is read before anything is made of it. Columns go by one spelling each: blanks around a
name, capitals, "File Name" and "file-name" make no difference to the names we know.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

from engine.base.errors import BuildError
from engine.base.progress import Progress
from engine.base.texts import without_unseen_ends

TABLE_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
_SEPARATORS = ",;\t|"
# What Excel reads, and where it was opened and saved again, with empty cells behind it.
_SAYS_SEPARATOR = re.compile(r'"?sep=(.)\s*"?[\s,;|]*', re.IGNORECASE)
# Stands behind the last line: a row that swallows it began with a quote that nothing closes.
_END = "\ue000 end of the table \ue000"


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells by column. `number` counts as a spreadsheet does (a CSV's head is row 1),
    `line` is where it begins in the file, 0 where the file has no lines."""

    table: str
    number: int
    line: int
    values: dict[str, Any]

    @property
    def where(self) -> str:
        line = f" (line {self.line})" if self.line not in (0, self.number) else ""
        return f"{self.table}, row {self.number}{line}"


@dataclass(frozen=True)
class Table:
    """Rows, and the names of all their columns in order of appearance."""

    name: str
    columns: tuple[str, ...]
    rows: list[Row]

    def first_of(self, names: Sequence[str]) -> str | None:
        """The first of `names` that is a column."""
        return next((name for name in names if name in self.columns), None)


def read_table(
    path: Path,
    progress: Progress | None = None,
    *,
    what: str = "metadata",
    known: Collection[str] = (),
    kind: str | None = None,
) -> Table:
    """A file's rows. `known` are the columns that are known by name, `kind` the ending that its
    content has where that is not its own.

    Raises `BuildError` that names the file, and the row where one is at fault.
    """
    if not path.is_file():
        raise BuildError(f"The {what} file {path} does not exist.")
    kind, known = kind or path.suffix.lower(), frozenset(known)
    try:
        if kind in (".csv", ".tsv"):
            columns, rows = _csv(path, known, progress or Progress())
        elif kind in (".jsonl", ".ndjson"):
            columns, rows = _json_lines(path, known)
        elif kind == ".parquet":
            columns, rows = _parquet(path, known)
        else:
            raise ValueError(
                f"{kind or 'a file without an ending'} is not .csv, .jsonl or .parquet"
            )
    except UnicodeDecodeError as error:
        raise BuildError(f"{path.name} cannot be read: {_not_unicode(path, error)}") from error
    except (OSError, ValueError, csv.Error) as error:
        raise BuildError(f"{path.name} cannot be read: {error}") from error
    if not rows:
        raise BuildError(f"{path.name} holds no rows.")
    return Table(path.name, columns, rows)


def _spelled(name: str, known: Collection[str]) -> str:
    """A column's name: one we know in our spelling, else its own without blanks around it."""
    name = without_unseen_ends(str(name))
    ours = re.sub(r"[\s_-]+", "_", name.casefold())
    return ours if ours in known else name


def _columns(head: Sequence[str], known: Collection[str]) -> list[str]:
    """One name a cell of the head. ValueError where two cells mean the same column."""
    names = [_spelled(cell, known) for cell in head]
    twice = next((name for i, name in enumerate(names) if name and name in names[:i]), None)
    if twice is not None:
        first, second = [head[i] for i, name in enumerate(names) if name == twice][:2]
        raise ValueError(f"the columns {first!r} and {second!r} are one; rename or drop one")
    return names


# --- CSV ----------------------------------------------------------------------------------------


def _csv(
    path: Path, known: Collection[str], progress: Progress
) -> tuple[tuple[str, ...], list[Row]]:
    with path.open(newline="", encoding=_encoding(path)) as file:
        before, separator, head = _head(file, known)
        records = _records(chain([head], file), separator, path.name)
        line, cells = next(records, (0, []))
        names = _columns(cells, known)
        unnamed = [i for i, name in enumerate(names) if not name]
        rows: list[Row] = []
        # pandas writes its index into a column without a name.
        left_out = False
        for number, (line, cells) in enumerate(records, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(names) :]):
                raise ValueError(
                    f"row {number} (line {line + before}) has too many values: {len(cells)} for "
                    f"{len(names)} columns. Put a value that holds {separator!r} in quotes"
                )
            left_out = left_out or any(cells[i : i + 1] != [""] for i in unnamed)
            values = {name: cell for name, cell in zip(names, cells, strict=False) if name}
            rows.append(Row(path.name, number, line + before, values))
        if left_out:
            progress.remark(f"{path.name}: column {unnamed[0] + 1} has no name and is left out")
        return tuple(name for name in names if name), rows


def _head(file: IO[str], known: Collection[str]) -> tuple[int, str, str]:
    """The lines before the head, the separator and the head's (first) line."""
    before, head = 0, file.readline()
    told = None
    while head and ((said := _SAYS_SEPARATOR.fullmatch(head)) or not head.strip()):
        told = told or (said[1] if said else None)
        before, head = before + 1, file.readline()
    if told:
        return before, told, head

    def columns(separator: str) -> tuple[bool, int]:
        cells = next(csv.reader([head], delimiter=separator, skipinitialspace=True), [])
        return any(_spelled(cell, known) in known for cell in cells), len(cells)

    return before, max(_SEPARATORS, key=columns), head


def _records(lines: Iterable[str], separator: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line it begins in, counted from 1. ValueError names the line."""
    # Blanks before a quote would make it a letter of the value.
    reader = csv.reader(chain(lines, [_END]), delimiter=separator, skipinitialspace=True)
    begins = 1
    while True:
        try:
            cells = next(reader)
        except csv.Error as error:
            raise ValueError(f"line {begins}: {error} (a quote that nothing closes?)") from error
        if cells == [_END]:
            return
        if cells and cells[-1].endswith(_END):
            raise ValueError(f"line {begins} opens a quote that nothing closes")
        yield begins, cells
        begins = reader.line_num + 1


# --- other kinds --------------------------------------------------------------------------------


def _json_lines(path: Path, known: Collection[str]) -> tuple[tuple[str, ...], list[Row]]:
    spelled: dict[str, str] = {}
    rows: list[Row] = []
    with path.open(encoding=_encoding(path)) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            if not isinstance(found, dict):
                raise ValueError(f"line {number}: each line must be a JSON object")
            spelled.update({key: _spelled(key, known) for key in found if key not in spelled})
            values = {spelled[key]: value for key, value in found.items()}
            if len(values) < len(found):
                try:
                    _columns(list(found), known)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error
            rows.append(Row(path.name, number, number, values))
    return tuple(dict.fromkeys(spelled.values())), rows


def _parquet(path: Path, known: Collection[str]) -> tuple[tuple[str, ...], list[Row]]:
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(path)
    head = file.schema_arrow.names
    # pandas keeps its index in a column of this name.
    kept = {
        name: spelled
        for name, spelled in zip(head, _columns(head, known), strict=True)
        if not re.fullmatch(r"__index_level_\d+__", name)
    }
    rows: list[Row] = []
    for batch in file.iter_batches(columns=list(kept)):
        for found in batch.to_pylist():
            values = {kept[name]: value for name, value in found.items()}
            rows.append(Row(path.name, len(rows) + 1, 0, values))
    return tuple(kept.values()), rows


# --- text ---------------------------------------------------------------------------------------


def _encoding(path: Path) -> str:
    """By its byte order mark, or by where its zeros are; else UTF-8."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # Half of the bytes of Latin text in UTF-16 are zeros.
    odd, even = head[1::2].count(0), head[::2].count(0)
    if max(odd, even) > len(head) // 5:
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8-sig"


def read_text(path: Path) -> str:
    """A small text in any of Unicode's encodings. Raises `BuildError`, `OSError`."""
    try:
        return path.read_text(encoding=_encoding(path))
    except UnicodeDecodeError as error:
        raise BuildError(f"{path.name} cannot be read: {_not_unicode(path, error)}") from error


def _not_unicode(path: Path, error: UnicodeDecodeError) -> str:
    """Which line of a file is not UTF-8, what it may be instead, and what to do."""
    if not error.encoding.startswith("utf-8"):
        return f"it begins like {error.encoding} and is damaged ({error.reason})"
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as wrong:
                around = line[max(0, wrong.start - 12) : wrong.start + 12]
                return (
                    f"line {number} is not UTF-8 (byte 0x{line[wrong.start]:02x}). If it should "
                    f"read {around.decode('cp1252', 'replace').strip()!r}, the file is in "
                    "Windows-1252; save it as UTF-8 (in Excel: CSV UTF-8), or run "
                    f"`iconv -f WINDOWS-1252 -t UTF-8 {path.name}`"
                )
    return str(error)
