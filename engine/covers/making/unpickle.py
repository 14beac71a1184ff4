"""A pickle reader for plain data: containers, numbers, strings and numpy arrays, nothing else.

A pickle is a program; Python's own reader runs whatever it names. This one knows only the few
constructors that numpy arrays are made of and refuses every other name before it is called.
"""

from __future__ import annotations

import io
import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.base.errors import BuildError, UnsafePickle
from engine.tables.values import as_text


class _NdarrayName:
    """What the pickle's word "numpy.ndarray" becomes: a name to compare with, never called.

    The class itself would make arrays of any size, of whatever the memory held before.
    """

    def __new__(cls, *_: object) -> _NdarrayName:
        raise UnsafePickle("The pickle makes an array in an unusual way; save it again.")


class _Dtype:
    """A dtype on its way out of a pickle; the real one is made of its letter and size alone.

    numpy's own `dtype.__setstate__` believes what it is told: with field offsets and flags made up,
    an array of bytes becomes one of pointers, and reading it runs wild through memory.
    """

    def __init__(self, spec: Any, *_: object) -> None:
        spec = _ascii(spec)
        if not isinstance(spec, str) or not re.fullmatch(r"[<>|=]?[?biufcmMSUOV]\d{0,9}", spec):
            raise UnsafePickle(f"The pickle holds an array of {str(spec)[:40]!r}; plain ones only.")
        self.real: np.dtype[Any] = np.dtype(spec)

    def __setstate__(self, state: Any) -> None:
        order, subdtype, names, fields = state[1:5]
        if subdtype is not None or names or fields:
            raise UnsafePickle("The pickle holds an array of records; save one list a column.")
        if self.real.kind in "mM" and len(state) > 8:
            unit, number, *_ = state[8][1]
            unit = unit.decode() if isinstance(unit, bytes) else str(unit)
            self.real = np.dtype(f"{self.real.kind}8[{int(number)}{unit}]")
        self.real = self.real.newbyteorder(_ascii(order))


def _ascii(value: Any) -> Any:
    """Python 2 wrote its short words as bytes."""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value


class _Array(np.ndarray[Any, Any]):
    """An array that takes its state from a pickle, with a dtype that was checked."""

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, fortran, data = state
        super().__setstate__((version, shape, _real(dtype), fortran, data))


def _real(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, _Dtype):
        raise UnsafePickle("The pickle holds an array without a plain dtype; save it again.")
    return dtype.real


def _reconstruct(subtype: type, _shape: object, _typecode: object) -> np.ndarray[Any, Any]:
    # The array's real shape and bytes arrive later, together, through __setstate__; honouring the
    # shape given here would let four bytes of pickle ask for a terabyte.
    if subtype is not _NdarrayName:
        raise UnsafePickle("The pickle asks for a subclass of numpy.ndarray; plain arrays only.")
    return _Array((0,), np.int8)


def _frombuffer(buffer: Any, dtype: Any, shape: Any, order: str) -> Any:
    if not isinstance(buffer, bytes | bytearray):
        raise UnsafePickle("The pickle makes an array of something else than bytes.")
    return np.frombuffer(buffer, dtype=_real(dtype)).reshape(shape, order=order)  # type: ignore[call-overload]


def _scalar(dtype: Any, data: Any = b"") -> Any:
    if _real(dtype).hasobject or not isinstance(data, bytes):
        raise UnsafePickle("The pickle holds a numpy scalar of objects; plain values only.")
    return np.frombuffer(data, dtype=_real(dtype), count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    # How protocol 2 and older write bytes.
    if encoding not in ("latin1", "latin-1"):
        raise UnsafePickle(f"The pickle asks for the codec {encoding!r}; only bytes are read.")
    return text.encode("latin1")


def _bytearray(data: bytes = b"") -> bytearray:
    if not isinstance(data, bytes | bytearray):
        raise UnsafePickle("The pickle asks for a bytearray of a given size; only bytes are read.")
    return bytearray(data)


def _bytes(*nothing: Any) -> bytes:
    # How protocol 2 and older write b"".
    if nothing:
        raise UnsafePickle("The pickle asks for bytes of a given size; only bytes are read.")
    return b""


class _Named:
    """What the name of a plain type becomes where it says what a `defaultdict` would make: a word
    that nobody calls."""

    def __new__(cls, *_: object) -> _Named:
        raise UnsafePickle("The pickle makes a container in an unusual way; save it again.")


# The last two by Python 2's names.
_PLAIN_TYPES = ("list", "dict", "int", "float", "str", "tuple", "long", "unicode")


def _defaultdict(*_: Any) -> dict[Any, Any]:
    # Its items arrive later; what it would make for a missing key is of no use here.
    return {}


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): _defaultdict,
    **{("builtins", name): _Named for name in _PLAIN_TYPES},
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "complex"): complex,
    ("builtins", "bytearray"): _bytearray,
    ("builtins", "bytes"): _bytes,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): _NdarrayName,
    ("numpy", "dtype"): _Dtype,
}
for _module in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_module}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_module}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_module}.numeric", "_frombuffer"] = _frombuffer


_OTHERS = {
    "pandas": "a pandas {name}. Where pandas is installed, save plain lists instead: "
    "pickle.dump(df.to_dict('list'), file), dates before that as text: df[c] = df[c].astype(str)",
    "polars": "a polars {name}. Save plain lists instead: pickle.dump(df.to_dict(as_series=False), "
    "file)",
    "torch": "a torch tensor. Save it as a list: tensor.tolist()",
    "datetime": "a date ({name}). Save it as text: str(date)",
    "pathlib": "a path. Save it as text: str(path)",
    "joblib": "what joblib.dump wrote. Save it with pickle.dump instead",
}


def _refusal(module: str, name: str) -> str:
    """Why a name is not read, and what to do; in the words of its library where we know it."""
    known = _OTHERS.get(module.partition(".")[0])
    if known is not None:
        return (
            f"The pickle holds {known.format(name=name)}. It is not read, since it could run code."
        )
    return (
        f"The pickle asks for {module}.{name}, which could run code. Only plain containers, "
        "numbers, strings and numpy arrays are read; save it again as a dict of lists."
    )


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module.replace("__builtin__", "builtins"), name]
        except KeyError:
            raise UnsafePickle(_refusal(module, name)) from None

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickle("The pickle refers to objects outside itself; save it again as a dict.")


# Five bytes of pickle can ask the unpickler's memo for 34 GB. A list of small numbers, the densest
# honest content, takes some 30 bytes of memory a byte of file.
MEMORY_BASE, MEMORY_PER_BYTE = 1 << 30, 100


@contextmanager
def _bounded_memory(allowance: int) -> Iterator[None]:
    """Within the block this process may grow by `allowance` bytes; more is a MemoryError."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = min([size + allowance, *(bound for bound in (soft, hard) if bound >= 0)])
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


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
        with _bounded_memory(MEMORY_BASE + MEMORY_PER_BYTE * len(data)):
            # What Python 2 wrote as text stays bytes: only its reader knows what they spell.
            value = _PlainUnpickler(io.BytesIO(data), encoding="bytes").load()
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
