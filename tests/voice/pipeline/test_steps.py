"""What steps tell one another."""

from __future__ import annotations

from engine.voice.pipeline.steps import to_the_end


def test_words_that_were_not_heard_to_the_end_are_not_judged() -> None:
    """What nobody listened to would count as not sung."""
    words = [{"text": "river", "from_s": 0.0, "to_s": 0.4, "probability": 0.9}]
    assert to_the_end({"words": words, "complete": True}) == words
    assert to_the_end({"words": words, "complete": False}) is None
    assert to_the_end({"missing": "There is no model of words."}) is None
