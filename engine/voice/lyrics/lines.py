"""Words of a song → lines, with the seconds at which they are sung where they are told (LRC).

    [ar:Somebody]              a fact, passed over; [offset:+500] is sooner by so many ms
    [00:12.30]First line       sung from 12.3 s on, until the next line's time
    [00:15.00]                 nothing is sung from here on
    [00:18.00][00:48.00]Again  one line, twice

https://en.wikipedia.org/wiki/LRC_(file_format); times of words (<00:12.30>) are left out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from engine.voice.ear.heard import Line

MOST_LINES, MOST_LETTERS, MOST_TEXT = 1_000, 500, 60_000
# A line that nothing follows, or nothing for long, is sung for so long at most.
LONGEST_S = 15.0
_TIME = re.compile(r"\[(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)\]")
_OFFSET = re.compile(r"\[offset:\s*([+-]?\d{1,7})\s*\]", re.IGNORECASE)
_FACT = re.compile(r"\[[a-zA-Z#]{2,10}:[^\]]*\]")
_WORD_TIME = re.compile(r"<\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?>")


@dataclass(frozen=True)
class Lyrics:
    """All lines of a song, in order, by whom they were given; `synced` where they have times."""

    source: str
    lines: tuple[Line, ...]

    @property
    def synced(self) -> bool:
        return bool(self.lines) and all(line.from_s is not None for line in self.lines)

    @property
    def text(self) -> str:
        return "\n".join(line.text for line in self.lines)

    def moved(self, seconds: float) -> Lyrics:
        """The same, sung so much later; nothing before the recording begins."""

        def later(at: float | None) -> float | None:
            return None if at is None else round(max(0.0, at + seconds), 3)

        moved = (Line(one.text, later(one.from_s), later(one.to_s)) for one in self.lines)
        return Lyrics(self.source, tuple(moved))

    def within(self, duration_s: float) -> Lyrics:
        """The same, without times where these leave nothing to be sung in a recording so long."""
        if not self.synced or any(_is_within(line, duration_s) for line in self.lines):
            return self
        return Lyrics(self.source, tuple(Line(line.text) for line in self.lines))

    def ended(self, duration_s: float) -> Lyrics:
        """The same, no line being sung after a recording so long has ended."""

        def until(line: Line) -> float | None:
            if line.from_s is None or line.to_s is None:
                return line.to_s
            return min(line.to_s, max(line.from_s, duration_s))

        lines = (Line(one.text, one.from_s, until(one)) for one in self.lines)
        return Lyrics(self.source, tuple(lines))

    def to_json(self) -> dict[str, Any]:
        return {"source": self.source, "lines": [asdict(line) for line in self.lines]}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Lyrics:
        return cls(told["source"], tuple(map(Line.of, told["lines"])))


def _is_within(line: Line, duration_s: float) -> bool:
    begins = line.from_s is not None and line.from_s < duration_s
    return begins and (line.to_s is None or line.to_s > 0)


def parsed(text: str, source: str) -> Lyrics | None:
    """LRC or plain words → lines; None where there is not one."""
    text = text[:MOST_TEXT]
    lines = _timed(text) if _TIME.search(text) else _plain(text)
    return Lyrics(source, tuple(lines[:MOST_LINES])) if lines else None


def _plain(text: str) -> list[Line]:
    told = (_shown(line) for line in text.splitlines())
    return [Line(line) for line in told if line]


def _timed(text: str) -> list[Line]:
    found = _OFFSET.search(text)
    sooner_s = int(found[1]) / 1_000 if found else 0.0
    sung: list[tuple[float, str]] = []
    for line in text.splitlines():
        times = [60 * int(minutes) + _seconds(rest) for minutes, rest in _TIME.findall(line)]
        words = _shown(_FACT.sub("", _TIME.sub("", line)))
        sung += [(max(0.0, at - sooner_s), words) for at in times]
    return list(_closed(sorted(sung, key=lambda one: one[0])))


def _closed(sung: list[tuple[float, str]]) -> Iterable[Line]:
    """Each line until the next begins; a time without words only ends the one before."""
    ends = [at for at, _ in sung[1:]] + [float("inf")]
    for (at, words), end in zip(sung, ends, strict=True):
        if words:
            yield Line(words, round(at, 3), round(min(end, at + LONGEST_S), 3))


def _seconds(told: str) -> float:
    return float(told.replace(":", "."))


def _shown(line: str) -> str:
    bare = _WORD_TIME.sub("", line)
    kept = "".join(" " if unicodedata.category(one)[0] == "C" else one for one in bare)
    return " ".join(kept.split())[:MOST_LETTERS]
