"""A folder, or an object store's URL → the files that covers may be in, and their bytes.

Everything below it is taken, whatever its name begins with, but what systems leave behind; links
are followed. A file is read only where it begins like a picture and is no larger than is bearable.
"""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from PIL import Image

from engine.base.errors import BuildError, ImageTooLarge
from engine.base.progress import Progress
from engine.covers.image import MAX_IMAGE_PIXELS, begins_like_a_picture, decode

# The 50 megapixels that are decoded at most are 400 MB, uncompressed, in 16 bits with alpha.
MAX_FILE_BYTES = 512 << 20
_HEAD_BYTES = 4096

# Album titles begin with dots ("...And Justice for All"), so what is left out has to be known.
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
    # Our own: an artifact on its way, in the folder that its covers are in.
    ".*.partial": r"\..+\.[a-z0-9_]{8}\.(partial|old)",
    ".*.work.sqlite": r"\..+\.work\.sqlite(-wal|-shm)?",
}


@dataclass(frozen=True)
class Picture:
    """A cover's file: its name below the folder, and where its bytes are: a path, or the URL of an
    object store (`s3://…`) that fsspec reads. At most `most_bytes` are read, and pictures of at
    most `most_pixels` decoded."""

    name: str
    where: str
    most_bytes: int = MAX_FILE_BYTES
    most_pixels: int = MAX_IMAGE_PIXELS

    def image(self) -> Image.Image:
        """Upright, RGB. Raises what `read_bytes` and `decode` raise."""
        return self.decoded(self.read_bytes())

    def decoded(self, data: bytes) -> Image.Image:
        """The file's bytes, read before → the picture, as `image`."""
        try:
            return decode(data, name=self.name, max_pixels=self.most_pixels)
        except ImageTooLarge as error:
            raise ImageTooLarge(f"{error.message} Or set SHAZAM_MAX_IMAGE_PIXELS higher.") from None

    def read_bytes(self) -> bytes:
        """Raises `UnreadableImage`, `InvalidRequest` (empty), `ImageTooLarge`, `OSError`."""
        with self._open() as file:
            head = file.read(_HEAD_BYTES)
            if not begins_like_a_picture(head):
                decode(head, name=self.name)  # says what it looks like instead
            size = self.size_of(file)
            if size is not None and size > self.most_bytes:
                raise self._too_large(f"{size:,} bytes")
            data = head + file.read(max(0, self.most_bytes + 1 - len(head)))
            if len(data) > self.most_bytes:
                raise self._too_large("more bytes")
            return data

    def size(self) -> int | None:
        """In bytes; None where only reading it would tell."""
        return None if "://" in self.where else os.stat(self.where).st_size

    def size_of(self, file: Any) -> int | None:
        if "://" not in self.where:
            return os.fstat(file.fileno()).st_size
        return getattr(file, "size", None)

    def _open(self) -> AbstractContextManager[IO[bytes]]:
        if "://" not in self.where:
            return Path(self.where).open("rb")
        import fsspec

        opened: AbstractContextManager[IO[bytes]] = fsspec.open(self.where, "rb")
        return opened

    def _too_large(self, size: str) -> ImageTooLarge:
        return ImageTooLarge(
            f"{self.name} has {size}; at most {self.most_bytes:,} of a file are read "
            "(--max-file-bytes)."
        )


@dataclass(frozen=True)
class Found:
    """The files, in order of name, and what was passed over for a reason of its own."""

    files: list[Picture]
    skipped: tuple[tuple[str, str], ...] = ()


def cover_files(
    covers: Path | str,
    except_for: Iterable[Path | None] = (),
    progress: Progress | None = None,
    *,
    most_bytes: int = MAX_FILE_BYTES,
    most_pixels: int = MAX_IMAGE_PIXELS,
) -> Found:
    """The files below a folder or an object store's URL without `except_for` and what systems leave
    behind, which is counted and told. Raises `BuildError` where there is no such place."""
    progress = progress or Progress()
    if "://" in str(covers):
        found = _objects(str(covers), progress, most_bytes)
        return replace(
            found, files=[replace(file, most_pixels=most_pixels) for file in found.files]
        )
    folder = Path(covers)
    if not folder.is_dir():
        raise BuildError(f"{covers} is not a folder. Give --covers a folder of pictures.")
    walk = _Walk(folder, {path.resolve() for path in except_for if path})
    _tell_litter(walk.litter, progress)
    for name, reason in walk.skipped:
        progress.remark(f"skipped {name}: {reason}")
    if walk.again:
        progress.remark(
            f"{len(walk.again)} linked folders lead to folders that are there already and are not "
            f"taken twice; the first is {min(walk.again)}"
        )
    files = [
        Picture(name, str(path.absolute()), most_bytes, most_pixels) for name, path in walk.files
    ]
    return Found(sorted(files, key=lambda file: file.name), tuple(sorted(walk.skipped)))


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
        litter = _litter(entry.name)
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


def _litter(name: str) -> str | None:
    """By what name something is known that systems leave behind; None for all else."""
    if name in _LITTER_AS_WRITTEN or name.casefold() in _LITTER:
        return name.strip()
    return next((k for k, regex in _LITTER_PATTERNS.items() if re.fullmatch(regex, name)), None)


def _tell_litter(litter: Counter[str], progress: Progress) -> None:
    if litter:
        each = ", ".join(f"{count} {name}" for name, count in sorted(litter.items()))
        progress.remark(f"left out {litter.total()} that systems leave behind: {each}")


def _objects(url: str, progress: Progress, most_bytes: int) -> Found:
    import fsspec

    try:
        store, root = fsspec.core.url_to_fs(url)
        keys = store.find(root)
    except Exception as error:  # every store has errors of its own
        raise BuildError(f"{url} cannot be listed ({type(error).__name__}: {error}).") from error
    found, litter = [], Counter[str]()
    for key in keys:
        name = key[len(root) :].lstrip("/")
        known = next((k for part in name.split("/") if (k := _litter(part))), None)
        if known is not None:
            litter[known] += 1
        elif name:
            found.append(Picture(name, store.unstrip_protocol(key), most_bytes))
    if not found:
        raise BuildError(f"{url} holds no files. Give --covers a folder of pictures.")
    _tell_litter(litter, progress)
    return Found(sorted(found, key=lambda file: file.name))
