"""What the caller sent: words as they stand, or LRC with its times."""

from __future__ import annotations

from engine.voice.lyrics.lines import Lyrics, parsed

NAME = "given"


def given(text: str | None) -> Lyrics | None:
    """None where nothing was sent, or nothing that is sung."""
    return None if text is None else parsed(text, NAME)
