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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.base.errors import UnsafePickle


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


def unpickled(data: bytes, *, encoding: str = "ASCII") -> Any:
    """What a pickle of plain data holds; `encoding` is that of text which Python 2 wrote.

    Raises `UnsafePickle` for one that names anything but containers and numpy arrays; damaged bytes
    make the unpickler raise nearly anything, `MemoryError` among it.
    """
    with _bounded_memory(MEMORY_BASE + MEMORY_PER_BYTE * len(data)):
        return _PlainUnpickler(io.BytesIO(data), encoding=encoding).load()
