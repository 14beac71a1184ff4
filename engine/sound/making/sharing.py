"""The words of a licence → whether a track's audio may be handed out.

A licence that forbids it stays in the catalogue and keeps the audio out of the artifact: whoever
has the folder has what is in it. Nothing is guessed of a licence that is not known here.
"""

from __future__ import annotations

import re
from typing import Any

from engine.base.errors import BuildError
from engine.tables.values import plain

# Each lets everybody pass the work on unchanged. (A licence for software, which much of the music
# in Linux distributions has, does too.)
_FREE = re.compile(
    r"""\b(?:
        cc[\s_-]*(?:0|by|zero|pd|mark) | creative[\s_-]*commons | public[\s_-]*domain | pdm?
      | free[\s_-]*art | art[\s_-]*libre | lal | (?:a?gpl|lgpl)[\s_v\d.+-]* | gnu
      | mit | isc | bsd | apache | zlib | unlicense | wtfpl | odbl | ofl | expat
      | no[\s_-]*rights[\s_-]*reserved
    )(?:\b|[-_])""",
    re.VERBOSE | re.IGNORECASE,
)
_YES = frozenset(("true", "yes", "y", "1", "shared", "t"))
_NO = frozenset(("false", "no", "n", "0", "f"))


def may_be_shared(licence: str | None) -> bool:
    """Whether a licence, in anybody's words, lets us hand out the audio: where it is free. None
    forbids nothing.

    >>> may_be_shared("CC-BY-SA 4.0"), may_be_shared("All rights reserved"), may_be_shared(None)
    (True, False, True)
    """
    return licence is None or _FREE.search(licence) is not None


def told(value: Any, where: str) -> bool | None:
    """A table's cell of `audio_shared`; None for an empty one. `BuildError` for other words."""
    value = plain(value)
    word = "" if value is None else str(value).strip().casefold().removesuffix(".0")
    if word in _YES or word in _NO:
        return word in _YES
    if not word:
        return None
    raise BuildError(f"{where}: audio_shared {value!r} is neither true nor false.")
