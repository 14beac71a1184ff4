"""What covers bring to an application (`engine.serving.app.capability`)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fastapi import Request

from engine.base.errors import ImageTooLarge
from engine.covers.service import start
from engine.covers.service.asking import SUBJECT
from engine.covers.service.calls import CALLS
from engine.covers.service.french import COVERS
from engine.covers.service.routes import router
from engine.covers.service.running import RUNNING, answers, search
from engine.covers.service.schemas import Health
from engine.serving.app.capability import Capability
from engine.serving.http.bodies import FORM_OVERHEAD, BodyLimit
from engine.serving.http.prefix import prefix_here
from engine.serving.http.preview import Preview, public_origin

settings = start.settings()


def _too_large() -> ImageTooLarge:
    return ImageTooLarge(
        f"The upload has more than {settings.max_upload_bytes:,} bytes. Send a smaller picture: "
        "1,000 pixels a side are plenty."
    )


async def _preview(request: Request, album_id: str) -> Preview | None:
    """What a link to an album shows."""
    if not search().ready or not re.fullmatch(r"[0-9]{1,18}", album_id):
        return None
    found = await answers().album(int(album_id))
    origin = public_origin(request.url.scheme, request.headers)
    about = (found.artist, found.genre, str(found.year) if found.year else None)
    return Preview(
        title=found.title or f"Album {found.album_id}",
        description=" · ".join(part for part in about if part),
        picture=origin + found.cover_url if origin and found.cover_url else None,
        address=f"{origin}{prefix_here()}/?album={found.album_id}" if origin else None,
        kind="music.album",
    )


def _meet(others: Sequence[Capability]) -> None:
    RUNNING.by_words = next((one.by_words for one in others if one.by_words is not None), None)


_UPLOAD = BodyLimit(settings.max_upload_bytes + FORM_OVERHEAD, _too_large)

CAPABILITY = Capability(
    name="covers",
    running=RUNNING,
    router=router,
    subject=SUBJECT,
    summary="Photograph a record sleeve, or describe it, and get the album.",
    invitation="send a picture of a record sleeve, or describe it",
    tags={
        "search": "Find albums by a picture, by words, or by both.",
        "identify": "Which album is this a photo of?",
        "catalogue": "The albums themselves.",
        "embeddings": "The encoder alone, for clients of OpenAI's API.",
    },
    endpoints={
        "search_image": "/api/search-by-image",
        "search_text": "/api/search-by-text",
        "search": "/api/search",
        "identify": "/api/identify",
        "albums": "/api/albums",
        "genres": "/api/genres",
        "embeddings": "/v1/embeddings",
    },
    calls=CALLS,
    french=COVERS,
    health=Health,
    part=Health,
    body=_UPLOAD,
    # Pictures travel as base64 there: a third more bytes, and several at once.
    bodies={"/v1/embeddings": BodyLimit(4 * _UPLOAD.size, _too_large)},
    previews={"album": _preview},
    meet=_meet,
    links=dict(settings.links),
)
