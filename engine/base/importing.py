"""Packages whose modules import one another, imported by one thread at a time.

Python lets two threads that meet inside such a circle see modules half made, rather than wait for
each other for ever. PyAV and NumPy then fail with "partially initialized module", and PyAV stays
unusable in that process: its types exist twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_one_thread = threading.RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """What opens something in a thread beside others imports what it needs inside this."""
    with _one_thread:
        yield
