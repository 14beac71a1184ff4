"""`encoder/folder.py`, `sound/tensors.py`: an encoder as files, a stranger's perhaps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.base.errors import BuildError, EncoderMismatch
from engine.sound.encoder.folder import ABOUT, LICENCE, WEIGHTS, open_encoder
from engine.sound.encoder.musicnn import NAME, SHAPES, TAGS, MusicnnEncoder
from engine.sound.making.encoder import save_encoder
from engine.sound.tensors import read_tensors, write_tensors

TWO = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.float32)}
TWO_SHAPES = {"a": (2, 3), "b": (4,)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_encoder("musicnn", tmp_path / "encoder")
    return tmp_path / "encoder"


def test_the_embedded_encoder_is_saved_and_opened_as_it_is(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [LICENCE, ABOUT, WEIGHTS]
    assert "Permission to use, copy, modify" in (folder / LICENCE).read_text()
    opened = open_encoder(folder, threads=1)
    assert (opened.kind, opened.name, opened.dimension) == ("musicnn", NAME, 384)
    assert opened.tags == TAGS
    sound = np.sin(np.arange(60_000) / 9).astype(np.float32)
    found, wanted = opened.embed(sound), MusicnnEncoder(threads=1).embed(sound)
    assert np.array_equal(found.vector, wanted.vector)


def test_how_many_windows_are_heard_is_the_folders(folder: Path) -> None:
    sound = np.concatenate([np.sin(np.arange(30_000) / hz) for hz in (3, 30)]).astype(np.float32)
    all_of_it = open_encoder(folder, threads=1).embed(sound).vector
    about = json.loads((folder / ABOUT).read_text())
    (folder / ABOUT).write_text(json.dumps({**about, "windows": 1}))
    beginning = open_encoder(folder, threads=1).embed(sound).vector
    again = open_encoder(folder, threads=1).embed(sound[:48_128]).vector
    assert np.allclose(beginning, again, atol=1e-2)
    assert not np.allclose(beginning, all_of_it, atol=1e-1)


def test_an_encoder_that_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="'resnet'"):
        save_encoder("resnet", tmp_path / "encoder")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "all of it"),
        ("[]", "all of it"),
        ("[" * 100_000, "too long"),
        ("[" * 60_000, "all of it"),
        ('{"kind": "musicnn"}', "name"),
        ('{"format": 2}', "format"),
        ('{"kind": "resnet"}', "kind"),
        ('{"evil": 1}', "name|kind|evil"),
        (None, "not there"),
    ],
)
def test_what_is_said_of_an_encoder_is_checked(text: str | None, said: str, folder: Path) -> None:
    (folder / ABOUT).unlink()
    if text is not None:
        (folder / ABOUT).write_text(text)
    with pytest.raises(EncoderMismatch, match=said) as refusal:
        open_encoder(folder)
    assert ABOUT in refusal.value.message


@pytest.mark.parametrize("windows", [0, -1, 10**9, "3", 2.5])
def test_how_much_is_heard_is_bounded(windows: object, folder: Path) -> None:
    about = json.loads((folder / ABOUT).read_text())
    (folder / ABOUT).write_text(json.dumps({**about, "windows": windows}))
    with pytest.raises(EncoderMismatch, match="windows"):
        open_encoder(folder)


def test_weights_that_are_missing_are_named(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    with pytest.raises(EncoderMismatch, match=rf"{WEIGHTS}.*not there"):
        open_encoder(folder)


# --- safetensors --------------------------------------------------------------------------------


def test_weights_are_safetensors(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    write_tensors(tmp_path / "w", TWO, {"licence": "ISC"})
    for found in (load_file(tmp_path / "w"), read_tensors(tmp_path / "w", TWO_SHAPES)):
        assert found.keys() == TWO.keys()
        assert all(np.array_equal(found[name], TWO[name]) for name in TWO)


def test_the_weights_in_the_tree_are_all_of_musicnn() -> None:
    assert sum(int(np.prod(shape)) for shape in SHAPES.values()) == 792_079
    assert len(SHAPES) == 64


def with_header(change: Callable[[dict], object]) -> Callable[[bytes], bytes]:
    """A file with its header changed, the numbers as they were."""

    def changed(raw: bytes) -> bytes:
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        header = change(header) or header
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + raw[8 + length :]

    return changed


def entry(**values: object) -> Callable[[bytes], bytes]:
    return with_header(lambda header: header["a"].update(values))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: b"", id="empty"),
        pytest.param(lambda raw: raw[:7], id="shorter than a length"),
        pytest.param(lambda raw: raw[:-1], id="cut"),
        pytest.param(lambda raw: raw + b"\0" * (2 << 20), id="longer"),
        pytest.param(lambda raw: b"\xff" * 8 + raw[8:], id="endless header"),
        pytest.param(with_header(lambda header: b"{"), id="no JSON"),
        pytest.param(with_header(lambda header: b"[]"), id="no object"),
        pytest.param(with_header(lambda header: b"[" * 90_000), id="deep"),
        pytest.param(with_header(lambda header: {**header, "c": header["a"]}), id="one more"),
        pytest.param(with_header(lambda header: {"b": header["b"]}), id="one less"),
        pytest.param(with_header(lambda header: {**header, "a": 3}), id="no entry"),
        pytest.param(entry(dtype="F64"), id="another type"),
        pytest.param(entry(shape=[3, 2]), id="another shape"),
        pytest.param(entry(shape=None), id="no shape"),
        pytest.param(entry(data_offsets=[-24, 0]), id="before the beginning"),
        pytest.param(entry(data_offsets=[1 << 60, (1 << 60) + 24]), id="behind the end"),
        pytest.param(entry(data_offsets=[0, 20]), id="too few bytes"),
        pytest.param(entry(data_offsets=[0.0, 24.0]), id="half a byte"),
        pytest.param(entry(data_offsets="ab"), id="no offsets"),
    ],
)
def test_weights_of_a_stranger_are_refused_by_name(
    change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    write_tensors(tmp_path / "weights", TWO, {})
    raw = (tmp_path / "weights").read_bytes()
    (tmp_path / "weights").write_bytes(change(raw))
    with pytest.raises(EncoderMismatch, match="weights does not hold"):
        read_tensors(tmp_path / "weights", TWO_SHAPES)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(bad: float, tmp_path: Path) -> None:
    write_tensors(tmp_path / "weights", {**TWO, "b": np.full(4, bad, np.float32)}, {})
    with pytest.raises(EncoderMismatch, match="no number"):
        read_tensors(tmp_path / "weights", TWO_SHAPES)
