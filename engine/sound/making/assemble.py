"""Parts → an artifact: index, fingerprints, catalogue, audio, golden clips, calibration."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.base.progress import Progress
from engine.sound.audio import RATE, Samples, decode
from engine.sound.catalogue import COLUMNS, Track, write_catalogue, write_waveforms
from engine.sound.encoder.encoder import Standard
from engine.sound.fingerprint.files import FingerprintWriter
from engine.sound.fingerprint.index import FingerprintIndex
from engine.sound.fingerprint.network import STEP_S
from engine.sound.golden import CLIP_S, GoldenClips
from engine.sound.identify import DEFAULT, Identifier
from engine.sound.making.audio import Mode, goes_in, put_audio
from engine.sound.making.calibration import calibrate
from engine.sound.making.listening import LONGEST_S, Ears, Heard, TrackFile
from engine.sound.manifest import (
    AUDIO,
    CALIBRATION,
    CATALOGUE,
    FINGERPRINTS,
    GOLDEN,
    INDEX,
    STANDARD,
    WAVEFORMS,
    CatalogueEntry,
    Inputs,
    Parts,
    SoundManifest,
    write_manifest,
)
from engine.sound.opening import answering
from engine.vectors.making import build_index
from engine.vectors.tuning import RECALL

GOLDEN_CLIPS = 4
# Where a track is likely to sound, and not yet to repeat itself.
_INTO_IT = 1 / 3


@dataclass(frozen=True)
class Built:
    """What a build did: the artifact, and the files it skipped with the reason."""

    path: Path
    manifest: SoundManifest
    skipped: tuple[tuple[str, str], ...] = ()
    heard: int = 0


@dataclass(frozen=True)
class Wish:
    """What was asked for: how audio goes in, a kind of index or `auto`, the recall@10 of one that
    is trained, and a text kept as README.md."""

    audio: Mode = "opus"
    index: str = "auto"
    recall: float = RECALL
    card: Path | None = None


class Remembered(Protocol):
    """What was heard of a content, by the digest of its bytes: a work file's, or anybody's."""

    def of(self, digest: str) -> Heard: ...


@dataclass(frozen=True)
class Material:
    """Tracks in order of id, each with its file, and what was heard of them; with `ears` where more
    is to be heard."""

    tracks: Sequence[tuple[Track, TrackFile]]
    work: Remembered
    ears: Ears | None

    @property
    def ids(self) -> NDArray[np.int64]:
        return np.array([track.track_id for track, _ in self.tracks], np.int64)

    def raw(self) -> NDArray[np.float32]:
        """(N, D) the encoder's vectors."""
        return np.stack([self.work.of(file.digest).vector for _, file in self.tracks])

    def samples(self) -> dict[int, Callable[[], Samples]]:
        """What gives the samples of each track, by id."""
        return {
            track.track_id: partial(decode, file.path, max_s=LONGEST_S, name=file.name)
            for track, file in self.tracks
        }

    def with_tags(
        self, tracks: Iterable[Track]
    ) -> Iterator[tuple[Track, NDArray[np.float32] | None]]:
        """These tracks, the material's own in its order, each with its tags."""
        for track, (_, file) in zip(tracks, self.tracks, strict=True):
            yield track, self.work.of(file.digest).tags

    def waveforms(self) -> Iterator[tuple[int, bytes]]:
        return ((track.track_id, self.work.of(file.digest).waveform) for track, file in self.tracks)


