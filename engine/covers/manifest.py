"""`manifest.json` of a cover artifact: what it says, how it is written and read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from engine.artifact.folder import FileEntry, list_files
from engine.artifact.kinds import COVER
from engine.artifact.manifest import Manifest
from engine.base.errors import BuildError, CountMismatch, ManifestInvalid
from engine.base.places import MANIFEST
from engine.base.strict import Sha256, Strict
from engine.covers.encoder.encoder import Precision, WantedPrecision
from engine.covers.encoder.folder import (
    PREPROCESSOR,
    TOKENIZER,
    WEIGHTS,
    digest_of_encoder,
    read_preprocessing,
)
from engine.covers.image import Preprocessing
from engine.vectors.entry import IndexEntry
from engine.vectors.index import Index
from engine.vectors.rows import FOLDER as ROWS

INDEX = "index.faiss"
CATALOGUE = "catalogue.sqlite"
THUMBNAILS = "thumbnails.sqlite"
GOLDEN = "golden.npz"
ENCODER = "encoder"
# Bare rows of numbers that identify reads; `engine.covers.identify.mapped` says of what.
IDENTIFY_TABLES = frozenset({"identify/codes.i8", "identify/own.u8"})
REQUIRED = (
    INDEX,
    CATALOGUE,
    GOLDEN,
    f"{ENCODER}/config.json",
    f"{ENCODER}/{WEIGHTS}",
    f"{ENCODER}/{TOKENIZER}",
    f"{ENCODER}/{PREPROCESSOR}",
)
# What torch needs and an exported runtime does not: a serving copy may leave it out.
LEFT_OUT = f"{ENCODER}/{WEIGHTS}"
EXPORTED = tuple(
    f"{ENCODER}/openvino/{tower}.{kind}" for tower in ("vision", "text") for kind in ("xml", "bin")
)


class PreprocessingEntry(Strict):
    size: Annotated[int, Field(gt=0, le=4096)]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class RuntimeEntry(Strict):
    """An exported runtime: what was asked for, what was kept, and how it agrees with float32."""

    precision: Precision
    requested: WantedPrecision
    cosine_mean: float
    cosine_min: float
    text_cosine_min: float
    overlap_at_10: float
    compared: Annotated[int, Field(ge=0)]


Runtimes = dict[Literal["openvino-cpu"], RuntimeEntry]


class EncoderEntry(Strict):
    name: str
    digest: Sha256
    dimension: Annotated[int, Field(gt=0)]
    precision: WantedPrecision
    preprocessing: PreprocessingEntry
    runtimes: Runtimes = Field(default_factory=dict)


class CatalogueEntry(Strict):
    albums: Annotated[int, Field(ge=0)]
    genres: Annotated[int, Field(ge=0)]
    thumbnails: Annotated[int, Field(ge=0)]


class Inputs(Strict):
    """What the artifact was made of: digests of the albums' rows and of imported vectors."""

    albums: Sha256
    vectors: Sha256 | None = None


class CoverManifest(Manifest):
    """The manifest of covers; see artifacts/README.md for the meaning of each field."""

    KIND: ClassVar[str] = COVER
    NAME: ClassVar[str] = "shazam-visual"
    VERSION: ClassVar[int] = 1

    format: Literal["shazam-visual-artifact"] = "shazam-visual-artifact"
    kind: Literal["cover"] = COVER
    encoder: EncoderEntry
    index: IndexEntry
    catalogue: CatalogueEntry
    inputs: Inputs

    def required(self) -> frozenset[str]:
        if not self.serving_copy:
            return frozenset(REQUIRED)
        return frozenset(REQUIRED) - self.left_out.keys() | frozenset(EXPORTED)

    def unneeded(self, *, without_index: bool = False) -> frozenset[str]:
        if "openvino-cpu" not in self.encoder.runtimes:
            raise BuildError(
                "A serving copy leaves out the encoder's weights, and this artifact has no "
                "exported runtime that could serve instead. Build it again with this version, or "
                "leave out --serving."
            )
        of_index = {INDEX, *_rows(self.files)} if without_index else set()
        return frozenset({LEFT_OUT} | of_index)

    def expected_id(self) -> str:
        encoder, index = self.encoder, self.index
        return artifact_id(encoder.digest, index.kind, encoder.precision, self.inputs, index.target)

    def check_left_out(self) -> None:
        if not self.serving_copy:
            return
        listed, gone = set(self.files), set(self.left_out)
        if gone & listed or gone not in ({LEFT_OUT}, {LEFT_OUT, INDEX, *_rows(gone | listed)}):
            raise ManifestInvalid(
                f"{MANIFEST} leaves out {sorted(gone)[0]!r}; a serving copy may leave out "
                f"{LEFT_OUT}, and all of its index with it, and not list them too."
            )
        if "openvino-cpu" not in self.encoder.runtimes:
            raise ManifestInvalid(
                f"{MANIFEST} leaves out {LEFT_OUT} and names no exported runtime: nothing in this "
                "folder could embed. Copy the full artifact."
            )

    def check_counts(self) -> None:
        if (self.catalogue.thumbnails > 0) != (THUMBNAILS in self.files):
            raise CountMismatch(
                f"The manifest counts thumbnails and lists {THUMBNAILS} differently."
            )

    def labels(self) -> Mapping[str, str]:
        return {"encoder": self.encoder.name, "albums": str(self.catalogue.albums)}

    def metadata(self) -> Mapping[str, str]:
        return {**super().metadata(), "encoder_digest": self.encoder.digest}


