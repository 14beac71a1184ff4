"""A pickle reader for plain data: containers, numbers, strings and numpy arrays, nothing else.

A pickle is a program; Python's own reader runs whatever it names. This one knows only the few
constructors that numpy arrays are made of and refuses every other name before it is called.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.errors import BuildError, UnsafePickle


def _reconstruct(subtype: type, _shape: object, _typecode: object) -> np.ndarray[Any, Any]:
    # The array's real shape and bytes arrive later, together, through __setstate__; honouring the
    # shape given here would let four bytes of pickle ask for a terabyte.
    if subtype is not np.ndarray:
        raise UnsafePickle("The pickle asks for a subclass of numpy.ndarray; plain arrays only.")
    return np.ndarray((0,), np.int8)


def _frombuffer(buffer: Any, dtype: np.dtype[Any], shape: Any, order: str) -> Any:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _scalar(dtype: np.dtype[Any], data: bytes = b"") -> Any:
    if dtype.hasobject:
        raise UnsafePickle("The pickle holds a numpy scalar of objects; plain values only.")
    return np.frombuffer(data, dtype=dtype, count=1)[0]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    # How protocol 2 and older write bytes.
    if encoding not in ("latin1", "latin-1"):
        raise UnsafePickle(f"The pickle asks for the codec {encoding!r}; only bytes are read.")
    return text.encode("latin1")


def _bytearray(data: bytes = b"") -> bytearray:
    if not isinstance(data, bytes | bytearray):
        raise UnsafePickle("The pickle asks for a bytearray of a given size; only bytes are read.")
    return bytearray(data)


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "complex"): complex,
    ("builtins", "bytearray"): _bytearray,
    ("_codecs", "encode"): _encode,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
for _module in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_module}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_module}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_module}.numeric", "_frombuffer"] = _frombuffer


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module.replace("__builtin__", "builtins"), name]
        except KeyError:
            raise UnsafePickle(
                f"The pickle asks for {module}.{name}, which could run code. Only plain "
                "containers, numbers, strings and numpy arrays are read; save it again as a dict "
                "of lists."
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise UnsafePickle("The pickle refers to objects outside itself; save it again as a dict.")


def read_metadata_pickle(path: Path) -> dict[str, Sequence[Any]]:
    """A pickle of a dict with `labels` → its columns, each a sequence of one value a row.

    Raises `UnsafePickle` for a pickle that names anything but containers and numpy arrays,
    `BuildError` for one that is damaged or is not such a dict.
    """
    try:
        value = _PlainUnpickler(io.BytesIO(path.read_bytes())).load()
    except UnsafePickle:
        raise
    except Exception as error:
        # Damaged bytes make the unpickler raise nearly anything, MemoryError among it.
        raise BuildError(
            f"{path.name} is not a pickle we can read ({type(error).__name__}: {error})."
        ) from error
    if not isinstance(value, dict) or "labels" not in value:
        found = ", ".join(map(str, value)) if isinstance(value, dict) else type(value).__name__
        raise BuildError(
            f"{path.name} must hold a dict with the key 'labels' (a genre id a row); it holds: "
            f"{found[:200]}."
        )
    columns: dict[str, Sequence[Any]] = {}
    for name, column in value.items():
        if isinstance(column, list | tuple) or (isinstance(column, np.ndarray) and column.ndim):
            columns[str(name)] = cast("Sequence[Any]", column)
        elif name == "labels":
            raise BuildError(
                f"{path.name}: 'labels' is a {type(column).__name__}, not a list or an array."
            )
        # Anything else (a count, a date, a remark) says something of the file, not of a row.
    return columns
