"""An artifact with another network or encoder → the library's tracks, as these hear them.

What others have heard can be compared with nothing of such an artifact: until it is heard again, a
track is found by its words and links alone (`growing`). Interrupted, it goes on with those that are
left.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.artifact.store import find_artifact
from engine.base.errors import EncoderMismatch, ObjectNotFound, ShazamError
from engine.base.progress import Progress
from engine.library.database import Database
from engine.library.objects import Objects
from engine.library.pipeline.tasks import listened
from engine.library.samples import Sample, Samples
from engine.library.settings import LibrarySettings
from engine.sound.artifact import SoundArtifact
from engine.sound.held import Heard

_AT_ONCE = 500


@dataclass(frozen=True)
class Reheard:
    """How many tracks were heard again, how many needed not be, and how many could not be."""

    heard: int
    as_before: int
    failed: int


def rehear(where: str, settings: LibrarySettings, progress: Progress | None = None) -> Reheard:
    """Let the networks of an artifact, by its folder, tag or URL, hear what others have heard."""
    progress = progress or Progress()
    source = find_artifact(where)
    told = SoundArtifact.open(source).manifest
    networks = told.fingerprint.digest, told.encoder.digest
    objects = Objects.open(settings.storage)
    samples = asyncio.run(ready_samples(settings))
    heard = as_before = failed = 0
    for number, sample in enumerate(samples, start=1):
        try:
            if _networks_of(objects, sample) == networks:
                as_before += 1
            else:
                _hear(objects, sample, source)
                heard += asyncio.run(_tell(settings, sample.track_id))
        except (ShazamError, KeyError) as error:
            failed += 1
            progress.remark(f"track {sample.track_id} cannot be heard: {error}")
        progress.step(number, len(samples), "tracks")
    return Reheard(heard, as_before, failed)


def _networks_of(objects: Objects, sample: Sample) -> tuple[str, str] | None:
    """The digests of what has heard a sample; None where that is not known."""
    try:
        found = Heard.of(objects.read(sample.objects["heard"]))
    except (ObjectNotFound, EncoderMismatch):
        return None
    return found.network, found.encoder


def _hear(objects: Objects, sample: Sample, artifact: Path) -> None:
    with _at_hand(objects, sample) as (wav, peaks), tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "heard.npz"
        listened(str(wav), str(peaks), str(made), artifact=str(artifact), report=lambda _: None)
        objects.put(sample.objects["heard"], made)


@contextmanager
def _at_hand(objects: Objects, sample: Sample) -> Iterator[tuple[Path, Path]]:
    """A sample's WAV and its peaks, as files of this machine."""
    with (
        objects.local(sample.objects["wav"]) as wav,
        objects.local(sample.objects["peaks"]) as peaks,
    ):
        yield wav, peaks


async def ready_samples(settings: LibrarySettings) -> list[Sample]:
    """Every sample that can be found, by id."""
    database = await Database.open(settings.database)
    try:
        samples = Samples(database)
        ids = sorted(await samples.ready_ids())
        found: dict[int, Sample] = {}
        for begin in range(0, len(ids), _AT_ONCE):
            found |= await samples.get_many(ids[begin : begin + _AT_ONCE])
        return [found[i] for i in ids if i in found and found[i].status == "ready"]
    finally:
        await database.close()


async def _tell(settings: LibrarySettings, track_id: int) -> bool:
    database = await Database.open(settings.database)
    try:
        return await Samples(database).heard_again(track_id)
    finally:
        await database.close()
