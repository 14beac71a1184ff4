"""A folder, or an object store's URL → the files that covers may be in, and their bytes.

Everything below it is taken, whatever its name begins with, but what systems leave behind; links
are followed. A file is read only where it begins like a picture and is no larger than is bearable.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from PIL import Image

from engine.base.errors import BuildError, ImageTooLarge
from engine.base.progress import Progress
from engine.covers.image import MAX_IMAGE_PIXELS, begins_like_a_picture, decode
from engine.tables.folders import list_folder, litter_in, tell_litter

# The 50 megapixels that are decoded at most are 400 MB, uncompressed, in 16 bits with alpha.
MAX_FILE_BYTES = 512 << 20
_HEAD_BYTES = 4096


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
    listed = list_folder(folder, except_for, progress)
    files = [
        Picture(name, str(path.absolute()), most_bytes, most_pixels) for name, path in listed.files
    ]
    return Found(files, listed.skipped)


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
        known = next((k for part in name.split("/") if (k := litter_in(part))), None)
        if known is not None:
            litter[known] += 1
        elif name:
            found.append(Picture(name, store.unstrip_protocol(key), most_bytes))
    if not found:
        raise BuildError(f"{url} holds no files. Give --covers a folder of pictures.")
    tell_litter(litter, progress)
    return Found(sorted(found, key=lambda file: file.name))
