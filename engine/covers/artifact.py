"""The artifact: a folder that is complete in itself. One writer, one verifying reader.

artifacts/README.md is the specification; every MUST of its reader is a named refusal here. A folder
is written beside its final place and renamed, so a reader never sees half of one.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path, PurePosixPath

import numpy as np

from engine.artifact.folder import MANIFEST, check_digests
from engine.base.errors import (
    ArtifactError,
    BuildError,
    CountMismatch,
    DigestMismatch,
    EncoderMismatch,
    FileMissing,
    FileUnexpected,
    ManifestInvalid,
)
from engine.covers.catalogue import Catalogue
from engine.covers.encoder.folder import (
    PREPROCESSOR,
    TOKENIZER,
    digest_of_encoder,
    read_preprocessing,
)
from engine.covers.golden import GoldenQueries
from engine.covers.image import Preprocessing
from engine.covers.manifest import (
    CATALOGUE,
    ENCODER,
    EXPORTED,
    GOLDEN,
    INDEX,
    LEFT_OUT,
    REQUIRED,
    THUMBNAILS,
    Manifest,
    artifact_id,
    read_manifest,
)
from engine.vectors.index import Index
from engine.vectors.rows import FOLDER as ROWS
from engine.vectors.rows import SUFFIX as SEGMENT
from engine.vectors.rows import Rows
from engine.vectors.tuning import Point, Tuning

# Row segments above this, together, are verified after the start: ten million rows of 512 numbers
# are 5 GB, and no parser sees a byte of them. Below, and for every other file, nothing waits.
ROWS_BEFORE_START = 512 << 20


class Artifact:
    """A verified folder. Open one with `Artifact.open`; it holds no file open.

    `unverified` names the row segments whose digests are still to be checked by `verify_rows`,
    `index_later` that the index's is still to be checked by `open_index`.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        unverified: tuple[str, ...] = (),
        *,
        index_later: bool = False,
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.unverified = unverified
        self._index_later = index_later

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def encoder_folder(self) -> Path:
        return self.path / ENCODER

    @property
    def preprocessing(self) -> Preprocessing:
        entry = self.manifest.encoder.preprocessing
        return Preprocessing(entry.size, entry.mean, entry.std)

    @classmethod
    def open(cls, path: Path, *, index_later: bool = False) -> Artifact:
        """Check everything that can be checked without opening FAISS or the encoder.

        Order matters: names, then sizes, then digests, and only then may a parser see a byte.
        Raises a subclass of `ArtifactError` that names the MUST that broke and the file. Row
        segments of more than `ROWS_BEFORE_START` together are left to `verify_rows`, and with
        `index_later` the index's digest to `open_index`: a million rows take 0.35 s to hash, and an
        encoder can be loaded meanwhile.
        """
        path = path.resolve()
        manifest = read_manifest(path)
        _check_names(path, manifest)
        for name, entry in sorted(manifest.files.items()):
            size = (path / name).stat().st_size
            if size != entry.size:
                raise DigestMismatch(
                    f"{name} has {size:,} bytes, the manifest says {entry.size:,}: it was cut or "
                    "changed. Copy the artifact again, or rebuild it."
                )
        segments = tuple(sorted(name for name in manifest.files if _is_segment(name)))
        if sum(manifest.files[name].size for name in segments) <= ROWS_BEFORE_START:
            segments = ()
        index_later = index_later and INDEX in manifest.files
        later = {*segments, INDEX} if index_later else set(segments)
        check_digests(path, manifest.files, set(manifest.files) - later)
        artifact = cls(path, manifest, segments, index_later=index_later)
        artifact._check_encoder()
        encoder = manifest.encoder
        if manifest.id != artifact_id(
            encoder.digest,
            manifest.index.kind,
            encoder.precision,
            manifest.inputs,
            manifest.index.tuning.target if manifest.index.tuning else None,
        ):
            raise ManifestInvalid(
                f"{MANIFEST}: the id {manifest.id} is not that of its inputs: the manifest was "
                "edited. Rebuild the artifact."
            )
        return artifact

    def verify_rows(self) -> None:
        """Check the digests that `open` left. Raises `DigestMismatch`."""
        for name in self.unverified:
            self.verify_segment(name)

    def verify_segment(self, name: str) -> None:
        """Check one of `unverified`: half a gigabyte to read. Raises `DigestMismatch`."""
        check_digests(self.path, self.manifest.files, {name})

    def open_index(self, *, mapped: bool = True) -> Index:
        """The index; `CountMismatch` if it is not as large or as wide as the manifest says,
        `DigestMismatch` where `open` left that to this. Not `mapped`, it may be changed.
        `FileMissing` in a copy that leaves it to an engine."""
        entry = self.manifest.index
        if INDEX in self.manifest.left_out:
            raise FileMissing(
                f"This copy holds no {INDEX}: its rows are in an engine. Say where with "
                "SHAZAM_INDEX, or serve the full artifact."
            )
        if self._index_later:
            check_digests(self.path, self.manifest.files, {INDEX})
            self._index_later = False
        tuning = rows = None
        if entry.tuning is not None:
            told = entry.tuning.model_dump(exclude={"curve"})
            curve = tuple(Point(**point.model_dump()) for point in entry.tuning.curve)
            tuning = Tuning(**told, curve=curve)
        if tuning is not None and tuning.reach:
            rows = Rows(self.path / ROWS, entry.dimension)
        index = Index.read(self.path / INDEX, entry.kind, rows=rows, tuning=tuning, mapped=mapped)
        if (len(index), index.dimension) != (entry.rows, entry.dimension):
            raise CountMismatch(
                f"{INDEX} holds {len(index):,} rows of {index.dimension} dimensions, the manifest "
                f"says {entry.rows:,} of {entry.dimension}. Rebuild the artifact."
            )
        return index

    def open_catalogue(self) -> Catalogue:
        thumbnails = self.path / THUMBNAILS
        catalogue = Catalogue(self.path / CATALOGUE, thumbnails if thumbnails.is_file() else None)
        if len(catalogue) != self.manifest.catalogue.albums:
            raise CountMismatch(
                f"{CATALOGUE} holds {len(catalogue):,} albums, the manifest says "
                f"{self.manifest.catalogue.albums:,}. Rebuild the artifact."
            )
        return catalogue

    def golden(self) -> GoldenQueries:
        return GoldenQueries.read(self.path / GOLDEN)

    def _check_encoder(self) -> None:
        manifest, folder = self.manifest, self.encoder_folder
        if manifest.index.encoder_digest != manifest.encoder.digest:
            raise EncoderMismatch(
                f"The index was built by another encoder ({manifest.index.encoder_digest[:12]}…) "
                f"than the one in this artifact ({manifest.encoder.digest[:12]}…). Rebuild it."
            )
        files = manifest.files
        try:
            preprocessing = read_preprocessing(folder)
        except (BuildError, ValueError, RecursionError) as error:
            raise EncoderMismatch(
                f"{ENCODER}/{PREPROCESSOR} cannot be used ({error}). Rebuild the artifact."
            ) from error
        digest = digest_of_encoder(
            {**files, **manifest.left_out}[LEFT_OUT].sha256,
            files[f"{ENCODER}/{TOKENIZER}"].sha256,
            preprocessing,
        )
        if digest != manifest.encoder.digest or preprocessing != self.preprocessing:
            raise EncoderMismatch(
                "The encoder's files are not the encoder the manifest names: weights, tokenizer "
                "or preprocessing were exchanged. Rebuild the artifact."
            )
        if manifest.index.dimension != manifest.encoder.dimension:
            raise EncoderMismatch(
                f"The index has {manifest.index.dimension} dimensions, the encoder "
                f"{manifest.encoder.dimension}. Rebuild the artifact."
            )
        if manifest.index.rows != manifest.catalogue.albums:
            raise CountMismatch(
                f"The index has {manifest.index.rows:,} rows, the catalogue "
                f"{manifest.catalogue.albums:,} albums. Rebuild the artifact."
            )


