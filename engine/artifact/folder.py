"""The folder: listed, hashed, staged and renamed, whatever the artifact holds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from engine.base.errors import BuildError, DigestMismatch
from engine.base.files import file_sha256
from engine.base.machine import usable_cores

MANIFEST = "manifest.json"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(Strict):
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


def check_digests(path: Path, files: Mapping[str, FileEntry], names: set[str]) -> None:
    """`DigestMismatch` for the first of `names` whose content is not what `files` says."""
    # Hashing lets go of the interpreter lock, so the files share the cores, largest first.
    largest = sorted(names, key=lambda name: -files[name].size)
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = dict(zip(largest, pool.map(lambda n: file_sha256(path / n), largest), strict=True))
    for name in sorted(names):
        if found[name] != files[name].sha256:
            raise DigestMismatch(
                f"{name} does not have the sha256 the manifest records: it was damaged or "
                "changed. Copy the artifact again, or rebuild it."
            )


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
