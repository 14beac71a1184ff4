"""The artifact: a folder that is complete in itself. One writer, one verifying reader.

artifacts/README.md is the specification; every MUST of its reader is a named refusal here. A folder
is written beside its final place and renamed, so a reader never sees half of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.base.errors import (
    ArtifactError,
    ArtifactNotFound,
    BuildError,
    CountMismatch,
    DigestMismatch,
    EncoderMismatch,
    FileMissing,
    FileUnexpected,
    FormatTooNew,
    GoldenQueryFailed,
    ManifestInvalid,
)
from engine.base.settings import usable_cores
from engine.covers.catalogue import Catalogue
from engine.covers.encoder.on_torch import (
    PREPROCESSOR,
    TOKENIZER,
    WEIGHTS,
    Embeddings,
    Encoder,
    file_sha256,
    read_preprocessing,
)
from engine.covers.image import Pixels, Preprocessing
from engine.vectors.index import Index, Point, Tuning, VectorIndex
from engine.vectors.rows import FOLDER as ROWS
from engine.vectors.rows import SUFFIX as SEGMENT
from engine.vectors.rows import Rows

FORMAT_VERSION = 1

MANIFEST, INDEX, CATALOGUE, THUMBNAILS, GOLDEN, ENCODER = (
    "manifest.json",
    "index.faiss",
    "catalogue.sqlite",
    "thumbnails.sqlite",
    "golden.npz",
    "encoder",
)
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

# Another runtime or precision moves an embedding a little (int8: cosine 0.9998 to fp32 on
# ViT-B/32); another encoder moves it to an unrelated place (0.15 seen in the field).
GOLDEN_COSINE = 0.98

# Row segments above this, together, are verified after the start: ten million rows of 512 numbers
# are 5 GB, and no parser sees a byte of them. Below, and for every other file, nothing waits.
ROWS_BEFORE_START = 512 << 20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileEntry(_Strict):
    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


class PreprocessingEntry(_Strict):
    size: Annotated[int, Field(gt=0, le=4096)]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class RuntimeEntry(_Strict):
    """An exported runtime: what was asked for, what was kept, and how it agrees with float32."""

    precision: Literal["fp32", "bf16", "int8"]
    requested: Literal["auto", "fp32", "bf16", "int8"]
    cosine_mean: float
    cosine_min: float
    text_cosine_min: float
    overlap_at_10: float
    compared: Annotated[int, Field(ge=0)]


class EncoderEntry(_Strict):
    name: str
    digest: Sha256
    dimension: Annotated[int, Field(gt=0)]
    precision: Literal["auto", "fp32", "bf16", "int8"]
    preprocessing: PreprocessingEntry
    runtimes: dict[Literal["openvino-cpu"], RuntimeEntry] = {}


class PointEntry(_Strict):
    nprobe: Annotated[int, Field(gt=0)]
    reach: Annotated[int, Field(ge=0)]
    recall: Annotated[float, Field(ge=0, le=1)]
    ms: Annotated[float, Field(ge=0)]


class TuningEntry(_Strict):
    """How an inverted file was tuned; see `engine.vectors.index.Tuning`."""

    codes: str
    lists: Annotated[int, Field(gt=0)]
    target: Annotated[float, Field(gt=0, le=1)]
    queries: Annotated[int, Field(ge=0)]
    nprobe: Annotated[int, Field(gt=0)]
    reach: Annotated[int, Field(ge=0)]
    curve: tuple[PointEntry, ...] = ()


class IndexEntry(_Strict):
    kind: str
    metric: Literal["inner_product"]
    dimension: Annotated[int, Field(gt=0)]
    rows: Annotated[int, Field(ge=0)]
    encoder_digest: Sha256
    tuning: TuningEntry | None = None


class CatalogueEntry(_Strict):
    albums: Annotated[int, Field(ge=0)]
    genres: Annotated[int, Field(ge=0)]
    thumbnails: Annotated[int, Field(ge=0)]


class Inputs(_Strict):
    """What the artifact was made of: digests of the albums' rows and of imported vectors."""

    albums: Sha256
    vectors: Sha256 | None = None


class Manifest(_Strict):
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
    left_out: dict[str, FileEntry] = {}

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


