"""The artifact of tracks: its folder verified, its index, catalogue and golden queries opened.

artifacts/README.md is the specification; every MUST of its reader is a named refusal here or in
`engine.artifact`, which does what is the same for any kind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.artifact.opened import Opened
from engine.base.errors import ArtifactError, CountMismatch, EncoderMismatch, ManifestInvalid
from engine.sound.catalogue import SoundCatalogue
from engine.sound.golden import GoldenClips
from engine.sound.manifest import (
    AUDIO,
    CATALOGUE,
    ENCODER,
    FINGERPRINT,
    FINGERPRINTS,
    GOLDEN,
    INDEX,
    WAVEFORMS,
    SoundManifest,
    digest_in,
)
from engine.vectors.embeddings import Ids
from engine.vectors.index import Index
from engine.vectors.rows import FOLDER as ROWS

# Audio above this, together, is verified after the start: a thousand tracks are some gigabytes, no
# parser of ours sees a byte of them, and a player that meets a wrong one is in a browser.
AUDIO_BEFORE_START = 64 << 20


class SoundArtifact(Opened[SoundManifest]):
    """A verified folder of tracks. Open one with `SoundArtifact.open`; it holds no file open."""

    @property
    def encoder_folder(self) -> Path:
        return self.path / ENCODER

    @property
    def network_folder(self) -> Path:
        return self.path / FINGERPRINT

    @property
    def fingerprints_folder(self) -> Path:
        return self.path / FINGERPRINTS

    @classmethod
    def watched(cls, manifest: SoundManifest) -> Iterable[str]:
        """All but the audio, which a service looks at whenever it sends some."""
        return manifest.files.keys() - manifest.audio_files()

    @classmethod
    def open(cls, path: Path) -> SoundArtifact:
        """Check everything that can be checked without opening FAISS or a network.

        Raises a subclass of `ArtifactError` that names the MUST that broke and the file. Audio of
        more than `AUDIO_BEFORE_START` together is left to `verify_rest`.
        """
        return cls.read(path, SoundManifest, _much_audio)

    def open_index(self, *, mapped: bool = True) -> Index:
        """The index of one vector a track; `CountMismatch` if it is not as large or as wide as the
        manifest says. Not `mapped`, it may be changed."""
        return self.manifest.index.open(self.path / INDEX, self.path / ROWS, mapped=mapped)

    def open_catalogue(self) -> SoundCatalogue:
        """The catalogue, its counts and its files of audio those of the manifest."""
        told, waveforms = self.manifest.catalogue, self.path / WAVEFORMS
        catalogue = SoundCatalogue(
            self.path / CATALOGUE, waveforms if waveforms.is_file() else None
        )
        if len(catalogue) != told.tracks:
            raise CountMismatch(
                f"{CATALOGUE} holds {len(catalogue):,} tracks, the manifest says "
                f"{told.tracks:,}. Rebuild the artifact."
            )
        self._check_audio(catalogue)
        if not catalogue.tag_counts() <= {self.manifest.encoder.tags}:
            raise CountMismatch(
                f"{CATALOGUE} holds other tags than the {self.manifest.encoder.tags} of the "
                "encoder. Rebuild the artifact."
            )
        return catalogue

    def _check_audio(self, catalogue: SoundCatalogue) -> None:
        """Every file of audio is a track's, and every track's is a file of this folder."""
        held = {
            name
            for name in (*self.manifest.files, *self.manifest.left_out)
            if name.startswith(f"{AUDIO}/")
        }
        try:
            named = dict(catalogue.audio_files())
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise ArtifactError(f"{CATALOGUE} cannot be read ({error}).") from error
        for track_id, name in named.items():
            if name not in held:
                raise ManifestInvalid(
                    f"{CATALOGUE} says that the audio of track {track_id} is {name[:80]!r}, which "
                    "is no audio of this artifact. Rebuild it."
                )
        if set(named.values()) != held:
            stray = sorted(held - set(named.values()))[0]
            raise CountMismatch(f"{stray} is the audio of no track. Rebuild the artifact.")

    def golden(self) -> GoldenClips:
        return GoldenClips.read(self.path / GOLDEN)

    def check(self) -> None:
        told = self.manifest
        files = {**told.files, **told.left_out}
        encoder, network = told.encoder.digest, told.fingerprint.digest
        for what, made_by, here, folder in (
            ("index", told.index.encoder_digest, encoder, ENCODER),
            ("fingerprints", told.fingerprints.network_digest, network, FINGERPRINT),
        ):
            if made_by != here:
                raise EncoderMismatch(
                    f"The {what} of this artifact were made by another network "
                    f"({made_by[:12]}…) than the one in {folder}/ ({here[:12]}…). Rebuild it."
                )
            if digest_in(files, folder) != here:
                raise EncoderMismatch(
                    f"The files in {folder}/ are not what the manifest names: they were "
                    "exchanged. Rebuild the artifact."
                )
        if told.index.dimension != told.encoder.dimension:
            raise EncoderMismatch(
                f"The index has {told.index.dimension} dimensions, the encoder "
                f"{told.encoder.dimension}. Rebuild the artifact."
            )
        for what, count in (("index", told.index.rows), ("fingerprints", told.fingerprints.tracks)):
            if count != told.catalogue.tracks:
                raise CountMismatch(
                    f"The {what} hold {count:,} tracks, the catalogue {told.catalogue.tracks:,}. "
                    "Rebuild the artifact."
                )


def _much_audio(manifest: SoundManifest) -> Iterable[str]:
    """The audio that is verified after the start: all, or none where it is little."""
    audio = manifest.audio_files()
    little = sum(manifest.files[name].size for name in audio) <= AUDIO_BEFORE_START
    return () if little else audio


def check_ids(catalogue: SoundCatalogue, what: str, ids: Ids) -> None:
    """`what` holds exactly the tracks of the catalogue, each once; `ids` (N,) ascending."""
    try:
        known = catalogue.ids()
    except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(f"{CATALOGUE} cannot be read ({error}).") from error
    if not np.array_equal(ids, known):
        stray = np.setxor1d(ids, known)
        raise CountMismatch(
            f"The {what} and the catalogue do not hold the same tracks (track {int(stray[0])} is "
            "in one of them alone). Rebuild the artifact."
            if len(stray)
            else f"The {what} hold a track twice. Rebuild the artifact."
        )
