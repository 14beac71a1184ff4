"""Which kind an artifact is of, by what its manifest says of itself, before anything is checked.

Light: a launcher asks this, and what reads a manifest in earnest loads pydantic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from engine.base.places import MANIFEST

# A manifest that names no kind is of the one that its format is of.
COVER: Literal["cover"] = "cover"
SOUND: Literal["sound"] = "sound"
KIND_OF_FORMAT = {"shazam-visual-artifact": COVER, "shazam-sound-artifact": SOUND}


def told_kind(told: Mapping[str, Any]) -> str:
    """The kind that the object of a manifest names."""
    kind, name = told.get("kind"), told.get("format")
    if isinstance(kind, str):
        return kind
    return KIND_OF_FORMAT.get(name, COVER) if isinstance(name, str) else COVER


def seeming_kind(folder: Path) -> str | None:
    """The kind of an artifact's folder; None where it holds no manifest, or one that is damaged."""
    try:
        told = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return told_kind(told) if isinstance(told, dict) else None
