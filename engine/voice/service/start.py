"""What a process that answers for voice does first; it imports only when called."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.voice.settings import VoiceSettings


@functools.cache
def settings() -> VoiceSettings:
    """This process's settings, read once. Raises `SettingsError`."""
    from engine.voice.settings import VoiceSettings

    return VoiceSettings.from_environment()


def check() -> None:
    """Raise a one-line `SettingsError` where voice cannot be served as it is set; what the library
    needs is the library's to say."""
    settings()
