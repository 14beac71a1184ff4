"""Voice's settings, where those of every service are looked for."""

from __future__ import annotations

from engine.voice.settings import VARIABLES as VARIABLES
from engine.voice.settings import VoiceSettings as VoiceSettings
