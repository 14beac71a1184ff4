"""Where things are: the project's own folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engine.base.errors import ArtifactUnavailable

ENGINE = Path(__file__).resolve().parents[1]
PROJECT = ENGINE.parent
STARTER = PROJECT / "artifacts" / "starter"
ROOT = 0  # what root wants to change, root can change anyway


def cache_home() -> Path:
    """Where the cache belongs: `$XDG_CACHE_HOME/shazam-visual`, else `~/.cache/…`. It may be
    missing, or not to be written."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "shazam-visual"


def cache_folder() -> Path:
    """`cache_home`, else one below the temporary folder where the home cannot be written (a
    container's read-only root). Ours alone: what is in it is served.
    """
    candidates = [cache_home(), Path(tempfile.gettempdir()) / f"shazam-visual-{os.getuid()}"]
    for folder in candidates:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if os.access(folder, os.W_OK | os.X_OK) and is_ours(folder):
            return folder
    raise ArtifactUnavailable(
        "There is no folder to keep a fetched artifact in that is writable and ours alone; tried "
        f"{' and '.join(str(folder) for folder in candidates)}. Set XDG_CACHE_HOME to one."
    )


def is_ours(folder: Path) -> bool:
    """Whether nobody but this user, or root, can have put something into a folder: anyone may make
    one in /tmp first and put an artifact into it."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    told = folder.stat()
    return told.st_uid in (ROOT, os.getuid()) and not told.st_mode & 0o022
