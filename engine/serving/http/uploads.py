"""A body with a file in it → the file on this disk, hashed as it comes, and the fields beside it.

For files that are too large to be held (`forms` reads those that are not): a part of a megabyte is
in memory, and what writes and hashes it is a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from engine.base.errors import InvalidRequest
from engine.serving.http.forms import (
    MULTIPART,
    Parts,
    Upload,
    from_boundary,
    refuse_repeated,
    unreadable_form,
)

# Written and hashed at once: 3 ms of a thread.
PIECE_BYTES = 1 << 20
MAX_FILES, MAX_FIELDS = 1, 32
_PREFIX = "shazam-upload-"


@dataclass(frozen=True)
class Received:
    """A file that came, the sha256 of its bytes in hex, and what its sender calls it."""

    path: Path
    sha256: str
    size: int
    filename: str


class _Landing(UploadFile):
    """Where the parts of a file go."""

    def __init__(self, file: IO[bytes], filename: str, headers: Headers | None = None) -> None:
        super().__init__(file, filename=filename, headers=headers)  # type: ignore[arg-type]
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self.length = 0

    async def write(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= PIECE_BYTES:
            await asyncio.to_thread(self._put)

    async def seek(self, offset: int) -> None:
        """What a parser calls at the end of a part."""
        await asyncio.to_thread(self._put)

    def _put(self) -> None:
        self.file.write(self._waiting)
        self._digest.update(self._waiting)
        self.length += len(self._waiting)
        self._waiting.clear()
        self.file.flush()

    def received(self, path: Path) -> Received:
        return Received(path, self._digest.hexdigest(), self.length, self.filename or "")


class _StreamedParts(Parts):
    """A form whose file goes to a landing."""

    landing: IO[bytes]

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        part = self._current_part
        if part.file is not None:
            part.file.file.close()
            part.file = _Landing(self.landing, part.file.filename or "", part.file.headers)


@asynccontextmanager
async def received(
    request: Request, upload: Upload
) -> AsyncIterator[tuple[dict[str, Any], Received | None]]:
    """The fields of a form and the file in `upload.field`, which is gone when this ends; of a body
    that is a file itself there are no fields. Raises `InvalidRequest`, and OSError of a full
    disk."""
    with _temporary() as file:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == MULTIPART:
            fields, landing = await _form(request, upload, file)
        elif kind.startswith(upload.kinds):
            fields, landing = {}, await _whole(request, file)
        else:
            raise InvalidRequest(
                f"The body is {kind or 'of no declared type'}. Send {MULTIPART} with the "
                f"{upload.noun} in the field '{upload.field}', for example: {upload.curl}."
            )
        yield fields, None if landing is None else landing.received(Path(file.name))


@contextmanager
def _temporary() -> Iterator[IO[bytes]]:
    """A file of its own, which whoever receives it may have moved away."""
    with tempfile.NamedTemporaryFile(prefix=_PREFIX, delete=False) as file:
        try:
            yield file
        finally:
            Path(file.name).unlink(missing_ok=True)


def remove_abandoned_uploads(older_s: float) -> None:
    """What services of this machine that were killed had received and nobody wrote to for so
    long."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # gone, or another user's
            if time.time() - path.stat().st_mtime > older_s:
                path.unlink()


async def _form(
    request: Request, upload: Upload, file: IO[bytes]
) -> tuple[dict[str, Any], _Landing | None]:
    stream = from_boundary(request.stream(), request.headers["content-type"])
    parser = _StreamedParts(request.headers, stream, max_files=MAX_FILES, max_fields=MAX_FIELDS)
    parser.file_field, parser.landing = upload.field.encode(), file
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, AssertionError) as error:
        raise unreadable_form(error, upload) from error
    except ClientDisconnect as error:
        raise InvalidRequest("The upload ended before it was complete.") from error
    refuse_repeated(
        name for name, value in form.multi_items() if isinstance(value, str) and value.strip()
    )
    fields: dict[str, Any] = {}
    landing = None
    for name, value in form.multi_items():
        if isinstance(value, str):
            fields[name] = value
        elif name != upload.field:
            raise InvalidRequest(
                f"The {upload.noun} came in '{name}'; send it in the field '{upload.field}'."
            )
        elif isinstance(value, _Landing):
            landing = value
    return fields, landing


async def _whole(request: Request, file: IO[bytes]) -> _Landing:
    landing = _Landing(file, "")
    try:
        async for part in request.stream():
            await landing.write(part)
    except ClientDisconnect as error:
        raise InvalidRequest("The upload ended before it was complete.") from error
    await landing.seek(0)
    return landing
