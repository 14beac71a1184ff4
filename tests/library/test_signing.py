"""`engine/library/signing.py`: links that are good for one file until a moment."""

from __future__ import annotations

import dataclasses
import time

import pytest

from engine.base.errors import LinkExpired
from engine.library.signing import sign, verify

SECRET = bytes(range(32))


def test_a_link_is_good_for_what_it_was_made_for() -> None:
    link = sign(SECRET, "audio/0a/audio.mp3", 60, "Für Elise.mp3")
    assert abs(link.expires - time.time() - 60) < 2
    verify(SECRET, link.key, **link.query())


@pytest.mark.parametrize(
    "change",
    [
        {"key": "audio/0b/audio.mp3"},
        {"expires": 9_999_999_999},
        {"filename": "other.mp3"},
        {"filename": ""},
        {"signature": ""},
        {"signature": "0" * 64},
        {"signature": "é\ud800"},
        # What stood in one part stands in the next.
        {"key": "audio/0a/audio.mp", "filename": "3x.mp3"},
    ],
)
def test_nothing_of_a_link_can_be_changed(change: dict[str, str]) -> None:
    link = dataclasses.replace(sign(SECRET, "audio/0a/audio.mp3", 60, "x.mp3"), **change)
    with pytest.raises(LinkExpired, match="not made here"):
        verify(SECRET, link.key, **link.query())


def test_another_secret_makes_other_links() -> None:
    link = sign(SECRET, "a", 60)
    with pytest.raises(LinkExpired):
        verify(bytes(32), link.key, **link.query())


def test_a_link_ends() -> None:
    link = sign(SECRET, "a", -2)
    with pytest.raises(LinkExpired, match="past its time"):
        verify(SECRET, link.key, **link.query())


@pytest.mark.parametrize("expires", ["", "soon", "-1", "1e9", "٣", "9" * 5_000, "1.5"])
def test_a_moment_that_is_none_is_refused(expires: str) -> None:
    link = sign(SECRET, "a", 60)
    with pytest.raises(LinkExpired, match="not made here"):
        verify(SECRET, "a", expires, "", link.signature)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sign(b"short", "a", 60)
