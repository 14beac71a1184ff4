"""Query strings, forms and JSON bodies → checked values, or a sentence about what is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pydantic_core
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from engine.base.errors import ImageTooLarge, InvalidRequest


def integer(fields: Mapping[str, Any], name: str, low: int, high: int, *, default: Any) -> Any:
    """A whole number between `low` and `high`, or `default` where the field is absent."""
    value = _given(fields, name)
    if value is None:
        return default
    try:
        # No underscores, blanks or other scripts' digits: what int() takes is more than we mean.
        if isinstance(value, bool) or not str(value).lstrip("+-").isascii():
            raise ValueError
        found = int(str(value).strip()) if "_" not in str(value) else None
    except ValueError:
        found = None
    if found is None or not low <= found <= high:
        span = f" from {low} to {high}" if high < 2**62 else ""
        raise InvalidRequest(f"{name}={_shown(value)} is not a whole number{span}.")
    return found


def number(fields: Mapping[str, Any], name: str, low: float, high: float, *, default: Any) -> Any:
    """A number between `low` and `high`, or `default` where the field is absent."""
    value = _given(fields, name)
    if value is None:
        return default
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not low <= found <= high:
        raise InvalidRequest(f"{name}={_shown(value)} is not a number from {low:g} to {high:g}.")
    return found


def flag(fields: Mapping[str, Any], name: str) -> bool:
    """true or false (also 1 or 0), false where the field is absent."""
    value = str(_given(fields, name) or "false").lower()
    if value not in ("true", "1", "false", "0"):
        raise InvalidRequest(f"{name}={_shown(value)} is not true or false.")
    return value in ("true", "1")


async def read_json(request: Request) -> Any:
    """The JSON body, whatever its declared type."""
    try:
        body = await request.body()
        # A megabyte is pictures in base64, which json takes four times as long to read.
        return json.loads(body) if len(body) < 1 << 20 else pydantic_core.from_json(body)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The body is not JSON ({type(error).__name__}).") from error


async def _read_body(
    request: Request, max_upload_bytes: int
) -> tuple[dict[str, Any], bytes | None]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        body = await read_json(request)
        if not isinstance(body, dict):
            raise InvalidRequest('The JSON body must be an object, such as {"query": "…"}.')
        if body.pop("file", None) is not None:
            raise InvalidRequest("A picture is sent as multipart/form-data, field 'file'.")
        return body, None
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        if await request.body():
            raise InvalidRequest(
                f"The body is {kind or 'of no declared type'}. Send multipart/form-data with the "
                "picture in the field 'file', for example: curl -F file=@photo.jpg."
            )
        return {}, None
    try:
        form = await request.form(max_files=4, max_fields=32)
    except (MultiPartException, HTTPException, KeyError, ValueError, AssertionError) as error:
        reason = getattr(error, "message", None) or getattr(error, "detail", None)
        raise InvalidRequest(f"The form cannot be read ({reason or 'it is malformed'}).") from error
    except ClientDisconnect as error:
        raise InvalidRequest("The upload ended before it was complete.") from error
    try:
        fields, image = await _read_form(form)
    finally:
        await form.close()
    return fields, None if image is None else _checked_size(image, max_upload_bytes)


async def _read_form(form: FormData) -> tuple[dict[str, Any], bytes | None]:
    fields: dict[str, Any] = {}
    image = None
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name != "file":
                raise InvalidRequest(f"The picture came in '{name}'; send it in the field 'file'.")
            if image is not None:
                raise InvalidRequest("Two pictures came in 'file'; send one.")
            image = await value.read()
        elif name == "file":
            raise InvalidRequest(
                "The field 'file' is text, not a file. Send the picture itself: "
                "curl -F file=@photo.jpg (with the @)."
            )
        else:
            fields[name] = value
    return fields, image


def _checked_size(data: bytes, max_upload_bytes: int) -> bytes:
    if len(data) > max_upload_bytes:
        raise ImageTooLarge(
            f"The picture has {len(data):,} bytes; at most {max_upload_bytes:,} are accepted. "
            "Send a smaller one: 1,000 pixels a side are plenty."
        )
    return data


def _given(fields: Mapping[str, Any], name: str) -> Any:
    value = fields.get(name)
    # BentoML's client writes what its caller left out as JSON null into a form.
    return None if value in (None, "", "null") else value


def _shown(value: Any) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else text[:40] + "…")
