"""`manifest.json` of a sound artifact: what it says, how it is written and read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from engine.artifact.folder import FileEntry, list_files
from engine.artifact.kinds import SOUND
from engine.artifact.manifest import Manifest
from engine.base.errors import BuildError, CountMismatch, ManifestInvalid
from engine.base.places import MANIFEST
from engine.base.strict import Sha256, Strict
from engine.sound.encoder.encoder import Kind
from engine.sound.encoder.folder import ABOUT
from engine.sound.fingerprint import files as prints
from engine.sound.fingerprint.network import WEIGHTS
from engine.vectors.entry import IndexEntry
from engine.vectors.index import Index

INDEX = "index.faiss"
CATALOGUE = "catalogue.sqlite"
WAVEFORMS = "waveforms.sqlite"
STANDARD = "standard.npz"
CALIBRATION = "calibration.json"
GOLDEN = "golden.npz"
# The network that hears, and what it heard of each track.
FINGERPRINT, FINGERPRINTS = "fingerprint", "fingerprints"
ENCODER = "encoder"
# Of the encoder's files those that another of its files is made of, on whatever machine.
EXPORTED = f"{ENCODER}/openvino/"
AUDIO = "audio"
REQUIRED = (
    *(INDEX, CATALOGUE, STANDARD, GOLDEN, f"{FINGERPRINT}/{WEIGHTS}", f"{ENCODER}/{ABOUT}"),
    *(f"{FINGERPRINTS}/{name}" for name in (prints.INDEX, prints.TRACKS, prints.ROWS)),
)


class FingerprintEntry(Strict):
    """The network that hears: one vector for each `window_s` of sound."""

    digest: Sha256
    dimension: Annotated[int, Field(gt=0, le=4096)]
    window_s: Annotated[float, Field(gt=0, le=60)]


class FingerprintsEntry(Strict):
    """What a network heard of the tracks, each `step_s`."""

    network_digest: Sha256
    step_s: Annotated[float, Field(gt=0, le=60)]
    tracks: Annotated[int, Field(ge=0)]


class EncoderEntry(Strict):
    """What says which tracks are alike; `tags` is of how many it tells how much it hears them."""

    name: str
    kind: Kind
    digest: Sha256
    dimension: Annotated[int, Field(gt=0, le=65_536)]
    tags: Annotated[int, Field(ge=0, le=32_767)]


class CatalogueEntry(Strict):
    tracks: Annotated[int, Field(ge=0)]
    genres: Annotated[int, Field(ge=0)]
    waveforms: Annotated[int, Field(ge=0)]
    audio: Annotated[int, Field(ge=0)]


class Inputs(Strict):
    """What the artifact was made of: a digest of the tracks' rows, which hold their files'."""

    tracks: Sha256


class SoundManifest(Manifest):
    """The manifest of tracks; see artifacts/README.md for the meaning of each field."""

    KIND: ClassVar[str] = SOUND
    NAME: ClassVar[str] = "shazam-sound"
    VERSION: ClassVar[int] = 1

    format: Literal["shazam-sound-artifact"] = "shazam-sound-artifact"
    kind: Literal["sound"]
    fingerprint: FingerprintEntry
    fingerprints: FingerprintsEntry
    encoder: EncoderEntry
    index: IndexEntry
    catalogue: CatalogueEntry
    inputs: Inputs

    def required(self) -> frozenset[str]:
        return frozenset(REQUIRED)

    def unneeded(self, *, without_index: bool = False) -> frozenset[str]:
        if without_index:
            raise BuildError("The index of a sound artifact is searched where it is, in its file.")
        return frozenset()  # a service uses all there is

    def audio_files(self) -> frozenset[str]:
        """The files of audio that are here."""
        return frozenset(name for name in self.files if name.startswith(f"{AUDIO}/"))

    def expected_id(self) -> str:
        return artifact_id(self.encoder.digest, self.fingerprint.digest, self.index, self.inputs)

    def check_left_out(self) -> None:
        for name in sorted(self.left_out):
            if name in self.files or not name.startswith(f"{AUDIO}/"):
                raise ManifestInvalid(
                    f"{MANIFEST} leaves out {name!r}; a copy may leave out audio alone, and not "
                    "list it too."
                )

    def check_counts(self) -> None:
        if (self.catalogue.waveforms > 0) != (WAVEFORMS in self.files):
            raise CountMismatch(f"The manifest counts waveforms and lists {WAVEFORMS} differently.")
        held = {name for name in (*self.files, *self.left_out) if name.startswith(f"{AUDIO}/")}
        if len(held) != self.catalogue.audio:
            raise CountMismatch(
                f"The manifest counts {self.catalogue.audio:,} tracks with audio and lists "
                f"{len(held):,} files of it."
            )

    def labels(self) -> Mapping[str, str]:
        return {"encoder": self.encoder.name, "tracks": str(self.catalogue.tracks)}

    def metadata(self) -> Mapping[str, str]:
        return {**super().metadata(), "encoder_digest": self.encoder.digest}


def artifact_id(encoder: str, network: str, index: IndexEntry, inputs: Inputs) -> str:
    """16 hex digits of a sha256 over inputs alone: the digests of encoder and network, what index
    was asked for, and the tracks. So the same inputs give the same id anywhere."""
    parts: list[Any] = [SoundManifest.VERSION, SOUND, encoder, network, index.kind, inputs.tracks]
    if index.target is not None:
        parts.append(index.target)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def digest_in(files: Mapping[str, FileEntry], folder: str) -> str:
    """The identity of the network or the encoder in a folder of an artifact with these files: of
    the names and digests of all of them, but those exported from others."""
    held = {
        name: entry.sha256
        for name, entry in files.items()
        if name.startswith(f"{folder}/") and not name.startswith(EXPORTED)
    }
    return hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Parts:
    """What an artifact was made of, as far as its files do not tell: see `FingerprintEntry` and
    `EncoderEntry` for the meaning of each."""

    window_s: float
    step_s: float
    network_dimension: int
    fingerprinted: int
    encoder_name: str
    encoder_kind: Kind
    tags: int
    index: Index
    catalogue: CatalogueEntry
    inputs: Inputs

    def manifest(self, files: dict[str, FileEntry]) -> SoundManifest:
        """The manifest of a finished folder with these `files`."""
        encoder, network = digest_in(files, ENCODER), digest_in(files, FINGERPRINT)
        index = IndexEntry.of(self.index, encoder)
        return SoundManifest(
            kind=SOUND,
            format_version=SoundManifest.VERSION,
            id=artifact_id(encoder, network, index, self.inputs),
            fingerprint=FingerprintEntry(
                digest=network,
                dimension=self.network_dimension,
                window_s=self.window_s,
            ),
            fingerprints=FingerprintsEntry(
                network_digest=network, step_s=self.step_s, tracks=self.fingerprinted
            ),
            encoder=EncoderEntry(
                name=self.encoder_name,
                kind=self.encoder_kind,
                digest=encoder,
                dimension=self.index.dimension,
                tags=self.tags,
            ),
            index=index,
            catalogue=self.catalogue,
            inputs=self.inputs,
            files=files,
        )


def write_manifest(
    folder: Path, parts: Parts, *, linked: Mapping[str, FileEntry] | None = None
) -> SoundManifest:
    """Hash every file of a finished folder and write `manifest.json`, the last file of all.

    `linked` are the entries of files that are those of another artifact, hashed when it was made.
    """
    manifest = parts.manifest(list_files(folder, linked))
    manifest.write(folder)
    return manifest
