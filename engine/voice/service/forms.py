"""What is asked of voice → typed values, or a sentence about what is wrong."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import PureWindowsPath
from typing import Any, cast

from starlette.requests import Request

from engine.base.errors import EmptyFile, InvalidRequest, PayloadTooLarge
from engine.base.texts import as_one_line
from engine.library.service.forms import LONGEST_URL, LONGEST_WORDS
from engine.serving.http.exchange import current_language
from engine.serving.http.forms import (
    MULTIPART,
    given,
    integer,
    number,
    read_json,
    refuse_unknown,
    words,
)
from engine.serving.http.uploads import Received, received
from engine.sound.service.forms import RECORDING
from engine.voice.jury.facts import Language
from engine.voice.lyrics.lines import MOST_TEXT
from engine.voice.sessions import Wish

# A body of JSON holds the words of a song at most.
JSON_BYTES = 256 * 1024
MOST_SEMITONES = 24
MOST_OFFSET_S = 60.0
NAMES = ("title", "artist")
FIELDS = ("track_id", "url", *NAMES, "lyrics")

REFERENCE = replace(
    RECORDING,
    field="reference",
    curl="curl -F reference=@song.mp3",
    json_example='{"track_id": 12}',
)
TAKE = replace(RECORDING, curl="curl -F file=@take.webm", json_example="")


@dataclass(frozen=True)
class Asked:
    """A track, a link or a file to sing beside, and what it is called."""

    track_id: int | None
    url: str | None
    file: Received | None
    title: str | None
    artist: str | None
    lyrics: str | None

    @property
    def file_called(self) -> str | None:
        """The file's name without its ending, from whatever system it comes."""
        name = "" if self.file is None else PureWindowsPath(self.file.filename).stem
        return as_one_line(name)[:LONGEST_WORDS] or None


@asynccontextmanager
async def read_reference(request: Request) -> AsyncIterator[Asked]:
    """JSON, or a form with a file, which is gone when this ends. Raises `InvalidRequest`,
    `EmptyFile`, `PayloadTooLarge`."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        yield _asked({**await _object(request), **request.query_params}, None)
        return
    if kind != MULTIPART and not kind.startswith(REFERENCE.kinds):
        raise InvalidRequest(
            f"The body is {kind or 'of no declared type'}. Send application/json with 'track_id' "
            f"or 'url', such as {REFERENCE.json_example}, or {MULTIPART} with a recording in the "
            f"field '{REFERENCE.field}': {REFERENCE.curl}."
        )
    async with received(request, REFERENCE) as (fields, file):
        yield _asked({**fields, **request.query_params}, file)


async def _object(request: Request) -> dict[str, Any]:
    body = await read_json(await _bounded(request))
    if not isinstance(body, dict):
        raise InvalidRequest(f"The JSON body must be an object, such as {REFERENCE.json_example}.")
    return body


async def _bounded(request: Request) -> Request:
    """The request with its body read. An address that takes files takes no such JSON."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > JSON_BYTES:
            raise PayloadTooLarge(
                f"The JSON body has more than {JSON_BYTES:,} bytes. Send a file as "
                f"multipart/form-data: {REFERENCE.curl}."
            )

    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": bytes(body), "more_body": False}

    return Request(request.scope, whole)


def _asked(fields: Mapping[str, Any], file: Received | None) -> Asked:
    refuse_unknown(fields, ("reference", *FIELDS))
    track_id = integer(fields, "track_id", 0, 2**63 - 1, default=None)
    url = words(fields, "url")
    _one_of(track_id, url, file)
    if url is not None and len(url) > LONGEST_URL:
        raise InvalidRequest(f"The link has {len(url):,} letters; {LONGEST_URL:,} are the most.")
    told = {name: _short(fields, name) for name in NAMES}
    lyrics = words(fields, "lyrics")
    if lyrics is not None and len(lyrics) > MOST_TEXT:
        raise InvalidRequest(f"The words have {len(lyrics):,} letters; {MOST_TEXT:,} are the most.")
    return Asked(track_id, url.strip() if url else None, file, **told, lyrics=lyrics)


def _one_of(track_id: int | None, url: str | None, file: Received | None) -> None:
    named = [one for one in (track_id, url, file) if one is not None]
    if len(named) != 1:
        raise InvalidRequest(
            "Send one thing to sing beside: 'track_id', 'url', or a file in the field 'reference'."
        )
    if file is not None and file.size == 0:
        raise EmptyFile("The file is empty. Send the bytes of a recording in it.")


def _short(fields: Mapping[str, Any], name: str) -> str | None:
    said = words(fields, name)
    if said is not None and len(said) > LONGEST_WORDS:
        raise InvalidRequest(f"{name} is longer than {LONGEST_WORDS} letters.")
    return as_one_line(said.strip()) if said else None


def checked_take(fields: Mapping[str, Any], file: Received | None) -> Received:
    """The recording that came. Raises `InvalidRequest`, `EmptyFile`."""
    refuse_unknown(fields, ("file",))
    if file is None:
        raise InvalidRequest(
            f"The field 'file' is missing. Send the recording as multipart/form-data: {TAKE.curl}."
        )
    if file.size == 0:
        raise EmptyFile("The file is empty. Send the bytes of a recording in it.")
    return file


async def read_wish(request: Request) -> Wish:
    """How to judge: a JSON body, or none. Raises `InvalidRequest`."""
    fields = await _fields(request, ("transposition", "language"))
    semitones = integer(fields, "transposition", -MOST_SEMITONES, MOST_SEMITONES, default=0)
    language = words(fields, "language") or current_language().code
    if language not in ("en", "fr"):
        raise InvalidRequest(f"language={language[:20]!r} is neither en nor fr.")
    return Wish(cast("Language", language), semitones)


def read_language(request: Request) -> Language | None:
    """The one of ours that is asked for by name; None where none is."""
    asked = request.headers.get("accept-language", "")
    if not re.search(r"(?:^|,)\s*(?:en|fr)\b", asked, re.IGNORECASE):
        return None
    return cast("Language", current_language().code)


async def read_offset(request: Request) -> float:
    """Seconds that the words are sung later. Raises `InvalidRequest`."""
    fields = await _fields(request, ("offset_s",))
    if given(fields, "offset_s") is None:
        raise InvalidRequest("The field 'offset_s' is missing. Send JSON: {\"offset_s\": 1.5}.")
    offset: float = number(fields, "offset_s", -MOST_OFFSET_S, MOST_OFFSET_S, default=0.0)
    return offset


async def read_track_id(request: Request) -> int:
    """Whose words are to be heard. Raises `InvalidRequest`."""
    fields = await _fields(request, ("track_id",))
    track_id: int | None = integer(fields, "track_id", 0, 2**63 - 1, default=None)
    if track_id is None:
        raise InvalidRequest("The field 'track_id' is missing. Send JSON: {\"track_id\": 12}.")
    return track_id


async def _fields(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object, or nothing at all, and the query."""
    body = await request.body()
    told = await read_json(request) if body.strip() else {}
    if not isinstance(told, dict):
        raise InvalidRequest("The JSON body must be an object.")
    fields = {**told, **request.query_params}
    refuse_unknown(fields, known)
    return fields
