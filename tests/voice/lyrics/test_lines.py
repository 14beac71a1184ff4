"""`engine/voice/lyrics/lines.py`: words as text or LRC, moved in time."""

from __future__ import annotations

import pytest

from engine.voice.ear.heard import Line
from engine.voice.lyrics.lines import LONGEST_S, MOST_LETTERS, MOST_LINES, Lyrics, parsed

LRC = """[ar:Somebody]
[00:12.30]First line
[00:15.00]
[01:02.5]<01:02.50>Second <01:03.10>line
[00:18.00][00:48.00] Again
"""


def test_lines_with_times_last_until_the_next_one() -> None:
    lyrics = parsed(LRC, "given")
    assert lyrics is not None
    assert lyrics.synced
    assert lyrics.lines == (
        Line("First line", 12.3, 15.0),
        Line("Again", 18.0, 18.0 + LONGEST_S),
        Line("Again", 48.0, 62.5),
        Line("Second line", 62.5, 62.5 + LONGEST_S),
    )


def test_an_offset_moves_all_lines() -> None:
    lyrics = parsed("[offset:+500]\n[00:10.00]One\n[00:00.10]Zero", "given")
    assert lyrics is not None
    assert [line.from_s for line in lyrics.lines] == [0.0, 9.5]


def test_plain_words_have_no_times() -> None:
    lyrics = parsed("First line\r\n\r\n  second\tline \x00\n", "given")
    assert lyrics == Lyrics("given", (Line("First line"), Line("second line")))
    assert not lyrics.synced
    assert lyrics.text == "First line\nsecond line"


@pytest.mark.parametrize("text", ["", " \n\u200b\n", "[ar:Somebody]\n[00:01.00]\n"])
def test_nothing_that_is_sung_is_nothing(text: str) -> None:
    found = parsed(text, "given")
    assert found is None or found.lines == ()


def test_endless_words_are_cut() -> None:
    lyrics = parsed("\n".join(["x" * 1_000] * 10 + ["y"] * 20_000), "given")
    assert lyrics is not None
    assert len(lyrics.lines) == MOST_LINES
    assert len(lyrics.lines[0].text) == MOST_LETTERS


def test_lines_are_moved_and_not_before_the_beginning() -> None:
    lyrics = parsed("[00:01.00]One\n[00:03.00]Two", "given")
    assert lyrics is not None
    assert [(one.from_s, one.to_s) for one in lyrics.moved(-2).lines] == [(0, 1), (1, 16)]
    assert lyrics.moved(0.5).lines[0].from_s == 1.5


@pytest.mark.parametrize("seconds", [600, -600])
def test_lines_that_are_moved_out_of_a_recording_are_compared_without_times(seconds: float) -> None:
    lyrics = parsed("[00:01.00]One\n[00:03.00]Two", "given")
    assert lyrics is not None
    assert lyrics.within(4.0) == lyrics
    assert lyrics.moved(seconds).within(4.0).lines == (Line("One"), Line("Two"))


def test_no_line_is_sung_after_the_recording() -> None:
    lyrics = parsed("[00:01.00]One\n[00:03.00]Two", "given")
    assert lyrics is not None
    ends = [(1.0, 3.0), (3.0, 4.5)]
    assert [(one.from_s, one.to_s) for one in lyrics.ended(4.5).lines] == ends
    late = lyrics.moved(10.0).ended(4.5).lines
    assert [(one.from_s, one.to_s) for one in late] == [(11, 11), (13, 13)]
    plain = Lyrics("given", (Line("One"),))
    assert plain.ended(4.5) == plain.within(4.5) == plain
    assert Lyrics("given", (Line("One"),)).moved(3).lines[0].from_s is None


def test_lines_are_the_same_after_json() -> None:
    lyrics = parsed(LRC, "lrclib")
    assert lyrics is not None
    assert Lyrics.of_json(lyrics.to_json()) == lyrics
