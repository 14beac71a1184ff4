"""A file → all of it, or the one part that `Range` asks for (RFC 9110, 14).

One range of bytes is honoured; several, and what is no range, get the whole, as the RFC allows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.responses import Response

from engine.base.errors import RangeNotSatisfiable
from engine.serving.http.messages import Receive, Scope, Send
from engine.serving.http.page import etag_in

CHUNK_BYTES = 256 * 1024
_ONE_RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_LONGEST = 64


def part_of(wanted: str, size: int) -> tuple[int, int] | None:
    """A `Range` of a file of `size` bytes → where it begins and ends, the end excluded; None where
    the whole is to be sent. Raises `RangeNotSatisfiable`."""
    found = _ONE_RANGE.fullmatch(wanted) if len(wanted) <= _LONGEST else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        last = int(found[2])  # so many at the end
        if last == 0 or size == 0:
            raise _outside(size)
        return max(0, size - last), size
    first, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    if found[2] and end <= first:
        return None
    if first >= size:
        raise _outside(size)
    return first, min(end, size)


def _outside(size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(
        f"The file has {size:,} bytes, and none of them is in the range that was asked for.",
        size=size,
    )


class Part(Response):
    """Bytes that do not change, `size` of them, read as they are sent: `read(at, size)` gives some
    and blocks, for as long as it takes.

    `headers` hold their `ETag`, a strong one; `wanted`, `if_range` and `if_none_match` are a
    request's. Raises `RangeNotSatisfiable`.
    """

    def __init__(
        self,
        size: int,
        read: Callable[[int, int], bytes],
        media_type: str,
        headers: Mapping[str, str],
        *,
        wanted: str | None = None,
        if_range: str | None = None,
        if_none_match: str | None = None,
    ) -> None:
        etag = headers["ETag"]
        self._read, self._begin, self._end = read, 0, size
        told = {"Accept-Ranges": "bytes", **headers}
        status = 200
        if if_none_match is not None and etag_in(etag, if_none_match):
            status, self._end = 304, 0
        elif wanted is not None and if_range in (None, etag):
            part = part_of(wanted, size)
            if part is not None:
                status, (self._begin, self._end) = 206, part
                told["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{size}"
        super().__init__(None, status, told, media_type)
        if status != 304:
            self.headers["Content-Length"] = str(self._end - self._begin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        await send(start)
        at = self._begin
        while at < self._end:
            chunk = await asyncio.to_thread(self._read, at, min(CHUNK_BYTES, self._end - at))
            if not chunk:
                raise OSError("what is sent became shorter meanwhile")
            at += len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class FilePart(Part):
    """A `Part` of a file on this disk. Raises OSError where it is gone, too."""

    def __init__(
        self,
        path: Path,
        media_type: str,
        headers: Mapping[str, str],
        *,
        wanted: str | None = None,
        if_range: str | None = None,
        if_none_match: str | None = None,
    ) -> None:
        self._path = path
        super().__init__(
            path.stat().st_size,
            self._read_file,
            media_type,
            headers,
            wanted=wanted,
            if_range=if_range,
            if_none_match=if_none_match,
        )

    def _read_file(self, at: int, size: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(at)
            return file.read(size)
