"""What the library stands on → whether it can be used at all, found out before anything begins.

What passes (a lock, a full disk, a server that is not there yet) is waited for later; what does not
(a folder that nobody may write, a file that is no database) stops the start with one line. Light:
the launching process asks, too.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from engine.base.errors import SettingsError
from engine.library.settings import LibrarySettings, sqlite_file
from engine.library.stores.folder import FULL, PASSING, Folder

_LASTING = {
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened or made",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_PERM: "it cannot be written",
    sqlite3.SQLITE_AUTH: "it cannot be written",
    sqlite3.SQLITE_NOTADB: "it is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
}

_LOOKED_THROUGH_S = 3.0


def check_footing(settings: LibrarySettings) -> None:
    """Raises `SettingsError`."""
    path, storage = sqlite_file(settings.database), settings.storage
    if path is not None and _is_absent(path) and _holds_tracks(storage):
        raise SettingsError(
            f"SHAZAM_DATABASE={settings.database!r} is not there or empty, and SHAZAM_STORAGE="
            f"{storage!r} holds the files of tracks, which its rows name. Bring it back, or name "
            "another folder to begin anew. Example: SHAZAM_STORAGE=build/studio/objects"
        )
    if path is not None and (why := _unusable(path)):
        raise SettingsError(
            f"SHAZAM_DATABASE={settings.database!r}: {why}. Name a file in a folder that this "
            "process may write, or bring a copy of the database back. Example: "
            "SHAZAM_DATABASE=sqlite:///build/studio/library.sqlite"
        )
    if "://" not in storage:
        _check_folder(storage)


def _is_absent(path: Path) -> bool:
    return not path.exists() or (path.is_file() and not path.stat().st_size)


def _holds_tracks(storage: str) -> bool:
    tracks = Path(storage) / "audio"
    return "://" not in storage and tracks.is_dir() and any(tracks.iterdir())


def _unusable(path: Path) -> str:
    """Why a SQLite file, which is made where there is none, cannot be written; "" where it can."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connected = sqlite3.connect(path, timeout=1, isolation_level=None)
        with contextlib.closing(connected) as connection:
            connection.execute("BEGIN IMMEDIATE")
            # Of what it may only read SQLite tells at the first write, which is taken back.
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("ROLLBACK")
            return _damaged(connection)
    except OSError as error:
        return (
            "" if error.errno in FULL | PASSING else f"its folder cannot be made ({_words(error)})"
        )
    except sqlite3.Error as error:
        # Extended codes have the plain one in their last eight bits.
        return _LASTING.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "")


def _damaged(connection: sqlite3.Connection) -> str:
    """Why what a file holds is not to be trusted; "" where it is, or there is too much of it to
    know in time."""
    ends = time.monotonic() + _LOOKED_THROUGH_S
    connection.set_progress_handler(lambda: time.monotonic() > ends, 100_000)
    try:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_INTERRUPT:
            raise
        return ""
    return "" if found == "ok" else _LASTING[sqlite3.SQLITE_CORRUPT]


def _check_folder(storage: str) -> None:
    try:
        Folder(Path(storage)).begin()
    except OSError as error:
        if error.errno in FULL | PASSING:
            return
        raise SettingsError(
            f"SHAZAM_STORAGE={storage!r} cannot be written ({_words(error)}). Name a folder that "
            "this process may write. Example: SHAZAM_STORAGE=build/studio/objects"
        ) from error


def _words(error: OSError) -> str:
    return error.strerror or type(error).__name__
