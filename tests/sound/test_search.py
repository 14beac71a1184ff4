"""`engine/sound/search.py`: a clip → its track, or tracks alike; a track → neighbours, audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tracks import ADDRESS, ELSEWHERE, KEPT_BACK, RATE, TRACKS, tune

from engine.base.errors import AudioNotFound, AudioNotShared, InvalidRequest, TrackNotFound
from engine.sound.search import SoundSearch, Wanted


@pytest.fixture(scope="module")
def search(tiny_sound: Path) -> SoundSearch:
    return SoundSearch.open(tiny_sound)


def test_a_clip_is_of_its_track_from_its_second_on(search: SoundSearch) -> None:
    clip = tune(2)[4 * RATE : 9 * RATE]
    verdict = search.identify(clip)
    assert verdict.decision == "match"
    assert verdict.best is not None
    assert verdict.best.track_id == 2
    assert verdict.best.offset_s == pytest.approx(4.0, abs=0.1)


def test_what_is_no_music_is_none_of_them(search: SoundSearch) -> None:
    hiss = 0.1 * np.random.default_rng(0).standard_normal(5 * RATE).astype(np.float32)
    verdict = search.identify(hiss)
    assert (verdict.decision, verdict.best) == ("no_match", None)


def test_a_track_sounds_most_like_itself(search: SoundSearch) -> None:
    hits = search.alike(tune(3), Wanted(k=TRACKS))
    assert hits[0].track.track_id == 3
    scores = [hit.similarity for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert len(hits) == TRACKS


def test_a_genre_and_a_least_score_restrict(search: SoundSearch) -> None:
    folk = search.alike(tune(3), Wanted(k=TRACKS, genre="FOLK"))
    assert {hit.track.genre for hit in folk} == {"folk"}
    assert len(folk) == TRACKS // 2
    assert search.alike(tune(3), Wanted(genre="polka")) == []
    best, second = search.alike(tune(3), Wanted(k=2))
    least = (best.similarity + second.similarity) / 2
    assert [h.track.track_id for h in search.alike(tune(3), Wanted(min_score=least))] == [3]


def test_neighbours_leave_the_track_out_and_say_why(search: SoundSearch) -> None:
    near = search.neighbours(0, Wanted(k=TRACKS))
    assert sorted(hit.track.track_id for hit in near) == [1, 2, 3, 4, 5]
    folk = next(hit for hit in near if hit.track.genre == "folk")
    jazz = next(hit for hit in near if hit.track.genre == "jazz")
    assert "jazz" in str(jazz.because)
    assert "jazz" not in str(folk.because)
    assert "92 bpm" in str(folk.because)
    with pytest.raises(TrackNotFound, match="There is no track 99"):
        search.neighbours(99)


def test_audio_is_a_file_an_address_or_a_refusal(search: SoundSearch) -> None:
    found = search.audio(0)
    assert isinstance(found, Path)
    assert found.is_file()
    assert search.audio(ELSEWHERE) == ADDRESS
    with pytest.raises(AudioNotShared):
        search.audio(KEPT_BACK)
    with pytest.raises(TrackNotFound):
        search.audio(-1)


def test_what_is_not_in_the_folder_is_not_there(search: SoundSearch, tmp_path: Path) -> None:
    from engine.artifact.pack import pack

    artifact = search.artifact
    pack(artifact, tmp_path / "mute", without=artifact.manifest.audio_files())
    mute = SoundSearch.open(tmp_path / "mute")
    assert mute.artifact_id == search.artifact_id
    with pytest.raises(AudioNotFound):
        mute.audio(0)
    assert mute.audio(ELSEWHERE) == ADDRESS


def test_a_track_is_drawn_at_full_height(search: SoundSearch) -> None:
    peaks = search.peaks(1)
    assert peaks is not None
    assert peaks.shape == (4096, 2)
    assert np.abs(peaks).max() == pytest.approx(0.8, abs=0.1)
    assert (peaks[:, 0] <= peaks[:, 1]).all()
    with pytest.raises(TrackNotFound):
        search.peaks(10**30)


def test_words_are_refused_where_the_encoder_knows_none(search: SoundSearch) -> None:
    assert not search.knows_words
    with pytest.raises(InvalidRequest, match="knows sounds and no words"):
        search.by_text("a sad piano")


def test_steps_give_what_the_whole_gives(search: SoundSearch) -> None:
    clip, wanted = tune(5)[: 4 * RATE], Wanted(k=2)
    rows = np.stack([search.embed(clip), search.embed(tune(1))])
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-5)
    first, second = search.nearest(rows, wanted)
    both = zip(search.hits(first, wanted), search.alike(clip, wanted), strict=True)
    for step, whole in both:
        assert step.track == whole.track
        assert step.similarity == pytest.approx(whole.similarity, abs=1e-4)
    assert second[0].id == 1
