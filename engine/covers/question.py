"""What is asked of a search, beside the query itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEFAULT_K, MAX_K = 5, 100
QueryType = Literal["image", "text", "mixed", "album"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks of a search: `k` best, of one genre, at least this similar."""

    k: int = DEFAULT_K
    genre_id: int | None = None
    min_score: float | None = None
