"""What BentoML starts: `service:ShazamVisual` finds albums and tracks, `service:ShazamSound` tracks
alone, `service:ShazamLibrary` tracks that callers may add to.

A service is imported when it is asked for by name, so that the process of one never loads another.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "ShazamVisual": "engine.services.visual",
    "EncoderService": "engine.services.visual",
    "ShazamSound": "engine.services.sound",
    "ShazamLibrary": "engine.services.library",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'service' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
