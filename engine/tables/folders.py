"""A folder → the files below it, but what systems leave behind; links are followed, once."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine.base.errors import BuildError
from engine.base.progress import Progress

# Titles begin with dots ("...And Justice for All"), so what is left out has to be known.
_LITTER = frozenset(
    """.DS_Store .localized .apdisk .VolumeIcon.icns .AppleDouble .AppleDB .AppleDesktop
    .Spotlight-V100 .fseventsd .TemporaryItems .Trashes .Trash .DocumentRevisions-V100 __MACOSX
    Thumbs.db ehthumbs.db ehthumbs_vista.db desktop.ini $RECYCLE.BIN
    @eaDir @SynoResource #recycle #snapshot .directory .thumbnails .nomedia .picasa.ini Picasa.ini
    .picasaoriginals .git .gitignore .gitattributes .gitkeep .keep .svn .hg .ipynb_checkpoints
    .stfolder .stversions .stignore .dropbox .dropbox.cache""".casefold().split()
) | {"system volume information", "icon\r"}
# Words that a title may have too, in other letters.
_LITTER_AS_WRITTEN = frozenset({"lost+found", "RECYCLER"})
_LITTER_PATTERNS = {
    "._*": r"\._.*",
    ".Trash-*": r"\.Trash-\d+",
    ".nfs*": r"\.nfs[0-9a-f]{16,}",
    ".fuse_hidden*": r"\.fuse_hidden[0-9a-f]+",
    ".~lock.*": r"\.~lock\..*#",
    ".syncthing.*": r"\.syncthing\..*\.tmp",
    "*@SynoEAStream": r".*@Syno(EAStream|Resource)",
    # Our own: an artifact on its way, in the folder that what it is made of is in.
    ".*.partial": r"\..+\.[a-z0-9_]{8}\.(partial|old)",
    ".*.work.sqlite": r"\..+\.work\.sqlite(-wal|-shm)?",
}


@dataclass(frozen=True)
class Listed:
    """The files below a folder, by name below it and in order of that, and what was passed over for
    a reason of its own."""

    files: list[tuple[str, Path]]
    skipped: tuple[tuple[str, str], ...]


def list_folder(
    folder: Path, except_for: Iterable[Path | None] = (), progress: Progress | None = None
) -> Listed:
    """The files below `folder` without `except_for` and what systems leave behind, which is counted
    and told. Raises `BuildError` where the folder cannot be read."""
    progress = progress or Progress()
    walk = _Walk(folder, {path.resolve() for path in except_for if path})
    tell_litter(walk.litter, progress)
    for name, reason in walk.skipped:
        progress.remark(f"skipped {name}: {reason}")
    if walk.again:
        progress.remark(
            f"{len(walk.again)} linked folders lead to folders that are there already and are not "
            f"taken twice; the first is {min(walk.again)}"
        )
    return Listed(sorted(walk.files), tuple(sorted(walk.skipped)))


class _Walk:
    """A folder and what is below it, linked folders after their own; each folder once, so loops of
    links end."""

    def __init__(self, root: Path, except_for: set[Path]) -> None:
        self.files: list[tuple[str, Path]] = []
        self.skipped: list[tuple[str, str]] = []
        self.litter: Counter[str] = Counter()
        self.again: list[str] = []
        self._except_for = except_for
        self._around = set(root.resolve().parents)
        self._seen: set[tuple[int, int]] = set()
        self._linked = deque([("", root)])
        while self._linked:
            below = [self._linked.popleft()]
            while below:
                below += self._enter(*below.pop())

    def _enter(self, name: str, path: Path) -> list[tuple[str, Path]]:
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in self._seen:
                self.again.append(name)
                return []
            self._seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not name:
                raise BuildError(f"{path} cannot be read: {error.strerror}.") from error
            self.skipped.append((f"{name}/", error.strerror or str(error)))
            return []
        prefix = f"{name}/" if name else ""
        below = [self._look(prefix + entry.name, entry) for entry in ordered]
        return [folder for folder in below if folder is not None]

    def _look(self, name: str, entry: os.DirEntry[str]) -> tuple[str, Path] | None:
        """Sort one entry in; returns it where it is a folder to enter now."""
        path = Path(entry.path)
        litter = litter_in(entry.name)
        if litter is not None:
            self.litter[litter] += 1
            return None
        try:
            folder, file = entry.is_dir(), entry.is_file()
        except OSError:  # a link that leads to itself
            folder = file = False
        if (folder or file) and self._except_for and path.resolve() in self._except_for:
            return None
        if folder and not entry.is_symlink():
            return name, path
        if folder and path.resolve() in self._around:
            self.skipped.append((name, "a link to a folder that this one lies in"))
        elif folder:
            self._linked.append((name, path))
        elif file:
            self.files.append((name, path))
        elif entry.is_symlink():
            self.skipped.append((name, f"a broken link, to {os.readlink(path)}"))
        else:
            self.skipped.append((name, "neither a file nor a folder"))
        return None


def litter_in(name: str) -> str | None:
    """By what name something is known that systems leave behind; None for all else."""
    if name in _LITTER_AS_WRITTEN or name.casefold() in _LITTER:
        return name.strip()
    return next((k for k, regex in _LITTER_PATTERNS.items() if re.fullmatch(regex, name)), None)


def tell_litter(litter: Counter[str], progress: Progress) -> None:
    if litter:
        each = ", ".join(f"{count} {name}" for name, count in sorted(litter.items()))
        progress.remark(f"left out {litter.total()} that systems leave behind: {each}")
