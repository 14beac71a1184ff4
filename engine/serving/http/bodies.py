"""What request bodies may weigh, each by its path, and all together.

A body that is too large is refused by its declared length, else while it is read; what its
caller still sends is read and thrown away.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers

from engine.base.errors import Overloaded, ShazamError
from engine.serving.http.exchange import Exchange
from engine.serving.http.inflating import Inflating, encoding_of, without_encoding
from engine.serving.http.messages import App, Message, Receive, Scope, Send, error_messages

# What a multipart form adds to the file inside it.
FORM_OVERHEAD = 64 * 1024
# Bodies of the usual largest size held in memory at once, 330 MB by default. Places alone would
# bound them at `max_concurrency` of that size, 1.3 GB, for which small machines have no room.
BODIES_AT_ONCE = 32
# After a 413 a client that is still sending is read and thrown away for so long, since closing the
# connection at once would make many clients see a broken pipe instead of the answer.
DRAIN_BYTES, DRAIN_S = 64 << 20, 5.0


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Bytes a body may have; `too_large` says what to do instead. One that is `streamed` is put
    away as it comes: it takes no memory, and as long as it needs."""

    size: int
    too_large: Callable[[], ShazamError]
    streamed: bool = False


@dataclass(frozen=True)
class BodyLimits:
    """The limit of most bodies, and of those at some paths another."""

    usual: BodyLimit
    # Paths, with `{name}` for a part that may be any.
    by_path: Mapping[str, BodyLimit] = field(default_factory=dict)

    def at(self, path: str) -> BodyLimit:
        found = self.by_path.get(path)
        if found is None:
            found = next((limit for each, limit in self._patterns if each.fullmatch(path)), None)
        return found or self.usual

    @functools.cached_property
    def _patterns(self) -> list[tuple[re.Pattern[str], BodyLimit]]:
        """Of templates whose limit is not the usual one."""
        return [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template))), limit)
            for template, limit in self.by_path.items()
            if "{" in template and limit != self.usual
        ]


class Bodies:
    """Bounds what is read of bodies; one for all requests of a process, on its event loop."""

    def __init__(self, limits: BodyLimits, on_overload: Callable[[], None]) -> None:
        self._limits = limits
        self._on_overload = on_overload
        self._held = 0  # bytes of the bodies of requests in flight, but of streamed ones

    def streams(self, path: str) -> bool:
        """Whether the body of a request to this path is put away as it comes."""
        return self._limits.at(path).streamed

    async def bounded(
        self, app: App, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> None:
        """`app`'s answer, or a refusal in its place."""
        limit = self._limits.at(scope["path"])
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > limit.size:
            await _refuse(limit.too_large(), exchange, send, receive)
            return
        compressed = encoding_of(scope)
        size = 0
        refusal: ShazamError | None = None

        def counted(inner: Receive) -> Receive:
            read = 0

            async def count() -> Message:
                nonlocal size, read, refusal
                message = await inner()
                part = len(message.get("body", b""))
                held = 0 if limit.streamed else part
                size, read, self._held = size + held, read + part, self._held + held
                refusal = refusal or self._refusal(read, limit)
                if refusal is not None:
                    raise refusal
                return message

            return count

        async def unless_refused(message: Message) -> None:
            if refusal is None:
                await send(message)

        body = counted(receive)
        if compressed:
            scope, body = without_encoding(scope), counted(Inflating(body))
        try:
            await app(scope, body, unless_refused)
        except ShazamError:
            if refusal is None:
                raise
        finally:
            self._held -= size
        if refusal is not None:
            # Whatever the inner application made of the interruption, this is the answer.
            if isinstance(refusal, Overloaded):
                self._on_overload()
            await _refuse(refusal, exchange, send, receive)

    def _refusal(self, size: int, limit: BodyLimit) -> ShazamError | None:
        if size > limit.size:
            return limit.too_large()
        if self._held > BODIES_AT_ONCE * self._limits.usual.size and not limit.streamed:
            return Overloaded(
                "So much is being uploaded that this process has no room for more. Try again in a "
                "second."
            )
        return None


async def _refuse(error: ShazamError, exchange: Exchange, send: Send, receive: Receive) -> None:
    """Answer at once, then read what the client is still sending."""
    start, body = error_messages(error, exchange)
    start["headers"].append((b"connection", b"close"))
    await send(start)
    await send({**body, "more_body": True})
    await _drain(receive)
    await send({"type": "http.response.body", "body": b""})


async def _drain(receive: Receive) -> None:
    read = 0
    try:
        async with asyncio.timeout(DRAIN_S):
            while read < DRAIN_BYTES:
                message = await receive()
                read += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
    except TimeoutError:
        return
