"""Digests made before anybody asks count for what was hashed, and for nothing else."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.artifact import ahead
from engine.covers.manifest import ENCODER
from engine.covers.service import start
from engine.vectors.rows import FOLDER as ROWS


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    for name in ("encoder/largest.bin", "encoder/small.xml", "a.npz", "rows/000.npy", "empty"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"" if name == "empty" else name.encode() * len(name))
    yield tmp_path
    ahead._hashed.clear()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_needed_first_is_hashed_first_and_the_rest_is_left_out(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "a.npz")
    os.mkfifo(folder / "pipe")  # read, it would wait for ever
    ahead.hash_folder(folder, first="encoder", without=["rows"])
    assert [path.relative_to(folder).as_posix() for path in ahead._hashed] == [
        *("encoder/small.xml", "encoder/largest.bin", "empty", "a.npz")
    ]


def test_a_digest_made_ahead_is_given_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ahead.hash_folder(folder, first="encoder", without=[])
    for future in ahead._hashed.values():
        future.result(10)
    right = {path: sha256(path) for path in list(ahead._hashed)}
    monkeypatch.setattr(ahead, "file_sha256", lambda _: "made now")
    assert {path: ahead.digest_of(path) for path in right} == right
    assert {ahead.digest_of(path) for path in right} == {"made now"}


@pytest.mark.parametrize("as_large", [True, False])
def test_a_file_that_changed_since_is_hashed_anew(folder: Path, as_large: bool) -> None:
    ahead.hash_folder(folder, first="encoder", without=[])
    path = folder / "a.npz"
    ahead._hashed[path].result(10)
    time.sleep(0.02)  # a file system's clock goes in steps
    path.write_bytes(path.read_bytes()[::-1] if as_large else b"other")
    assert ahead.digest_of(path) == sha256(path)


def test_a_file_that_is_gone_is_refused_as_ever(folder: Path) -> None:
    ahead.hash_folder(folder, first="encoder", without=[])
    (folder / "a.npz").unlink()
    with pytest.raises(FileNotFoundError):
        ahead.digest_of(folder / "a.npz")


def test_a_folder_that_is_not_there_is_left_to_who_reads_it(tmp_path: Path) -> None:
    ahead.hash_folder(tmp_path / "none", first="encoder", without=[])
    assert not ahead._hashed


def test_the_names_that_covers_hash_ahead_by_are_those_of_their_artifact() -> None:
    assert (start.FIRST, start.LATER) == (ENCODER, [ROWS])
