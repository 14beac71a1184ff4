"""What covers ask → typed values: a picture, words, what is wanted, and OpenAI's inputs.

Every refusal is an `InvalidRequest` that names the field, what came and what is taken instead.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from pydantic import ValidationError
from starlette.requests import Request

from engine.base.errors import ImageTooLarge, InvalidRequest
from engine.base.texts import is_blank, without_unseen_ends
from engine.covers.image import begins_like_a_picture
from engine.covers.question import DEFAULT_K, MAX_K, Wanted
from engine.covers.service.schemas import EmbeddingsRequest
from engine.serving.http.forms import (
    Upload,
    flag,
    integer,
    number,
    read_body,
    refuse_unknown,
    words,
)
from engine.serving.http.messages import first_error

# OpenAI's own limit; its clients cut longer lists into requests of so many.
MAX_EMBEDDINGS = 2_048


def picture_too_large(size: int, limit: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"The picture has {size:,} bytes; at most {limit:,} are accepted. Send a smaller one: "
        "1,000 pixels a side are plenty."
    )


PICTURE = Upload(
    field="file",
    noun="picture",
    curl="curl -F file=@photo.jpg",
    json_example='{"query": "…"}',
    kinds=("image/", "application/octet-stream"),
    recognised=begins_like_a_picture,
    too_large=picture_too_large,
)


@dataclass(frozen=True)
class Sent:
    """A search as it was sent: picture, words, unwanted words, and what is wanted."""

    image: bytes | None
    query: str | None
    negative: str | None
    image_weight: float
    wanted: Wanted
    many: bool = False
    quick: bool = False


_FIELDS = ("query", "negative", "image_weight", "k", "genre_id", "min_score", "many", "quick")


async def read_search(request: Request, max_upload_bytes: int) -> Sent:
    """Multipart, urlencoded or JSON body plus the query string, which wins where both are given."""
    fields, image = await read_body(request, PICTURE, max_upload_bytes)
    refuse_unknown(fields, _FIELDS)
    fields.update(request.query_params)
    return Sent(
        image,
        words(fields, "query"),
        words(fields, "negative"),
        number(fields, "image_weight", 0.0, 1.0, default=0.5),
        read_wanted(fields),
        flag(fields, "many"),
        flag(fields, "quick"),
    )


def read_wanted(fields: Mapping[str, Any]) -> Wanted:
    """`k`, `genre_id` and `min_score` of a query string or form."""
    return Wanted(
        k=integer(fields, "k", 1, MAX_K, default=DEFAULT_K),
        genre_id=integer(fields, "genre_id", -(2**63), 2**63 - 1, default=None),
        min_score=number(fields, "min_score", -1.0, 1.0, default=None),
    )


def needed_words(fields: Mapping[str, Any], name: str) -> str:
    """A text that must be there and show something."""
    found = words(fields, name)
    if found is None:
        raise InvalidRequest(
            f"The field '{name}' is missing or blank. Say what the cover looks like, for example "
            f"{name}=a red album cover with a guitar."
        )
    return found


# OpenAI's inputs

Modality = Literal["text", "image"]
# Base64 of any kind: wrapped, as in mails, or with the two letters that addresses may hold.
_BASE64 = re.compile(r"[A-Za-z0-9+/_=\r\n-]*")
_ADDRESS = re.compile(r"(https?|ftp|file|s3|gs)://\S*", re.IGNORECASE)
# A data URI behind or in quotes with words: a prompt, not a picture.
_PICTURE_INSIDE = re.compile(r"data\s*:\s*image/[\w.+-]+\s*;[^,]{0,100}base64\s*,", re.IGNORECASE)
# Shorter than any picture; no word of a language is so long.
_SHORTEST_PICTURE = 64


def embeddings_request(body: Any) -> EmbeddingsRequest:
    """JSON → OpenAI's request. Raises `InvalidRequest` that names the first wrong field."""
    given = body.get("input") if isinstance(body, dict) else None
    if isinstance(given, list) and given and _are_token_ids(given):
        raise InvalidRequest(
            "'input' holds token ids, of another encoder's vocabulary. Send texts: in LangChain, "
            "OpenAIEmbeddings(check_embedding_ctx_length=False)."
        )
    try:
        request = EmbeddingsRequest.model_validate(body)
    except ValidationError as error:
        raise InvalidRequest(first_error(error.errors())) from error
    if not 1 <= len(request.inputs) <= MAX_EMBEDDINGS:
        raise InvalidRequest(
            f"'input' holds {len(request.inputs)} items; 1 to {MAX_EMBEDDINGS} fit."
        )
    return request


def _are_token_ids(given: Sequence[Any]) -> bool:
    first = given[0][0] if isinstance(given[0], list) and given[0] else given[0]
    return isinstance(first, int) and not isinstance(first, bool)


def is_picture(item: str, modality: Modality | None, number: int) -> bool:
    """Whether an input is a picture, as a data URI, or words. Raises `InvalidRequest` where it may
    be either, and where it is not what `modality` says; `number` is which input it is, from 0."""
    text = without_unseen_ends(item)
    name = f"'input[{number}]'"
    if is_blank(text):
        raise InvalidRequest(f"{name} is an empty text. Leave it out.")
    if text[:5].lower() == "data:" and (modality != "text" or _has_picture_type(text)):
        if modality == "text":
            raise InvalidRequest(f"{name} is a picture, but 'modality' says text. Leave it out.")
        return True
    if modality == "image":
        raise InvalidRequest(
            f"{name} is no picture: it must be a data URI, data:image/jpeg;base64,…; URLs are not "
            "fetched."
        )
    if modality is None and _ADDRESS.fullmatch(text):
        raise InvalidRequest(
            f"{name} is an address, and URLs are not fetched. Send the picture as a data URI, "
            "data:image/jpeg;base64,…, or, if these are the words, 'modality': 'text'."
        )
    if modality is None and _PICTURE_INSIDE.search(text):
        raise InvalidRequest(
            f"{name} is words and a picture in one. Send each as an input of its own."
        )
    if modality is None and _is_bare_picture(text):
        raise InvalidRequest(
            f"{name} is a picture in base64 without its head. Put data:image/jpeg;base64, before "
            "it."
        )
    return False


def _has_picture_type(text: str) -> bool:
    return text[5:].lstrip()[:6].lower() == "image/"


def _is_bare_picture(text: str) -> bool:
    if len(text) < _SHORTEST_PICTURE or not _BASE64.fullmatch(text[:1_000]):
        return False
    try:
        return begins_like_a_picture(_decoded("".join(text[:1_000].split())[:_SHORTEST_PICTURE]))
    except ValueError:
        return False


def data_uri(text: str, max_upload_bytes: int) -> bytes:
    """`data:image/…;base64,…` → bytes. Base64 may be wrapped, URL-safe, without its padding."""
    head, comma, body = without_unseen_ends(text).partition(",")
    if not comma or not head.rstrip().lower().endswith(";base64"):
        raise InvalidRequest(
            "A picture must be a data URI, data:image/jpeg;base64,…; URLs are not fetched."
        )
    try:
        data = _decoded(unquote(body) if "%" in body else body)
    except ValueError as error:
        raise InvalidRequest(f"The data URI is not valid base64 ({error}).") from error
    return PICTURE.checked(data, max_upload_bytes)


def _decoded(text: str) -> bytes:
    """Base64 of any of its kinds → bytes. Raises ValueError."""
    plain = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
