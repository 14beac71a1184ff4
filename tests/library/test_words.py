"""`engine/library/words.py`: names, keys and tempos as people write them."""

from __future__ import annotations

import pytest

from engine.base.errors import InvalidRequest
from engine.library.tables import MOST_LETTERS
from engine.library.words import (
    MOST_KEPT,
    asked_bpm,
    asked_key,
    asked_ranges,
    kept_words,
    key_named,
    plain,
    words_of,
    writable,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Beyoncé – Déjà vu (Live!)", ["beyonce", "deja", "vu", "live"]),
        ("Straße ÇA ﬁn", ["strasse", "ca", "fin"]),
        ("Don't, 2_step", ["don", "t", "2_step"]),
        ("…!?", []),
        ("x" * 100, ["x" * MOST_LETTERS]),
    ],
)
def test_words_count_without_accents_and_case(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_creator_is_the_same_with_and_without_its_sign() -> None:
    assert plain("@Some_One ") == plain("some_one") == "some_one"


def test_what_is_written_without_blanks_is_found_in_its_middle() -> None:
    assert "音楽" in kept_words(["日本音楽"])
    assert kept_words(["Blue Moon", None, "blue"]) == {"blue", "moon"}


def test_a_sample_has_a_bounded_number_of_words() -> None:
    assert len(kept_words([" ".join(map(str, range(1_000)))])) == MOST_KEPT


def test_a_word_is_asked_for_with_its_last_letters_missing() -> None:
    ((first, last),) = asked_ranges("Beyon")
    assert first <= "beyon" <= "beyonce" <= last
    assert not first <= "beyo" <= last
    assert not first <= "beyz" <= last
    assert len(asked_ranges("a " * 50)) == 12


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("A minor", "A minor"),
        ("Am", "A minor"),
        ("a min", "A minor"),
        ("a-moll", "A minor"),
        ("AM", "A major"),
        ("A", "A major"),
        ("Bb", "Bb major"),
        ("A#", "Bb major"),
        ("b flat minor", "Bb minor"),
        ("B", "B major"),
        ("bm", "B minor"),
        ("Cb", "B major"),
        ("E#", "F major"),
        ("F♯m", "F# minor"),
        (" g sharp maj ", "Ab major"),
        ("H", None),
        ("A minority", None),
        ("", None),
    ],
)
def test_a_key_is_understood_however_it_is_written(text: str, key: str | None) -> None:
    assert key_named(text) == key


@pytest.mark.parametrize(
    ("text", "bounds"),
    [("92", (90, 94)), ("92.5", (90.5, 94.5)), ("90-100", (90, 100)), (" 90 – 100 ", (90, 100))],
)
def test_a_tempo_is_a_number_or_a_range(text: str, bounds: tuple[float, float]) -> None:
    assert asked_bpm(text) == bounds


@pytest.mark.parametrize("text", ["fast", "100-90", "-5", "90-", "9" * 400, "1e3", "nan"])
def test_what_is_no_tempo_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidRequest, match="as 90-100"):
        asked_bpm(text)


def test_what_is_no_key_is_refused_with_an_example() -> None:
    with pytest.raises(InvalidRequest, match="'A minor' or 'Am'"):
        asked_key("loud")


def test_a_text_is_made_fit_for_every_database() -> None:
    assert writable("a\0b\ud800") == "ab?"
