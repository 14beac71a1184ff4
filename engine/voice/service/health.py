"""What of voice there is, part by part: as workers that live tell, and as this service is set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.library.workers import Worker
from engine.voice.jury.jury import SERVERS
from engine.voice.service.schemas import JuryPart, Part, VoicePart
from engine.voice.settings import VoiceSettings

HEARS = ("separation", "pitch", "words")
NO_WORKER = "No worker that takes recordings lives. Start one: python -m engine work."
NOT_YET = "The library that it stands on is not open yet."


def part_of(
    settings: VoiceSettings, workers: Sequence[Worker] | None, lyrics: Mapping[str, str | None]
) -> VoicePart:
    """`workers` are those that live; None while nobody could be asked."""
    told = [one.facts["voice"] for one in workers or () if "voice" in one.facts]
    absent = None if told else (NOT_YET if workers is None else NO_WORKER)
    hears = {name: _heard(name, told, absent) for name in HEARS}
    worker = Part(ok=absent is None, missing=absent)
    healthy = worker.ok and all(part.ok for part in hears.values())
    return VoicePart(
        status="healthy" if healthy else "degraded",
        worker=worker,
        **hears,
        lyrics=_lyrics(lyrics),
        jury=_jury(settings),
    )


def _heard(name: str, told: Sequence[Mapping[str, Any]], absent: str | None) -> Part:
    """A part is there where one of the workers has it."""
    missing = [one.get(name) for one in told]
    if absent is not None:
        return Part(ok=False, missing=absent)
    if None in missing:
        return Part(ok=True)
    return Part(ok=False, missing=missing[0])


def _lyrics(states: Mapping[str, str | None]) -> Part:
    if None in states.values():
        return Part(ok=True)
    return Part(ok=False, missing=" ".join(why for why in states.values() if why))


def _jury(settings: VoiceSettings) -> JuryPart:
    set_up = (settings.jury_url, settings.jury_fallback_url)
    servers = [name for name, url in zip(SERVERS, set_up, strict=True) if url]
    return JuryPart(ok=True, servers=[*servers, "template"])
