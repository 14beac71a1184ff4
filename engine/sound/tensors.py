"""safetensors → arrays: a length, a JSON of names, and the numbers. Nothing in it is executed.

Read here in full, so that serving needs no package for one file; every number of it is checked,
as a stranger may have written it. Numbers are float32, or float16 where half the bytes are enough;
they are read as float32. (https://github.com/huggingface/safetensors: its format.)
"""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import EncoderMismatch

_MOST_HEADER = 1 << 20  # bytes of names; musicnn's are 6,000
Kind = Literal["F32", "F16"]
_KINDS: dict[Kind, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}
Tensors = Mapping[str, NDArray[np.float32]]


def write_tensors(
    path: Path, tensors: Tensors, about: Mapping[str, str], *, kind: Kind = "F32"
) -> None:
    """float32 tensors and what is said `about` them → a file, the same for the same input."""
    layout = _KINDS[kind]
    header: dict[str, Any] = {"__metadata__": dict(about)}
    at = 0
    for name in sorted(tensors):
        size = tensors[name].size * layout.itemsize
        header[name] = {
            "dtype": kind,
            "shape": list(tensors[name].shape),
            "data_offsets": [at, at + size],
        }
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(tensors):
            file.write(np.ascontiguousarray(tensors[name], layout).tobytes())


def read_tensors(
    path: Path, shapes: Mapping[str, tuple[int, ...]], *, kind: Kind = "F32"
) -> dict[str, NDArray[np.float32]]:
    """The tensors of a file, which are those of `shapes` and no others, all of them of one kind.

    Raises `EncoderMismatch` for whatever else it holds or is.
    """
    layout = _KINDS[kind]
    expected = sum(layout.itemsize * int(np.prod(shape)) for shape in shapes.values())
    try:
        if path.stat().st_size > expected + _MOST_HEADER + 8:
            raise _refused(path, "it is longer than they are")
        raw = path.read_bytes()
    except OSError as error:
        raise _refused(path, "it is not there") from error
    length = int.from_bytes(raw[:8], "little")
    if not 2 <= length <= min(_MOST_HEADER, len(raw) - 8):
        raise _refused(path, "it does not begin as safetensors do")
    try:
        header = json.loads(raw[8 : 8 + length])
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, AttributeError, RecursionError) as error:
        raise _refused(path, "its names are no JSON object") from error
    if entries.keys() != shapes.keys():
        odd = sorted(entries.keys() ^ shapes.keys())[0]
        raise _refused(path, f"{odd!r} is in one and not in the other")
    data = memoryview(raw)[8 + length :]
    return {name: _tensor(path, name, entries[name], shapes[name], data, kind) for name in shapes}


def _tensor(
    path: Path, name: str, entry: Any, shape: tuple[int, ...], data: memoryview, kind: Kind
) -> NDArray[np.float32]:
    layout = _KINDS[kind]
    size = layout.itemsize * int(np.prod(shape))
    try:
        start, end = map(operator.index, entry["data_offsets"])
        fits = entry["dtype"] == kind and entry["shape"] == list(shape)
        fits = fits and start >= 0 and end == start + size <= len(data)
    except (TypeError, KeyError, ValueError):
        fits = False
    if not fits:
        raise _refused(path, f"{name!r} is not {shape} {kind} inside the file")
    values = np.frombuffer(data[start:end], layout).astype(np.float32).reshape(shape)
    if not np.isfinite(values).all():
        raise _refused(path, f"{name!r} holds what is no number")
    return values


def _refused(path: Path, why: str) -> EncoderMismatch:
    return EncoderMismatch(
        f"{path.name} does not hold the weights of this network: {why}. Rebuild the artifact."
    )
