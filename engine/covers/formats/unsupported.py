"""A layout that no decoder here reads rightly → the reason, in words that end a sentence."""

from __future__ import annotations


class Unsupported(Exception):
    """The file may be whole; we would show other pixels than it holds. `str()` says what it is."""
