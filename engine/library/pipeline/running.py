"""Which attempts this worker is at, and which of them are wanted no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Running:
    """Ids of workflows. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unwanted: dict[str, threading.Event] = {}
        self.stopped = False

    @contextmanager
    def at(self, workflow: str) -> Iterator[None]:
        with self._lock:
            self._unwanted[workflow] = threading.Event()
        try:
            yield
        finally:
            with self._lock:
                self._unwanted.pop(workflow, None)

    def give_up(self, workflow: str) -> None:
        with self._lock:
            if workflow in self._unwanted:
                self._unwanted[workflow].set()

    def stop(self) -> None:
        """This worker wants none of them any more; another may."""
        self.stopped = True
        with self._lock:
            for unwanted in self._unwanted.values():
                unwanted.set()

    def unwanted(self, workflow: str) -> threading.Event:
        """Set once it is wanted no more."""
        with self._lock:
            return self._unwanted[workflow]

    def wants(self, workflow: str) -> bool:
        with self._lock:
            return workflow in self._unwanted and not self._unwanted[workflow].is_set()

    def wanted(self) -> list[str]:
        with self._lock:
            return [workflow for workflow, one in self._unwanted.items() if not one.is_set()]

    def __contains__(self, workflow: str) -> bool:
        with self._lock:
            return workflow in self._unwanted