def assemble(folder: Path, material: Material, wish: Wish, progress: Progress) -> SoundManifest:
    """Write everything but network and encoder into a staged folder, the manifest last."""
    ears, ids, raw = material.ears, material.ids, material.raw()
    assert ears is not None, "golden clips are to be heard"
    standard = Standard.fit(raw)
    standard.write(folder / STANDARD)
    index = build_index(
        standard.apply(raw), ids, wish.index, recall=wish.recall, folder=folder, progress=progress
    )
    index.write(folder / INDEX)
    dimension = ears.fingerprinter.dimension
    with FingerprintWriter(folder / FINGERPRINTS, dimension, STEP_S, progress) as writer:
        for track, file in material.tracks:
            writer.add_stored(track.track_id, material.work.of(file.digest).prints)
    prints = FingerprintIndex.open(folder / FINGERPRINTS)
    tracks = give_audio(folder, material.tracks, wish.audio, progress)
    counts = _write_tracks(folder, material, tracks)
    network = ears.fingerprinter.digest
    calibration = calibrate(
        ears.fingerprinter, prints, material.samples(), network=network, progress=progress
    )
    if calibration is not DEFAULT:
        calibration.write(folder / CALIBRATION)
    identifier = Identifier(ears.fingerprinter, prints, calibration)
    asked = answering(identifier, ears.encoder, standard, index)
    GoldenClips.of(golden_clips(material), asked).write(folder / GOLDEN)
    if wish.card:
        shutil.copyfile(wish.card, folder / "README.md")
    return write_manifest(
        folder,
        Parts(
            window_s=ears.fingerprinter.window_s,
            step_s=STEP_S,
            network_dimension=dimension,
            fingerprinted=len(prints),
            encoder_name=ears.encoder.name,
            encoder_kind=ears.encoder.kind,
            tags=len(ears.encoder.tags),
            index=index,
            catalogue=counts,
            inputs=Inputs(tracks=digest_of(tracks)),
        ),
    )


def _write_tracks(folder: Path, material: Material, tracks: Sequence[Track]) -> CatalogueEntry:
    count, genres = write_catalogue(folder / CATALOGUE, material.with_tags(tracks))
    return CatalogueEntry(
        tracks=count,
        genres=genres,
        waveforms=write_waveforms(folder / WAVEFORMS, material.waveforms()),
        audio=sum(track.audio is not None for track in tracks),
    )


def give_audio(
    folder: Path, tracks: Sequence[tuple[Track, TrackFile]], mode: Mode, progress: Progress
) -> list[Track]:
    """Put the audio of tracks into a staged folder; returns the tracks, told where theirs is."""
    told = []
    for number, (track, file) in enumerate(tracks, start=1):
        name = None
        if goes_in(track, mode):
            name = put_audio(file.path, track.track_id, folder, mode)
            progress.step(number, len(tracks), f"files of {AUDIO}")
        told.append(replace(track, audio=name))
    unknown = sum(track.audio is not None and track.licence is None for track in told)
    if unknown:
        progress.remark(
            f"the audio of {unknown:,} tracks whose licence is not known is in the artifact, for "
            "whoever can reach the service; --audio none keeps it out"
        )
    withheld = sum(not track.audio_shared for track in told)
    if withheld:
        progress.remark(
            f"the audio of {withheld:,} tracks stays out, as their licence does not say that it "
            "may be handed out; a column 'audio_shared' says it"
        )
    return told


def golden_clips(material: Material) -> list[tuple[int, Samples]]:
    """A clip each of some tracks, spread over the catalogue and all of one length, with their ids.
    Tracks shorter than a clip are taken where there are no others."""
    long = [pair for pair in material.tracks if pair[0].duration_s >= CLIP_S] or material.tracks
    chosen = long[:: max(1, len(long) // GOLDEN_CLIPS)][:GOLDEN_CLIPS]
    samples = material.samples()
    whole = [(track.track_id, samples[track.track_id]()) for track, _ in chosen]
    length = min(round(CLIP_S * RATE), *(len(heard) for _, heard in whole))
    clips = []
    for track_id, heard in whole:
        start = min(round(len(heard) * _INTO_IT), len(heard) - length)
        clips.append((track_id, heard[start : start + length]))
    return clips


def digest_of(tracks: Iterable[Track]) -> str:
    """The digest of the tracks' rows, in order of id: see artifacts/README.md, Identity."""
    digest = hashlib.sha256()
    line = json.JSONEncoder(sort_keys=True).encode
    for track in tracks:
        row = [getattr(track, name) for name in COLUMNS[:-1]]
        digest.update(line([*row, dict(track.extra)]).encode() + b"\n")
    return digest.hexdigest()
