"""Which words count as the same, and how many are wrong."""

from __future__ import annotations

import pytest

from engine.voice.ear.heard import Line, Word
from engine.voice.ear.wording import error_rate, plain


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't STOP — believin’!", ["dont", "stop", "believin"]),
        ("[Chorus] Oh (yeah, yeah) la-la", ["oh", "la", "la"]),
        ("Où vas-tu, Été ?", ["où", "vas", "tu", "été"]),
        ("君を 見た", ["君", "を", "見", "た"]),
        ("…!", []),
    ],
)
def test_words_are_compared_without_marks_and_capitals(text: str, words: list[str]) -> None:
    assert plain(text) == words


def heard(text: str) -> list[Word]:
    return [Word(word, 0.0, 0.1, 0.9) for word in text.split()]


def test_the_share_that_is_wrong_is_counted_in_words_of_the_lyrics() -> None:
    lines = [Line("the river runs"), Line("beside the road")]
    assert error_rate(heard("The river runs, beside the road."), lines) == 0
    assert error_rate(heard("the river beside a road"), lines) == pytest.approx(2 / 6)
    assert error_rate([], lines) == 1
    assert error_rate(heard("one two three four five six seven"), lines) > 1
    assert error_rate(heard("la la"), [Line("[solo]")]) is None
