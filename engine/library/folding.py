"""The library's tracks → a new version of the artifact that they were held beside.

Only what the artifact's own networks have heard goes in, with what they heard: nothing is heard
again. Tracks that come meanwhile are held beside the new version as they were beside the old one;
those that were deleted since the last folding are taken out.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

from engine.artifact.store import find_artifact
from engine.base.errors import BuildError, EncoderMismatch, ObjectNotFound
from engine.base.progress import Progress
from engine.library.database import Database
from engine.library.growing import name_of, track_of
from engine.library.objects import Objects
from engine.library.rehearing import ready_samples
from engine.library.samples import Sample, Samples
from engine.library.settings import LibrarySettings
from engine.library.tables import FIRST_TRACK_ID
from engine.sound import held
from engine.sound.artifact import SoundArtifact
from engine.sound.audio import Tags
from engine.sound.catalogue import Track
from engine.sound.making.assemble import Built
from engine.sound.making.audio import Mode
from engine.sound.making.listening import Heard, TrackFile
from engine.sound.making.revise import add_heard

# What a file's own tags say is in its sample already.
_UNTOLD = Tags(*[None] * len(fields(Tags)))


@dataclass(frozen=True)
class Folded:
    """The new version; how many tracks came and went, and how many wait to be heard again."""

    built: Built
    added: int
    removed: int
    waiting: int


def fold(
    where: str,
    out: Path,
    settings: LibrarySettings,
    *,
    audio: Mode = "opus",
    force: bool = False,
    progress: Progress | None = None,
) -> Folded:
    """An artifact, by its folder, tag or URL, and the library of `settings` → a new version at
    `out`. Raises `BuildError`, and what a library's database or storage raises."""
    name, private = asyncio.run(_told(settings))
    if settings.private or private:
        raise BuildError(
            "SHAZAM_LIBRARY=private: each track is its owner's alone, and whoever has an artifact "
            "has all its tracks. They stay beside it."
        )
    progress = progress or Progress()
    source = find_artifact(where)
    objects = Objects.open(settings.storage)
    ready = asyncio.run(ready_samples(settings))
    artifact = SoundArtifact.open(source)
    known = set(artifact.open_catalogue().ids().tolist())
    fresh = _Fresh(objects, artifact, [one for one in ready if one.track_id not in known])
    gone = {i for i in known if i >= FIRST_TRACK_ID} - {one.track_id for one in ready}
    for sample, why in fresh.left_out:
        progress.remark(f"left out track {sample.track_id}: {why}")
    with ExitStack() as files:
        tracks = list(fresh.tracks(files, audio, name))
        built = add_heard(
            source, tracks, fresh, out, gone=gone, audio=audio, force=force, progress=progress
        )
    asyncio.run(_mark(settings, fresh.ids, built.manifest.id))
    return Folded(built, len(fresh.ids), len(gone), len(fresh.left_out))


class _Fresh:
    """Samples that are to come, and what was heard of each (`making.assemble.Remembered`)."""

    def __init__(
        self, objects: Objects, artifact: SoundArtifact, samples: Sequence[Sample]
    ) -> None:
        self._objects = objects
        told = artifact.manifest
        self._networks = told.fingerprint.digest, told.encoder.digest
        self._tags = told.encoder.tags
        self.left_out: list[tuple[Sample, str]] = []
        self._samples: dict[str, Sample] = {}
        for sample in samples:
            why = self._unfit(sample)
            if why:
                self.left_out.append((sample, why))
            elif sample.sha256 is not None:
                self._samples[sample.sha256] = sample

    @property
    def ids(self) -> list[int]:
        return sorted(sample.track_id for sample in self._samples.values())

    def tracks(
        self, files: ExitStack, audio: Mode, library: str
    ) -> Iterator[tuple[Track, TrackFile]]:
        """Each with the name of its library, and with the file of its audio where that goes in;
        there until `files` is closed."""
        folder = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="fold-")))
        for sha256, sample in self._samples.items():
            path = folder / sha256
            if audio != "none" and sample.audio_shared:
                path = files.enter_context(self._objects.local(sample.objects["mp3"], folder))
            told = sample.title or str(sample.track_id)
            yield track_of(sample, library), TrackFile(told, path, sha256)

    def of(self, digest: str) -> Heard:
        sample = self._samples[digest]
        found = self._read(sample)
        return Heard(
            digest,
            sample.duration_s or 0.0,
            _UNTOLD,
            found.vector,
            found.tags if len(found.tags) == self._tags and self._tags else None,
            found.prints,
            found.peaks.tobytes(),
        )

    def _unfit(self, sample: Sample) -> str:
        """Why a sample cannot come; empty where it can."""
        try:
            found = self._read(sample)
        except (KeyError, ObjectNotFound, EncoderMismatch):
            return "what was heard of it cannot be read"
        if (found.network, found.encoder) != self._networks:
            return "other networks than the artifact's have heard it"
        return ""

    def _read(self, sample: Sample) -> held.Heard:
        return held.Heard.of(self._objects.read(sample.objects["heard"]))


async def _told(settings: LibrarySettings) -> tuple[str, bool]:
    """The library's name, and whether anything in it is private: by its rows, as this shell's
    SHAZAM_LIBRARY need not be the service's."""
    database = await Database.open(settings.database)
    try:
        return await name_of(database), await Samples(database).any_private()
    finally:
        await database.close()


async def _mark(settings: LibrarySettings, ids: Sequence[int], artifact: str) -> None:
    database = await Database.open(settings.database)
    try:
        await Samples(database).mark_folded(ids, artifact)
    finally:
        await database.close()
