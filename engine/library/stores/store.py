"""What a store of objects does: one attempt each, with the errors of whatever holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from engine.base.errors import InvalidRequest

# Read, written and sent in such pieces, so that no file is in memory whole.
BLOCK_BYTES = 8 << 20
LONGEST_KEY = 512

# No part begins with a dot: neither a way up nor what a store keeps for itself.
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class Trouble(Enum):
    """What a failed attempt says about the next one."""

    PASSING = "passing"  # a 503, a timeout, a reset: ask again
    ABSENT = "absent"  # there is no such object
    FULL = "full"
    GONE = "gone"  # not an object: all of it, and there may be an empty one in its place
    LASTING = "lasting"  # credentials, permissions, no such bucket: somebody has to act


@dataclass(frozen=True)
class Stored:
    """An object as a listing tells of it."""

    key: str
    size_bytes: int
    modified_s: float  # Unix time


class Store(Protocol):
    """Keys → bytes. Every method is one attempt and raises what its back end raises."""

    @property
    def name(self) -> str:
        """Where it is, without secrets: `s3://bucket/prefix`."""

    def write(self, key: str, source: Path | bytes, media_type: str) -> None:
        """Whole, or not at all; what was there under `key` is replaced."""

    def read(self, key: str, start: int, end: int) -> bytes:
        """Bytes `start` … `end` (exclusive, at most the object's size) of an object."""

    def size(self, key: str) -> int:
        """Bytes of an object; FileNotFoundError where there is none."""

    def delete(self, key: str) -> None:
        """Gone afterwards; what was not there is no error."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """What lies under a folder of keys (`""`: everything)."""

    def path(self, key: str) -> Path | None:
        """The file that an object is, where it is one on this machine."""

    def link(self, key: str, expires_s: int, filename: str, media_type: str) -> str | None:
        """A URL that hands the object out, as a file of that name, to whoever has it."""

    def check(self) -> None:
        """Raise where nothing could be written now."""

    def tidy(self, older_s: float) -> int:
        """Remove what puts left that were interrupted `older_s` ago or earlier; how many."""

    def judge(self, error: Exception) -> Trouble:
        """What an error of this store means for the next attempt."""


def checked(key: str) -> str:
    """`key`, where it is one; `InvalidRequest` for ways up, empty parts, odd characters."""
    if len(key) > LONGEST_KEY or not _KEY.fullmatch(key):
        raise InvalidRequest(
            f"{key[:100]!r} is not the key of an object: letters, digits, '-', '_' and '.', in "
            "parts separated by '/', none of which begins with a '.'."
        )
    return key


def checked_prefix(prefix: str) -> str:
    """`prefix` without a slash at its end: a folder of keys, or "" for all."""
    return checked(prefix.rstrip("/")) if prefix.rstrip("/") else ""
