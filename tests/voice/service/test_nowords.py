"""`engine/voice/service/nowords.py`: who was asked is named, and what to do, in both languages."""

from __future__ import annotations

import pytest

from engine.serving.http.languages import Language
from engine.voice.service.french import VOICE
from engine.voice.service.nowords import no_words

BOTH = ("lrclib", "genius")


@pytest.mark.parametrize(
    ("title", "asked", "silent", "says", "french"),
    [
        ("Night Garden", (), (), "No source of lyrics is set up", "Aucune source de paroles"),
        (
            None,
            BOTH,
            (),
            "no title by which",
            "chercher les paroles du morceau 6",
        ),
        (
            "Night Garden",
            BOTH,
            (),
            "track 6 came from lrclib, genius.",
            "du morceau 6 n'est",
        ),
        ("Night Garden", BOTH, BOTH[:1], "no answer from lrclib. Try again", "réponse de lrclib"),
    ],
)
def test_who_was_asked_is_named_and_what_to_do(
    title: str | None, asked: tuple[str, ...], silent: tuple[str, ...], says: str, french: str
) -> None:
    told = no_words("track 6", title, asked, silent).message
    assert says in told
    assert "'lyrics' when you begin a session" in told
    said = Language("fr", VOICE, {}).said(told) or ""
    assert french in said
    assert "« lyrics » quand vous commencez une session" in said
