"""What a server wrote → a comment as it may be shown, or why it may not.

A server may say what it likes: what is shown has the form of a comment in the singer's language,
says no number but the score itself, and speaks of no part that was not measured.
"""

from __future__ import annotations

import re
import unicodedata

from engine.library.words import words_of
from engine.voice.jury.facts import Facts, Language, Part

LEAST_LETTERS, MOST_LETTERS = 25, 320
MOST_SENTENCES = 4
# So many words in a row that stand in what strangers wrote are a quotation.
QUOTATION = 4

_THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL | re.IGNORECASE)
_MARKUP = re.compile(r"[<>{}\[\]*_#|`~^\\]|https?:|www\.|://|\b\w+\.(com|net|org|io|fr)\b", re.I)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_NUMBER_WORDS: dict[Language, re.Pattern[str]] = {
    "en": re.compile(
        r"\b(twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|million|zero|"
        r"per ?cent)\b",
        re.I,
    ),
    "fr": re.compile(
        r"\b(vingt|trente|quarante|cinquante|soixante|cent|mille|million|zéro|pour ?cent)\b", re.I
    ),
}
# What speaks of being asked, not of singing.
_ASIDE = re.compile(
    r"\b(system|prompt|instructions?|assistant|language model|as an ai|en tant qu|"
    r"mod[eè]le de langage|ignore|json|api|user|utilisateur)\b",
    re.I,
)
# A word in capitals is an order of somebody's, or noise.
_SHOUTED = re.compile(r"\b[^\W\d_]{4,}\b")
_SPEAKS_OF: dict[Language, dict[Part, re.Pattern[str]]] = {
    "en": {
        "pitch": re.compile(
            r"\b(pitch\w*|intonation|notes?|(in|of) (tune|key)|off[- ]key|sharp|flat|melod\w+)\b",
            re.I,
        ),
        "rhythm": re.compile(
            r"\b(rhythm\w*|tempo|timing|beats?|groove|on time|late|early|rush\w*)\b", re.I
        ),
        "lyrics": re.compile(
            r"\b(lyrics?|words?|diction|pronunciation|pronounc\w+|enunciat\w+|articulat\w+|"
            r"syllables?|verses?)\b",
            re.I,
        ),
    },
    "fr": {
        "pitch": re.compile(
            r"\b(justesse|juste|justes|intonation|notes?|mélodi\w+|fausse\w*|faux|hauteur)\b", re.I
        ),
        "rhythm": re.compile(
            r"\b(rythm\w+|tempo|mesure|en (retard|avance)|en place|cadence|temps)\b", re.I
        ),
        "lyrics": re.compile(
            r"\b(paroles?|mots?|textes?|diction|prononc\w+|articul\w+|syllabes?)\b", re.I
        ),
    },
}
_FUNCTION_WORDS: dict[Language, frozenset[str]] = {
    "en": frozenset(
        (
            *("the", "you", "your", "and", "is", "was", "were", "are", "of", "to", "in", "with"),
            *("it", "that", "but", "this", "for", "not", "my", "i", "had", "have", "at", "so"),
        )
    ),
    "fr": frozenset(
        (
            *("le", "la", "les", "l", "et", "est", "était", "de", "des", "du", "d", "un", "une"),
            *("tu", "vous", "votre", "ta", "ton", "tes", "vos", "dans", "avec", "mais", "pas"),
            *("c", "ce", "que", "qui", "en", "au", "aux", "pour", "j", "je", "il", "elle", "sur"),
        )
    ),
}


def checked(text: str, facts: Facts, language: Language) -> str | None:
    """The comment in one line; None where it is none."""
    comment = " ".join(_THOUGHT.sub("", text[: 20 * MOST_LETTERS]).split()).strip("\"'“”«» ")
    good = (
        LEAST_LETTERS <= len(comment) <= MOST_LETTERS
        and comment[-1] in ".!?…"
        and len(re.findall(r"[.!?…]+(?:\s|$)", comment)) <= MOST_SENTENCES
        and not _MARKUP.search(comment)
        and not _ASIDE.search(comment)
        and all(_is_written(letter) for letter in comment)
        and _is_in(language, comment)
        and not _says_a_number(comment, facts, language)
        and not _speaks_of_what_was_not_measured(comment, facts, language)
        and not any(word.isupper() for word in _SHOUTED.findall(comment))
        and not _quotes(comment, facts)
    )
    return comment if good else None


def _is_written(letter: str) -> bool:
    """Letters of the two languages, and what stands between them: no emoji, no controls."""
    kind = unicodedata.category(letter)
    if kind[0] == "L":
        return "LATIN" in unicodedata.name(letter, "") or letter in "ªº"
    return kind[0] in "PNZ" or kind == "Mn" or letter in "+=%°"


def _is_in(language: Language, comment: str) -> bool:
    words = re.findall(r"\w+", comment.casefold())
    counts = {name: sum(word in known for word in words) for name, known in _FUNCTION_WORDS.items()}
    other = max(count for name, count in counts.items() if name != language)
    return counts[language] >= 2 and counts[language] > other


def _says_a_number(comment: str, facts: Facts, language: Language) -> bool:
    """But the score of all, as it is shown, and that it is out of 100."""
    own = set() if facts.score is None else {f"{facts.score:.0f}", f"{facts.score:.1f}"}
    for found in _NUMBER.finditer(comment):
        number = found[0].replace(",", ".").removesuffix(".0")
        before = comment[: found.start()].rstrip()
        of_all = number == "100" and re.search(r"(/|out of|sur)$", before, re.IGNORECASE)
        if number not in own and not (of_all and own):
            return True
    return _NUMBER_WORDS[language].search(comment) is not None


def _speaks_of_what_was_not_measured(comment: str, facts: Facts, language: Language) -> bool:
    spoken = _SPEAKS_OF[language].items()
    return any(part not in facts.scores and said.search(comment) for part, said in spoken)


def _quotes(comment: str, facts: Facts) -> bool:
    said = _runs(comment)
    return any(said & _runs(text) for text in facts.quoted.values())


def _runs(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return {tuple(words[at : at + QUOTATION]) for at in range(len(words) - QUOTATION + 1)}
