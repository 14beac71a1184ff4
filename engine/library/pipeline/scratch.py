"""A folder for what a worker has in hand on its machine, which goes with it."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX, _LOCK = "shazam-work-", "held"
_YOUNG_S = 60.0


class Scratch:
    """`folder` is this process's alone; those of workers that were killed are removed first.

    The system drops a lock with the process that holds it, whatever its number was.
    """

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or Path(tempfile.gettempdir())
        remove_abandoned(parent)
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock = (self.folder / _LOCK).open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.close()


def remove_abandoned(parent: Path | None = None) -> None:
    """What workers of this machine that were killed had in hand."""
    for folder in (parent or Path(tempfile.gettempdir())).glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < _YOUNG_S:
                continue  # somebody is about to lock it
            with (folder / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # held, gone, or another user's
