"""A folder → its digests, made while what will read it is still being imported.

    hash_folder ─a thread→ digests ─→ digest_of, for whoever checks a file: it waits, or does it

Hashing needs the interpreter for nothing and imports need little else, so on two cores a start has
its digests for nothing. What was hashed counts for a file that looks as it did before, and once.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from engine.base.files import Stamp, file_sha256, stamp_of

_hashed: dict[Path, Future[tuple[Stamp, str]]] = {}
_lock = threading.Lock()


def hash_folder(folder: Path, *, first: str, without: Iterable[str]) -> None:
    """Begin to hash the files of a folder: those below `first` before the others, small ones before
    large ones, and none below `without`. Returns at once; who reads finds what is wrong."""
    folder = folder.resolve()
    pool = ThreadPoolExecutor(1, thread_name_prefix="digests")
    with _lock, suppress(OSError):
        turns = {path: _turn(path, folder / first) for path in _plain_files(folder, set(without))}
        for path in sorted(turns.keys() - _hashed.keys(), key=turns.__getitem__):
            _hashed[path] = pool.submit(_hash, path)
    pool.shutdown(wait=False)


def _plain_files(folder: Path, without: set[str]) -> Iterator[Path]:
    """A link or a pipe is none; `engine.artifact.folder` refuses it by name."""
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in without]
        for name in files:
            path = Path(root, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _turn(path: Path, first: Path) -> tuple[bool, int]:
    return first not in path.parents, path.lstat().st_size


def _hash(path: Path) -> tuple[Stamp, str]:
    seen = stamp_of(path)  # before a byte is read: none changes unseen
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return seen, hashlib.sha256().hexdigest()
        # Read in blocks, each would wait for the thread that imports, twice: 0.2 s of a start. A
        # file that is cut meanwhile ends this process, as it would once OpenVINO has mapped it.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return seen, hashlib.sha256(content).hexdigest()


def digest_of(path: Path) -> str:
    """Hex sha256 of a file's bytes: the one made ahead, where there is one and the file looks as it
    did, and otherwise made now."""
    with _lock:
        ahead = _hashed.pop(path, None)
    if ahead is not None and not ahead.cancel():  # what has not begun is done sooner here
        with suppress(OSError, ValueError):
            seen, digest = ahead.result()
            if seen is not None and seen == stamp_of(path):
                return digest
    return file_sha256(path)
