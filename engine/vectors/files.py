"""An index file → FAISS's index, read with bounds; and whether FAISS may map the file instead.

Its mapping reader believes the sizes in it: a forged one makes it read past the end of the file,
which ends the process. Its other reader checks them, and holds the whole file in memory. So the
sizes are walked first, without FAISS. The walk knows the two layouts that we write, as FAISS 1.15
writes them (faiss/impl/index_write.cpp), little-endian:

    IxM2 header · the index inside · ids: count uint64, int64 each
    IxFI header · rows: count uint64, float32 each
    IHNf header · five vectors, each with its count (see `_VECTORS`) · five int32 · IxFI …

A header is a name of four letters and `_HEADER`. Where the walk does not come out at the end of the
file, or meets another name, the file is for the reader that checks.
"""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Any, BinaryIO

import faiss

# The limits that FAISS's reader believes are the process's: one file at a time.
_reading = threading.Lock()

# Dimension, rows, two numbers that mean nothing, whether it is trained, metric (inner product: 0).
_HEADER = struct.Struct("<iqqqbi")
_COUNT = struct.Struct("<Q")
# Of a graph, bytes an item: probabilities of levels, neighbours up to a level, level of each row,
# where a row's neighbours begin, and they themselves.
_VECTORS = (8, 4, 4, 8, 4)
_NUMBERS_OF_A_GRAPH = 5 * 4


def sizes_fit(path: Path) -> bool:
    """Whether the file has one of our layouts, and its sizes lead exactly to its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            dimension, rows = _header(file, b"IxM2")
            inside = file.peek(4)[:4]
            if inside == b"IHNf":
                if _header(file, b"IHNf") != (dimension, rows):
                    return False
                for width in _VECTORS:
                    _skip(file, width, size)
                file.seek(_NUMBERS_OF_A_GRAPH, 1)
            if _header(file, b"IxFI") != (dimension, rows):
                return False
            return (
                _skip(file, 4, size) == rows * dimension
                and _skip(file, 8, size) == rows
                and file.tell() == size
            )
        except (struct.error, _Forged):
            return False


class _Forged(Exception):
    """A size that leads out of the file, or a name that is not expected."""


def _header(file: BinaryIO, name: bytes) -> tuple[int, int]:
    """Dimension and rows of the index that begins here."""
    if file.read(4) != name:
        raise _Forged
    dimension, rows, _, _, _, metric = _HEADER.unpack(file.read(_HEADER.size))
    if metric != 0:  # others may bring a further number
        raise _Forged
    return dimension, rows


def _skip(file: BinaryIO, width: int, size: int) -> int:
    """Pass over a vector of items of `width` bytes; how many there are."""
    (count,) = _COUNT.unpack(file.read(_COUNT.size))
    if count > (size - file.tell()) // width:
        raise _Forged
    file.seek(count * width, 1)
    return int(count)


def read_index(path: Path, flags: int = 0) -> Any:
    """FAISS's reader. It believes sizes up to these limits, which are the process's: by its own, a
    file of 24 KB took 16 GB of memory before it was refused. Tables that are none of the file's
    (`IVFPQ`'s, of squared distances alone) are left out."""
    size = path.stat().st_size
    with _reading:
        usual = faiss.get_deserialization_vector_byte_limit()
        faiss.set_deserialization_vector_byte_limit(size)
        faiss.set_deserialization_loop_limit(size)
        try:
            return faiss.read_index(str(path), flags | faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE)
        finally:
            faiss.set_deserialization_vector_byte_limit(usual)
            faiss.set_deserialization_loop_limit(0)


def first_line(error: BaseException) -> str:
    """An error's first line, the end of a long one: FAISS begins with the place in its sources."""
    return str(error).split("\n")[0][-200:]
