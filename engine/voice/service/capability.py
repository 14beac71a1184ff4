"""What voice brings to an application (`engine.serving.app.capability`)."""

from __future__ import annotations

from engine.base.errors import AudioTooLong, PayloadTooLarge
from engine.library.service import start as library
from engine.serving.app.capability import Capability
from engine.serving.http.bodies import FORM_OVERHEAD, BodyLimit
from engine.serving.watch.metrics import Subject
from engine.voice.service.calls import CALLS
from engine.voice.service.forms import JSON_BYTES
from engine.voice.service.french import VOICE
from engine.voice.service.routes import router
from engine.voice.service.running import RUNNING
from engine.voice.service.schemas import VoicePart

settings = library.settings()


def _too_large() -> AudioTooLong:
    return AudioTooLong(
        f"The recording has more than {settings.max_source_bytes:,} bytes, the most that is taken. "
        "Send a shorter one, or one of a smaller format."
    )


def _too_much() -> PayloadTooLarge:
    return PayloadTooLarge(f"The body has more than {JSON_BYTES:,} bytes. Send JSON and no file.")


# The words of a song may come beside a file.
_FILES = BodyLimit(
    settings.max_source_bytes + FORM_OVERHEAD + JSON_BYTES, _too_large, streamed=True
)

CAPABILITY = Capability(
    name="voice",
    running=RUNNING,
    router=router,
    subject=Subject(name="voice", stages=(), items="sung", uploads="recordings"),
    summary="Sing beside a track, and hear how it was.",
    invitation="sing beside a track",
    tags={"voice": "Your voice beside the original: a score by parts, phrase by phrase, a jury."},
    endpoints={
        "start_session": "/api/session/start",
        "singable": "/api/search/tracks",
        "history": "/api/results/history",
    },
    calls=CALLS,
    french=VOICE,
    health=VoicePart,
    part=VoicePart,
    body=BodyLimit(JSON_BYTES, _too_much),
    bodies={
        "/api/session/start": _FILES,
        "/api/session/{session_id}/fallback-source": _FILES,
        "/api/session/{session_id}/upload-recording": _FILES,
    },
)
