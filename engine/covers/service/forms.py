"""What a caller sent → typed values: query strings, forms, JSON and data URIs.

Every refusal is an `InvalidRequest` that names the field, what came and what is taken instead.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.formparsers import MultiPartParser
from starlette.requests import Request

from engine.base.errors import InvalidRequest
from engine.covers.question import DEFAULT_K, MAX_K, Wanted
from engine.serving.http.forms import _checked_size, _read_body, _shown, flag, integer, number

# CLIP reads 77 tokens; a text is cut here before the tokenizer sees it, so that a megabyte of
# words costs nothing. No token of CLIP's vocabulary is longer than 26 characters on average text.
MAX_TEXT = 4_000

# Uploads stay in memory, where `http.front` bounds them: a picture is never written to a disk, and
# a disk that is full or read-only refuses none.
MultiPartParser.spool_max_size = 1 << 40


@dataclass(frozen=True)
class Sent:
    """A search as it was sent: picture, words, unwanted words, and what is wanted."""

    image: bytes | None
    query: str | None
    negative: str | None
    image_weight: float
    wanted: Wanted
    many: bool = False


async def read_search(request: Request, max_upload_bytes: int) -> Sent:
    """Multipart, urlencoded or JSON body plus the query string, which wins where both are given."""
    fields, image = await _read_body(request, max_upload_bytes)
    fields.update(request.query_params)
    return Sent(
        image,
        _words(fields, "query"),
        _words(fields, "negative"),
        number(fields, "image_weight", 0.0, 1.0, default=0.5),
        read_wanted(fields),
        flag(fields, "many"),
    )


def read_wanted(fields: Mapping[str, Any]) -> Wanted:
    """`k`, `genre_id` and `min_score` of a query string or form."""
    return Wanted(
        k=integer(fields, "k", 1, MAX_K, default=DEFAULT_K),
        genre_id=integer(fields, "genre_id", -(2**63), 2**63 - 1, default=None),
        min_score=number(fields, "min_score", -1.0, 1.0, default=None),
    )


def needed_words(fields: Mapping[str, Any], name: str) -> str:
    """A text that must be there and hold more than blanks."""
    words = _words(fields, name)
    if words is None:
        raise InvalidRequest(
            f"The field '{name}' is missing or blank. Say what the cover looks like, for example "
            f"{name}=a red album cover with a guitar."
        )
    return words


def data_uri(text: str, max_upload_bytes: int) -> bytes:
    """`data:image/…;base64,…` → bytes."""
    head, comma, body = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise InvalidRequest(
            "A picture must be a data URI, data:image/jpeg;base64,…; URLs are not fetched."
        )
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"The data URI is not valid base64 ({error}).") from error
    return _checked_size(data, max_upload_bytes)


def cut_text(text: str) -> str:
    """A text the tokenizer can take: no longer than it reads, no half surrogate pairs."""
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def _words(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{name}={_shown(value)} is not a text.")
    return value if value and value.strip() else None
