"""What voice reads from its environment, besides what the library does: its service and its workers
alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from engine.base.settings import SHARED, Settings, Variable, choice, number

ON, NONE = "on", "none"
MODELS = "build/studio/voice-models"
LRCLIB = "https://lrclib.net"
GENIUS = "https://api.genius.com"
# Longest reference and longest take, in seconds.
MOST_S = 600.0
# The longest that audio of a session may stay.
MOST_AUDIO_S = 7_200.0


def _address(text: str) -> str:
    url = text.strip().rstrip("/")
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", url):
        raise ValueError("is no http:// or https:// address without a query")
    return url


def _address_or_none(text: str) -> str:
    return "" if text.strip().lower() == NONE else _address(text)


def _jury(whose: str) -> dict[str, Variable]:
    """The three variables of one server."""
    start, after = whose, "" if whose == "jury" else ", asked where the first gives no comment"
    return {
        f"{start}_url": Variable(
            _address,
            "http://localhost:11434/v1",
            f"A server of the jury that speaks as OpenAI's does{after}; unset: none",
        ),
        f"{start}_key": Variable(str.strip, "0123abcd", "Its key, where it wants one", secret=True),
        f"{start}_model": Variable(str.strip, "llama3.2", "Which of its models comments"),
    }


VARIABLES: dict[str, Variable] = {
    "voice": Variable(
        choice(ON, NONE),
        NONE,
        "Whether one can sing beside a track and be judged, where there is a library: `on` or "
        "`none`",
    ),
    "voice_models": Variable(
        str.strip,
        "/models/voice",
        "The folder of what separates voices and hears pitch and words (`python -m engine "
        "voice-models`); what is not there is `not_measured`",
    ),
    "voice_audio_s": Variable(
        number(60, MOST_AUDIO_S),
        "1800",
        "How long after its start the audio of a session is kept, in seconds; results stay",
    ),
    **_jury("jury"),
    **_jury("jury_fallback"),
    "lrclib_url": Variable(
        _address_or_none,
        "https://lrclib.internal",
        "Where LRCLib is, which knows the words of songs with their times; `none`: it is not asked",
    ),
    "genius_token": Variable(
        str.strip, "0123abcd", "Token of Genius, for words of songs; unset: not asked", secret=True
    ),
    "genius_url": Variable(_address, "https://genius.internal", "Where the API of Genius is"),
    **SHARED,
}


@dataclass(frozen=True)
class VoiceSettings(Settings):
    """All settings of one process that answers for voice, or works for it, but the library's."""

    variables: ClassVar[Mapping[str, Variable]] = VARIABLES

    voice: str = ON
    voice_models: str = MODELS
    voice_audio_s: float = MOST_AUDIO_S
    jury_url: str = ""
    jury_key: str = ""
    jury_model: str = "default"
    jury_fallback_url: str = ""
    jury_fallback_key: str = ""
    jury_fallback_model: str = "default"
    lrclib_url: str = LRCLIB
    genius_token: str = ""
    genius_url: str = GENIUS


assert {field.name for field in fields(VoiceSettings)} == set(VARIABLES)
