"""A request's compressed body → the body itself, in pieces: how much it holds nobody knows yet."""

from __future__ import annotations

import asyncio
import zlib

from starlette.datastructures import Headers

from engine.base.errors import InvalidRequest
from engine.serving.http.messages import Message, Receive, Scope

ENCODINGS = ("gzip", "x-gzip", "deflate")
# Bytes of one message: 1 ms of the event loop.
PIECE = 256 * 1024
_ANY_HEADER = 47  # gzip's or zlib's, whichever is there (zlib.decompressobj)


def encoding_of(scope: Scope) -> str:
    """How a body is compressed: one of `ENCODINGS`, or "". Raises `InvalidRequest` for others."""
    named = Headers(scope=scope).get("content-encoding", "").strip().lower()
    if named in ("", "identity"):
        return ""
    if named not in ENCODINGS:
        raise InvalidRequest(
            f"The body is {named[:40]!r} (Content-Encoding). Send it as it is, or as gzip."
        )
    return named


def without_encoding(scope: Scope) -> Scope:
    """The request as its application shall see it: of a body that is not compressed."""
    gone = (b"content-encoding", b"content-length")
    return dict(scope, headers=[pair for pair in scope["headers"] if pair[0] not in gone])


class Inflating:
    """ASGI's `receive` for what a compressed body holds. Raises `InvalidRequest`."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._inflater = zlib.decompressobj(_ANY_HEADER)
        self._waiting = b""
        self._more = True
        self._begun = self._over = False

    async def __call__(self) -> Message:
        while not self._over:
            if self._more and not self._waiting:
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._waiting = message.get("body", b"")
                self._more = message.get("more_body", False)
                self._begun = self._begun or bool(self._waiting)
            piece = self._inflate()
            self._over = not (self._more or self._waiting or len(piece) == PIECE)
            if self._over and self._begun and not self._inflater.eof:
                raise InvalidRequest("The compressed body ended before it was complete.")
            if piece or self._over:
                # A small piece may hold much: nothing else is waited for, and others wait.
                await asyncio.sleep(0)
                return {"type": "http.request", "body": piece, "more_body": not self._over}
        return await self._receive()

    def _inflate(self) -> bytes:
        if self._inflater.eof and self._waiting.strip(b"\0"):
            self._inflater = zlib.decompressobj(_ANY_HEADER)  # gzip's may follow each other
        elif self._inflater.eof:
            self._waiting = b""
            return b""
        try:
            piece = self._inflater.decompress(self._waiting, PIECE)
        except zlib.error as error:
            raise InvalidRequest(
                "The body is not what its Content-Encoding says. Send it as it is, or as gzip."
            ) from error
        self._waiting = self._inflater.unconsumed_tail or self._inflater.unused_data
        return piece
