"""`training/musicnn.py`: a checkpoint of TensorFlow, read without it."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from engine.base.errors import BuildError
from engine.base.files import file_sha256
from engine.sound.encoder.musicnn import SHAPES, WEIGHTS
from engine.sound.tensors import read_tensors
from training import musicnn


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """A block of LevelDB's table: each key says how much of it is as in the one before."""
    out, before = b"", b""
    for key, value in pairs:
        shared = len(
            [1 for at in range(min(len(key), len(before))) if key[: at + 1] == before[: at + 1]]
        )
        own = key[shared:]
        out += varint(shared) + varint(len(own)) + varint(len(value)) + own + value
        before = key
    return out + struct.pack("<II", 0, 1)


def table(pairs: list[tuple[bytes, bytes]], *, compressed: int = 0) -> bytes:
    """Two blocks of pairs, one of where they are, and the footer."""
    raw, handles = b"", []
    for part in (pairs[: len(pairs) // 2], pairs[len(pairs) // 2 :]):
        content = block(part)
        handles.append((part[-1][0], varint(len(raw)) + varint(len(content))))
        raw += content + bytes([compressed]) + b"\0" * 4
    index = block(handles)
    place = varint(len(raw)) + varint(len(index))
    raw += index + b"\0" * 5
    return raw + (varint(0) + varint(0) + place).ljust(40, b"\0") + musicnn._MAGIC


def entry(kind: int, shape: tuple[int, ...], offset: int, size: int) -> bytes:
    """TensorFlow's BundleEntryProto, with a checksum that nobody needs here."""
    sides = b"".join(b"\x12" + varint(len(side)) + side for side in map(dimension, shape))
    return (
        (b"\x08" + varint(kind) + b"\x12" + varint(len(sides)) + sides)
        + (b"\x20" + varint(offset) + b"\x28" + varint(size))
        + (b"\x35" + b"\1\2\3\4")
    )


def dimension(size: int) -> bytes:
    return b"\x08" + varint(size)


KERNEL = np.arange(600, dtype=np.float32).reshape(2, 300)
BIAS = np.array([1.5, -2, 3], np.float32)
DATA = BIAS.tobytes() + struct.pack("<q", 7) + KERNEL.tobytes()
PAIRS = [
    (b"", b"\x08\x01"),  # the header, which is no tensor
    (b"conv2d/bias", entry(1, (3,), 0, 12)),
    (b"conv2d/kernel", entry(1, (2, 300), 20, 2_400)),
    (b"step", entry(9, (), 12, 8)),
]


def test_tensors_are_read_by_name() -> None:
    found = musicnn.read_checkpoint(table(PAIRS), DATA)
    assert found.keys() == {"conv2d/bias", "conv2d/kernel"}
    assert np.array_equal(found["conv2d/kernel"], KERNEL)
    assert np.array_equal(found["conv2d/bias"], BIAS)


@pytest.mark.parametrize(
    "index",
    [
        pytest.param(b"", id="empty"),
        pytest.param(table(PAIRS)[:-1], id="cut"),
        pytest.param(table(PAIRS, compressed=1), id="compressed"),
        pytest.param(
            table([*PAIRS, (b"z", entry(1, (9, 9), 0, 12))]), id="of more numbers than bytes"
        ),
        pytest.param(
            table([*PAIRS, (b"z", entry(1, (3,), 9_999, 12))]), id="behind the end of the data"
        ),
    ],
)
def test_what_is_no_checkpoint_is_named(index: bytes) -> None:
    with pytest.raises(BuildError, match="no checkpoint"):
        musicnn.read_checkpoint(index, DATA)


def test_another_package_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "musicnn.whl", "w") as package:
        package.writestr(musicnn.INDEX, b"")
    with pytest.raises(BuildError, match=musicnn.WHEEL):
        musicnn.convert(tmp_path / "musicnn.whl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_weights_in_the_tree_are_the_result() -> None:
    assert file_sha256(WEIGHTS) == musicnn.RESULT
    assert read_tensors(WEIGHTS, SHAPES).keys() == SHAPES.keys()