def _is_segment(name: str) -> bool:
    return name.startswith(f"{ROWS}/") and name.endswith(SEGMENT)


def check_ids(index: Index, catalogue: Catalogue) -> None:
    """Every row of the index is an album of the catalogue, and the other way round."""
    in_index = index.ids()
    try:
        same = catalogue.holds_exactly(in_index)
        in_catalogue = in_index if same else catalogue.ids()
    except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{CATALOGUE} cannot be read ({error}).") from error
    if not same:
        stray = np.setxor1d(in_index, in_catalogue)
        raise CountMismatch(
            f"Index and catalogue do not hold the same albums (album {int(stray[0])} is in one "
            "of them alone). Rebuild the artifact."
            if len(stray)
            else "The index holds an album twice. Rebuild the artifact."
        )
    if not index.has_rows_of(in_index):
        raise CountMismatch(
            f"{ROWS}/ does not hold the rows of the albums in the catalogue. Rebuild the artifact."
        )


def _check_names(path: Path, manifest: Manifest) -> None:
    listed = set(manifest.files)
    for name in sorted(listed):
        parts = PurePosixPath(name)
        if (
            not parts.parts
            or parts.is_absolute()
            or ".." in parts.parts
            or str(parts) != name
            or name == MANIFEST
        ):
            raise ManifestInvalid(f"{MANIFEST} lists {name!r}, which is not a file of this folder.")
    required = set(REQUIRED)
    if manifest.serving_copy:
        gone = set(manifest.left_out)
        beside = {name for name in gone | listed if name.startswith(f"{ROWS}/")}
        if gone & listed or gone not in ({LEFT_OUT}, {LEFT_OUT, INDEX, *beside}):
            raise ManifestInvalid(
                f"{MANIFEST} leaves out {sorted(gone)[0]!r}; a serving copy may leave out "
                f"{LEFT_OUT}, and all of its index with it, and not list them too."
            )
        if "openvino-cpu" not in manifest.encoder.runtimes:
            raise ManifestInvalid(
                f"{MANIFEST} leaves out {LEFT_OUT} and names no exported runtime: nothing in this "
                "folder could embed. Copy the full artifact."
            )
        required = required - gone | set(EXPORTED)
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
    for name in (*sorted(required), *sorted(listed)):
        if name not in present:
            raise FileMissing(f"{name} is missing from {path.name}. Copy the artifact again.")
    unlisted = sorted(present - listed - {MANIFEST})
    if unlisted:
        raise FileUnexpected(
            f"{unlisted[0]} is not listed in the manifest. Remove it, or rebuild the artifact."
        )
    for name in sorted(required):
        if name not in listed:
            raise FileUnexpected(f"{name} is there but not listed in the manifest.")
    if (manifest.catalogue.thumbnails > 0) != (THUMBNAILS in listed):
        raise CountMismatch(f"The manifest counts thumbnails and lists {THUMBNAILS} differently.")
