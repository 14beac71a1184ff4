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
        self.real = self.real.newbyteorder(order)


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


_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
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


def read_metadata_pickle(path: Path) -> dict[str, Sequence[Any]]:
    """A pickle of a dict with `labels` → its columns, each a sequence of one value a row.

    Raises `UnsafePickle` for a pickle that names anything but containers and numpy arrays,
    `BuildError` for one that is damaged or is not such a dict.
    """
    data = path.read_bytes()
    try:
        with _bounded_memory(MEMORY_BASE + MEMORY_PER_BYTE * len(data)):
            value = _PlainUnpickler(io.BytesIO(data)).load()
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
            f"{found[:200] or 'nothing'}."
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
