"""`--encoder …` → an encoder's folder in an artifact."""

from __future__ import annotations

import shutil
from pathlib import Path

from engine.base.errors import BuildError
from engine.sound.encoder import folder, musicnn

MUSICNN = "musicnn"


def save_encoder(wanted: str, target: Path) -> None:
    """Write the encoder that `wanted` names into `target` (an artifact's `encoder/`).

    `musicnn` is in this package and needs nothing else. Raises `BuildError`.
    """
    if wanted != MUSICNN:
        raise BuildError(f"--encoder {wanted!r} is not known. Give: {MUSICNN}.")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(musicnn.WEIGHTS, target / folder.WEIGHTS)
    shutil.copyfile(musicnn.LICENCE_TEXT, target / folder.LICENCE)
    folder.About(
        kind="musicnn", name=musicnn.NAME, licence=musicnn.LICENCE, windows=musicnn.WINDOWS
    ).write(target)
