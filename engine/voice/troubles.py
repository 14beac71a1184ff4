"""Servers that were asked → what went wrong with each, for whoever tells how voice is."""

from __future__ import annotations

import time

# Nobody may ask for hours: what failed before that long is not known to fail now.
LASTS_S = 600.0


class Troubles:
    """Of servers by their names, each until it answers again, or for `LASTS_S`. For any thread."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, str]] = {}

    def failed(self, name: str, why: str) -> None:
        self._last[name] = time.monotonic(), why

    def answered(self, name: str) -> None:
        self._last.pop(name, None)

    def told(self) -> dict[str, str]:
        """Name → what it was."""
        now = time.monotonic()
        return {name: why for name, (at, why) in [*self._last.items()] if now - at < LASTS_S}
