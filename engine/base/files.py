"""Files: what they hash to, and sharing one instead of copying it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass
import os


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
