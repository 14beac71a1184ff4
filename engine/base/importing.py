"""Packages whose modules import one another, imported by one thread at a time.

Python lets two threads that meet inside such a circle see modules half made, rather than wait for
each other for ever. PyAV and NumPy then fail with "partially initialized module", and PyAV stays
unusable in that process: its types exist twice.
"""

from __future__ import annotations

import threading

# What opens something in a thread beside others imports what it needs inside `with one_thread:`.
one_thread = threading.RLock()
