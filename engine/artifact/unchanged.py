"""A folder that is open → whether it still holds what was opened.

Files are told apart by what a file system says of them, which costs nothing; those that look
otherwise are hashed, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from engine.artifact.folder import FileEntry, check_digests
from engine.base.errors import ArtifactError, FileMissing
from engine.base.files import stamp_of


class Unchanged:
    """The files `names` of a folder, as they are now; `files` is what its manifest says of them."""

    def __init__(self, path: Path, files: Mapping[str, FileEntry], names: Iterable[str]) -> None:
        self._path, self._files = path, files
        self._seen = {name: stamp_of(path / name) for name in sorted(names)}

    def changed(self) -> list[str]:
        """Those that look otherwise than they did."""
        return [name for name, seen in self._seen.items() if stamp_of(self._path / name) != seen]

    def check(self, also: Collection[str] = ()) -> None:
        """Hash those that changed, and `also`. Raises an `ArtifactError` where one is not what the
        manifest says, or has taken the place of that which is open."""
        names = {*self.changed(), *(name for name in also if name in self._seen)}
        stamps = {name: stamp_of(self._path / name) for name in names}
        for name, stamp in sorted(stamps.items()):
            if stamp is None:
                raise FileMissing(
                    f"{name} is missing from {self._path.name}. Copy the artifact again."
                )
        with readable():
            check_digests(self._path, self._files, names)
        for name, stamp in stamps.items():
            if stamp and stamp[0] != (self._seen[name] or stamp)[0]:
                raise ArtifactError(
                    f"{name} was replaced since it was opened; it is being opened anew. Try again "
                    "shortly."
                )
        self._seen.update(stamps)


@contextmanager
def readable() -> Iterator[None]:
    """What a file system refuses → an `ArtifactError` that names the file."""
    try:
        yield
    except OSError as error:
        name = Path(str(error.filename)).name if error.filename else "A file of the artifact"
        raise ArtifactError(
            f"{name} cannot be read ({error.strerror or type(error).__name__}). Let this service "
            "read it."
        ) from error
