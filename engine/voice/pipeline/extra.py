"""Voice in a worker of the library, where it is wanted (`engine.library.pipeline.line.extras`)."""

from __future__ import annotations

from engine.library.pipeline.bench import Bench
from engine.library.pipeline.line import Extra
from engine.library.pipeline.running import Running
from engine.voice.models import present
from engine.voice.pipeline.kit import Kit
from engine.voice.pipeline.workflow import lines_at
from engine.voice.removing import Removing
from engine.voice.settings import NONE, VoiceSettings


def open_extra(bench: Bench, running: Running, concurrency: int) -> Extra | None:
    """None where it is switched off. Raises `SettingsError`."""
    settings = VoiceSettings.from_environment()
    if settings.voice == NONE:
        return None
    kit = Kit.of(bench, settings, concurrency)
    removing = Removing(
        kit.sessions,
        kit.references,
        bench.objects,
        audio_s=settings.voice_audio_s,
        keep_days=bench.settings.keep_days,
    )
    return Extra(lines_at(kit, running), {"voice": present(kit.models)}, removing.run)
