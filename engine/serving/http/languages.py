"""An English message and a caller's `Accept-Language` → the same message in the caller's language.

Whoever raises a failure writes one English sentence, an f-string, and knows of no other language. A
table of a language has that sentence with `{}` for each of its values, and beside it the other
sentence, with `{0}`, `{1}`… where they go: `"There is no album {}."` → `"L'album {0} n'existe
pas."`. `{0:said}` is a value that may be words itself and is looked up in turn, `{0:known}` one
that must be in the table, or the sentence is another; `{0:number}` has its thousands apart. A test
walks all that is raised and finds what a table lacks.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.base.errors import ShazamError

# What is longer quotes its caller at length, and is not taken apart.
_LONGEST = 1_000
_THIN_SPACE = "\u202f"


class Language:
    """One language: its code and all it can say. Safe to share: nothing changes."""

    def __init__(
        self, code: str, messages: Mapping[str, str], otherwise: Mapping[str, str]
    ) -> None:
        """`messages`: English template → template of this language; `otherwise`: code of an error
        → what to say where its message is in no table, with `{0}` for it."""
        self.code = code
        self._otherwise = otherwise
        # The longest first: what is said most exactly is what is meant.
        ranked = sorted(messages, key=lambda english: -len(english.replace("{}", "")))
        self._messages = [(_pattern(english), messages[english]) for english in ranked]

    def tell(self, error: ShazamError) -> str:
        """The message of a failure."""
        return self.told(error.code, error.message)

    def told(self, code: str, message: str) -> str:
        """The message of a failure that happened elsewhere, as it was written down."""
        said = self.said(message)
        if said is None:
            said = self._otherwise.get(code, "{0}").format(_Value(message, self))
        return said

    def said(self, english: str) -> str | None:
        """The same in this language; None where no table has it."""
        if len(english) > _LONGEST:
            return None
        for pattern, template in self._messages:
            found = pattern.fullmatch(english)
            if found is not None:
                with contextlib.suppress(LookupError):
                    return template.format(*(_Value(value, self) for value in found.groups()))
        return None


ENGLISH = Language("en", {}, {})


@dataclass(frozen=True, slots=True)
class Languages:
    """The languages a service speaks beside English."""

    others: tuple[Language, ...] = ()

    def wanted(self, header: str) -> Language:
        """The one an `Accept-Language` asks for most (RFC 9110, 12.5.4); English where it asks for
        none that is spoken here."""
        best, most = ENGLISH, 0.0
        if not header or not self.others:
            return best
        for part in header[:_LONGEST].split(","):
            tag, _, weight = part.partition(";")
            spoken = self._spoken(tag)
            quality = _quality(weight)
            if spoken is not None and quality > most:
                best, most = spoken, quality
        return best

    def _spoken(self, tag: str) -> Language | None:
        """`fr-CA` is French; `*` is what is spoken anyway."""
        main = tag.strip().lower().partition("-")[0]
        known = {language.code: language for language in (ENGLISH, *self.others)}
        return ENGLISH if main == "*" else known.get(main)


class _Value(str):
    """A part of a message, as a template asks for it."""

    _language: Language

    def __new__(cls, text: str, language: Language) -> _Value:
        made = super().__new__(cls, text)
        made._language = language
        return made

    def __format__(self, spec: str) -> str:
        if spec in ("said", "known"):
            said = self._language.said(str(self))
            if said is None and spec == "known":
                raise LookupError(str(self))
            return str(self) if said is None else said
        if spec == "number":
            return self.replace(",", _THIN_SPACE).replace(".", ",")
        return str(self)


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.*?)".join(map(re.escape, english.split("{}"))), re.DOTALL)


def _quality(weight: str) -> float:
    name, _, value = weight.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0
