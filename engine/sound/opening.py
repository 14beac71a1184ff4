"""An artifact → its network and its encoder, opened as this process wants them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.base.errors import CountMismatch, EncoderMismatch, ShazamError
from engine.sound.artifact import SoundArtifact
from engine.sound.audio import Samples
from engine.sound.encoder.encoder import SoundEncoder, Standard
from engine.sound.encoder.folder import open_encoder
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.fingerprint.network import Fingerprinter
from engine.sound.fingerprint.sounding import sounding_vectors
from engine.sound.golden import Answering
from engine.sound.identify import STEP_S, Calibration, Identifier
from engine.sound.manifest import ENCODER, FINGERPRINT, FINGERPRINTS, STANDARD
from engine.vectors.index import Index


def open_fingerprints(artifact: SoundArtifact) -> FingerprintIndex:
    """What the network heard of the tracks. Raises an `ArtifactError`."""
    told = artifact.manifest
    index = FingerprintIndex.open(artifact.fingerprints_folder)
    made = (index.dimension, round(index.step_s, 6))
    if made != (told.fingerprint.dimension, round(told.fingerprints.step_s, 6)):
        raise CountMismatch(
            f"{FINGERPRINTS}/ holds vectors of {made[0]} dimensions, one each {made[1]} s, the "
            f"manifest says {told.fingerprint.dimension}, each {told.fingerprints.step_s} s. "
            "Rebuild the artifact."
        )
    return index


def open_identifier(
    artifact: SoundArtifact, index: FingerprintIndex, *, threads: int | None = None
) -> Identifier:
    """What tells which track a clip is of. Raises an `ArtifactError`."""
    fingerprinter = open_fingerprinter(artifact, threads=threads)
    return Identifier(fingerprinter, index, Calibration.of(artifact.path, fingerprinter.digest))


def open_fingerprinter(artifact: SoundArtifact, *, threads: int | None = None) -> Fingerprinter:
    """The network that hears. Raises an `ArtifactError`."""
    told = artifact.manifest.fingerprint
    with _loading(FINGERPRINT):
        network = Fingerprinter.open(artifact.network_folder, threads=threads)
    if network.dimension != told.dimension or abs(network.window_s - told.window_s) > 1e-6:
        raise EncoderMismatch(
            f"The network in {FINGERPRINT}/ gives {network.dimension} numbers for "
            f"{network.window_s} s, the manifest says {told.dimension} for {told.window_s} s. "
            "Rebuild the artifact."
        )
    return network


def open_encoder_of(artifact: SoundArtifact, *, threads: int | None = None) -> SoundEncoder:
    """What says which tracks are alike. Raises an `ArtifactError`."""
    told = artifact.manifest.encoder
    with _loading(ENCODER):
        encoder = open_encoder(artifact.encoder_folder, threads=threads)
    if (encoder.kind, encoder.dimension, len(encoder.tags)) != (
        told.kind,
        told.dimension,
        told.tags,
    ):
        raise EncoderMismatch(
            f"The encoder in {ENCODER}/ is a {encoder.kind} of {encoder.dimension} numbers and "
            f"{len(encoder.tags)} tags, the manifest says a {told.kind} of {told.dimension} and "
            f"{told.tags}. Rebuild the artifact."
        )
    return encoder


def open_standard(artifact: SoundArtifact) -> Standard:
    """By what vectors were standardised over the catalogue. Raises `EncoderMismatch`."""
    return Standard.read(artifact.path / STANDARD, artifact.manifest.encoder.dimension)


def answering(
    identifier: Identifier, encoder: SoundEncoder, standard: Standard, index: Index
) -> Answering:
    """What golden clips are asked of."""

    def find(samples: Samples) -> list[int]:
        heard, _ = sounding_vectors(identifier.fingerprinter, samples, STEP_S)
        return [found.track_id for found in identifier.index.search(heard, STEP_S)]

    return Answering(
        hear=identifier.fingerprinter.embed,
        find=find,
        embed=lambda samples: standard.apply(encoder.embed(samples).vector[None])[0],
        rows=index.vectors,
    )


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Files that are what the manifest says and no network: every library has its own word."""
    try:
        yield
    except ShazamError:
        raise
    except Exception as error:
        raise EncoderMismatch(
            f"{name} cannot be loaded ({type(error).__name__}: {str(error)[:300]}). Rebuild the "
            "artifact."
        ) from error
