"""Files: what they hash to, and sharing one instead of copying it."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

# Of a file: its place, its size, when it was written last. None where nothing can be told.
Stamp = tuple[int, int, int] | None


def stamp_of(path: Path) -> Stamp:
    """What a file system says of a file, by which a change of it shows; nothing is read."""
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_ino, told.st_size, told.st_mtime_ns


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def link(source: str | Path, target: str | Path) -> None:
    """A second name for a file that nobody changes; a copy where the file system has no such."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
