"""Connections: those that ask nothing are closed after a while, and what waits for nothing is
answered as soon as it is read.

uvicorn waits for ever for the first request of a connection and for the end of its headers, so that
a caller who sends a byte an hour, ten thousand times, holds every file descriptor. Bodies are
`engine.serving.http.bodies`': they have the request's deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import uuid
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import uvicorn.protocols.http.auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from engine.base.errors import InvalidRequest
from engine.serving.http.exchange import Exchange
from engine.serving.http.messages import error_messages

# From connecting, or from a request's first byte, to the end of its headers.
HEADERS_WITHIN_S = 10.0
HEADERS_WITHIN_BYTES = 64 * 1024
# Of the file descriptors a process may have, those that are not for callers.
KEPT_BACK = 128
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


def bound_connections() -> None:
    """Let uvicorn speak to its callers through `BoundedProtocol`; before its server starts.

    BentoML makes uvicorn's configuration itself and leaves the protocol to uvicorn's choice.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    BoundedProtocol.at_most = max(64, min(soft, 1 << 20) - KEPT_BACK)
    uvicorn.protocols.http.auto.AutoHTTPProtocol = BoundedProtocol


class BoundedProtocol(HttpToolsProtocol):
    at_most = 1024
    # The messages of an answer that needs nothing but the request's head, or None. Set by whoever
    # makes the application.
    at_once: Callable[[Any], Sequence[Any] | None] = staticmethod(lambda scope: None)
    # Told that the server is to end, before it waits for what is being answered.
    at_end: Callable[[], None] = staticmethod(lambda: None)
    _waiting: asyncio.TimerHandle | None = None
    _read = 0
    _in_first_line = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.at_most:
            # Not even an answer: whoever opens thousands reads none.
            transport.abort()
            return
        self._wait_for_headers()

    def data_received(self, data: bytes) -> None:
        if self._waiting is not None:
            self._read += len(data)
            # What comes in one piece with a header that ends is body; more than a piece is not.
            if self._read - len(data) > HEADERS_WITHIN_BYTES:
                self.send_400_response("The request's headers are too long.")
                return
        super().data_received(self._quoted(data) if self._in_first_line else data)

    def _quoted(self, data: bytes) -> bytes:
        """A request's first line as HTTP has it: many clients send an address's letters as they
        were typed, in UTF-8, which the parser refuses."""
        line, newline, rest = data.partition(b"\n")
        self._in_first_line = not newline
        return _NOT_ASCII.sub(lambda letter: b"%%%02X" % letter[0][0], line) + newline + rest

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        # Where the caller does not read, even `send` may have to wait.
        messages = None if self.flow.write_paused else self.at_once(cycle.scope)
        if messages is None:
            super()._start_asgi_task(cycle, app)
            return
        for message in messages:
            with contextlib.suppress(StopIteration):
                cycle.send(message).send(None)

    def _should_upgrade(self) -> bool:
        """Nothing here speaks WebSocket: whoever asks for it is answered in HTTP. uvicorn would
        change the protocol first, and one that had gone by then broke the stop of the server."""
        return False

    def _unsupported_upgrade_warning(self) -> None:
        """Two lines of log for whoever asks are two too many."""

    def shutdown(self) -> None:
        self.at_end()
        super().shutdown()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._waiting is None:  # a further request on a connection that was kept
            self._wait_for_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Also where the head came in one piece with the end of the body before: what follows is not
        # an address.
        self._in_first_line = False
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._came()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_first_line = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._came()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP gets our error shape, too; uvicorn's is plain text."""
        exchange = Exchange(uuid.uuid4().hex)  # in English: nothing is known of the caller
        error = InvalidRequest(f"{msg} Send HTTP/1.1; see /docs for the routes.")
        start, body = error_messages(error, exchange)
        status = HTTPStatus(start["status"])
        headers = [
            *start["headers"],
            (b"x-request-id", exchange.request_id.encode()),
            (b"x-artifact", b"none"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
        head += b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        if not self.transport.is_closing():
            self.transport.write(head + b"\r\n" + body["body"])
            self.transport.close()

    def _wait_for_headers(self) -> None:
        self._read = 0
        self._waiting = self.loop.call_later(HEADERS_WITHIN_S, self._give_up)

    def _came(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.close()
