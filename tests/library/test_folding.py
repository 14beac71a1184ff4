"""`engine/library/folding.py`: a library's tracks become the artifact's, and are the same there."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
from library.asked import content, upload
from tracks import RATE, TRACKS, heard_by, tune

from engine.base.errors import ArtifactError, BuildError
from engine.base.progress import Progress
from engine.library.database import Database
from engine.library.folding import fold
from engine.library.growing import Growing, name_of, refuse_foreign
from engine.library.jobs import Jobs
from engine.library.objects import Objects
from engine.library.rehearing import Reheard, rehear
from engine.library.samples import Samples
from engine.library.settings import LibrarySettings
from engine.sound.audio import encode
from engine.sound.search import SoundSearch, Wanted
from engine.sound.waveform import KEPT, peaks


@pytest.fixture
def settings(migrated_sqlite: Path, tmp_path: Path) -> LibrarySettings:
    path = tmp_path / "library.sqlite"
    path.write_bytes(migrated_sqlite.read_bytes())
    return LibrarySettings(
        library="shared", database=f"sqlite:///{path}", storage=str(tmp_path / "objects")
    )


@pytest.fixture(scope="module")
def search(tiny_sound: Path) -> SoundSearch:
    return SoundSearch.open(tiny_sound)


async def add(settings: LibrarySettings, search: SoundSearch, number: int, **other: str) -> int:
    """A track of the library, heard by the artifact's networks, or by `other` ones."""
    database = await Database.open(settings.database)
    jobs, samples = Jobs(database), Samples(database)
    objects = Objects.open(settings.storage)
    name = f"tune {number}"
    job = await jobs.submit(upload(name, title=name.title()))
    heard = dataclasses.replace(heard_by(search, tune(number)), **other)
    files = {"heard": "heard.npz", "mp3": "audio.mp3", "wav": "audio.wav", "peaks": "peaks.npz"}
    keys = {one: f"audio/{content(name)}/{file}" for one, file in files.items()}
    objects.put(keys["heard"], heard.to_bytes())
    source = search.audio(number % 4)  # some audio: that it is another's is nobody's business here
    assert isinstance(source, Path)
    objects.put(keys["mp3"], source)
    facts = {"duration_s": 12.0, "bpm": 92.0, "key": "D minor"}
    await jobs.begin(job.job_id, 1, "catalogue")
    assert await samples.finish(job.job_id, 1, facts, keys)
    assert await jobs.done(job.job_id, 1)
    await database.close()
    return job.track_id


def test_what_is_folded_is_found_as_before_and_nothing_twice(
    settings: LibrarySettings, search: SoundSearch, tiny_sound: Path, tmp_path: Path
) -> None:
    one = asyncio.run(add(settings, search, 40))
    two = asyncio.run(add(settings, search, 41))
    strange = asyncio.run(add(settings, search, 42, encoder="0" * 64))
    done = fold(str(tiny_sound), tmp_path / "second", settings)
    assert (done.added, done.removed, done.waiting) == (2, 0, 1)
    second = SoundSearch.open(tmp_path / "second")
    assert second.total_tracks == TRACKS + 2
    verdict = second.identify(tune(40)[4 * RATE : 9 * RATE])
    assert verdict.best is not None
    assert (verdict.best.track_id, round(verdict.best.offset_s, 1)) == (one, 4.0)
    near = second.alike(tune(41), Wanted(k=2))
    assert near[0].track.track_id == two
    assert (near[0].track.title, near[0].track.key) == ("Tune 41", "D minor")
    assert isinstance(second.audio(two), Path)
    drawn = second.peaks(two)
    assert drawn is not None
    assert len(drawn) == 4096

    async def grown(found: SoundSearch) -> list[int]:
        database = await Database.open(settings.database)
        samples, objects = Samples(database), Objects.open(settings.storage)
        growing = Growing(samples, objects, lambda: found, lambda _: "", private=False)
        await growing.look()
        folded = {i: one.folded for i, one in (await samples.get_many([one, strange])).items()}
        assert folded == {one: done.built.manifest.id, strange: None}
        await samples.delete(two)
        await growing.look()
        await database.close()
        return [held.track.track_id for held in found.held]

    async def told_apart() -> None:
        mine = await Database.open(settings.database)
        refuse_foreign(second, await name_of(mine))
        other = await Database.open(f"sqlite:///{tmp_path / 'other.sqlite'}")
        with pytest.raises(ArtifactError, match=f"has track {one}, which another library gave"):
            refuse_foreign(second, await name_of(other))
        refuse_foreign(search, await name_of(other))
        await mine.close()
        await other.close()

    asyncio.run(told_apart())
    assert asyncio.run(grown(second)) == []
    assert second.gone == {two}
    assert second.total_tracks == TRACKS + 1
    # … and what was deleted since is taken out by the next folding.
    third = fold(str(tmp_path / "second"), tmp_path / "third", settings)
    assert (third.added, third.removed, third.built.manifest.catalogue.tracks) == (0, 1, TRACKS + 1)


