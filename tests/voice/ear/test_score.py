"""A perfect copy, faults each alone, and what is no fault: what a score does about them.

Melodies are made of the notes themselves, as if a tracker had heard them without a mistake; what
real trackers hear is measured in benchmarks/voice.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from singing import Note, melody, moved

from engine.voice.ear.alignment import Alignment, align
from engine.voice.ear.heard import FRAME_S, Line, Word
from engine.voice.ear.melody import Melody
from engine.voice.ear.score import WEIGHTS, is_noise, score

LENGTH_S = 18.0
NOTES = melody(2)
BEATS = np.sort(np.random.default_rng(1).uniform(0, LENGTH_S, 40))


def heard(
    notes: Sequence[Note],
    *,
    beats_late_s: float | None = None,
    db: float = 0.0,
    before_s: float = 0,
) -> Melody:
    """A melody as its notes are, after a silence; with music behind it that is late by so much."""
    count = round((LENGTH_S + before_s) / FRAME_S)
    hz, level = np.full(count, 100, np.float32), np.full(count, -90, np.float32)
    sure, chroma = np.zeros(count, np.float32), np.zeros((count, 12), np.float32)
    for note in notes:
        begin = round((note.start_s + before_s) / FRAME_S)
        end = round((note.start_s + note.length_s + before_s) / FRAME_S)
        hz[begin:end], level[begin:end] = 440 * 2 ** ((note.midi - 69) / 12), -20 + db
        sure[begin:end] = 0.9
        chroma[begin:end] = 0
        chroma[begin:end, round(note.midi) % 12] = 1
    beat = np.zeros((count, 24), np.float32)
    if beats_late_s is not None:
        at = np.rint((BEATS + beats_late_s + before_s) / FRAME_S).astype(int)
        beat[at[at < count]] = 1
    strokes = np.maximum(np.diff(level, prepend=level[:1]), 0)
    return Melody(hz, sure, level, chroma, strokes, beat)


@cache
def reference() -> Melody:
    return heard(NOTES, beats_late_s=0)


def judged(user: Melody, **more: Any) -> dict[str, Any]:
    return score(user, reference(), align(user, reference()), **more)


def falls(scores: Sequence[float]) -> bool:
    return all(later < before for before, later in itertools.pairwise(scores))


def test_a_copy_is_perfect_and_what_was_not_measured_is_named() -> None:
    told = judged(heard(NOTES, beats_late_s=0))
    assert told["score"] >= 99
    assert told["pitch"]["median_cents"] == pytest.approx(0, abs=0.5)
    assert told["pitch"]["within_50_cents"] == 1
    assert str(told["rhythm"]["median_ms"]) == "0.0"  # and no −0.0
    assert told["not_measured"] == ["lyrics"]
    assert "lyrics" not in told
    assert [told[name]["weight"] for name in ("pitch", "rhythm")] == [0.571, 0.429]
    assert told["latency_by"] == "backing"


def test_the_score_falls_with_each_cent() -> None:
    found = [judged(heard(moved(NOTES, cents=cents))) for cents in (0, 20, 50, 100, 200)]
    assert falls([one["score"] for one in found])
    assert [one["pitch"]["median_cents"] for one in found] == pytest.approx([0, 20, 50, 100, 200])
    assert found[-1]["rhythm"]["score"] == found[0]["rhythm"]["score"]


def test_the_score_falls_as_the_singer_is_late_behind_the_music() -> None:
    found = [
        judged(heard(moved(NOTES, late_s=late), beats_late_s=0)) for late in (0, 0.05, 0.15, 0.3)
    ]
    assert falls([one["score"] for one in found])
    assert [one["rhythm"]["median_ms"] for one in found] == pytest.approx([0, 50, 150, 300], abs=9)


def test_without_music_the_score_falls_as_notes_are_late_each_by_its_own() -> None:
    found = []
    for most in (0, 0.1, 0.3, 0.6):
        late = np.random.default_rng(0).permutation(np.linspace(0, most, len(NOTES)))
        found.append(judged(heard(moved(NOTES, late_s=list(late))))["score"])
    assert falls(found)


@pytest.mark.parametrize(
    ("user", "more"),
    [
        pytest.param({"before_s": 0.7}, {}, id="a constant latency"),
        pytest.param({"before_s": 0.7, "beats_late_s": 0}, {}, id="a constant latency of all"),
        pytest.param({"before_s": 8.0}, {}, id="it began to record long before"),
        pytest.param({"db": -25.0}, {}, id="quiet"),
    ],
)
def test_what_is_no_fault_costs_nothing(user: dict[str, Any], more: dict[str, Any]) -> None:
    told = judged(heard(NOTES, **user), **more)
    assert told["score"] >= 97
    if "before_s" in user:
        assert told["latency_s"] == pytest.approx(user["before_s"], abs=0.02)


def test_an_octave_is_folded_and_a_transposition_offered() -> None:
    deep = judged(heard(moved(NOTES, cents=-1200)))
    assert (deep["octave"], deep["transposition"]["offered"]) == (-1, 0)
    assert deep["score"] >= 97
    higher = heard(moved(NOTES, cents=300))
    told = judged(higher)
    assert told["transposition"] == {"offered": 3, "accepted": 0}
    assert told["pitch"]["score"] < 10
    accepted = judged(higher, transposition=3)
    assert accepted["score"] >= 97
    assert accepted["transposition"] == {"offered": 3, "accepted": 3}


def test_beside_another_song_no_key_is_offered() -> None:
    other = judged(heard(moved(melody(7), cents=400)))
    assert other["transposition"]["offered"] == 0


def test_silence_and_another_song_are_near_nothing() -> None:
    silent = judged(heard([], beats_late_s=0))
    assert silent["score"] == 0
    assert (silent["coverage"]["sung"], silent["coverage"]["sounds"]) == (0, False)
    for seed in (5, 6, 7, 8):
        assert judged(heard(melody(seed)))["score"] <= 20


def test_a_quick_melody_in_which_all_its_tones_are_found_is_another_song() -> None:
    tones = sorted({note.midi for note in NOTES})
    quick = [Note(0.5 + 0.12 * at, 0.11, tones[at % len(tones)]) for at in range(140)]
    assert judged(heard(quick))["score"] <= 20


def test_where_the_voice_was_lost_nothing_of_the_music_is_judged() -> None:
    told = judged(heard(NOTES), lost=["user"])
    assert told["score"] == 0
    assert told["coverage"]["sung"] == 0


def test_beside_a_reference_without_a_voice_only_the_words_are_judged() -> None:
    told = judged(heard(NOTES), lost=["reference"])
    assert told["score"] is None
    assert told["not_measured"] == ["pitch", "rhythm", "lyrics"]
    assert [one["score"] for one in told["phrases"]] == [None] * len(told["phrases"])
    said = words("the river runs beside the road and carries all our songs")
    far = heard(moved(NOTES, cents=-500), before_s=8.0)
    told = judged(far, words=said, lyrics=LINES, lost=["reference"])
    assert (told["latency_s"], told["octave"], told["transposition"]["offered"]) == (0, 0, 0)
    assert (told["score"], told["not_measured"]) == (100.0, ["pitch", "rhythm"])
    assert told["lyrics"]["weight"] == 1.0


def test_noise_has_no_sure_tones_and_a_voice_has() -> None:
    voice = heard(NOTES)
    seldom = np.where(np.arange(len(voice)) % 8 == 0, 0.9, 0.1).astype(np.float32)
    loud = np.full(len(voice), -20, np.float32)
    assert is_noise(replace(voice, confidence=seldom, level_db=loud))
    assert not is_noise(voice)
    assert not is_noise(heard([]))  # silence is silence


@pytest.mark.parametrize("voice", ["none", "lost", "none, and nothing that hears pitch"])
def test_silence_has_one_shape(voice: str) -> None:
    """A phrase of which nothing was heard has no score, as one that was not recorded."""
    user, original = heard(NOTES if voice == "lost" else [], beats_late_s=0), reference()
    if "pitch" in voice:
        nothing = np.zeros(len(user), np.float32)
        user, original = (replace(one, hz=nothing, confidence=nothing) for one in (user, original))
    lost = ["user"] if voice == "lost" else []
    told = score(user, original, align(user, original), lost=lost)
    assert told["score"] == 0
    assert {one["score"] for one in told["phrases"]} <= {None}
    assert [one["cents"] for one in told["phrases"]] == [[]] * len(told["phrases"])
    assert told["phrases"] or "pitch" in voice
    assert told["coverage"]["sung"] == 0


@pytest.mark.parametrize("voice", ["none", "lost"])
def test_where_nobody_is_heard_nothing_is_late(voice: str) -> None:
    """The path found some delay; of no voice it tells nothing, nor of how much was recorded."""
    user = heard(NOTES if voice == "lost" else [])
    late = replace(align(user, reference()), by="voice", latency_s=6.0, shift_cents=-500.0)
    late = replace(late, at=np.where(late.at < 700, late.at + 375, np.nan).astype(np.float32))
    assert score(heard(NOTES), reference(), late)["coverage"]["recorded"] < 0.9
    told = score(user, reference(), late, lost=["user"] if voice == "lost" else [])
    assert told["latency_s"] == 0
    assert (told["coverage"]["recorded"], told["coverage"]["sung"]) == (1.0, 0)
    assert (told["octave"], told["transposition"]["offered"]) == (0, 0)
    first = told["phrases"][0]
    assert first["user_from_s"] == pytest.approx(first["from_s"], abs=0.05)


def test_silence_behind_music_is_as_late_as_the_music() -> None:
    silent = judged(heard([], beats_late_s=0, before_s=0.3))
    assert silent["latency_by"] == "backing"
    assert silent["latency_s"] == pytest.approx(0.3, abs=0.02)


def test_of_another_song_no_number_of_the_comparison_is_told() -> None:
    other = judged(heard(melody(7)))
    assert other["same_song"] < 0.5
    assert other["score"] <= 100 * 2 * other["same_song"] ** 2  # what is alike there is chance
    assert (other["latency_s"], other["rhythm"]["median_ms"]) == (0, None)
    assert other["pitch"]["median_cents"] is None
    assert [one["score"] for one in other["phrases"]] == [None] * len(other["phrases"])
    assert [one["cents"] for one in other["phrases"]] == [[]] * len(other["phrases"])
    assert other["coverage"]["sung"] > 0  # that is no silence


def test_nobody_is_three_octaves_off() -> None:
    told = judged(heard(moved(NOTES, cents=3_600)))
    assert abs(told["octave"]) <= 2
    assert told["pitch"]["score"] < 10


def test_a_phrase_of_which_nothing_was_heard_has_no_score() -> None:
    told = judged(heard([note for note in NOTES if note.start_s < LENGTH_S / 2]))
    assert told["phrases"][0]["score"] >= 95
    assert told["phrases"][-1]["cents"] == []
    assert told["phrases"][-1]["score"] is None


def test_of_a_phrase_with_a_few_sure_tones_nobody_is_told_to_be_low() -> None:
    few = heard([*(note for note in NOTES if note.start_s < LENGTH_S / 2), Note(10.8, 0.12, 48)])
    for phrase in judged(few)["phrases"]:
        assert phrase["score"] is not None or phrase["cents"] == []


def test_half_a_song_sung_is_half_a_score() -> None:
    told = judged(heard([note for note in NOTES if note.start_s < 7]))
    assert 20 < told["score"] < 60


def test_a_take_that_ends_early_is_judged_by_what_was_recorded() -> None:
    whole = heard(NOTES)
    cut = Melody(*(getattr(whole, name)[:500] for name in Melody.__dataclass_fields__))
    told = judged(cut)
    assert told["score"] >= 95
    assert told["phrases"][-1]["score"] is None or told["phrases"][-1]["from_s"] < 8
    notes = sum(note.length_s for note in NOTES)
    before = sum(min(note.length_s, max(0.0, 500 * FRAME_S - note.start_s)) for note in NOTES)
    assert told["coverage"]["recorded"] == pytest.approx(before / notes, abs=0.1)
    assert told["coverage"]["recorded_s"] == pytest.approx(500 * FRAME_S, abs=0.1)
    assert told["coverage"]["reference_s"] == pytest.approx(LENGTH_S, abs=0.1)
    assert judged(whole)["coverage"]["recorded"] == 1.0
    assert judged(whole)["coverage"]["recorded_s"] == pytest.approx(LENGTH_S, abs=0.1)
    mute = score(whole, heard([]), align(whole, heard([])))
    assert mute["coverage"]["recorded"] is None


LINES = [Line("the river runs beside the road", 0.0), Line("and carries all our songs", 6.0)]


def words(text: str) -> list[Word]:
    return [Word(one, 0.5 * at, 0.5 * at + 0.4, 0.9) for at, one in enumerate(text.split())]


@pytest.mark.parametrize("seconds", [4.0, 7.0, 9.5, 13.0])
def test_a_perfect_take_that_ends_early_is_perfect_to_its_end(seconds: float) -> None:
    whole = heard(NOTES)
    count = round(seconds / FRAME_S)
    cut = Melody(*(getattr(whole, one.name)[:count] for one in fields(Melody)))
    told = judged(cut)
    assert told["score"] >= 95
    for phrase in told["phrases"]:
        if phrase["from_s"] > seconds:
            assert phrase["score"] is None
        elif phrase["to_s"] <= seconds - 1:
            assert phrase["score"] >= 95


def test_the_score_falls_with_each_word_that_is_another() -> None:
    right = [
        "the",
        "river",
        "runs",
        "beside",
        "the",
        "Road",
        "and",
        "carries",
        "all",
        "our",
        "songs!",
    ]
    found = []
    for wrong in (0, 2, 5, 8):
        told = words(" ".join(["la"] * wrong + right[wrong:]))
        found.append(judged(heard(NOTES), words=told, lyrics=LINES))
    assert falls([one["score"] for one in found])
    assert found[0]["lyrics"] == {
        "score": 100.0,
        "weight": 0.3,
        "wer": 0.0,
        "surely_other": 0.0,
    }
    assert found[1]["lyrics"]["wer"] == pytest.approx(2 / 11, abs=0.001)
    assert found[1]["lyrics"]["surely_other"] == pytest.approx(2 / 11, abs=0.001)
    assert found[0]["not_measured"] == []
    assert [found[0][name]["weight"] for name in WEIGHTS] == [0.4, 0.3, 0.3]


def test_a_copy_whose_words_are_misheard_as_the_references_are_is_perfect() -> None:
    misheard = words("the liver runs beside a road and carries all hour songs")
    told = judged(heard(NOTES), words=misheard, lyrics=LINES, reference_words=misheard)
    assert told["score"] >= 99
    assert told["lyrics"]["wer"] == 0
    assert told["coverage"]["words"] == pytest.approx(8 / 11, abs=0.001)
    others = words("a liver burns inside my toad and married tall hour tongues")
    off = judged(heard(NOTES), words=others, lyrics=LINES, reference_words=misheard)
    assert off["lyrics"]["wer"] == pytest.approx(7 / 8, abs=0.001)
    assert judged(heard(NOTES), words=misheard, lyrics=LINES)["coverage"]["words"] is None


def test_words_that_can_hardly_be_heard_in_the_reference_are_not_measured() -> None:
    right = words("the river runs beside the road and carries all our songs")
    hardly = words("mumble runs beside the mumble")
    told = judged(heard(NOTES), words=right, lyrics=LINES, reference_words=hardly)
    assert told["not_measured"] == ["lyrics"]
    assert told["coverage"]["words"] == pytest.approx(3 / 11, abs=0.001)


def test_lyrics_with_times_are_the_phrases_and_one_that_is_out_of_tune_is_told() -> None:
    notes = [*moved([n for n in NOTES if n.start_s < 6], cents=150)]
    notes += [note for note in NOTES if note.start_s >= 6]
    told = judged(heard(notes), lyrics=LINES)
    first, second = told["phrases"]
    assert (first["text"], first["from_s"], first["to_s"]) == (LINES[0].text, 0.0, 6.0)
    assert first["score"] < second["score"] - 30
    assert np.median([cents for _, cents in first["cents"]]) == pytest.approx(150, abs=5)
    assert np.median([cents for _, cents in second["cents"]]) == pytest.approx(0, abs=5)
    assert (first["user_from_s"], first["user_to_s"]) == pytest.approx((0, 6), abs=0.1)
    moved_on = judged(heard(notes), lyrics=LINES, offset_s=1.0)
    assert moved_on["phrases"][0]["from_s"] == 1.0


def test_without_lyrics_phrases_end_where_nobody_sings() -> None:
    told = judged(heard(NOTES))["phrases"]
    assert len(told) == 3
    assert told[0]["from_s"] == pytest.approx(NOTES[0].start_s, abs=0.05)
    assert told[1]["from_s"] == pytest.approx(NOTES[8].start_s, abs=0.05)


def test_what_the_music_behind_shows_to_be_recorded_is_not_passed_over() -> None:
    """A first note that is quite another is sung badly, and was not sung before the recording."""
    first, *others = NOTES
    begin = replace(first, start_s=0.0, length_s=first.start_s + first.length_s)
    early = heard([begin, *others], beats_late_s=0)
    off = heard([replace(begin, midi=begin.midi + 5), *others], beats_late_s=0)
    told = score(off, early, align(off, early))
    assert told["latency_by"] == "backing"
    assert told["coverage"]["recorded"] == 1.0


def test_an_alignment_comes_back_from_its_file(tmp_path: Any) -> None:
    found = align(heard(moved(NOTES, cents=1500)), reference())
    found.save(tmp_path / "alignment.npz")
    back = Alignment.load(tmp_path / "alignment.npz")
    np.testing.assert_array_equal(back.at, found.at)
    assert (back.latency_s, back.by, back.shift_cents) == (0, "voice", found.shift_cents)
    assert (back.octave, back.transposition, back.same) == (1, 3, found.same)
