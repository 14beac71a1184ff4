"""A folder → a verified artifact, of any kind.

Order matters: names, then sizes, then digests, and only then may a parser see a byte.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Generic, Self, TypeVar

from engine.artifact.folder import check_digests, check_files, check_names, check_sizes
from engine.artifact.manifest import Manifest
from engine.artifact.unchanged import Unchanged, readable
from engine.base.errors import ArtifactError, DigestMismatch, ManifestInvalid
from engine.base.places import MANIFEST

M = TypeVar("M", bound=Manifest)


class Opened(Generic[M]):
    """A verified folder; it holds no file open.

    `unverified` names, in order, the files whose digests are still to be checked: with `verify`,
    before anybody parses one of them.
    """

    def __init__(self, path: Path, manifest: M, unverified: tuple[str, ...] = ()) -> None:
        self.path = path
        self.manifest = manifest
        self.unverified = unverified
        self._unchanged = Unchanged(path, manifest.files, self.watched(manifest))
        self._told = Unchanged(path, {}, [MANIFEST])

    @property
    def id(self) -> str:
        return self.manifest.id

    @classmethod
    def watched(cls, manifest: M) -> Iterable[str]:
        """The files that an open artifact is answered from."""
        return manifest.files

    def refuse_changed(self) -> None:
        """Raise an `ArtifactError` where a file looks otherwise than when it was opened; none is
        read."""
        for name in (*self._told.changed(), *self._unchanged.changed()):
            raise ArtifactError(f"{name} was changed while it was open.")

    def check_again(self, also: Collection[str] = ()) -> None:
        """Whether what changed, and `also`, is still what was opened. Raises an `ArtifactError`."""
        told = Unchanged(self.path, {}, [MANIFEST])
        if self._told.changed() and type(self.manifest).read(self.path) != self.manifest:
            raise DigestMismatch(f"{MANIFEST} is another artifact's than the one that was opened.")
        self._told = told
        self._unchanged.check(also)

    @classmethod
    def read(
        cls, path: Path, kind: type[M], later: Callable[[M], Iterable[str]] = lambda _: ()
    ) -> Self:
        """Check everything that can be checked without opening an index or an encoder.

        Raises a subclass of `ArtifactError` that names the MUST that broke and the file. The
        digests of the files that `later` names are left to `verify`.
        """
        path = path.resolve()
        manifest = kind.read(path)
        files = manifest.files
        check_names(files)
        manifest.check_left_out()
        check_files(path, files, manifest.required())
        manifest.check_counts()
        unverified = tuple(sorted(files.keys() & set(later(manifest))))
        opened = cls(path, manifest, unverified)  # before the files are read: none changes unseen
        with readable():
            check_sizes(path, files)
            check_digests(path, files, files.keys() - unverified)
        opened.check()
        if manifest.id != manifest.expected_id():
            raise ManifestInvalid(
                f"{MANIFEST}: the id {manifest.id} is not that of its inputs: the manifest was "
                "edited. Rebuild the artifact."
            )
        return opened

    def check(self) -> None:
        """What files of this kind must be to each other, once their digests are right."""

    def verify(self, name: str) -> None:
        """Check the digest of one of `unverified`. Raises `DigestMismatch`."""
        check_digests(self.path, self.manifest.files, {name})
        self.unverified = tuple(other for other in self.unverified if other != name)

    def verify_rest(self) -> None:
        """Check the digests that are still to be checked. Raises `DigestMismatch`."""
        for name in self.unverified:
            self.verify(name)
