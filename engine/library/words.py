"""Names, keys and tempos as people write them → as they are compared.

Words count without their accents and their case, and the last letters of one may be missing, as in
the catalogues of artifacts (`engine.base.names`), but on any database: the library keeps a table of
words (`tables.WordRow`), and a word that is asked for is a range of it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable

from engine.base.errors import InvalidRequest
from engine.library.tables import MOST_LETTERS

_WORD = re.compile(r"\w+")
# Of a question, and of one sample.
MOST_ASKED, MOST_KEPT = 12, 200
# Written without blanks between words: Thai and its neighbours, Kana, Han.
_UNPARTED = re.compile(
    "[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)
_LAST_LETTER = "\U0010ffff"

_KEY = re.compile(
    r"([a-g])\s*(#|♯|sharp|b|♭|flat)?\s*-?\s*(major|maj|dur|minor|min|moll|m)?", re.IGNORECASE
)
# As the analysis and the catalogues of artifacts write them.
_NOTES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_PITCHES = ("C", "", "D", "", "E", "F", "", "G", "", "A", "", "B")
_MINOR = ("minor", "min", "moll", "m")
_TEMPO = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:[-–]\s*(\d+(?:\.\d+)?))?\s*")
NEAR_BPM = 2.0


def words_of(text: str) -> list[str]:
    """The words of a text, as they are compared.

    >>> words_of("Beyoncé – Déjà vu (Live!)")
    ['beyonce', 'deja', 'vu', 'live']
    """
    letters = unicodedata.normalize("NFKD", text)
    bare = "".join(letter for letter in letters if unicodedata.category(letter)[0] != "M")
    return [word[:MOST_LETTERS] for word in _WORD.findall(bare.casefold())]


def plain(text: str) -> str:
    """A name as it is compared whole: `"@Some_One "` is `"some_one"`."""
    return " ".join(words_of(text))


def kept_words(names: Iterable[str | None]) -> set[str]:
    """What the table of words keeps of a sample's names, at most `MOST_KEPT`. Of what is written
    without blanks also every end, so that a beginning is found wherever it stands."""
    kept: dict[str, None] = {}
    for word in (word for name in names for word in words_of(name or "")):
        kept[word] = None
        if _UNPARTED.search(word):
            kept.update((word[begin:], None) for begin in range(1, len(word)))
    return set(list(kept)[:MOST_KEPT])


def asked_ranges(text: str) -> list[tuple[str, str]]:
    """For each word of a question, the first and the last of the words that begin with it."""
    return [(word, word + _LAST_LETTER) for word in words_of(text)[:MOST_ASKED]]


def key_named(text: str) -> str | None:
    """A musical key as the library writes it; None where the text names none.

    >>> key_named("Am"), key_named("b flat"), key_named("F♯ min"), key_named("H dur")
    ('A minor', 'Bb major', 'F# minor', None)
    """
    found = _KEY.fullmatch(text.strip())
    if not found:
        return None
    letter, accidental, mode = found.groups()
    raised = {"#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}
    step = raised[accidental.lower()] if accidental else 0
    note = _NOTES[(_PITCHES.index(letter.upper()) + step) % 12]
    minor = mode is not None and mode != "M" and mode.lower() in _MINOR
    return f"{note} {'minor' if minor else 'major'}"


def asked_key(text: str) -> str:
    """As `key_named`. Raises `InvalidRequest` where the text names none."""
    key = key_named(text)
    if key is None:
        raise InvalidRequest(f"key={text[:50]!r} is no musical key. Send one as 'A minor' or 'Am'.")
    return key


def asked_bpm(text: str) -> tuple[float, float]:
    """The least and the most beats a minute that are asked for: `92` is 90 to 94, `90-100` itself.
    Raises `InvalidRequest`."""
    found = _TEMPO.fullmatch(text)
    low, high = (float(part) if part else None for part in found.groups()) if found else (None, 0)
    if low is None or not math.isfinite(low) or (high is not None and high < low):
        raise InvalidRequest(
            f"bpm={text[:50]!r} is no tempo. Send a number, as 92, or a range, as 90-100."
        )
    return (low, high) if high is not None else (low - NEAR_BPM, low + NEAR_BPM)


def writable(text: str) -> str:
    """A text as every database takes it: without NUL, and without halves of pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
