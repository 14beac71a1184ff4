"""Words that were heard, and words that should be → the share that is wrong (WER)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from engine.base.needs import need
from engine.voice.ear.heard import Line, Word

# Written without spaces: each letter counts as a word.
_ALONE = re.compile(r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff])")
_ASIDE = re.compile(r"\[[^\]]*\]|\([^)]*\)")  # [Chorus], (oh yeah)
_APOSTROPHES = re.compile(r"(?<=\w)['’ʼ](?=\w)")


def plain(text: str) -> list[str]:
    """A text as words alone: lower case, no marks, nothing that was said aside."""
    text = unicodedata.normalize("NFKC", _ASIDE.sub(" ", text)).casefold()
    text = _ALONE.sub(r" \1 ", _APOSTROPHES.sub("", text))
    return re.sub(r"[^\w]+|_", " ", text).split()


def error_rate(heard: Sequence[Word], lines: Sequence[Line]) -> float | None:
    """Of the words of `lines`, how many must be put in, left out or replaced: 0 where all is right,
    also above 1. None where the lines hold no words."""
    wanted = plain(" ".join(line.text for line in lines))
    if not wanted:
        return None
    told = plain(" ".join(word.text for word in heard))
    jiwer = need("jiwer", "voice.in", by="Lyrics")
    return float(jiwer.wer(" ".join(wanted), " ".join(told))) if told else 1.0
