"""What is asked of the library → typed values, or a sentence about what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request

from engine.base.errors import EmptyFile, InvalidRequest
from engine.serving.http.forms import (
    flag,
    given,
    integer,
    read_json,
    refuse_unknown,
    words,
)
from engine.serving.http.uploads import Received
from engine.sound.service.forms import RECORDING, begins_like_a_recording

LONGEST_URL = 4_000
LONGEST_WORDS = 500
# What callers may say of a track; the rest is measured, or told by its source.
NAMES = ("title", "artist", "album", "genre", "creator", "licence")
ABOUT = (*NAMES, "year", "audio_shared")

TRACK = replace(
    RECORDING,
    curl="curl -F file=@track.mp3",
    json_example='{"url": "https://example.com/track.mp3"}',
)


def checked_file(file: Received | None) -> Received:
    """The file that came. Raises `InvalidRequest`, `EmptyFile`."""
    if file is None:
        raise InvalidRequest(
            f"The field 'file' is missing. Send the recording as multipart/form-data: {TRACK.curl}."
        )
    if file.size == 0:
        raise EmptyFile("The file is empty. Send the bytes of a recording in the field 'file'.")
    if not file.filename and not begins_like_a_recording(_beginning(file)):
        raise InvalidRequest(
            f"The field 'file' is text, not a file. Send the recording itself: {TRACK.curl} (with "
            "the @)."
        )
    return file


def _beginning(file: Received) -> bytes:
    with file.path.open("rb") as opened:
        return opened.read(200)


def read_about(fields: Mapping[str, Any], *, beside: str) -> dict[str, Any]:
    """What is told of a track: `ABOUT`, without what is left out; `beside` is the field of the
    track itself, which is taken out already. Raises `InvalidRequest`."""
    refuse_unknown(fields, (beside, *ABOUT))
    told: dict[str, Any] = {}
    for name in NAMES:
        said = words(fields, name)
        if said is not None and len(said) > LONGEST_WORDS:
            raise InvalidRequest(f"{name} is longer than {LONGEST_WORDS} letters.")
        told[name] = said.strip() if said else None
    told["year"] = integer(fields, "year", 1, 9_999, default=None)
    if given(fields, "audio_shared") is not None:
        told["audio_shared"] = flag(fields, "audio_shared")
    return {name: value for name, value in told.items() if value is not None}


async def read_link(request: Request) -> tuple[str, dict[str, Any]]:
    """A JSON body `{"url", …}` → the address, and what is told of the track."""
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidRequest(f"The JSON body must be an object, such as {TRACK.json_example}.")
    url = words(body, "url")
    about = read_about({name: body[name] for name in body if name != "url"}, beside="url")
    if url is None:
        raise InvalidRequest(
            f"The field 'url' is missing. Send the link as JSON, such as {TRACK.json_example}."
        )
    if len(url) > LONGEST_URL:
        raise InvalidRequest(f"The link has {len(url):,} letters; {LONGEST_URL:,} are the most.")
    return url.strip(), about
