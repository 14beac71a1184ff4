"""Words that were heard, and words that should be → the share that is wrong (WER).

A recogniser mishears who sings right, and the reference no less. So a singer is asked only for the
words of the lyrics that are heard in the reference, too: what is not known of one is not held
against the other, and a copy of the reference has every word right.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from engine.base.needs import need
from engine.voice.ear.heard import Line, Word

# Written without spaces: each letter counts as a word.
_ALONE = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff])")
_ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)")  # [Chorus], (oh yeah)
# From which probability on a word is surely the one that is heard: of words misheard behind loud
# music one in seven has it, of words heard right in a room nine in ten (benchmarks/voice.md).
SURELY = 0.8
_MARKS = "\"'’‘“”«».,;:!?…-–—()[]"
_APOSTROPHES = re.compile(r"(?<=\w)['’ʼ](?=\w)")


def plain(text: str) -> list[str]:
    """A text as words alone: lower case, no marks, nothing that was said aside."""
    text = unicodedata.normalize("NFKC", _ASIDE.sub(" ", text)).casefold()
    text = _ALONE.sub(r" \1 ", _APOSTROPHES.sub("", text))
    return re.sub(r"[^\w]+|_", " ", text).split()


@dataclass(frozen=True)
class Wrong:
    """`wer`: of the words asked for, how many must be put in, left out or replaced, 0 where all is
    right, also above 1. `surely_other`: in whose place another is heard, and surely, 0…1."""

    wer: float
    surely_other: float


def wrong(heard: Sequence[Word], lines: Sequence[Line]) -> Wrong | None:
    """By all words of `lines`. None where they hold none."""
    wanted, told = _wanted(lines), _told(heard)
    if not wanted:
        return None
    found = compared(wanted, [text for text, _ in told])
    missed = len(wanted) - len(found.right) + found.added.total()
    sure = sum(told[there][1].probability >= SURELY for _, there in found.other)
    return Wrong(missed / len(wanted), sure / len(wanted))


@dataclass(frozen=True)
class Asked:
    """The words of a song, `words`; when each is heard in the reference, in seconds, None where it
    is not; and how many words are heard there before each, and after the last, that are not of
    them."""

    words: tuple[str, ...]
    at_s: tuple[float | None, ...]
    added: Counter[int]

    @classmethod
    def of(cls, lines: Sequence[Line], reference: Sequence[Word]) -> Asked | None:
        """None where the lines hold no words."""
        wanted, told = _wanted(lines), _told(reference)
        if not wanted:
            return None
        found = compared(wanted, [text for text, _ in told])
        at_s = {
            mine: (told[there][1].start_s + told[there][1].end_s) / 2 for mine, there in found.right
        }
        return cls(tuple(wanted), tuple(map(at_s.get, range(len(wanted)))), found.added)

    @property
    def share(self) -> float:
        """0…1: how many of the words are heard in the reference, so that a singer can be judged by
        them."""
        return sum(at is not None for at in self.at_s) / len(self.words)

    def wrong(self, heard: Sequence[Word], is_recorded: Callable[[float], bool]) -> Wrong | None:
        """By the words that are heard in the reference, at a time that was recorded. None where
        there are none."""
        asked = [at is not None and is_recorded(at) for at in self.at_s]
        if not any(asked):
            return None
        first, end = self._around(asked)
        told = _told(heard)
        found = compared(self.words[first:end], [text for text, _ in told])
        missed = sum(asked) - sum(asked[first + mine] for mine, _ in found.right)
        # Beside a word that is not heard in the reference, what is heard instead may be two words.
        more = sum(
            max(0, count - self.added[first + place])
            for place, count in found.added.items()
            if 0 < place < end - first and asked[first + place - 1] and asked[first + place]
        )
        sure = sum(
            asked[first + mine] and told[there][1].probability >= SURELY
            for mine, there in found.other
        )
        return Wrong((missed + more) / sum(asked), sure / sum(asked))

    def _around(self, asked: Sequence[bool]) -> tuple[int, int]:
        """From which word to which one may be sung where these are: those beyond that have a time
        were not recorded."""
        first = asked.index(True)
        end = len(asked) - asked[::-1].index(True)
        while first and self.at_s[first - 1] is None:
            first -= 1
        while end < len(asked) and self.at_s[end] is None:
            end += 1
        return first, end


@dataclass(frozen=True)
class Spelt:
    """A word as it is compared, and as it is written."""

    text: str
    spelt: str


def spelt(lines: Iterable[str]) -> list[Spelt]:
    """The words of a text, those in brackets left out."""
    made = []
    for written in _ASIDE.sub(" ", " ".join(lines)).split():
        words = plain(written)
        bare = written.strip(_MARKS).lower()
        made += [Spelt(one, bare if len(words) == 1 else one) for one in words]
    return made


def _wanted(lines: Iterable[Line]) -> list[str]:
    return plain(" ".join(line.text for line in lines))


def _told(heard: Iterable[Word]) -> list[tuple[str, Word]]:
    """Each word as it is compared, beside the one that it is of."""
    return [(text, word) for word in heard for text in plain(word.text)]


@dataclass(frozen=True)
class Compared:
    """Places of words in both: that are the same, and that stand for one another. `added`: before
    which place of what is wanted so many words are told more. `steps` are all of these in their
    order, and words that are missing, None on the other side."""

    right: list[tuple[int, int]] = field(default_factory=list)
    other: list[tuple[int, int]] = field(default_factory=list)
    added: Counter[int] = field(default_factory=Counter)
    steps: list[tuple[int | None, int | None]] = field(default_factory=list)


def compared(wanted: Sequence[str], told: Sequence[str]) -> Compared:
    """`wanted` has one at least."""
    if not told:
        return Compared(steps=[(place, None) for place in range(len(wanted))])
    found = Compared()
    jiwer = need("jiwer", "voice.in", by="Lyrics")
    [chunks] = jiwer.process_words(" ".join(wanted), " ".join(told)).alignments
    for one in chunks:
        mine = range(one.ref_start_idx, one.ref_end_idx)
        there = range(one.hyp_start_idx, one.hyp_end_idx)
        found.steps.extend(zip_longest(mine, there))
        if one.type == "equal":
            found.right.extend(zip(mine, there, strict=True))
        elif one.type == "substitute":
            found.other.extend(zip(mine, there, strict=True))
        elif one.type == "insert":
            found.added[one.ref_start_idx] += len(there)
    return found
