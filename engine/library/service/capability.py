"""What the library brings to an application (`engine.serving.app.capability`)."""

from __future__ import annotations

from engine.base.errors import AudioTooLong, PayloadTooLarge
from engine.library.service import start
from engine.library.service.calls import CALLS
from engine.library.service.french import LIBRARY
from engine.library.service.opened import FILES
from engine.library.service.routes import router
from engine.library.service.running import RUNNING, answers
from engine.library.service.schemas import LibraryPart
from engine.serving.app.capability import Capability
from engine.serving.http.bodies import FORM_OVERHEAD, BodyLimit
from engine.serving.watch.metrics import Subject

settings = start.settings()
LINK_BYTES = 64 * 1024


def _too_large() -> AudioTooLong:
    return AudioTooLong(
        f"The file has more than {settings.max_source_bytes:,} bytes, the most that is taken. Send "
        "a shorter one, or one of a smaller format: FLAC is half a WAV, MP3 a tenth."
    )


def _too_much() -> PayloadTooLarge:
    return PayloadTooLarge(f"The body has more than {LINK_BYTES:,} bytes. Send a link and no file.")


async def _media() -> tuple[str, ...]:
    """The bucket that tracks are in: their audio and previews send the page there."""
    return await answers().origins()


CAPABILITY = Capability(
    name="library",
    running=RUNNING,
    router=router,
    subject=Subject(name="library", stages=(), items="added", uploads="files"),
    summary="Give it a file or a link, and find it ever after.",
    invitation="give it a file or a link to be added",
    tags={"library": "Files and links → tracks that are found, with tempo, key and waveform."},
    endpoints={
        "upload_file": "/api/v1/upload/file",
        "submit_link": "/api/v1/process/submit",
        "samples": "/api/v1/samples",
    },
    calls=CALLS,
    french=LIBRARY,
    health=LibraryPart,
    part=LibraryPart,
    body=BodyLimit(LINK_BYTES, _too_much),
    bodies={
        "/api/v1/upload/file": BodyLimit(
            settings.max_source_bytes + FORM_OVERHEAD, _too_large, streamed=True
        )
    },
    media=_media,
    listened=("/api/v1/jobs/{job_id}/events",),
    sealed=(FILES,),
)
