"""A text that a caller sent → whether it shows anything, and what of it can be written."""

from __future__ import annotations

import unicodedata

# Letters, and a symbol, that show nothing: fillers of Hangul and the blank of Braille.
_UNSEEN = "\u115f\u1160\u3164\uffa0\u2800"

# Embeddings, overrides and isolates of a direction of writing (Unicode's UAX 9, 2.1 to 2.5).
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: blanks, controls, what has no width, marks without a letter."""
    return not any(
        unicodedata.category(letter) not in ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me", "Mc")
        and letter not in _UNSEEN
        for letter in text
    )


def without_unseen_ends(text: str) -> str:
    """A text without the blanks, controls and letters of no width that it begins and ends with."""
    begin, end = 0, len(text)
    while begin < end and _has_no_width(text[begin]):
        begin += 1
    while begin < end and _has_no_width(text[end - 1]):
        end -= 1
    return text[begin:end]


def _has_no_width(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Zs", "Zl", "Zp")


def as_one_line(text: str) -> str:
    """A name that somebody else gave: controls and line breaks are blanks, of which there is one at
    a time; what turns the direction of other texts round (U+202E and its like) is left out."""
    straight = "".join(letter for letter in text if letter not in _TURNS)
    return " ".join("".join(" " if _is_control(one) else one for one in straight).split())


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp")


def from_terminal(text: str) -> str:
    """Words of a command line as UTF-8, whatever the locale; a byte that is none becomes U+FFFD.
    Python holds bytes that it could not read as halves of pairs."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def in_one_line(text: str) -> str:
    """A text whose line breaks and other controls are written out: a title or a file's name must
    not colour a terminal, nor make two lines of one."""
    return "".join(
        repr(letter)[1:-1] if unicodedata.category(letter) == "Cc" else letter for letter in text
    )
