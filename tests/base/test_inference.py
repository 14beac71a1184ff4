"""`engine/base/inference.py`: what every network on OpenVINO shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.base.inference import KEPT_KERNELS, kernel_cache


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "shazam-visual"


def test_prepared_kernels_lie_in_the_cache_and_only_the_newest_are_kept(home: Path) -> None:
    assert kernel_cache() == home / "openvino"
    for age in range(KEPT_KERNELS + 2):
        blob = home / "openvino" / f"{age}.blob"
        blob.touch()
        os.utime(blob, (1_000 - age, 1_000 - age))
    assert kernel_cache() == home / "openvino"
    kept = {path.stem for path in (home / "openvino").iterdir()}
    assert kept == {str(age) for age in range(KEPT_KERNELS)}


@pytest.mark.parametrize("which", [".", "openvino"])
def test_kernels_are_not_taken_from_a_folder_that_others_can_write(home: Path, which: str) -> None:
    (home / "openvino").mkdir(parents=True)
    (home / which).chmod(0o777)
    assert kernel_cache() is None


def test_kernels_are_not_taken_through_a_link(home: Path, tmp_path: Path) -> None:
    home.mkdir(parents=True, mode=0o700)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (home / "openvino").symlink_to(tmp_path / "elsewhere")
    assert kernel_cache() is None


def test_kernels_of_another_user_are_not_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernel_cache() is not None
    monkeypatch.setattr("engine.base.places.ROOT", -1)
    monkeypatch.setattr("os.getuid", lambda: 54_321)
    assert kernel_cache() is None


def test_a_cache_that_cannot_be_made_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kernel_cache() is None
