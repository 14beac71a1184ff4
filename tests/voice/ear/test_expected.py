"""Words that were misheard, and that are in the sound all the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from engine.voice.ear.expected import Heard, Part, found, parts
from engine.voice.ear.heard import Word
from engine.voice.ear.wording import compared, spelt

Array = npt.NDArray[np.float64]
LYRICS = spelt(["The river doesn't run", "(oh yeah) beside the silver road."])


def heard(text: str) -> list[Heard]:
    """A word a second."""
    return [
        Heard(one, Word(one, at + 20.0, at + 20.5, 0.9), at, at + 0.5)
        for at, one in enumerate(text.split())
    ]


class Sound:
    """In it are those words alone, and language finds "the" probable everywhere."""

    def __init__(self, *words: str) -> None:
        self.words, self.asked = words, list[tuple[int, list[str]]]()

    def scores(self, window: int, words: Sequence[str]) -> tuple[Array, Array]:
        self.asked.append((window, list(words)))
        noise = [-0.5 if word == "the" else -9.0 for word in words]
        here = [
            -1.0 if word in self.words else alone for word, alone in zip(words, noise, strict=True)
        ]
        return np.array(here), np.array(noise)


def texts(sound: Sound, said: str) -> str:
    return " ".join(one.text for one in found(LYRICS, heard(said), [20.0], sound.scores))


def test_a_text_is_spelt_as_it_is_written_and_compared_without_marks() -> None:
    told = [one.text for one in LYRICS]
    assert told == ["the", "river", "doesnt", "run", "beside", "the", "silver", "road"]
    assert [LYRICS[2].spelt, LYRICS[7].spelt] == ["doesn't", "road"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("the liver doesnt run beside the silver road", "the river doesnt run beside the silver "
         "road"),
        ("the liver doesnt run beside the sil verse road", "the river doesnt run beside the silver "
         "road"),
        ("the doesnt run beside the silver road", "the river doesnt run beside the silver road"),
        ("the river doesnt burn beside the silver toad", "the river doesnt burn beside the silver "
         "toad"),
        ("the river doesnt run beside a silver road", "the river doesnt run beside a silver road"),
    ],
    ids=["misheard", "as two", "not at all", "not in the sound", "probable of itself"],
)  # fmt: skip
def test_what_is_in_the_sound_is_told_in_place_of_what_was_misheard(said: str, told: str) -> None:
    assert texts(Sound("river", "silver"), said) == told


def test_where_all_was_heard_nothing_is_asked() -> None:
    sound = Sound()
    assert texts(sound, "the river doesnt run beside the silver road").endswith("silver road")
    assert sound.asked == []
    texts(sound, "the liver doesnt run")
    assert sound.asked[0][1][:3] == ["the", "river", "doesn't"], "as it is written"


def test_a_window_is_asked_for_what_may_be_sung_in_it() -> None:
    words = [f"w{at}" for at in range(100)]
    said = heard("w10 w11 x13 w14 w40 y w42")
    sides = compared(words, [one.text for one in said])
    made = parts(100, said, sides, [4.0, 8.0])
    # Before the first there is no time for more than one; between windows all may be in either.
    assert made[0] == Part(0, 9, 18)
    assert made[1] == Part(1, 39, 49)
    assert parts(100, [], compared(words, []), [14.0]) == [], "nobody knows which of a hundred"
    assert parts(20, [], compared(words[:20], []), [14.0]) == [Part(0, 0, 20)]
