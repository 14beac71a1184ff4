"""Where things are: the project's own folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engine.base.errors import ArtifactUnavailable

ENGINE = Path(__file__).resolve().parents[1]
PROJECT = ENGINE.parent
STARTER = PROJECT / "artifacts" / "starter"


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/shazam-visual`, else `~/.cache/…`, else one below the temporary folder where
    the home cannot be written (a container's read-only root). Ours alone: what is in it is served.
    """
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    candidates = [
        Path(home) / "shazam-visual",
        Path(tempfile.gettempdir()) / f"shazam-visual-{os.getuid()}",
    ]
    for folder in candidates:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        # Anyone may make a folder in /tmp first and put an artifact into it.
        if (
            os.access(folder, os.W_OK | os.X_OK)
            and not folder.is_symlink()
            and folder.stat().st_uid == os.getuid()
            and not folder.stat().st_mode & 0o022
        ):
            return folder
    raise ArtifactUnavailable(
        "There is no folder to keep a fetched artifact in that is writable and ours alone; tried "
        f"{' and '.join(str(folder) for folder in candidates)}. Set XDG_CACHE_HOME to one."
    )
