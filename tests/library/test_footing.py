"""`engine/library/footing.py`: what can never be used stops the start with one line."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT

from engine.base.errors import SettingsError
from engine.library import footing
from engine.library.footing import check_footing
from engine.library.settings import LibrarySettings


def _checked(folder: Path) -> None:
    check_footing(
        LibrarySettings(
            library="shared",
            database=f"sqlite:///{folder}/library.sqlite",
            storage=str(folder / "objects"),
        )
    )


def test_what_is_not_there_yet_is_made(tmp_path: Path) -> None:
    _checked(tmp_path / "new")
    _checked(tmp_path / "new")
    assert (tmp_path / "new/objects").is_dir()


def test_a_database_that_is_gone_while_its_files_are_there_is_not_begun_anew(
    tmp_path: Path,
) -> None:
    """Its worker would take all of them for nobody's, and an hour later remove them."""
    track = tmp_path / "objects/audio/0123/audio.wav"
    track.parent.mkdir(parents=True)
    track.touch()
    for there in (False, True):
        if there:
            (tmp_path / "library.sqlite").touch()
        with pytest.raises(SettingsError, match="is not there or empty, and SHAZAM_STORAGE="):
            _checked(tmp_path)
    assert not (tmp_path / "library.sqlite").stat().st_size
    sqlite3.connect(tmp_path / "library.sqlite").execute("CREATE TABLE t (c)").connection.close()
    _checked(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    garbage = bytes(range(256)) * 80
    (tmp_path / "library.sqlite").write_bytes(garbage)
    with pytest.raises(SettingsError, match=r"^SHAZAM_DATABASE='.*': it is no SQLite .* Example: "):
        _checked(tmp_path)
    assert (tmp_path / "library.sqlite").read_bytes() == garbage


def test_a_database_with_damaged_pages_is_refused(tmp_path: Path) -> None:
    _checked(tmp_path)
    path = tmp_path / "library.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE words (word TEXT)")
        connection.executemany("INSERT INTO words VALUES (?)", [("word" * 50,)] * 2_000)
    data = bytearray(path.read_bytes())
    data[8_192:60_000] = bytes(60_000 - 8_192)
    path.write_bytes(data)
    with pytest.raises(SettingsError, match="it is damaged"):
        _checked(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"^SHAZAM_DATABASE=.*: its folder cannot be made"):
        _checked(tmp_path / "file")
    (tmp_path / "objects").touch()
    with pytest.raises(SettingsError, match=r"^SHAZAM_STORAGE=.* cannot be written .* Example: "):
        _checked(tmp_path)


def test_a_database_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a read-only disk, on which root may not write either."""
    _checked(tmp_path)
    connect = sqlite3.connect

    def read_only(path: Path, **options: object) -> sqlite3.Connection:
        return connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)

    monkeypatch.setattr(footing.sqlite3, "connect", read_only)
    with pytest.raises(SettingsError, match="it cannot be written"):
        _checked(tmp_path)


def test_a_database_that_another_writes_is_there(tmp_path: Path) -> None:
    _checked(tmp_path)
    other = sqlite3.connect(tmp_path / "library.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    _checked(tmp_path)
    other.close()


def test_a_worker_ends_at_once_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "library.sqlite").write_bytes(b"no database" * 1_000)
    ran = subprocess.run(
        [sys.executable, "-m", "engine", "work"],
        cwd=PROJECT,
        env={
            "SHAZAM_DATABASE": f"sqlite:///{tmp_path}/library.sqlite",
            "SHAZAM_STORAGE": str(tmp_path / "objects"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("invalid_setting: SHAZAM_DATABASE=")
    assert ran.stderr.count("\n") == 1
