"""So many recordings are worked on at once, wherever their jobs waited: while it is in hand each is
a gigabyte of WAV an hour on this machine's disk."""

from __future__ import annotations

import threading

from engine.library.pipeline.pool import Cancelled

_LOOKS_EVERY_S = 0.5


class Places:
    """For any thread."""

    def __init__(self, places: int) -> None:
        self._free = threading.BoundedSemaphore(places)
        self._held: set[str] = set()

    def take(self, workflow: str, unwanted: threading.Event) -> None:
        """Wait for a place, which is held until `leave`. Raises `Cancelled` once it is unwanted."""
        while workflow not in self._held:
            if self._free.acquire(timeout=_LOOKS_EVERY_S):
                self._held.add(workflow)
            elif unwanted.is_set():
                raise Cancelled(workflow)

    def leave(self, workflow: str) -> None:
        if workflow in self._held:
            self._held.remove(workflow)
            self._free.release()
