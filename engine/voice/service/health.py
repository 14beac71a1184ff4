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
    settings: VoiceSettings,
    workers: Sequence[Worker] | None,
    lyrics: Mapping[str, str | None],
    troubles: Mapping[str, str],
) -> VoicePart:
    """`workers` are those that live; None while nobody could be asked. `lyrics` are all sources of
    words, None or why one is not asked; `troubles` those servers that did not answer this service.
    """
    told = [one.facts["voice"] for one in workers or () if "voice" in one.facts]
    absent = None if told else (NOT_YET if workers is None else NO_WORKER)
    troubles = {name: why for one in told for name, why in one.get("troubles", {}).items()} | {
        **troubles
    }
    parts: dict[str, Part] = {
        "worker": Part(ok=absent is None, missing=absent),
        **{name: _heard(name, told, absent) for name in HEARS},
        "lyrics": _lyrics(lyrics, troubles),
    }
    jury = _jury(settings, troubles)
    healthy = jury.ok and all(part.ok for part in parts.values())
    return VoicePart(status="healthy" if healthy else "degraded", **parts, jury=jury)


def _heard(name: str, told: Sequence[Mapping[str, Any]], absent: str | None) -> Part:
    """A part is there where one of the workers has it."""
    missing = [one.get(name) for one in told]
    if absent is not None:
        return Part(ok=False, missing=absent)
    if None in missing:
        return Part(ok=True)
    return Part(ok=False, missing=missing[0])


def _lyrics(states: Mapping[str, str | None], troubles: Mapping[str, str]) -> Part:
    if not states:
        return Part(ok=False, missing=NOT_YET)
    asked = [name for name, absent in states.items() if absent is None]
    if not asked:  # as it was set: words can be sent
        return Part(ok=True, missing=" ".join(why for why in states.values() if why))
    return Part(**_answering(asked, troubles))


def _jury(settings: VoiceSettings, troubles: Mapping[str, str]) -> JuryPart:
    set_up = (settings.jury_url, settings.jury_fallback_url)
    servers = [name for name, url in zip(SERVERS, set_up, strict=True) if url]
    return JuryPart(**_answering(servers, troubles), servers=[*servers, "template"])


def _answering(servers: Sequence[str], troubles: Mapping[str, str]) -> dict[str, Any]:
    """One that answers is enough; those that did not are named all the same."""
    failing = [f"{name}: {troubles[name]}" for name in servers if name in troubles]
    ok = not servers or len(failing) < len(servers)
    return {"ok": ok, "missing": " ".join(failing) or None}
