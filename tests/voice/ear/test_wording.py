"""Which words count as the same, and how many are wrong."""

from __future__ import annotations

import pytest

from engine.voice.ear.heard import Line, Word
from engine.voice.ear.wording import Asked, Wrong, plain, wrong


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
    assert wrong(heard("The river runs, beside the road."), lines) == Wrong(0, 0)
    assert wrong(heard("the river beside a road"), lines) == Wrong(2 / 6, 1 / 6)
    assert wrong([], lines) == Wrong(1, 0)
    assert wrong(heard("one two three four five six seven"), lines) == Wrong(7 / 6, 1)
    assert wrong(heard("la la"), [Line("[solo]")]) is None


def test_a_word_of_which_the_recogniser_is_unsure_is_not_surely_another() -> None:
    unsure = [Word(one.text, 0, 0.1, 0.5) for one in heard("the river beside a road")]
    assert wrong(unsure, [Line("the river runs beside the road")]) == Wrong(2 / 6, 0)


SONG = [Line("the river runs beside the road"), Line("and carries all our songs")]


def asked(reference: str) -> Asked:
    made = Asked.of(SONG, heard(reference))
    assert made is not None
    return made


def anywhere(_: float) -> bool:
    return True


@pytest.mark.parametrize(
    ("reference", "take", "wer"),
    [
        # What is heard in the reference as well is right, however it is misheard.
        ("the river ones be side the road and carry salt our songs", None, 0.0),
        ("the river ones be side the road oh yeah and carries all our songs", None, 0.0),
        # Of nine words one is missed; what is misheard in either is asked of nobody.
        ("the river ones beside the road and carry all our songs", "the river runs beside the "
         "road and carries hall our songs", 1 / 9),
        # A word more between two that are asked, and one where the reference has one, too.
        ("the river runs beside the road and carries all our songs", "the river oh runs beside "
         "the road and carries all our songs", 1 / 11),
        ("the river oh runs beside the road and carries all our songs", "the river hey runs "
         "beside the road and carries all our songs", 0.0),
        ("the river runs beside the road and carries all our songs", "", 1.0),
    ],
)  # fmt: skip
def test_a_word_that_the_reference_has_not_either_is_asked_of_nobody(
    reference: str, take: str | None, wer: float
) -> None:
    told = heard(reference if take is None else take)
    found = asked(reference).wrong(told, anywhere)
    assert found is not None
    assert found.wer == pytest.approx(wer)


def test_how_many_words_can_be_asked_is_told() -> None:
    assert asked("the river runs beside the road").share == pytest.approx(6 / 11)
    assert asked("").share == 0
    assert asked("").wrong(heard("the river"), anywhere) is None
    assert Asked.of([Line("(oh)")], heard("oh")) is None


def test_words_that_were_not_recorded_are_asked_of_nobody() -> None:
    """Lyrics without times: when each word is sung is heard in the reference."""
    sung = heard("the river runs beside the road and carries all our songs")
    whole = Asked.of(SONG, [Word(one.text, at, at + 0.5, 0.9) for at, one in enumerate(sung)])
    assert whole is not None
    assert whole.wrong(heard("the river runs"), lambda seconds: seconds < 3) == Wrong(0, 0)
    assert whole.wrong(heard("all our songs"), lambda seconds: seconds > 8) == Wrong(0, 0)
    other = whole.wrong(heard("the river rests"), lambda seconds: seconds < 3)
    assert other == Wrong(1 / 3, 1 / 3)
    assert whole.wrong(heard("the"), lambda _: False) is None
