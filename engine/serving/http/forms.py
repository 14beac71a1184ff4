"""Query strings, forms and JSON bodies → checked values, or a sentence about what is wrong.

What a service takes as a file, and what it calls it, the service says (`Upload`).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import pydantic_core
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from engine.base.errors import InvalidRequest, ShazamError
from engine.base.texts import is_blank

MULTIPART, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
MAX_FILES, MAX_FIELDS = 4, 32
# What may stand before a form's first boundary (RFC 2046, 5.1.1): a note to people.
PREAMBLE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Upload:
    """The one file that a form may hold: its field, its noun, how a shell sends it.

    `recognised` tells by the bytes whether they are such a file; `kinds` begin the media types of
    bodies that are the file itself.
    """

    field: str
    noun: str
    curl: str
    json_example: str
    kinds: tuple[str, ...]
    recognised: Callable[[bytes], bool]
    too_large: Callable[[int, int], ShazamError]

    def checked(self, data: bytes, max_bytes: int) -> bytes:
        """`data`, if it is no larger; raises what `too_large` makes of its size and the limit."""
        if len(data) > max_bytes:
            raise self.too_large(len(data), max_bytes)
        return data


def integer(fields: Mapping[str, Any], name: str, low: int, high: int, *, default: Any) -> Any:
    """A whole number between `low` and `high`, or `default` where the field is absent."""
    value = given(fields, name)
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
        raise InvalidRequest(f"{name}={shown(value)} is not a whole number{span}.")
    return found


def number(fields: Mapping[str, Any], name: str, low: float, high: float, *, default: Any) -> Any:
    """A number between `low` and `high`, or `default` where the field is absent."""
    value = given(fields, name)
    if value is None:
        return default
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not low <= found <= high:
        raise InvalidRequest(f"{name}={shown(value)} is not a number from {low:g} to {high:g}.")
    return found


def flag(fields: Mapping[str, Any], name: str) -> bool:
    """true or false (also 1 or 0), false where the field is absent."""
    value = str(given(fields, name) or "false").lower()
    if value not in ("true", "1", "false", "0"):
        raise InvalidRequest(f"{name}={shown(value)} is not true or false.")
    return value in ("true", "1")


def words(fields: Mapping[str, Any], name: str) -> str | None:
    """A text, or None where the field is absent or blank."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{name}={shown(value)} is not a text.")
    return None if value is None or is_blank(value) else value