def _rows(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith(f"{ROWS}/")}


def artifact_id(
    encoder_digest: str, kind: str, precision: str, inputs: Inputs, recall: float | None = None
) -> str:
    """16 hex digits of a sha256 over inputs alone: the same inputs give the same id anywhere,
    although floating-point results differ from one processor to the next. `recall` is the target
    of an index that was tuned to one."""
    parts: list[Any] = [CoverManifest.VERSION, encoder_digest, kind, precision]
    parts += [inputs.albums, inputs.vectors]
    if recall is not None:
        parts.append(recall)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Parts:
    """What an artifact was made of, as far as its files do not tell: its encoder's `name` (a hub
    id or a folder's), `dimension`, the `precision` asked for and the exported `runtimes`; its
    index, what its catalogue counts, and the digests of its inputs."""

    name: str
    dimension: int
    precision: WantedPrecision
    runtimes: Runtimes
    index: Index
    catalogue: CatalogueEntry
    inputs: Inputs

    @classmethod
    def with_encoder(
        cls, entry: EncoderEntry, index: Index, catalogue: CatalogueEntry, inputs: Inputs
    ) -> Parts:
        """Those beside an encoder that another artifact holds too."""
        told = (entry.name, entry.dimension, entry.precision, entry.runtimes)
        return cls(*told, index, catalogue, inputs)

    def manifest(self, folder: Path, files: dict[str, FileEntry]) -> CoverManifest:
        """The manifest of a finished folder with these `files`."""
        preprocessing = read_preprocessing(folder / ENCODER)
        digest = digest_in(files, preprocessing)
        inputs, index = self.inputs, IndexEntry.of(self.index, digest)
        return CoverManifest(
            format_version=CoverManifest.VERSION,
            id=artifact_id(digest, index.kind, self.precision, inputs, index.target),
            encoder=EncoderEntry(
                name=self.name,
                digest=digest,
                dimension=self.dimension,
                precision=self.precision,
                preprocessing=PreprocessingEntry(
                    size=preprocessing.size, mean=preprocessing.mean, std=preprocessing.std
                ),
                runtimes=self.runtimes,
            ),
            index=index,
            catalogue=self.catalogue,
            inputs=inputs,
            files=files,
        )


def digest_in(files: Mapping[str, FileEntry], preprocessing: Preprocessing) -> str:
    """The identity of the encoder that an artifact with these files holds."""
    return digest_of_encoder(
        files[LEFT_OUT].sha256, files[f"{ENCODER}/{TOKENIZER}"].sha256, preprocessing
    )


def write_manifest(
    folder: Path, parts: Parts, *, linked: Mapping[str, FileEntry] | None = None
) -> CoverManifest:
    """Hash every file of a finished folder and write `manifest.json`, the last file of all.

    `linked` are the entries of files that are those of another artifact, hashed when it was made.
    """
    manifest = parts.manifest(folder, list_files(folder, linked))
    manifest.write(folder)
    return manifest


def read_manifest(path: Path) -> CoverManifest:
    """The manifest of the cover artifact `path`, its fields checked, its files not (see
    `Artifact.open`). Raises `ArtifactNotFound`, `ManifestInvalid` or `FormatTooNew`."""
    return CoverManifest.read(path)
