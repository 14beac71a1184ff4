"""What is asked about sound → typed values: a recording, and what is wanted.

Every refusal is an `InvalidRequest` that names the field, what came and what is taken instead.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from engine.base.errors import AudioTooLong, InvalidRequest
from engine.base.texts import is_blank
from engine.serving.http.forms import (
    Upload,
    integer,
    number,
    read_body,
    refuse_unknown,
    shown,
    words,
)

DEFAULT_K, MAX_K = 5, 100
LONGEST_GENRE = 200  # letters

# How recordings begin, and at which byte. MP3 and AAC without a head begin with eleven set bits.
_BEGINNINGS = (
    *((0, head) for head in (b"RIFF", b"OggS", b"fLaC", b"\x1aE\xdf\xa3", b"ID3", b"#!AMR")),
    *((0, head) for head in (b"FORM", b".snd", b"caff", b"wvpk", b"riff", b"FLV", b"\x0b\x77")),
    *((0, head) for head in (b"0&\xb2u\x8ef\xcf\x11", b"\x00\x00\x01\xba")),
    (4, b"ftyp"),
)


def begins_like_a_recording(data: bytes) -> bool:
    """Whether bytes may be sound, or a video, by how they begin."""
    if len(data) > 2 and data[0] == 0xFF and data[1] >= 0xE0:
        return True
    if data[:1] == b"G" and data[188:189] == b"G":
        return True  # MPEG-TS: packets of 188 bytes
    return any(data[at : at + len(head)] == head for at, head in _BEGINNINGS)


def recording_too_large(size: int, limit: int) -> AudioTooLong:
    return AudioTooLong(
        f"The recording has {size:,} bytes; at most {limit:,} are accepted. Send a part of it: "
        "10 s are plenty."
    )


RECORDING = Upload(
    field="file",
    noun="recording",
    curl="curl -F file=@clip.webm",
    json_example='{"k": 5}',
    kinds=("audio/", "video/", "application/octet-stream", "application/ogg"),
    recognised=begins_like_a_recording,
    too_large=recording_too_large,
)


@dataclass(frozen=True)
class WantedTracks:
    """How many tracks, of which genre, and at least how similar (cosine)."""

    k: int = DEFAULT_K
    genre: str | None = None
    min_score: float | None = None


async def read_recording(
    request: Request, max_bytes: int, known: Collection[str] = ()
) -> tuple[bytes, dict[str, Any]]:
    """The recording, and the fields beside it, of a form or the query string, which wins."""
    fields, recording = await read_body(request, RECORDING, max_bytes)
    refuse_unknown(fields, known) if known else _refuse_any(fields)
    if recording is None:
        raise InvalidRequest(
            "The field 'file' is missing. Send the recording as multipart/form-data: "
            "curl -F file=@clip.webm."
        )
    return recording, {**fields, **request.query_params}


def _refuse_any(fields: Mapping[str, Any]) -> None:
    refuse_unknown(fields, ("file",))


def needed_words(text: str) -> str:
    """A text that shows something."""
    if is_blank(text):
        raise InvalidRequest(
            "The words are blank. Say what it sounds like, for example query=a slow sad piano."
        )
    return text


def _genre(fields: Mapping[str, Any]) -> str | None:
    genre = words(fields, "genre")
    if genre is not None and len(genre) > LONGEST_GENRE:
        raise InvalidRequest(
            f"genre={shown(genre)} has {len(genre)} letters; {LONGEST_GENRE} are the most."
        )
    return genre


def read_wanted(fields: Mapping[str, Any]) -> WantedTracks:
    """`k`, `genre` and `min_score` of a query string or form."""
    return WantedTracks(
        k=integer(fields, "k", 1, MAX_K, default=DEFAULT_K),
        genre=_genre(fields),
        min_score=number(fields, "min_score", -1.0, 1.0, default=None),
    )
