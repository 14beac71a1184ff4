"""Results of a take → the one thing, if any, that stands before its number.

Why there is none, why it is low whatever was sung, or that it is of a part of the song alone: the
jury and the page both speak of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Reason = Literal["no_original_voice", "silence", "no_voice", "unsung_part", "another_song", "part"]
# Beside these no number says how well the song was sung.
UNJUDGED: frozenset[Reason] = frozenset(("silence", "no_voice", "unsung_part", "another_song"))
# Of what the original sings, from which on a take is the whole song; and less than a short piece.
WHOLE, PIECE = 0.9, 0.3
# Of `same_song`: below, a take is rather another song than this one.
SAME = 0.5


def reason_of(results: Mapping[str, Any]) -> Reason | None:
    """None where the whole song was sung; also where an older judgement did not tell."""
    lost, coverage = results.get("lost") or (), results.get("coverage") or {}
    recorded = coverage.get("recorded", 1.0)
    if "reference" in lost or recorded is None:
        return "no_original_voice"
    if recorded == 0:
        return "unsung_part"
    if "user" in lost:
        return "silence" if coverage.get("sounds") is False else "no_voice"
    if coverage.get("sung") == 0:
        return "silence"
    if results.get("same_song", 1.0) < SAME:
        return "another_song"
    return "part" if recorded < WHOLE else None


def recorded_of(results: Mapping[str, Any]) -> float | None:
    """0…1: of what the original sings, how much was recorded; None where that was not told, and
    where what was recorded is not that song: it lies beside no part of it."""
    if reason_of(results) in UNJUDGED:
        return None
    recorded = (results.get("coverage") or {}).get("recorded")
    return None if recorded is None else float(recorded)