async def read_json(request: Request) -> Any:
    """The JSON body, whatever its declared type."""
    try:
        body = await request.body()
        # A megabyte is files in base64, which json takes four times as long to read.
        if len(body) >= 1 << 20:
            return pydantic_core.from_json(body)
        return json.loads(body, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise _no_json(getattr(error, "pos", None)) from error


def _no_json(at: int | None) -> InvalidRequest:
    """`at` is the place in it, from 0, where that is known."""
    if at is None:
        return InvalidRequest(
            "The body is not JSON. Send an object, its names and texts in double quotes."
        )
    return InvalidRequest(
        f"The body is not JSON from character {at + 1} on. Send an object, its names and texts in "
        "double quotes."
    )


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    refuse_repeated(name for name, _ in pairs)
    return dict(pairs)


async def read_body(
    request: Request, upload: Upload, max_bytes: int
) -> tuple[dict[str, Any], bytes | None]:
    """A body → its fields and the file in it: a form, a JSON object, or the file and no more.

    Raises `InvalidRequest`, and what `upload.too_large` makes.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return await _read_object(request, upload), None
    if kind == MULTIPART:
        fields, file = await _read_form(await _parts(request, upload), upload)
    elif kind == URLENCODED:
        # What `curl --data-binary` declares, whatever it sends.
        body = await request.body()
        if upload.recognised(body):
            return {}, upload.checked(body, max_bytes)
        if body.startswith(b"--") or body.count(b"&") >= MAX_FIELDS:
            raise InvalidRequest(
                f"The body is declared {URLENCODED} and is none, nor a {upload.noun} that we know. "
                f"Send {MULTIPART} with the {upload.noun} in the field '{upload.field}', for "
                f"example: {upload.curl}."
            )
        pairs: list[tuple[str, str | UploadFile]] = [*pairs_of(body)]
        fields, file = await _read_form(FormData(pairs), upload)
    elif kind.startswith(upload.kinds):
        fields, file = {}, await request.body() or None
    elif await request.body():
        raise InvalidRequest(
            f"The body is {kind or 'of no declared type'}. Send {MULTIPART} with the {upload.noun} "
            f"in the field '{upload.field}', for example: {upload.curl}."
        )
    else:
        fields, file = {}, None
    return fields, None if file is None else upload.checked(file, max_bytes)


async def _read_object(request: Request, upload: Upload) -> dict[str, Any]:
    body = await read_json(request)
    if not isinstance(body, dict):
        raise InvalidRequest(f"The JSON body must be an object, such as {upload.json_example}.")
    if body.pop(upload.field, None) is not None:
        raise InvalidRequest(
            f"A {upload.noun} is sent as {MULTIPART}, field '{upload.field}': {upload.curl}."
        )
    return body


class Parts(MultiPartParser):
    """Starlette's reader, to which the part that should be the file is one, declared or not.

    Uploads stay in memory, where `http.bodies` bounds them: they are never written to a disk, and a
    disk that is full or read-only refuses none.
    """

    spool_max_size = 1 << 40
    file_field = b""

    def on_headers_finished(self) -> None:
        part = self._current_part
        _, options = parse_options_header(part.content_disposition)
        if options.get(b"name") == self.file_field and b"filename" not in options:
            part.content_disposition = (part.content_disposition or b"") + b'; filename=""'
        super().on_headers_finished()


async def _parts(request: Request, upload: Upload) -> FormData:
    stream = from_boundary(request.stream(), request.headers["content-type"])
    parser = Parts(request.headers, stream, max_files=MAX_FILES, max_fields=MAX_FIELDS)
    parser.file_field = upload.field.encode()
    try:
        return await parser.parse()
    except (MultiPartException, KeyError, ValueError, AssertionError) as error:
        raise unreadable_form(error, upload) from error
    except ClientDisconnect as error:
        raise InvalidRequest("The upload ended before it was complete.") from error


def pairs_of(query: bytes) -> list[tuple[str, str]]:
    """`a=1&b=2` → its names and values, percent-encoded or raw: UTF-8, else Latin-1."""
    pairs = [pair.partition(b"=") for pair in query.split(b"&") if pair]
    return [(_unquoted(name), _unquoted(value)) for name, _, value in pairs]


def _unquoted(part: bytes) -> str:
    plain = unquote_to_bytes(part.replace(b"+", b" "))
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return plain.decode("latin-1")


def unreadable_form(error: Exception, upload: Upload) -> InvalidRequest:
    reason = getattr(error, "message", None) or getattr(error, "detail", None) or "it is malformed"
    if str(reason).startswith("Too many files"):
        return InvalidRequest(
            f"The form holds more than one file. Send one {upload.noun}, in the field "
            f"'{upload.field}': {upload.curl}."
        )
    return InvalidRequest(
        f"The form cannot be read ({str(reason).rstrip('.')}). Send the {upload.noun} in the field "
        f"'{upload.field}': {upload.curl}."
    )


async def from_boundary(
    stream: AsyncGenerator[bytes, None], content_type: str
) -> AsyncGenerator[bytes, None]:
    """A multipart body without what stands before its first boundary."""
    _, options = parse_options_header(content_type)
    line = b"--" + options.get(b"boundary", b"")
    begin = b""
    async for chunk in stream:
        begin += chunk
        at = 0 if begin.startswith(line) else begin.find(b"\n" + line) + 1
        if at or begin.startswith(line):
            yield begin[at:]
            break
        if len(begin) > PREAMBLE_BYTES:
            break
    else:
        yield begin  # no boundary came: the parser says so
    async for chunk in stream:
        yield chunk


async def _read_form(form: FormData, upload: Upload) -> tuple[dict[str, Any], bytes | None]:
    fields: dict[str, Any] = {}
    files: list[bytes] = []
    try:
        refuse_repeated(
            name
            for name, value in form.multi_items()
            if isinstance(value, str) and value.strip() and name != upload.field
        )
        for name, value in form.multi_items():
            if isinstance(value, str) and name != upload.field:
                fields[name] = value
                continue
            data = value.encode() if isinstance(value, str) else await _file_of(value, name, upload)
            # A browser sends an input without a file as one without a name and bytes.
            if data or (isinstance(value, UploadFile) and value.filename):
                _refuse_text(value, data, upload)
                files.append(data)
    finally:
        await form.close()
    if len(files) > 1:
        raise InvalidRequest(f"Two {upload.noun}s came in '{upload.field}'; send one.")
    return fields, files[0] if files else None


async def _file_of(value: UploadFile, name: str, upload: Upload) -> bytes:
    if name != upload.field:
        raise InvalidRequest(
            f"The {upload.noun} came in '{name}'; send it in the field '{upload.field}'."
        )
    return await value.read()


def _refuse_text(value: UploadFile | str, data: bytes, upload: Upload) -> None:
    """A part without a file's name is one if its bytes say so: some clients leave it out."""
    named = isinstance(value, UploadFile) and (
        value.filename or b"filename" in value.headers.get("content-disposition", "").encode()
    )
    if not named and not upload.recognised(data):
        raise InvalidRequest(
            f"The field '{upload.field}' is text, not a file. Send the {upload.noun} itself: "
            f"{upload.curl} (with the @)."
        )


def refuse_repeated(names: Iterable[str]) -> None:
    """Of two values one would be passed over, and the answer be to another question."""
    for name, times in Counter(names).items():
        if times > 1:
            raise InvalidRequest(f"{shown(name)} came {times} times; send it once.")


def refuse_unknown(fields: Mapping[str, Any], known: Collection[str]) -> None:
    """A field that is misspelt and passed over gives an answer to another question."""
    for name in fields:
        if name not in known:
            raise InvalidRequest(
                f"{shown(name)} is no field of this form; those are {', '.join(known)}."
            )


def given(fields: Mapping[str, Any], name: str) -> Any:
    """What a field holds; None where it is absent or blank."""
    value = fields.get(name)
    if isinstance(value, str) and not value.strip():
        return None
    # BentoML's client writes what its caller left out as JSON null into a form.
    return None if value == "null" else value


def shown(value: Any) -> str:
    """A value as a sentence may quote it."""
    text = str(value)
    return repr(text if len(text) <= 40 else text[:40] + "…")
