"""`encoder/because.py`: two tracks → what they have in common, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from engine.sound.encoder.because import SAID, Common, in_common, shared_tags
from engine.sound.encoder.musicnn import TAGS


@dataclass
class Song:
    genre: str | None = None
    bpm: float | None = None
    key: str | None = None


def tagged(**heard: float) -> np.ndarray:
    """(50,) tags, all 0 but those named (`_` for a space)."""
    named = {name.replace("_", " "): value for name, value in heard.items()}
    return np.array([named.get(tag, 0) for tag in TAGS], np.float32)


def test_what_both_are_is_said() -> None:
    one, other = Song("Jazz", 92, "D minor"), Song("jazz", 93.4, "D minor")
    tags = tagged(jazz=0.6, instrumental=0.3, Mellow=0.2), tagged(jazz=0.5, Mellow=0.4)
    found = in_common(one, other, tags, names=TAGS)
    assert found == Common(("Jazz", "mellow"), 93, "D minor")
    assert str(found) == "Both: Jazz, mellow; about 93 bpm; D minor"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Common(), "Alike in timbre and rhythm"),
        (Common(bpm=120), "Both: about 120 bpm"),
        (Common(bpm=120, key="A major"), "Both: about 120 bpm, A major"),
        (Common(("folk",), key="A major"), "Both: folk; A major"),
    ],
)
def test_what_is_missing_leaves_no_hole(found: Common, said: str) -> None:
    assert str(found) == said


def test_what_is_not_known_is_not_shared() -> None:
    assert in_common(Song(), Song()) == Common()
    assert in_common(Song("Folk", 90, "C major"), Song()) == Common()
    assert in_common(Song("Folk", 0, "C major"), Song("Rock", 0, "C minor")) == Common()


def test_tempos_are_shared_while_a_listener_takes_them_for_one() -> None:
    assert in_common(Song(bpm=100), Song(bpm=103)).bpm == 102
    assert in_common(Song(bpm=100), Song(bpm=106)).bpm is None
    assert in_common(Song(bpm=60), Song(bpm=120)).bpm is None


def test_a_tag_of_one_is_not_of_both() -> None:
    one, other = tagged(rock=0.9, guitar=0.3), tagged(guitar=0.2, jazz=0.8)
    assert shared_tags(one, other, names=TAGS) == ["guitar"]


def test_what_every_track_is_says_nothing() -> None:
    one, other = tagged(rock=0.5, blues=0.2), tagged(rock=0.5, blues=0.2)
    assert shared_tags(one, other, names=TAGS) == ["rock", "blues"]
    assert shared_tags(one, other, names=TAGS, usual=tagged(rock=0.5)) == ["blues"]


def test_the_most_telling_come_first_and_three_suffice() -> None:
    both = tagged(rock=0.5, punk=0.4, sad=0.25, party=0.2, funk=0.1)
    assert shared_tags(both, both, names=TAGS) == ["rock", "punk", "sad"]
    usual = tagged(rock=0.26, punk=0.1)
    assert shared_tags(both, both, names=TAGS, usual=usual) == ["punk", "sad", "rock"]


def test_two_tags_of_one_word_are_said_once() -> None:
    both = tagged(chill=0.5, chillout=0.4, female_vocalists=0.3, female_vocalist=0.2)
    assert shared_tags(both, both, names=TAGS) == ["calm", "a woman's voice"]


def test_judgements_are_not_passed_on() -> None:
    both = tagged(sexy=0.9, beautiful=0.9, catchy=0.9)
    assert shared_tags(both, both, names=TAGS) == []


def test_every_word_is_of_a_tag_that_there_is() -> None:
    assert set(SAID) <= set(TAGS)
