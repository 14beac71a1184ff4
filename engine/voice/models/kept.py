"""The folder of models: which parts there are, and whether each is there. Opens none of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from engine.base.needs import how_to_install, is_installed

Part = Literal["separation", "pitch", "words"]
PARTS: tuple[Part, ...] = ("separation", "pitch", "words")
ABOUT = "about.json"  # of a part's folder, written last: what its files are, and whose
FILES: dict[Part, tuple[str, ...]] = {
    "separation": ("vocals.safetensors", "accompaniment.safetensors"),
    "pitch": ("model.onnx",),
    "words": ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"),
}
PACKAGES: dict[Part, str] = {"words": "faster_whisper"}


def present(folder: Path) -> dict[Part, str | None]:
    """Part by part: None where it can be used, else one line that says what is missing."""
    return {part: _missing(folder / part, part) for part in PARTS}


def _missing(folder: Path, part: Part) -> str | None:
    package = PACKAGES.get(part)
    if package is not None and not is_installed(package):
        return f"{package} is not installed. Run: {how_to_install('voice.in')}"
    try:
        sizes: dict[str, int] = json.loads((folder / ABOUT).read_bytes())["bytes"]
        whole = all((folder / name).stat().st_size == sizes[name] for name in FILES[part])
    except (OSError, ValueError, LookupError, TypeError):
        whole = False
    if whole:
        return None
    return f"its model is not in {folder.parent.name}. Run: python -m engine voice-models"
