"""Voice in a worker of the library, where it is wanted (`engine.library.pipeline.line.extras`)."""

from __future__ import annotations

from typing import Any

from engine.library.pipeline.bench import Bench
from engine.library.pipeline.line import Extra
from engine.library.pipeline.running import Running
from engine.voice.models import present
from engine.voice.pipeline.kit import Kit
from engine.voice.pipeline.workflow import lines_at
from engine.voice.references import References
from engine.voice.removing import Removing
from engine.voice.sessions import Sessions
from engine.voice.settings import NONE, VoiceSettings


def open_extra(bench: Bench, running: Running, concurrency: int) -> Extra:
    """Where it is switched off nobody sings, and audio of before is removed in time all the same.
    Raises `SettingsError`."""
    settings = VoiceSettings.from_environment()
    removing = Removing(
        Sessions(bench.database),
        References(bench.database),
        bench.objects,
        audio_s=settings.voice_audio_s,
        keep_days=bench.settings.keep_days,
    )
    if settings.voice == NONE:
        return Extra((), beside=removing.run)
    kit = Kit.of(bench, settings, concurrency)
    return Extra(lines_at(kit, running), lambda: {"voice": _told(kit)}, removing.run)


def _told(kit: Kit) -> dict[str, Any]:
    """What this worker hears with, and which servers did not answer it."""
    troubles = kit.lyrics.troubles.told() | kit.jury.troubles.told()
    told: dict[str, Any] = {"troubles": troubles}
    told.update(present(kit.models).items())
    return told
