"""Objects as files under one folder.

FOLDER/audio/<sha256>/audio.wav      an object, whole since the moment it has this name
FOLDER/.incoming/<random>            one that is being written, or that a killed process left
"""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from engine.library.stores.store import BLOCK_BYTES, Stored, Trouble

INCOMING = ".incoming"
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# What a disk over a network says while its server is away.
PASSING = {
    *(errno.EIO, errno.ESTALE, errno.EBUSY, errno.EAGAIN, errno.EINTR, errno.EREMOTEIO),
    *(errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENOLINK),
}
_GONE = {errno.ENOENT, errno.ENOTDIR}
# Another process may remove an empty folder between our making it and our naming a file in it.
RENAMES = 20


class Folder:
    """Its own folder `.incoming` tells it from an empty one in its place: made by `begin`, and not
    again. A disk that was unmounted, or a folder that somebody removed, must not be followed by one
    that holds nothing of what rows name."""

    def __init__(self, root: Path) -> None:
        self._root, self._begun = root.absolute(), False

    def begin(self) -> None:
        """Make what is not there yet, and see whether it can be written. Raises OSError."""
        _make(self._root / INCOMING)
        self.check()
        self._begun = True

    @property
    def name(self) -> str:
        return str(self._root)

    def write(self, key: str, source: Path | bytes, media_type: str) -> None:
        incoming = self._incoming()
        try:
            with incoming.open("xb") as file:
                if isinstance(source, bytes):
                    file.write(source)
                else:
                    with source.open("rb") as read:
                        shutil.copyfileobj(read, file, BLOCK_BYTES)
                file.flush()
                os.fsync(file.fileno())
            self._rename(incoming, self._root / key)
        except BaseException:
            incoming.unlink(missing_ok=True)
            raise

    def read(self, key: str, start: int, end: int) -> bytes:
        with (self._root / key).open("rb") as file:
            file.seek(start)
            return file.read(max(end - start, 0))

    def size(self, key: str) -> int:
        path = self._root / key
        if not path.is_file():
            raise FileNotFoundError(errno.ENOENT, "no such object", key)
        return path.stat().st_size

    def delete(self, key: str) -> None:
        self._refuse_gone()
        path = self._root / key
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._root:
                break
            try:
                folder.rmdir()
            except OSError:
                break  # something else lies in it, or it is gone

    def list(self, prefix: str) -> Iterator[Stored]:
        self._refuse_gone()
        for at, folders, files in os.walk(self._root / prefix if prefix else self._root):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                path = Path(at, name)
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # deleted meanwhile
                key = path.relative_to(self._root).as_posix()
                yield Stored(key, status.st_size, status.st_mtime)

    def path(self, key: str) -> Path | None:
        return self._root / key

    def link(self, key: str, expires_s: int, filename: str, media_type: str) -> str | None:
        """None: no server of its own hands a folder out."""
        return None

    def check(self) -> None:
        incoming = self._incoming()
        try:
            incoming.write_bytes(b"written to see whether it can be")
        finally:
            incoming.unlink(missing_ok=True)

    def tidy(self, older_s: float) -> int:
        removed = 0
        for path in (self._root / INCOMING).glob("*"):
            try:
                if path.stat().st_mtime <= time.time() - older_s:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # its writer is done, or another has tidied
        return removed

    def judge(self, error: Exception) -> Trouble:
        number = error.errno if isinstance(error, OSError) else None
        if self._begun and number in _GONE and not (self._root / INCOMING).is_dir():
            return Trouble.GONE
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
            return Trouble.ABSENT
        if number in FULL:
            return Trouble.FULL
        return Trouble.PASSING if number in PASSING else Trouble.LASTING

    def _incoming(self) -> Path:
        self._refuse_gone()
        return self._root / INCOMING / uuid.uuid4().hex

    def _refuse_gone(self) -> None:
        os.stat(self._root / INCOMING)

    def _rename(self, incoming: Path, target: Path) -> None:
        for attempt in range(RENAMES):
            self._refuse_gone()
            try:
                _make(target.parent)
                incoming.replace(target)
                _sync(target.parent)
                return
            except (FileNotFoundError, FileExistsError):
                # mkdir tells of a folder that went between its two looks as of one that exists.
                if attempt == RENAMES - 1:
                    raise


def _make(folder: Path) -> None:
    """`folder` and those above it, each on disk before anything is in it: a name that a power cut
    takes away would take the objects below it along."""
    if folder.is_dir():
        return
    if folder.parent != folder:
        _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return  # another has removed it, with whatever was in it
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
