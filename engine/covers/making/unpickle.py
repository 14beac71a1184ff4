"""A pickle of metadata → its columns, one value a row; read without running anything in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.base.errors import BuildError, UnsafePickle
from engine.base.unpickle import unpickled
from engine.tables.values import as_text

# How the column of genre ids is called, the usual name first.
_LABELS = ("labels", "label", "genre_ids", "genre_id")
# Names of the labels themselves, not of rows: one a label, or by label.
LABEL_NAMES = ("label_names", "genre_names", "class_names", "id2label")


def read_metadata_pickle(path: Path) -> dict[str, Any]:
    """A pickle of a dict with `labels`, or of a list of dicts, → its columns, each a sequence of
    one value a row; of `LABEL_NAMES` also a dict.

    Raises `UnsafePickle` for a pickle that names anything but containers and numpy arrays,
    `BuildError` for one that is damaged or is not such a dict.
    """
    data = path.read_bytes()
    packed = next((words for magic, words in _PACKED.items() if data.startswith(magic)), None)
    if packed is not None:
        raise BuildError(f"{path.name} is not a pickle: {packed}.")
    try:
        # What Python 2 wrote as text stays bytes: only its reader knows what they spell.
        value = unpickled(data, encoding="bytes")
    except UnsafePickle:
        raise
    except Exception as error:
        # Damaged bytes make the unpickler raise nearly anything, MemoryError among it.
        raise BuildError(
            f"{path.name} is not a pickle we can read ({type(error).__name__}: {error})."
        ) from error
    table = _by_column(value, path.name)
    labels = next((name for name in _LABELS if name in table), None)
    if labels is None:
        raise BuildError(
            f"{path.name} must hold a dict with the key 'labels' (a genre id a row), or a list of "
            f"dicts with the key 'label'; it holds: {_described(value)}."
        )
    columns: dict[str, Any] = {}
    for name, column in table.items():
        if isinstance(column, list | tuple) or (isinstance(column, np.ndarray) and column.ndim):
            columns[name] = cast("Sequence[Any]", column)
        elif isinstance(column, dict) and name in LABEL_NAMES:
            columns[name] = column
        elif name == labels:
            raise BuildError(
                f"{path.name}: {name!r} is a {type(column).__name__}, not a list or an array."
            )
        # Anything else (a count, a date, a remark) says something of the file, not of a row.
    found = columns.pop(labels)
    if isinstance(found, np.ndarray) and found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    return {"labels": found, **columns}


_PACKED = {
    b"\x1f\x8b": "it is compressed with gzip. Unpack it first (gunzip)",
    b"BZh": "it is compressed with bzip2. Unpack it first (bunzip2)",
    b"\xfd7zXZ": "it is compressed with xz. Unpack it first (unxz)",
    b"PK\x03\x04": "it is a ZIP archive, as torch.save and numpy.savez write. Save a dict of lists "
    "with pickle.dump",
    b"\x93NUMPY": "it is an array that numpy.save wrote. Save a dict of lists with pickle.dump",
}


def _by_column(value: Any, file: str) -> dict[str, Any]:
    """Columns by name, whether they came as columns, as rows or as rows by id."""
    if isinstance(value, dict):
        named = _by_name(value, file)
        rows = [*value.values()]
        numbered = all(isinstance(key, int) for key in value)
        if not (rows and numbered and all(isinstance(row, dict) for row in rows)):
            return named
        return {**_of_rows(rows, file), "ids": [*value]}
    if isinstance(value, list | tuple) and value and all(isinstance(row, dict) for row in value):
        return _of_rows(value, file)
    return {}


def _of_rows(rows: Sequence[dict[Any, Any]], file: str) -> dict[str, Any]:
    named = [_by_name(row, file) for row in rows]
    columns = dict.fromkeys(name for row in named for name in row)
    return {name: [row.get(name) for row in named] for name in columns}


def _by_name(value: dict[Any, Any], file: str) -> dict[str, Any]:
    named = {as_text(key) if isinstance(key, bytes) else str(key): v for key, v in value.items()}
    if len(named) < len(value):
        raise BuildError(f"{file} holds a key twice, as bytes and as text; save one of them.")
    return named


def _described(value: Any) -> str:
    keys = value if isinstance(value, dict) else ()
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        return f"a list of dicts with {', '.join(map(str, value[0]))[:200] or 'nothing'}"
    found = ", ".join(as_text(k) if isinstance(k, bytes) else str(k) for k in keys)
    return (found if isinstance(value, dict) else type(value).__name__)[:200] or "nothing"
