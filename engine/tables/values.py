"""One cell of a table or a pickle → a text, a whole number, a year, what JSON can hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np

from engine.base.errors import BuildError

# What other programs write where there is no number.
_NO_NUMBER = frozenset(("", "nan", "none", "null", "na", "n/a", "<na>", "nat", "-", "?"))
FIRST_YEAR, LAST_YEAR = 1000, 2100
_DATE = re.compile(r"(\d{4})[-/.](?:0?[1-9]|1[0-2]|00)(?:[-/.]\d{1,2}(?:[T ].*)?)?")
_PACKED_DATE = re.compile(r"(\d{4})(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_SPAN = re.compile(r"(?<!\d)\d{4}\s*[-–—/]\s*\d{2}(?!\d)")
# Not the "1980" of "1980s", "12345" or "+1000" behind a time.
_YEAR = re.compile(r"(?<![\d,+])(\d{4})(?!\d|\.\d|['’]?s\b)")

# Shorter lists of numbers are somebody's ratings; longer ones are embeddings.
_VECTOR_LENGTH = 16
_LONG_BYTES = 1000


def plain(value: Any, depth: int = 3) -> Any:
    """Any value of a row → what JSON can hold: NaN → None, a date and the like → its text.

    Containers more than `depth` deep are left out: a pickle's may hold themselves.
    """
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bytes | bytearray):
        return as_text(value)
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        if depth == 0 or len(value) > 1000:
            return None
        if isinstance(value, Mapping):
            return {str(plain(key, 0))[:200]: plain(item, depth - 1) for key, item in value.items()}
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [plain(item, depth - 1) for item in items]
    return str(value)


def as_text(data: bytes | bytearray) -> str:
    """Bytes that somebody's Python 2 took for text: UTF-8, else Latin-1, which fits any bytes."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def text(value: Any) -> str | None:
    """A title, a name; None for an empty one."""
    value = plain(value)
    # A lone surrogate (half an emoji, a file name that is not UTF-8) fits into no database.
    return None if value is None or value == "" else str(value).encode(errors="replace").decode()


def is_missing_number(value: Any) -> bool:
    """Whether a cell for a number is empty, in the words of any program that writes tables."""
    value = plain(value)
    return value is None or (isinstance(value, str) and value.strip().casefold() in _NO_NUMBER)


def whole_number(value: Any, what: str) -> int:
    """3, "3", 3.0 and "3.0" → 3. Raises `BuildError` that begins with `what` for all else."""
    found = plain(value)
    try:
        if isinstance(found, bool):
            raise ValueError
        if isinstance(found, str) and re.fullmatch(r"\s*[+-]?\d+\.0*\s*", found):
            found = found.strip().partition(".")[0]
        if isinstance(found, float) and not found.is_integer():
            raise ValueError
        number = int(found)
        if not -(2**63) <= number < 2**63:
            raise ValueError
        return number
    except (TypeError, ValueError, OverflowError):
        raise BuildError(f"{what}: {value!r} is not a whole number of 64 bits.") from None


def year(value: Any) -> int | None:
    """The one year that a number, a date or a text is of; None where there is none, or several.

    1979, "1979.0", "1979-11-30", "11/30/1979" and "c. 1980" have one; "1990/2004" and "1980s" not.
    """
    if isinstance(value, date | datetime):
        return value.year
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    words = str(value).strip()
    if re.fullmatch(r"\d{4}\.0*", words):
        words = words[:4]
    dated = _DATE.fullmatch(words) or _PACKED_DATE.fullmatch(words)
    if dated:
        years = {int(dated[1])}
    elif _SPAN.search(words):
        return None
    else:
        years = {int(found) for found in _YEAR.findall(words)}
    found = {number for number in years if FIRST_YEAR <= number <= LAST_YEAR}
    return found.pop() if len(found) == len(years) == 1 else None


def is_bulk(values: Sequence[Any]) -> bool:
    """Whether a column holds embeddings or files, which no catalogue needs: rows of many numbers,
    or bytes that are no text. Judged by its first value."""
    first = next((value for value in values if value is not None), None)
    if isinstance(first, Mapping):
        return any(is_bulk([value]) for value in first.values())
    if isinstance(first, bytes | bytearray):
        return len(first) > _LONG_BYTES or b"\0" in first
    if not isinstance(first, list | tuple | np.ndarray):
        return False
    row = np.asarray(first).ravel() if isinstance(first, np.ndarray) else first
    return len(row) >= _VECTOR_LENGTH and all(_is_number(item) for item in row[:_VECTOR_LENGTH])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
