"""Where things are: the project's own folder, or what the installed package has of it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from engine.base.errors import ArtifactUnavailable, SettingsError

ENGINE = Path(__file__).resolve().parents[1]
# A wheel has what lies beside engine/ (service.py, the page, the starter) in it: pyproject.toml.
_PACKED = ENGINE / "_data"
INSTALLED = _PACKED.is_dir()
PROJECT = _PACKED if INSTALLED else ENGINE.parent
STARTER = PROJECT / "artifacts" / "starter"
# The one file that makes a folder an artifact. Here, where a launcher can ask for it: what reads
# the file loads pydantic, which is 0.15 s of a start and 11 MB.
MANIFEST = "manifest.json"
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
    candidates = [cache_home(), _temporary()]
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


def ensure_bentoml_home(*, elsewhere: bool = False) -> None:
    """BentoML makes folders in its home when it is imported, and traces where it cannot.

    Where none is set and the user's cannot be written, `elsewhere` sets one below the temporary
    folder: enough to serve, not to keep what is published. Raises `SettingsError`.
    """
    named = os.environ.get("BENTOML_HOME")
    home = Path(os.path.expandvars(named or "~/bentoml")).expanduser()
    problem = _make_bentoml_home(home)
    if problem and elsewhere and not named:
        home = _temporary() / "bentoml"
        problem = _make_private(home.parent) or _make_bentoml_home(home)
    if problem:
        raise SettingsError(
            f"BentoML cannot keep its folders in {home} ({problem}). Set BENTOML_HOME to a folder "
            "that can be written."
        )
    os.environ["BENTOML_HOME"] = str(home)


def _make_bentoml_home(home: Path) -> str | None:
    """Makes what BentoML wants to be there; what hinders it, if anything."""
    try:
        for name in ("bentos", "models", "envs", "tmp"):
            (home / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror
    return None


def _make_private(folder: Path) -> str | None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return error.strerror
    return None if is_ours(folder) else "it is another user's"


def _temporary() -> Path:
    return Path(tempfile.gettempdir()) / f"shazam-visual-{os.getuid()}"


def is_ours(folder: Path) -> bool:
    """Whether nobody but this user, or root, can have put something into a folder: anyone may make
    one in /tmp first and put an artifact into it."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    told = folder.stat()
    return told.st_uid in (ROOT, os.getuid()) and not told.st_mode & 0o022
