"""An artifact ↔ one file: what a bucket, a hub or a web server hands out.

A plain tar. Nothing in an artifact compresses well (int8 weights, WebP, unit vectors: zstd saves a
tenth of the starter), a tar needs no further package, and reading one costs a start no processor
time. The same artifact gives the same bytes anywhere, so its sha256 is a name.

A serving copy leaves out what searching can do without (of covers the encoder's own weights, 605 MB
of a ViT-B/32: the exported runtime beside them is what serves on a CPU). It keeps the artifact's
id, and in its manifest the digests of what is not there, so a reader still knows what it was.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from engine.artifact.folder import refuse_existing, staging
from engine.artifact.opened import Opened
from engine.base.errors import PackInvalid
from engine.base.places import MANIFEST

SUFFIX = ".tar"
# An artifact has some twenty files, and one more for each track whose audio it holds; a tar of a
# hundred million empty ones would fill a disk's tables.
MOST_MEMBERS = 100_000


def pack(
    artifact: Opened[Any],
    out: Path,
    *,
    serving: bool = False,
    without_index: bool = False,
    without: Collection[str] = (),
    force: bool = False,
) -> str | None:
    """Write a verified artifact to `out`: a tar where the name ends in `.tar`, else a folder.
    Returns the tar's sha256, None for a folder. A serving copy `without_index` is for replicas
    that search an engine (`SHAZAM_INDEX`): their disk need not hold its rows. `without` are further
    files to leave out, of those that the kind allows it of.

    Raises `BuildError` where `out` may not be written or a serving copy could not serve.
    """
    manifest = artifact.manifest
    unneeded = manifest.unneeded(without_index=without_index) if serving else frozenset()
    unneeded |= frozenset(without)
    if out.suffix != SUFFIX:
        with staging(out, force=force) as folder, _view(artifact, unneeded) as view:
            shutil.copytree(view, folder, dirs_exist_ok=True, copy_function=shutil.copyfile)
        return None
    if out.is_dir() or not force:
        refuse_existing(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    try:
        with _view(artifact, unneeded) as view:
            _write_tar(view, partial, top=f"{manifest.NAME}-{artifact.id}")
        with partial.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        partial.rename(out)
    finally:
        partial.unlink(missing_ok=True)
    return digest


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of a packed artifact into the new folder `folder`.

    The archive's own digest has been checked. Raises `PackInvalid`, naming the member, for anything
    but plain files and folders below one place; whether they are an artifact is `Opened.read`'s to
    say.
    """
    folder.mkdir(parents=True)
    names: set[str] = set()
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                if len(names) == MOST_MEMBERS:
                    raise PackInvalid(f"It holds more than {MOST_MEMBERS:,} files.")
                path = _safe_path(member)
                if member.isdir():
                    continue
                if path.as_posix() in names:
                    raise PackInvalid(f"It holds {member.name!r} twice.")
                names.add(path.as_posix())
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None, "a plain file has content"
                with target.open("xb") as file:
                    shutil.copyfileobj(content, file, 1 << 20)
                if target.stat().st_size != member.size:
                    raise PackInvalid(f"It ends in the middle of {member.name!r}.")
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's fault: full, read-only
        raise PackInvalid(
            f"It is not a tar that can be read ({error}). Make one with `python -m engine pack`."
        ) from error
    _lift(folder, names)


def _safe_path(member: tarfile.TarInfo) -> PurePosixPath:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or "\0" in member.name:
        raise PackInvalid(f"It holds {member.name!r}, which lies outside of its folder.")
    if not (member.isreg() or member.isdir()) or member.sparse is not None:
        raise PackInvalid(
            f"It holds {member.name!r}, which is a link, a device or the like; an artifact holds "
            "plain files alone."
        )
    if member.isreg() and not path.parts:
        raise PackInvalid("It holds a file without a name.")
    return path


def _lift(folder: Path, names: set[str]) -> None:
    """Where all lies in one folder of the tar, as `pack` writes it, that one is the artifact."""
    if MANIFEST in names:
        return
    tops = {PurePosixPath(name).parts[0] for name in names}
    if len(tops) != 1 or f"{next(iter(tops))}/{MANIFEST}" not in names:
        raise PackInvalid(
            f"It holds no {MANIFEST}, so it is no packed artifact. Make one with "
            "`python -m engine pack ARTIFACT --out FILE.tar`."
        )
    inner = folder.rename(folder.with_name(folder.name + ".outer")) / next(iter(tops))
    inner.rename(folder)
    inner.parent.rmdir()


@contextmanager
def _view(artifact: Opened[Any], unneeded: frozenset[str]) -> Iterator[Path]:
    """The artifact's folder, or one of links that shows it without what is not needed."""
    files, left_out = dict(artifact.manifest.files), dict(artifact.manifest.left_out)
    for name in sorted(unneeded & files.keys()):
        left_out[name] = files.pop(name)
    if left_out == artifact.manifest.left_out:
        yield artifact.path
        return
    manifest = artifact.manifest.model_copy(update={"files": files, "left_out": left_out})
    with TemporaryDirectory(prefix=f"{manifest.NAME}-") as temporary:
        view = Path(temporary)
        for name in files:
            (view / name).parent.mkdir(parents=True, exist_ok=True)
            (view / name).symlink_to(artifact.path / name)
        manifest.write(view)
        yield view


def _write_tar(folder: Path, out: Path, *, top: str) -> None:
    """The files below `folder`, links followed; names sorted, no times and no owners."""
    with tarfile.open(out, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            member = tarfile.TarInfo(f"{top}/{path.relative_to(folder).as_posix()}")
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                tar.addfile(member, file)
