"""What is asked of a search: the words, and what is wanted of the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.base.errors import InvalidRequest
from engine.base.texts import is_blank

# CLIP reads 77 tokens; a text is cut here before the tokenizer sees it, so that a megabyte of
# words costs nothing. No token of CLIP's vocabulary is longer than 26 characters on average text.
MAX_TEXT = 4_000
DEFAULT_K, MAX_K = 5, 100
QueryType = Literal["image", "text", "mixed", "album"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks of a search: `k` best, of one genre, at least this similar."""

    k: int = DEFAULT_K
    genre_id: int | None = None
    min_score: float | None = None


def cut_text(text: str) -> str:
    """A text the tokenizer can take: no longer than it reads, no half surrogate pairs."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def shown_text(text: str) -> str:
    """Words, as the tokenizer can take them. Raises `InvalidRequest` where they show nothing."""
    if is_blank(text):
        raise InvalidRequest(
            "The words are blank. Say what the cover looks like, for example: a red album cover "
            "with a guitar."
        )
    return cut_text(text)
