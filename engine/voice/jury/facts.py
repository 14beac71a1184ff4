"""Results of a take → what a jury is told of it, and what it may say again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from engine.voice.reasons import PIECE, UNJUDGED, Reason, reason_of, recorded_of

Language = Literal["en", "fr"]
Part = Literal["pitch", "rhythm", "lyrics"]
Direction = Literal["higher", "lower", "flat", "sharp", "late", "early", "unclear"]
PARTS: tuple[Part, ...] = ("pitch", "rhythm", "lyrics")

# Of a title, or of a line that was sung: a jury quotes none that is longer.
MOST_QUOTED = 80
# Below these nobody hears a direction.
FLAT_CENTS, LATE_MS = 15.0, 40.0
# Of words: so many of them surely others, and these were not those of the song. Who sings right at
# −6 dB behind music has at most 0.36 of them, one in ten 0.14; who sings other words at 12 dB 0.5
# or more (benchmarks/voice.md).
OTHERS = 0.45
# Where hardly any is right, fewer of them suffice: no machine mishears nine words in ten of a take
# whose tones it hears, and whose song's words it heard.
_HARDLY_ANY, _FEWER = 0.9, 0.25
# So many of those that are wrong surely others, and it was not the machine that misheard.
_SURE = 0.5


@dataclass(frozen=True)
class Facts:
    """`score` is None where that song was not sung, or nothing could be measured, and `reason` says
    why; `is_piece`: no more than a short piece of the song was recorded. `scores` are 0…100 of what
    was measured; `key` is by how many semitones all of it was higher, offered and not accepted.
    `words` are "others" where most were surely not those of the song, "unclear" where what heard
    them was rather unsure, else None. `quoted` is what strangers wrote: names and words of a song,
    which may say anything; no server is told them, and no comment repeats them."""

    score: float | None
    reason: Reason | None
    is_piece: bool
    scores: Mapping[Part, float]
    median_cents: float | None
    median_ms: float | None
    key: float
    words: Literal["others", "unclear"] | None
    quoted: Mapping[str, str]

    @classmethod
    def of(cls, results: Mapping[str, Any], title: str | None, artist: str | None) -> Facts:
        scores = {part: _told(results, part, "score") for part in PARTS}
        phrases = [one for one in results.get("phrases") or [] if _is_number(one.get("score"))]
        phrases.sort(key=lambda one: float(one["score"]))
        quoted = {
            "title": title,
            "artist": artist,
            "best_line": phrases[-1].get("text") if phrases else None,
            "weakest_line": phrases[0].get("text") if phrases else None,
        }
        reason, recorded = reason_of(results), recorded_of(results)
        return cls(
            None if reason in UNJUDGED else _number(results.get("score")),
            reason,
            recorded is not None and recorded < PIECE,
            {part: score for part, score in scores.items() if score is not None},
            None if _is_scattered(results) else _told(results, "pitch", "median_cents"),
            _told(results, "rhythm", "median_ms"),
            _key(results),
            _words(results),
            {name: _shortened(text) for name, text in quoted.items() if text},
        )

    @property
    def best(self) -> Part | None:
        return max(self.scores, key=lambda part: self.scores[part], default=None)

    @property
    def weakest(self) -> Part | None:
        return min(self.scores, key=lambda part: self.scores[part], default=None)

    @property
    def direction(self) -> Direction | None:
        """How the weakest part went wrong, where it went one way."""
        cents, late = self.median_cents or 0.0, self.median_ms or 0.0
        if self.weakest == "pitch" and self.key:
            return "higher" if self.key > 0 else "lower"
        if self.weakest == "pitch" and abs(cents) >= FLAT_CENTS:
            return "flat" if cents < 0 else "sharp"
        if self.weakest == "rhythm" and abs(late) >= LATE_MS:
            return "late" if late > 0 else "early"
        if self.weakest == "lyrics" and self.words == "unclear":
            return "unclear"
        return None


def _is_scattered(results: Mapping[str, Any]) -> bool:
    """Whether tones are off to either side, so that their median tells of none of them."""
    median, within = (_told(results, "pitch", key) for key in ("median_cents", "within_50_cents"))
    return median is not None and abs(median) < 50 and within is not None and within < 0.5


def _key(results: Mapping[str, Any]) -> float:
    accepted = _told(results, "transposition", "accepted")
    return 0.0 if accepted else _told(results, "transposition", "offered") or 0.0


def _words(results: Mapping[str, Any]) -> Literal["others", "unclear"] | None:
    wrong, sure = (_told(results, "lyrics", name) for name in ("wer", "surely_other"))
    if wrong is None or sure is None:
        return None
    if sure >= (_FEWER if wrong >= _HARDLY_ANY else OTHERS):
        return "others"
    return "unclear" if sure < _SURE * wrong else None


def _told(results: Mapping[str, Any], part: str, name: str) -> float | None:
    held = results.get(part)
    return _number(held.get(name)) if isinstance(held, Mapping) else None


def _number(value: Any) -> float | None:
    return float(value) if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shortened(text: Any) -> str:
    return " ".join(str(text).split())[:MOST_QUOTED]