@dataclass(frozen=True)
class GoldenQueries:
    """A few queries with the embeddings they had at build: they catch a wrong or broken encoder.

    `pixels` (I, S, S, 3) uint8, `image_vectors` (I, D) and `text_vectors` (T, D) float32 unit rows,
    `texts` T strings, `album_ids` (I,) int64: the album each picture must find first, −1 for any.
    """

    texts: tuple[str, ...]
    text_vectors: Embeddings
    pixels: Pixels
    image_vectors: Embeddings
    album_ids: NDArray[np.int64]

    def write(self, path: Path) -> None:
        np.savez_compressed(
            path,
            texts=np.array(self.texts, dtype=np.str_),
            text_vectors=self.text_vectors,
            pixels=self.pixels,
            image_vectors=self.image_vectors,
            album_ids=self.album_ids,
        )

    @classmethod
    def read(cls, path: Path) -> GoldenQueries:
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                return cls(
                    tuple(str(text) for text in file["texts"]),
                    file["text_vectors"],
                    file["pixels"],
                    file["image_vectors"],
                    file["album_ids"],
                )
        except Exception as error:
            # A damaged .npz makes zipfile, zlib and numpy raise some ten kinds of error.
            raise GoldenQueryFailed(f"{path.name} cannot be read ({error}).") from error

    def check(self, encoder: Encoder, index: VectorIndex) -> None:
        """Run every query through both towers and the index; `GoldenQueryFailed` says which broke.

        Doubles as the warm-up: afterwards both towers and the index have answered once.
        """
        side = encoder.preprocessing.size
        if (
            self.pixels.dtype != np.uint8
            or self.pixels.shape[1:] != (side, side, 3)
            or self.album_ids.shape != (len(self.pixels),)
            or self.image_vectors.ndim != 2
            or self.text_vectors.ndim != 2
            or not len(self.pixels)
            or not self.texts
        ):
            raise GoldenQueryFailed(
                f"{GOLDEN} does not hold pictures of {side} × {side} pixels, texts and an "
                "embedding of each. Build the artifact again."
            )
        images = encoder.embed_images(self.pixels)
        texts = encoder.embed_texts(self.texts)
        for what, now, then in (
            ("picture", images, self.image_vectors),
            ("text", texts, self.text_vectors),
        ):
            if now.shape != then.shape:
                raise GoldenQueryFailed(
                    f"The encoder gives {now.shape} for the golden {what}s, the artifact was built "
                    f"with {then.shape}."
                )
            cosines = np.sum(now * then, axis=1)
            if not cosines.min() >= GOLDEN_COSINE:  # NaN fails too
                worst = int(cosines.argmin())
                raise GoldenQueryFailed(
                    f"Golden {what} {worst} has cosine {cosines[worst]:.3f} to its embedding at "
                    f"build (at least {GOLDEN_COSINE} expected): this is not the encoder the index "
                    "was built with, or it computes wrongly here. Build the artifact again."
                )
        for i, neighbours in enumerate(index.search(images, 3)):
            wanted = int(self.album_ids[i])
            if wanted < 0 or wanted in [neighbour.album_id for neighbour in neighbours]:
                continue
            # A catalogue may hold the same cover ten times: then any of them may come first.
            try:
                own = float(index.vectors([wanted])[0] @ images[i])
            except KeyError:
                own = -1.0
            if not neighbours or own < neighbours[-1].similarity - 1e-3:
                raise GoldenQueryFailed(
                    f"Golden picture {i} is the cover of album {wanted}, which is not among its "
                    "three nearest: index and encoder do not belong together. Build it again."
                )
        index.search(texts, 1)


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
        _check_digests(path, manifest, set(manifest.files) - later)
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
        _check_digests(self.path, self.manifest, {name})

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
            _check_digests(self.path, self.manifest, {INDEX})
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


def _check_digests(path: Path, manifest: Manifest, names: set[str]) -> None:
    # Hashing lets go of the interpreter lock, so the files share the cores, largest first.
    largest = sorted(names, key=lambda name: -manifest.files[name].size)
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = dict(zip(largest, pool.map(lambda n: file_sha256(path / n), largest), strict=True))
    for name in sorted(names):
        if found[name] != manifest.files[name].sha256:
            raise DigestMismatch(
                f"{name} does not have the sha256 the manifest records: it was damaged or "
                "changed. Copy the artifact again, or rebuild it."
            )


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


def digest_of_encoder(weights: str, tokenizer: str, preprocessing: Preprocessing) -> str:
    """Identity of an encoder: sha256 over the digests of its weights and tokenizer and its
    preprocessing. Exported runtimes and library versions noted in `config.json` take no part."""
    parts = {
        "weights": weights,
        "tokenizer": tokenizer,
        "preprocessing": [preprocessing.size, *preprocessing.mean, *preprocessing.std],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def digest_of_folder(folder: Path) -> str:
    """`digest_of_encoder` of an encoder folder on disk."""
    return digest_of_encoder(
        file_sha256(folder / WEIGHTS), file_sha256(folder / TOKENIZER), read_preprocessing(folder)
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


def write_manifest(
    folder: Path,
    *,
    name: str,
    dimension: int,
    precision: Literal["auto", "fp32", "bf16", "int8"],
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