def test_what_others_have_heard_is_heard_again(
    settings: LibrarySettings, search: SoundSearch, tiny_sound: Path
) -> None:
    fit = asyncio.run(add(settings, search, 40))
    strange = asyncio.run(add(settings, search, 41, encoder="0" * 64))
    objects = Objects.open(settings.storage)
    told: list[str] = []

    class Told(Progress):
        def remark(self, text: str) -> None:
            told.append(text)

    done = rehear(str(tiny_sound), settings, Told())
    assert done == Reheard(heard=0, as_before=1, failed=1)
    assert str(strange) in told[0]
    folder = f"audio/{content('tune 41')}"
    objects.put(f"{folder}/audio.wav", encode(tune(41)[:, None], RATE, "wav", "pcm_s16le"))
    buffer = io.BytesIO()
    np.savez(buffer, peaks=peaks(tune(41), KEPT))
    objects.put(f"{folder}/peaks.npz", buffer.getvalue())

    async def held() -> set[int]:
        database = await Database.open(settings.database)
        growing = Growing(Samples(database), objects, lambda: search, lambda _: "", private=False)
        await growing.look()
        done = await asyncio.to_thread(rehear, str(tiny_sound), settings)
        assert done == Reheard(heard=1, as_before=1, failed=0)
        await growing.look()
        await database.close()
        assert not growing.waiting
        return {held.track.track_id for held in search.held}

    assert asyncio.run(held()) == {fit, strange}
    clip = tune(41)[4 * RATE : 9 * RATE]
    verdict = search.identify(clip)
    assert verdict.best is not None
    assert verdict.best.track_id == strange
    search.let_go([fit, strange])


def test_a_private_library_stays_beside_the_artifact(
    settings: LibrarySettings, tiny_sound: Path, tmp_path: Path
) -> None:
    private = dataclasses.replace(settings, library="private")
    with pytest.raises(BuildError, match="its owner's alone"):
        fold(str(tiny_sound), tmp_path / "second", private)


def test_what_was_private_when_it_was_added_is_so_whatever_the_shell_says(
    settings: LibrarySettings, tiny_sound: Path, tmp_path: Path
) -> None:
    async def add_privately() -> None:
        database = await Database.open(settings.database)
        await Jobs(database, private=True).submit(upload("secret", owner="ab" * 32))
        await database.close()

    asyncio.run(add_privately())
    with pytest.raises(BuildError, match="its owner's alone"):
        fold(str(tiny_sound), tmp_path / "second", settings)


def test_with_nothing_to_fold_there_is_no_new_version(
    settings: LibrarySettings, tiny_sound: Path, tmp_path: Path
) -> None:
    with pytest.raises(BuildError, match="nothing to add"):
        fold(str(tiny_sound), tmp_path / "second", settings)
    assert not (tmp_path / "second").exists()
