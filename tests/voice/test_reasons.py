"""`engine/voice/reasons.py`: what stands before a number, most of all."""

from __future__ import annotations

from typing import Any

import pytest

from engine.voice.reasons import Reason, reason_of, recorded_of

WHOLE = {"recorded": 1.0, "sung": 1.0, "sure": 1.0, "sounds": True}


@pytest.mark.parametrize(
    ("results", "reason"),
    [
        ({"coverage": WHOLE, "same_song": 1.0, "lost": []}, None),
        ({"coverage": WHOLE | {"recorded": 0.9}}, None),
        ({"coverage": WHOLE | {"recorded": 0.89}}, "part"),
        ({"coverage": WHOLE | {"recorded": 0.1}, "same_song": 0.2}, "another_song"),
        ({"coverage": WHOLE | {"recorded": 0.1, "sung": 0.0}, "same_song": 0.0}, "silence"),
        ({"coverage": WHOLE | {"recorded": 0.0}}, "unsung_part"),
        ({"coverage": WHOLE | {"recorded": None}}, "no_original_voice"),
        ({"coverage": WHOLE, "lost": ["user", "reference"]}, "no_original_voice"),
        ({"coverage": WHOLE | {"sounds": False}, "lost": ["user"]}, "silence"),
        ({"coverage": WHOLE, "lost": ["user"]}, "no_voice"),
        ({"coverage": {"recorded": 0.5, "sung": 1.0}, "lost": ["user"]}, "no_voice"),
        ({"score": 78.0}, None),
    ],
)
def test_the_reason_is_the_one_that_stands_before_all(
    results: dict[str, Any], reason: Reason | None
) -> None:
    assert reason_of(results) == reason


def test_how_much_was_recorded_is_told_where_it_is_known() -> None:
    assert recorded_of({"coverage": WHOLE | {"recorded": 0.25}}) == 0.25
    assert recorded_of({"score": 78.0}) is None
    assert recorded_of({"coverage": WHOLE | {"sung": 0.0}}) is None
    assert recorded_of({"coverage": WHOLE | {"recorded": None}}) is None
