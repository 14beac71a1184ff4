"""What sound brings to an application (`engine.serving.app.capability`)."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import Any

from fastapi import Request

from engine.base.errors import AudioTooLong, ShazamError
from engine.serving.app.capability import Capability
from engine.serving.http.bodies import FORM_OVERHEAD, BodyLimit
from engine.serving.http.prefix import prefix_here
from engine.serving.http.preview import Preview, public_origin
from engine.sound.service import start
from engine.sound.service.asking import SUBJECT
from engine.sound.service.calls import CALLS
from engine.sound.service.forms import WantedTracks
from engine.sound.service.french import SOUND
from engine.sound.service.routes import router
from engine.sound.service.running import RUNNING, answers
from engine.sound.service.schemas import SoundHealth, SoundPart

settings = start.settings()


def _too_large() -> AudioTooLong:
    return AudioTooLong(
        f"The upload has more than {settings.max_upload_bytes:,} bytes. Send a part of it: 10 s "
        "are plenty."
    )


async def _preview(request: Request, track_id: str) -> Preview | None:
    """What a link to a track shows."""
    if not re.fullmatch(r"[0-9]{1,18}", track_id):
        return None
    found = answers().track(int(track_id))
    origin = public_origin(request.url.scheme, request.headers)
    about = (found.artist, found.album, str(found.year) if found.year else None)
    picture = f"{found.waveform_url}?format=png"
    return Preview(
        title=found.title or f"Track {found.track_id}",
        description=" · ".join(part for part in about if part),
        picture=origin + picture if origin else None,
        address=f"{origin}{prefix_here()}/?track={found.track_id}" if origin else None,
        kind="music.song",
    )


async def _media() -> tuple[str, ...]:
    """Where tracks are whose audio is not here: `/api/tracks/{id}/audio` sends the page there."""
    return await answers().origins()


async def _by_words(text: str, k: int, min_score: float | None) -> list[dict[str, Any]] | None:
    """Tracks that sound like words; None where the encoder knows none, or sound cannot answer: who
    asked has an answer of another capability to get."""
    with contextlib.suppress(ShazamError):
        if not answers().knows_words:
            return None
        try:
            found = await answers().by_text(text, WantedTracks(k, None, min_score))
        except sqlite3.Error as error:
            RUNNING.look_into(error)
        else:
            return [one.model_dump() for one in found.results]
    return None


CAPABILITY = Capability(
    name="sound",
    running=RUNNING,
    router=router,
    subject=SUBJECT,
    summary="Let it hear some seconds of music, and get the track.",
    invitation="let it hear some seconds of music",
    tags={
        "hear": "Which track is this, and what sounds like it?",
        "tracks": "The tracks themselves: to look through, to hear, to see.",
    },
    endpoints={
        "identify_sound": "/api/identify-sound",
        "search_sound": "/api/search-by-sound",
        "tracks": "/api/tracks",
    },
    calls=CALLS,
    french=SOUND,
    health=SoundHealth,
    part=SoundPart,
    body=BodyLimit(settings.max_upload_bytes + FORM_OVERHEAD, _too_large),
    probes=("/health/ready",),
    previews={"track": _preview},
    media=_media,
    by_words=_by_words,
)
