"""`manifest.json` of a cover artifact: what it says, how it is written and read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from engine.artifact.folder import MANIFEST, FileEntry, Sha256, Strict
from engine.base.errors import ArtifactNotFound, FormatTooNew, ManifestInvalid
from engine.base.files import file_sha256
from engine.covers.encoder.encoder import Precision, WantedPrecision
from engine.covers.encoder.folder import (
    PREPROCESSOR,
    TOKENIZER,
    WEIGHTS,
    digest_of_encoder,
    read_preprocessing,
)
from engine.vectors.index import Index

FORMAT_VERSION = 1
INDEX = "index.faiss"
CATALOGUE = "catalogue.sqlite"
THUMBNAILS = "thumbnails.sqlite"
GOLDEN = "golden.npz"
ENCODER = "encoder"
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


class EncoderEntry(Strict):
    name: str
    digest: Sha256
    dimension: Annotated[int, Field(gt=0)]
    precision: WantedPrecision
    preprocessing: PreprocessingEntry
    runtimes: dict[Literal["openvino-cpu"], RuntimeEntry] = Field(default_factory=dict)


class PointEntry(Strict):
    nprobe: Annotated[int, Field(gt=0)]
    reach: Annotated[int, Field(ge=0)]
    recall: Annotated[float, Field(ge=0, le=1)]
    ms: Annotated[float, Field(ge=0)]


class TuningEntry(Strict):
    """How an inverted file was tuned; see `engine.vectors.tuning.Tuning`."""

    codes: str
    lists: Annotated[int, Field(gt=0)]
    target: Annotated[float, Field(gt=0, le=1)]
    queries: Annotated[int, Field(ge=0)]
    nprobe: Annotated[int, Field(gt=0)]
    reach: Annotated[int, Field(ge=0)]
    curve: tuple[PointEntry, ...] = ()


class IndexEntry(Strict):
    kind: str
    metric: Literal["inner_product"]
    dimension: Annotated[int, Field(gt=0)]
    rows: Annotated[int, Field(ge=0)]
    encoder_digest: Sha256
    tuning: TuningEntry | None = None


class CatalogueEntry(Strict):
    albums: Annotated[int, Field(ge=0)]
    genres: Annotated[int, Field(ge=0)]
    thumbnails: Annotated[int, Field(ge=0)]


class Inputs(Strict):
    """What the artifact was made of: digests of the albums' rows and of imported vectors."""

    albums: Sha256
    vectors: Sha256 | None = None


class Manifest(Strict):
    """`manifest.json`; see artifacts/README.md for the meaning of each field."""

    format: Literal["shazam-visual-artifact"] = "shazam-visual-artifact"
    format_version: Annotated[int, Field(ge=1)]
    id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    encoder: EncoderEntry
    index: IndexEntry
    catalogue: CatalogueEntry
    inputs: Inputs
    files: dict[str, FileEntry]
    # Of a serving copy: the file that the full artifact has and this one has not.
    left_out: dict[str, FileEntry] = Field(default_factory=dict)

    @property
    def serving_copy(self) -> bool:
        """Whether the encoder's weights are left out, and its exported runtime alone serves."""
        return bool(self.left_out)

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        # A full artifact's manifest is the same text whether or not its writer knew of copies.
        exclude: dict[str, Any] = {} if self.left_out else {"left_out": True}
        if self.index.tuning is None:
            exclude["index"] = {"tuning"}
        return self.model_dump_json(indent=2, exclude=exclude) + "\n"


def artifact_id(
    encoder_digest: str, kind: str, precision: str, inputs: Inputs, recall: float | None = None
) -> str:
    """16 hex digits of a sha256 over inputs alone: the same inputs give the same id anywhere,
    although floating-point results differ from one processor to the next. `recall` is the target
    of an index that was tuned to one."""
    parts: list[Any] = [FORMAT_VERSION, encoder_digest, kind, precision]
    parts += [inputs.albums, inputs.vectors]
    if recall is not None:
        parts.append(recall)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def write_manifest(
    folder: Path,
    *,
    name: str,
    dimension: int,
    precision: WantedPrecision,
    index: Index,
    catalogue: CatalogueEntry,
    inputs: Inputs,
    runtimes: dict[Literal["openvino-cpu"], RuntimeEntry],
    linked: Mapping[str, FileEntry] | None = None,
) -> Manifest:
    """Hash every file of a finished folder and write `manifest.json`, the last file of all.

    `linked` are the entries of files that are those of another artifact, hashed when it was made.
    """
    files = dict(linked or {})
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        relative = path.relative_to(folder).as_posix()
        if relative not in files:
            path.chmod(0o644)
            files[relative] = FileEntry(sha256=file_sha256(path), size=path.stat().st_size)
    files = dict(sorted(files.items()))
    preprocessing = read_preprocessing(folder / ENCODER)
    digest = digest_of_encoder(
        files[f"{ENCODER}/{WEIGHTS}"].sha256, files[f"{ENCODER}/{TOKENIZER}"].sha256, preprocessing
    )
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        id=artifact_id(
            digest, index.kind, precision, inputs, index.tuning.target if index.tuning else None
        ),
        encoder=EncoderEntry(
            name=name,
            digest=digest,
            dimension=dimension,
            precision=precision,
            preprocessing=PreprocessingEntry(
                size=preprocessing.size, mean=preprocessing.mean, std=preprocessing.std
            ),
            runtimes=runtimes,
        ),
        index=IndexEntry(
            kind=index.kind,
            metric="inner_product",
            dimension=index.dimension,
            rows=len(index),
            encoder_digest=digest,
            tuning=TuningEntry.model_validate(asdict(index.tuning)) if index.tuning else None,
        ),
        catalogue=catalogue,
        inputs=inputs,
        files=files,
    )
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(manifest.to_json())
        file.flush()
        os.fsync(file.fileno())
    return manifest


def read_manifest(path: Path) -> Manifest:
    """The manifest of the folder `path`, its fields checked, its files not (see `Artifact.open`).

    Raises `ArtifactNotFound`, `ManifestInvalid` or `FormatTooNew`.
    """
    file = path / MANIFEST
    if not file.is_file():
        raise ArtifactNotFound(
            f"{path} is not an artifact: it holds no {MANIFEST}. Make one with "
            "`python -m engine build` or `import`, or use artifacts/starter."
        )
    try:
        data = file.read_bytes()
        version = json.loads(data)["format_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ManifestInvalid(f"{MANIFEST} cannot be read ({error}).") from error
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise FormatTooNew(
            f"This artifact has format {version}; this version reads up to {FORMAT_VERSION}. "
            "Upgrade the service, or build the artifact with this version."
        )
    try:
        return Manifest.model_validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ManifestInvalid(f"{MANIFEST}: {where or 'it'}: {first['msg']}.") from error
