"""The artifact of covers: its folder verified, its index, catalogue and golden queries opened.

artifacts/README.md is the specification; every MUST of its reader is a named refusal here or in
`engine.artifact`, which does what is the same for any kind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.artifact.opened import Opened
from engine.base.errors import (
    ArtifactError,
    BuildError,
    CountMismatch,
    EncoderMismatch,
    FileMissing,
)
from engine.covers.catalogue import Catalogue
from engine.covers.encoder.folder import PREPROCESSOR, read_preprocessing
from engine.covers.golden import GoldenQueries
from engine.covers.image import Preprocessing
from engine.covers.manifest import (
    CATALOGUE,
    ENCODER,
    GOLDEN,
    IDENTIFY_TABLES,
    INDEX,
    THUMBNAILS,
    CoverManifest,
    digest_in,
)
from engine.vectors.index import Index
from engine.vectors.rows import FOLDER as ROWS
from engine.vectors.rows import SUFFIX as SEGMENT

# Row segments and identify's tables above this, together, are verified after the start: ten million
# rows of 512 numbers are 5 GB, and no parser sees a byte of them. Below, and for every other file,
# nothing waits.
ROWS_BEFORE_START = 512 << 20


class Artifact(Opened[CoverManifest]):
    """A verified folder of covers. Open one with `Artifact.open`; it holds no file open."""

    @property
    def encoder_folder(self) -> Path:
        return self.path / ENCODER

    @property
    def preprocessing(self) -> Preprocessing:
        entry = self.manifest.encoder.preprocessing
        return Preprocessing(entry.size, entry.mean, entry.std)

    @classmethod
    def watched(cls, manifest: CoverManifest) -> Iterable[str]:
        """All but the thumbnails: without them searches are answered still."""
        return manifest.files.keys() - {THUMBNAILS}

    @classmethod
    def open(cls, path: Path, *, index_later: bool = False) -> Artifact:
        """Check everything that can be checked without opening FAISS or the encoder.

        Raises a subclass of `ArtifactError` that names the MUST that broke and the file. Row
        segments of more than `ROWS_BEFORE_START` together are left to `verify_rest`, and with
        `index_later` the index's digest to `open_index`: a million rows take 0.35 s to hash, and an
        encoder can be loaded meanwhile.
        """
        index = {INDEX} if index_later else set()
        return cls.read(path, CoverManifest, lambda manifest: _large_segments(manifest) | index)

    def open_index(self, *, mapped: bool = True) -> Index:
        """The index; `CountMismatch` if it is not as large or as wide as the manifest says,
        `DigestMismatch` where `open` left that to this. Not `mapped`, it may be changed.
        `FileMissing` in a copy that leaves it to an engine."""
        if INDEX in self.manifest.left_out:
            raise FileMissing(
                f"This copy holds no {INDEX}: its rows are in an engine. Say where with "
                "SHAZAM_INDEX, or serve the full artifact."
            )
        if INDEX in self.unverified:
            self.verify(INDEX)
        return self.manifest.index.open(self.path / INDEX, self.path / ROWS, mapped=mapped)

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

    def check(self) -> None:
        manifest, folder = self.manifest, self.encoder_folder
        if manifest.index.encoder_digest != manifest.encoder.digest:
            raise EncoderMismatch(
                f"The index was built by another encoder ({manifest.index.encoder_digest[:12]}…) "
                f"than the one in this artifact ({manifest.encoder.digest[:12]}…). Rebuild it."
            )
        try:
            preprocessing = read_preprocessing(folder)
        except (BuildError, ValueError, RecursionError) as error:
            raise EncoderMismatch(
                f"{ENCODER}/{PREPROCESSOR} cannot be used ({error}). Rebuild the artifact."
            ) from error
        digest = digest_in({**manifest.files, **manifest.left_out}, preprocessing)
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


def _large_segments(manifest: CoverManifest) -> set[str]:
    """Bare rows that are verified after the start: all, or none where they are small."""
    files = manifest.files
    segments = {n for n in files if n.startswith(f"{ROWS}/") and n.endswith(SEGMENT)}
    segments |= files.keys() & IDENTIFY_TABLES
    small = sum(files[name].size for name in segments) <= ROWS_BEFORE_START
    return set() if small else segments


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
