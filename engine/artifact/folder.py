"""The folder: listed, hashed, checked, staged and renamed, whatever the artifact holds.

A folder is written beside its final place and renamed, so a reader never sees half of one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field

from engine.artifact.ahead import digest_of
from engine.base.errors import (
    ArtifactNotFound,
    BuildError,
    DigestMismatch,
    FileMissing,
    FileUnexpected,
    ManifestInvalid,
)
from engine.base.files import file_sha256
from engine.base.machine import usable_cores
from engine.base.places import MANIFEST
from engine.base.strict import Sha256, Strict


class FileEntry(Strict):
    """What a manifest says of one file; `size` is in bytes."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


# --- a reader's checks, in this order ------------------------------------------------------------


def check_names(names: Iterable[str]) -> None:
    """`ManifestInvalid` for the first name that is not one of a file in this folder."""
    for name in sorted(names):
        parts = PurePosixPath(name)
        if (
            not parts.parts
            or parts.is_absolute()
            or ".." in parts.parts
            or str(parts) != name
            or name == MANIFEST
        ):
            raise ManifestInvalid(f"{MANIFEST} lists {name!r}, which is not a file of this folder.")


def check_files(path: Path, listed: Collection[str], required: Collection[str]) -> None:
    """The folder holds the `listed` files, plain ones, and no others; the `required` are listed.

    Raises `FileUnexpected` or `FileMissing`.
    """
    present = _plain_files(path)
    for name in (*sorted(required), *sorted(listed)):
        if name not in present:
            raise FileMissing(f"{name} is missing from {path.name}. Copy the artifact again.")
    unlisted = sorted(present - {*listed, MANIFEST})
    if unlisted:
        raise FileUnexpected(
            f"{unlisted[0]} is not listed in the manifest. Remove it, or rebuild the artifact."
        )
    for name in sorted(required):
        if name not in listed:
            raise FileUnexpected(f"{name} is there but not listed in the manifest.")


def _plain_files(path: Path) -> set[str]:
    """The names of all files below `path`; `FileUnexpected` for a link, a pipe or a device."""
    present = set()
    for root, folders, files in os.walk(path):
        for entry in (*folders, *files):
            name = Path(root, entry).relative_to(path).as_posix()
            if Path(root, entry).is_symlink():
                raise FileUnexpected(f"{name} is a symbolic link; an artifact holds plain files.")
            if entry in files and not Path(root, entry).is_file():
                # Reading a named pipe would wait for ever.
                raise FileUnexpected(f"{name} is a pipe or a device, not a plain file.")
            if entry in files:
                present.add(name)
    return present


def check_sizes(path: Path, files: Mapping[str, FileEntry]) -> None:
    """`DigestMismatch` for the first file that is longer or shorter than `files` says."""
    for name, entry in sorted(files.items()):
        size = (path / name).stat().st_size
        if size != entry.size:
            raise DigestMismatch(
                f"{name} has {size:,} bytes, the manifest says {entry.size:,}: it was cut or "
                "changed. Copy the artifact again, or rebuild it."
            )


def check_digests(path: Path, files: Mapping[str, FileEntry], names: Collection[str]) -> None:
    """`DigestMismatch` for the first of `names` whose content is not what `files` says."""
    # Hashing lets go of the interpreter lock, so the files share the cores, largest first.
    largest = sorted(names, key=lambda name: -files[name].size)
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = dict(zip(largest, pool.map(lambda n: digest_of(path / n), largest), strict=True))
    for name in sorted(names):
        if found[name] != files[name].sha256:
            raise DigestMismatch(
                f"{name} does not have the sha256 the manifest records: it was damaged or "
                "changed. Copy the artifact again, or rebuild it."
            )


# --- a writer's steps ----------------------------------------------------------------------------


def list_files(folder: Path, linked: Mapping[str, FileEntry] | None = None) -> dict[str, FileEntry]:
    """The entry of every file of a finished folder, in order of name; each is made readable by all.

    `linked` are the entries of files that are those of another artifact, hashed when it was made.
    """
    files = dict(linked or {})
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        relative = path.relative_to(folder).as_posix()
        if relative not in files:
            path.chmod(0o644)
            files[relative] = FileEntry(sha256=file_sha256(path), size=path.stat().st_size)
    return dict(sorted(files.items()))


@contextmanager
def staging(out: Path, *, force: bool = False) -> Iterator[Path]:
    """A folder beside `out` to write into; renamed to `out` when the block ends without an error.

    Raises `BuildError` if `out` exists, unless `force` and it is an artifact: then the old one is
    moved aside first and removed last, so a crash in between loses neither.
    """
    refuse_existing(out, force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    try:
        yield folder
        folder.chmod(0o755)  # mkdtemp's 0700 would lock out a container's own user
        if out.exists():
            aside = folder.with_suffix(".old")
            out.rename(aside)
            try:
                folder.rename(out)
            except BaseException:
                aside.rename(out)
                raise
            shutil.rmtree(aside)
        else:
            folder.rename(out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def refuse_existing(out: Path, *, force: bool = False) -> None:
    """`BuildError` where writing `out` would overwrite something it should not."""
    if out.exists() and not (force and (out / MANIFEST).is_file()):
        raise BuildError(
            f"{out} exists already"
            + (" and is not an artifact, so --force will not replace it" if force else "")
            + ". Choose another --out"
            + ("." if force else ", or add --force to replace an artifact.")
        )


def no_artifact(path: Path) -> ArtifactNotFound:
    """What is said where `path` is no folder with a manifest."""
    if not path.exists():
        reason = "nothing is there"
    else:
        reason = f"it holds no {MANIFEST}" if path.is_dir() else "it is not a folder"
    return ArtifactNotFound(
        f"{path} is not an artifact: {reason}. Make one with `python -m engine build` or `import`, "
        "or use artifacts/starter, of covers, or artifacts/starter-sound."
    )
