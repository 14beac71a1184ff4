"""`engine/sound/held.py`: tracks that come and go while an artifact is served, as `search` finds
them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tracks import RATE, TRACKS, heard_by, tune

from engine.base.errors import AudioNotFound, AudioNotShared, EncoderMismatch, TrackNotFound
from engine.sound.catalogue import Track
from engine.sound.held import Heard, HeldTrack
from engine.sound.search import SoundHit, SoundSearch, Wanted

FIRST, SECOND, MINE, THEIRS = 1001, 1002, 1003, 1004
ME, THEM = "a" * 64, "b" * 64
VECTORS: dict[int, np.ndarray] = {}
TITLES = {FIRST: "Tune of dawn", SECOND: "Old lantern", MINE: "Cellar", THEIRS: "Attic"}


@pytest.fixture(scope="module")
def opened(tiny_sound: Path) -> SoundSearch:
    return SoundSearch.open(tiny_sound)


@pytest.fixture(scope="module")
def comers(opened: SoundSearch) -> dict[int, HeldTrack]:
    """Two for everybody, one of me, one of them."""
    owners = {MINE: ME, THEIRS: THEM}
    return {
        track_id: HeldTrack(
            Track(
                track_id,
                12.0,
                title=TITLES[track_id],
                artist="Comer",
                genre="Jazz",
                audio="audio.mp3",
                audio_shared=track_id != SECOND,
                digest=f"{track_id:064x}",
            ),
            heard_by(opened, tune(track_id)),
            owners.get(track_id, ""),
            audio=lambda track_id=track_id: Path(f"/objects/{track_id}.mp3"),
        )
        for track_id in TITLES
    }


@pytest.fixture
def search(opened: SoundSearch, comers: dict[int, HeldTrack]) -> Iterator[SoundSearch]:
    opened.hold(comers.values())
    yield opened
    opened.let_go(list(comers))
    opened.hide([])


def alike(search: SoundSearch, number: int, wanted: Wanted) -> list[SoundHit]:
    """`search.alike(tune(number), wanted)`, its vector made once."""
    if number not in VECTORS:
        VECTORS[number] = search.embed(tune(number))
    return search.hits(search.nearest(VECTORS[number][None], wanted)[0], wanted)


def clip_of(number: int) -> np.ndarray:
    return tune(number)[4 * RATE : 9 * RATE]


def found_by(search: SoundSearch, number: int) -> int | None:
    best = search.identify(clip_of(number)).best
    return best.track_id if best else None


def test_what_is_held_is_identified_where_it_begins(search: SoundSearch) -> None:
    verdict = search.identify(clip_of(FIRST))
    assert verdict.decision == "match"
    assert verdict.best is not None
    assert (verdict.best.track_id, round(verdict.best.offset_s, 1)) == (FIRST, 4.0)
    assert found_by(search, 2) == 2  # the artifact's own still are


def test_what_is_let_go_is_gone_everywhere(search: SoundSearch) -> None:
    search.let_go([FIRST, 99_999])
    assert found_by(search, FIRST) is None
    assert FIRST not in [hit.track.track_id for hit in alike(search, FIRST, Wanted(k=20))]
    assert search.page(q="dawn").total == 0
    assert search.total_tracks == TRACKS + 1
    for ask in (search.track, search.audio, search.peaks, search.neighbours):
        with pytest.raises(TrackNotFound):
            ask(FIRST)
    assert found_by(search, SECOND) == SECOND


@pytest.mark.parametrize(
    ("caller", "sees"), [("", set()), (ME, {MINE}), (THEM, {THEIRS}), ("c" * 64, set())]
)
def test_each_caller_sees_everybodys_and_its_own(
    search: SoundSearch, caller: str, sees: set[int]
) -> None:
    seen = search.seen_by(caller)
    for track_id in (MINE, THEIRS):
        like = {hit.track.track_id for hit in alike(seen, track_id, Wanted(k=20))}
        near = {hit.track.track_id for hit in seen.neighbours(0, Wanted(k=20))}
        listed = {track.track_id for track in seen.page(limit=100).tracks}
        named = {track.track_id for track in seen.page(q=TITLES[track_id]).tracks}
        genre = {track.track_id for track in seen.page(limit=100, genre="jazz").tracks}
        there = {found_by(seen, track_id)}
        for answer in (like, near, listed, named, genre, there):
            assert (track_id in answer) == (track_id in sees)
        assert (track_id in seen.tracks([MINE, THEIRS])) == (track_id in sees)
    assert seen.total_tracks == TRACKS + 2 + len(sees)


def test_neighbours_are_merged_best_first_and_cut_at_k(search: SoundSearch) -> None:
    everything = alike(search, FIRST, Wanted(k=100))
    assert everything[0].track.track_id == FIRST
    scores = [hit.similarity for hit in everything]
    assert scores == sorted(scores, reverse=True)
    assert len(everything) == TRACKS + 2
    assert alike(search, FIRST, Wanted(k=3)) == everything[:3]
    jazz = alike(search, FIRST, Wanted(k=100, genre="JAZZ"))
    assert [hit.track.track_id for hit in jazz] == [
        hit.track.track_id for hit in everything if (hit.track.genre or "").lower() == "jazz"
    ]


def test_equals_are_in_order_of_their_ids(
    search: SoundSearch, comers: dict[int, HeldTrack]
) -> None:
    twin = comers[FIRST]
    ids = [2001, 1999]
    search.hold(
        dataclasses.replace(twin, track=dataclasses.replace(twin.track, track_id=i)) for i in ids
    )
    best = alike(search, FIRST, Wanted(k=3))
    assert [hit.track.track_id for hit in best] == [FIRST, 1999, 2001]
    assert search.identify(clip_of(FIRST)).decision == "match"  # the same recording, three times
    search.let_go(ids)


def test_neighbours_of_what_is_held_say_why(search: SoundSearch) -> None:
    near = search.neighbours(FIRST, Wanted(k=100))
    assert FIRST not in [hit.track.track_id for hit in near]
    other = next(hit for hit in near if hit.track.track_id == SECOND)
    assert "Jazz" in str(other.because)


def test_pages_go_on_from_the_artifact_to_what_is_held(search: SoundSearch) -> None:
    whole = [track.track_id for track in search.page(limit=100).tracks]
    assert whole == [*range(TRACKS), FIRST, SECOND]
    for limit in (1, 3, 5):
        pages = [search.page(at, limit) for at in range(0, len(whole), limit)]
        assert {page.total for page in pages} == {len(whole)}
        assert [track.track_id for page in pages for track in page.tracks] == whole
    assert search.page(len(whole), 5).tracks == []
    assert [track.track_id for track in search.page(q="tunes dawn").tracks] == [FIRST]
    tunes = search.page(q="tune", limit=3)
    assert (tunes.total, tunes.tracks[0].track_id) == (TRACKS + 1, FIRST)
    assert search.page(q="lantern", genre="folk").total == 0
    assert search.page(q="lantern", genre="JAZZ").total == 1
    assert search.page(album_id=10, limit=1).total == 2


def test_tracks_of_the_artifact_may_be_gone(search: SoundSearch) -> None:
    search.hide([2, 777])
    assert found_by(search, 2) is None
    assert len(alike(search, 2, Wanted(k=TRACKS))) == TRACKS
    assert 2 not in [hit.track.track_id for hit in alike(search, 2, Wanted(k=100))]
    assert search.total_tracks == TRACKS + 1
    assert [track.track_id for track in search.page(limit=3).tracks] == [0, 1, 3]
    assert [track.track_id for track in search.page(q="tune").tracks] == [FIRST, 0, 1, 3, 4, 5]
    with pytest.raises(TrackNotFound):
        search.neighbours(2)
    assert found_by(search, 3) == 3


def test_a_view_keeps_what_there_was(search: SoundSearch) -> None:
    before = search.seen_by("")
    search.let_go([FIRST])
    assert found_by(before, FIRST) == FIRST
    assert before.track(FIRST).title == TITLES[FIRST]
    assert found_by(search.seen_by(""), FIRST) is None


def test_audio_and_waveform_of_what_is_held(
    search: SoundSearch, comers: dict[int, HeldTrack]
) -> None:
    assert search.audio(FIRST) == Path(f"/objects/{FIRST}.mp3")
    with pytest.raises(AudioNotShared):
        search.audio(SECOND)
    peaks = search.peaks(FIRST)
    assert peaks is not None
    assert peaks.shape == (4096, 2)
    assert np.abs(peaks).max() == pytest.approx(0.8, abs=0.1)
    mute = dataclasses.replace(comers[FIRST], audio=None)
    search.hold([mute])
    with pytest.raises(AudioNotFound):
        search.audio(FIRST)


def test_what_other_networks_heard_is_refused(
    search: SoundSearch, comers: dict[int, HeldTrack]
) -> None:
    heard = dataclasses.replace(comers[FIRST].heard, encoder="0" * 64)
    assert not search.hears_like(heard)
    with pytest.raises(ValueError, match="heard by other networks"):
        search.hold([dataclasses.replace(comers[FIRST], heard=heard)])


def test_what_was_heard_goes_to_bytes_and_back(comers: dict[int, HeldTrack]) -> None:
    heard = comers[FIRST].heard
    data = heard.to_bytes()
    again = Heard.of(data)
    for field in dataclasses.fields(Heard):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(heard, field.name))
    for bad in (b"", data[:-100], b"PK\x03\x04" + bytes(100)):
        with pytest.raises(EncoderMismatch, match="cannot be read"):
            Heard.of(bad)
    with pytest.raises(EncoderMismatch):
        Heard.of(dataclasses.replace(heard, vector=heard.vector[None]).to_bytes())
