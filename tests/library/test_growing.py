"""`engine/library/growing.py`: what is served follows what the library holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from library.asked import add, content

from engine.base.errors import NotReady
from engine.library import growing as module
from engine.library.database import Database
from engine.library.growing import Growing
from engine.library.jobs import Jobs
from engine.library.objects import Objects
from engine.library.samples import Samples
from engine.library.tables import FIRST_TRACK_ID
from engine.sound.held import Heard, HeldTrack

pytestmark = pytest.mark.anyio

ME, THEM = "a" * 64, "b" * 64


class Search:
    """As much of a search as grows: what it holds, and what of its own is hidden."""

    def __init__(self, own: Iterable[int] = (), encoder: str = "ours") -> None:
        self.held: dict[int, HeldTrack] = {}
        self.gone: frozenset[int] = frozenset()
        self.own, self.encoder = set(own), encoder
        self.catalogue = self

    def get(self, ids: Iterable[int]) -> dict[int, None]:
        return {i: None for i in ids if i in self.own}

    def ids(self) -> Any:
        return np.array(sorted(self.own), np.int64)

    def hears_like(self, heard: Heard) -> bool:
        return heard.encoder == self.encoder

    def hold(self, tracks: Iterable[HeldTrack]) -> None:
        for one in tracks:
            assert self.hears_like(one.heard)
            assert one.track.track_id not in self.own
            self.held[one.track.track_id] = one

    def let_go(self, ids: Collection[int]) -> None:
        for track_id in ids:
            self.held.pop(track_id, None)

    def hide(self, ids: Collection[int]) -> None:
        self.gone = frozenset(ids) & self.own


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, private=True)


@pytest.fixture
def samples(database: Database) -> Samples:
    return Samples(database, private=True)


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects.open(str(tmp_path / "objects"))


def hear(objects: Objects, name: str, encoder: str = "ours") -> None:
    """Put what was heard of a content where its job would."""
    heard = Heard(
        prints=np.ones((4, 8), np.int8),
        vector=np.ones(3, np.float32),
        tags=np.zeros(0, np.float32),
        peaks=np.zeros((4, 2), np.int8),
        network="ours",
        encoder=encoder,
    )
    objects.put(f"audio/{content(name)}/heard.npz", heard.to_bytes())


class Library:
    """A library whose tracks were heard, and what grows by it."""

    def __init__(self, jobs: Jobs, samples: Samples, objects: Objects) -> None:
        self.jobs, self.samples, self.objects = jobs, samples, objects
        self.search: Search | None = Search()

    def _open(self) -> Any:
        if self.search is None:
            raise NotReady("not yet")
        return self.search

    def growing(self, *, private: bool = False) -> Growing:
        audio = lambda sample: Path(f"/{sample.track_id}.mp3")  # noqa: E731
        return Growing(self.samples, self.objects, self._open, audio, private=private)

    async def add(self, name: str, owner: str = "", encoder: str = "ours", **facts: Any) -> int:
        hear(self.objects, name, encoder)
        return await add(self.jobs, self.samples, name, owner, **facts)

    @property
    def held(self) -> dict[int, HeldTrack]:
        assert self.search is not None
        return self.search.held


@pytest.fixture
def library(jobs: Jobs, samples: Samples, objects: Objects) -> Library:
    return Library(jobs, samples, objects)


async def test_what_is_ready_is_held_and_what_is_deleted_let_go(library: Library) -> None:
    growing = library.growing()
    await growing.look()
    one = await library.add("one", title="Blue Moon", bpm=92.0, duration_s=10.0)
    await growing.look()
    assert list(library.held) == [one]
    track = library.held[one].track
    assert (track.title, track.bpm, track.digest) == ("Blue Moon", 92.0, content("one"))
    audio = library.held[one].audio
    assert audio is not None
    assert audio() == Path(f"/{one}.mp3")
    two = await library.add("two")
    await growing.look()
    assert list(library.held) == [one, two]
    await library.samples.delete(one)
    await growing.look()
    assert list(library.held) == [two]
    assert growing.held("") == 1


async def test_who_asks_is_told_of_no_more_tracks_than_they_find(library: Library) -> None:
    growing = library.growing(private=True)
    await library.add("mine", ME)
    await library.add("to be heard again", ME, encoder="theirs")
    await library.add("theirs", THEM)
    await growing.look()
    assert (growing.held(ME), growing.waits(ME)) == (1, 1)
    assert (growing.held(THEM), growing.waits(THEM)) == (1, 0)
    assert (growing.held(""), growing.waits("")) == (0, 0)


async def test_a_process_that_starts_holds_all_there_is(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    ids = [await library.add(f"track {n}") for n in range(5)]
    await library.samples.delete(ids.pop(1))
    await library.growing().look()
    assert sorted(library.held) == ids


async def test_what_is_opened_anew_holds_the_same_without_reading_it_again(
    library: Library, objects: Objects
) -> None:
    growing = library.growing()
    ids = [await library.add(f"track {n}") for n in range(3)]
    await growing.look()
    for n in range(3):
        objects.delete(f"audio/{content(f'track {n}')}/heard.npz")
    library.search = None
    with pytest.raises(NotReady):
        await growing.look()
    library.search = Search()
    await growing.look()
    assert sorted(library.held) == ids


async def test_what_another_encoder_heard_waits(library: Library) -> None:
    growing = library.growing()
    fit, other = await library.add("fit"), await library.add("other", encoder="theirs")
    await growing.look()
    assert list(library.held) == [fit]
    assert [*growing.waiting] == [other]
    library.search = Search(encoder="theirs")
    await growing.look()
    assert list(library.held) == [other]
    assert [*growing.waiting] == [fit]
    await library.samples.delete(fit)
    await growing.look()
    assert not growing.waiting


async def test_what_the_artifact_has_is_not_held_and_hidden_once_it_is_deleted(
    library: Library,
) -> None:
    one, two = await library.add("one"), await library.add("two")
    library.search = Search([3, one, two, FIRST_TRACK_ID + 999])
    growing = library.growing()
    await growing.look()
    assert library.held == {}
    assert library.search.gone == {FIRST_TRACK_ID + 999}, "3 is the artifact's alone"
    await library.samples.delete(one)
    await growing.look()
    assert library.search.gone == {FIRST_TRACK_ID + 999, one}


@pytest.mark.parametrize("private", [False, True])
async def test_owners_are_told_apart_where_the_library_is_private(
    library: Library, private: bool
) -> None:
    mine, theirs = await library.add("one", ME), await library.add("two", THEM)
    await library.growing(private=private).look()
    owners = {track_id: one.owner for track_id, one in library.held.items()}
    assert owners == ({mine: ME, theirs: THEM} if private else {mine: "", theirs: ""})


async def test_what_was_missed_is_found_by_comparing_all(
    library: Library, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = library.growing()
    kept = await library.add("kept")
    await growing.look()
    late = await add(library.jobs, library.samples, "late")  # what was heard is not there (yet)
    await growing.look()
    assert list(library.held) == [kept]
    hear(objects, "late")
    growing._revisions.pop(late)
    cast("Search", library.search).held.pop(kept)
    growing._revisions.pop(kept)
    monkeypatch.setattr(module, "COMPARES_EVERY_S", 0.0)
    await growing.look()
    assert sorted(library.held) == [kept, late]


async def test_who_deletes_here_does_not_find_it_again(library: Library) -> None:
    growing = library.growing()
    one = await library.add("one")
    await growing.look()
    await library.samples.delete(one)
    await growing.forget(one)
    assert library.held == {}
