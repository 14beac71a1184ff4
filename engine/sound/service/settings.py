"""What the service of sound reads from its environment: the shared variables and its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from engine.base.settings import SHARED, Settings, Variable, integer

DEFAULT = "artifacts/starter-sound"

VARIABLES: dict[str, Variable] = {
    "sound_artifact": Variable(
        str.strip,
        DEFAULT,
        "What sound to serve: a folder, a model-store tag (`shazam-sound:latest`), or a URL as "
        "above; `none`: covers alone",
    ),
    "max_audio_s": Variable(
        integer(3, 86_400),
        "600",
        "Longest recording that may be asked about, in seconds; of any, the first 60 are listened "
        "to",
    ),
    **SHARED,
}


@dataclass(frozen=True)
class SoundSettings(Settings):
    """All settings of one process that answers for sound."""

    variables: ClassVar[Mapping[str, Variable]] = VARIABLES

    sound_artifact: str = DEFAULT
    max_audio_s: int = 600


assert {field.name for field in fields(SoundSettings)} == set(VARIABLES)
