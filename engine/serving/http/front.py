"""What every request meets before a route: its id, its key, its limits, its deadline, one error.

One ASGI application around both halves of the service:

    request id, response headers, log line and metrics
      └ CORS
          └ access (API keys, a rate for each)
              └ admission (a bounded number at once, 503 past it) and deadline (504); who listens to
                what goes on (`listened`) has neither, and ends with this process
                  └ body limit (413 while reading; 503 where all bodies together are too many)
                      └ FastAPI, or BentoML for /schema.json and its static files

What waits for nothing, a probe or a refusal where all places are taken, does not come this way:
the connection asks `Front.at_once` for it (`engine.serving.http.connections`).

BentoML's own limits and CORS are off: they answer from outside any middleware, without
`Retry-After`, CORS headers or our error shape.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from starlette.datastructures import Headers

from engine.base.errors import DeadlineExceeded, Overloaded, ShazamError, Unauthorized
from engine.base.settings import Settings
from engine.serving.http.access import Access
from engine.serving.http.bodies import Bodies, BodyLimits
from engine.serving.http.cors import Cors
from engine.serving.http.exchange import Exchange, answering, current_exchange, request_id_of
from engine.serving.http.languages import Languages
from engine.serving.http.messages import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    error_messages,
    internal_error,
    json_messages,
    send_error,
)
from engine.serving.http.native import FILES, SCHEMA, Native
from engine.serving.http.prefix import Prefix, behind, make_relative, prefix_here
from engine.serving.watch.metrics import Metrics
from engine.serving.watch.tracing import describe_request

logger = logging.getLogger("shazam")
access_log = logging.getLogger("shazam.access")

# Of an answer that does not say otherwise. Opened in a browser it runs nothing and is framed by
# nobody; the page and /docs have policies of their own (engine.serving.http.page).
DEFAULT_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)

# One line for all refusals of a time: a flood of callers must not become one of log lines, whose
# writing is a fifth of what a refusal costs.
REFUSALS_TOLD_EVERY_S = 1.0

# An answer that has begun may take so many deadlines more until it is read: a player reads a track
# as it plays it, and a caller who reads nothing must not keep its place for good.
READ_WITHIN = 10

# A body that is put away as it comes may take so long, a deadline from each part to the next, and a
# deadline and what its bytes take at this rate in all: whoever trickles keeps a place from others.
SENT_WITHIN_S = 3600.0
LEAST_BYTES_S = 4_096
# Who listens to what goes on costs a connection and no thread: so many for each place.
LISTENERS = 4

# To another address, for good or for now, with the same method.
REDIRECTIONS = (307, 308)
# What nginx logs, too, for a caller who did not wait. It is never sent.
CLIENT_GONE = 499


class Front:
    """See the module's head. What BentoML serves itself are NATIVE paths; all else is `api`'s.

    The typed APIs of BentoML's clients are answered by `api` too, at the paths BentoML gave them:
    BentoML's own reader takes a string in place of a file for a URL to fetch or a path to open.
    `probes` are the paths anybody may ask, with what each says, or raises; `free` those that are
    answered without a place, one that ends in a slash with all below it; `listened` tells whether a
    GET of a path is answered for as long as its caller listens; one below a path
    of `sealed` needs no key, as its address is a link that its route checks. `artifact_id` tells by
    a path which artifact answers there.
    """

    def __init__(
        self,
        app: App,
        *,
        api: App,
        routes: Iterable[str],
        probes: Mapping[str, Callable[[], Mapping[str, Any]]],
        free: Collection[str],
        listened: Callable[[str], bool] = lambda _: False,
        sealed: tuple[str, ...] = (),
        is_page: Callable[[str, Headers], bool] = lambda *_: False,
        bodies: BodyLimits,
        settings: Settings,
        metrics: Callable[[], Metrics],
        artifact_id: Callable[[str], str],
        languages: Languages,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._artifact_id = artifact_id
        self._languages = languages
        self._native = Native(app)
        self._api = api
        self._routes = frozenset({SCHEMA, *routes})
        self._prefix = Prefix(settings.root_path, {FILES, *self._routes})
        self._probes = probes
        self._free = frozenset(free)
        self._free_below = tuple(path for path in free if path.endswith("/"))
        self._access = Access(settings.api_keys, settings.rate_limit)
        self._bodies = Bodies(bodies, lambda: metrics().refused.inc())
        self._listened, self._sealed, self._is_page = listened, sealed, is_page
        self._in_flight = self._listening = 0
        self._ending = asyncio.Event()
        self._refused, self._told_refused = 0, 0.0  # since they were told of, and when
        self._cors = Cors(self._guarded, settings.allowed_origins)

    def at_once(self, scope: Scope) -> Sequence[Message] | None:
        """The whole answer to an HTTP request, where it needs nothing but its head; else None.

        A probe waits for every refusal that came before it, twice: to be accepted and to be read.
        Of 64 callers who ask again as soon as they are refused, half as many milliseconds each are
        half as long a wait.
        """
        prefix = self._prefix.of(scope)
        path = self._prefix.own_path(scope["path"], prefix)
        scope = dict(scope, path=path) if prefix else scope
        probe = self._probes.get(path)
        full = self._in_flight >= self._settings.max_concurrency and not self._is_free(path)
        full = full and not self._listened(path)
        # Whose rate it counts for, a proxy may know better; traces begin in BentoML's layers.
        if not (probe or (full and not self._settings.rate_limit)) or self._settings.traces:
            return None
        headers = Headers(scope=scope)
        if "origin" in headers or scope["method"] not in (("GET",) if probe else ("GET", "POST")):
            return None
        exchange = self._exchange(headers, prefix, path)
        try:
            if probe is None:
                self._check_caller(scope, headers)
                raise self._full(exchange)
            start, body = json_messages(200, json.dumps(probe(), separators=(",", ":")).encode())
        except ShazamError as error:
            start, body = error_messages(error, exchange)
        exchange.status = start["status"]
        self._put_headers(start, exchange)
        self._record(scope, exchange)
        return start, body

    def end(self) -> None:
        """This process is to end: nobody listens any longer."""
        self._ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._native.app(scope, receive, send)
            return
        prefix = self._prefix.of(scope)
        if prefix:
            scope = dict(scope, path=self._prefix.own_path(scope["path"], prefix))
        exchange = self._exchange(Headers(scope=scope), prefix, scope["path"])
        with answering(exchange):
            if self._settings.traces:
                describe_request(exchange.request_id)
            await self._answer(scope, receive, send, exchange)

    def _exchange(self, headers: Headers, prefix: str, path: str) -> Exchange:
        language = self._languages.wanted(headers.get("accept-language", ""))
        return Exchange(request_id_of(headers), language, prefix, path)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        head = exchange.head = scope["method"] == "HEAD"
        if head:
            # Of a part no head is asked (RFC 9110, 14.2).
            headers = [header for header in scope["headers"] if header[0] != b"range"]
            scope = dict(scope, method="GET", headers=headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                if exchange.status in REDIRECTIONS:
                    make_relative(message)
                self._put_headers(message, exchange)
            else:
                exchange.finished = not message.get("more_body")
                if head:
                    message = {**message, "body": b""}
            await send(message)

        try:
            await self._cors(scope, receive, send_with_headers)
        except Exception as error:
            # Starlette's handlers answer before this is reached; what comes here broke outside.
            if exchange.finished:
                # FastAPI answers an unexpected exception and then raises it again, for the log.
                logger.error("request %s failed", exchange.request_id, exc_info=error)
                return
            if exchange.status:
                raise
            await send_error(_named(error, exchange), exchange, send_with_headers)
        finally:
            self._record(scope, exchange)

    def _put_headers(self, start: Message, exchange: Exchange) -> None:
        """What every answer says, into the message that begins it."""
        said = {name.lower() for name, _ in start["headers"]}
        start["headers"] = [
            *start["headers"],
            (b"x-request-id", exchange.request_id.encode("latin-1")),
            (b"x-artifact", self._artifact_id(exchange.path).encode("latin-1")),
            *(header for header in DEFAULT_HEADERS if header[0] not in said),
        ]

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Access, admission, deadline; then the application that owns the path."""
        exchange = current_exchange()
        assert exchange is not None
        path = scope["path"]
        try:
            if path not in self._probes:
                self._check_caller(scope, Headers(scope=scope))
            if self._is_free(path):
                await self._dispatch(scope, receive, send)
            elif scope["method"] == "GET" and self._listened(path):
                await self._heard_out(scope, receive, send, exchange)
            else:
                await self._admitted(scope, receive, send, exchange)
        except ShazamError as error:
            await send_error(error, exchange, send)

    def _is_free(self, path: str) -> bool:
        """Whether a path is answered without a place."""
        return path in self._probes or path in self._free or path.startswith(self._free_below)

    def _check_caller(self, scope: Scope, headers: Headers) -> None:
        """The key, and the rate of whoever has it. Raises `Unauthorized`, `Overloaded` (429)."""
        reads, path = scope["method"] in ("GET", "HEAD"), scope["path"]
        sealed = self._sealed and scope["method"] == "GET" and path.startswith(self._sealed)
        try:
            key = None if sealed else self._access.check_key(headers, reads=reads)
        except Unauthorized:
            if not (reads and self._is_page(path, headers)):
                raise
            key = None
        exchange = current_exchange()
        if key is not None and exchange is not None:
            exchange.caller = key.hex()
        if not self._is_free(scope["path"]):
            self._access.check_rate(key or (scope.get("client") or ("",))[0].encode())

    def _full(self, exchange: Exchange) -> Overloaded:
        exchange.refused = True
        self._metrics().refused.inc()
        self._refused += 1
        if exchange.started - self._told_refused >= REFUSALS_TOLD_EVERY_S:
            logger.warning("all places are taken: %d requests refused", self._refused)
            self._refused, self._told_refused = 0, exchange.started
        return Overloaded(
            f"{self._in_flight} requests are being answered, as many as this process takes. "
            "Try again in a second."
        )

    async def _heard_out(
        self, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> None:
        """Answer until the caller or this process ends: without a place or a deadline."""
        if self._listening >= LISTENERS * self._settings.max_concurrency:
            raise self._full(exchange)
        exchange.listened = True
        self._listening += 1
        begun = asyncio.Event()

        async def noted(message: Message) -> None:
            await send(message)
            if exchange.head:  # of what goes on there is no end to wait for
                begun.set()

        ends = [
            asyncio.create_task(part)
            for part in (
                self._dispatch(scope, receive, noted),
                _gone(receive),
                self._ending.wait(),
                begun.wait(),
            )
        ]
        work = ends[0]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            self._listening -= 1
            for task in ends:
                await _cancelled(task)
        if exchange.status and not exchange.finished:
            await send({"type": "http.response.body", "body": b""})

    async def _admitted(
        self, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> None:
        if self._in_flight >= self._settings.max_concurrency:
            raise self._full(exchange)
        self._in_flight += 1
        self._metrics().in_flight.inc()
        try:
            async with asyncio.timeout(self._settings.timeout_s) as deadline:

                async def begun(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        _move(
                            deadline,
                            asyncio.get_running_loop().time()
                            + READ_WITHIN * self._settings.timeout_s,
                        )
                    await send(message)

                if self._bodies.streams(scope["path"]):
                    receive = self._as_it_comes(receive, deadline)
                await self._unless_gone(scope, receive, begun, exchange)
        except TimeoutError:
            if exchange.status:
                raise
            raise DeadlineExceeded(
                f"No answer within {self._settings.timeout_s:g} seconds. Try again; if it stays "
                "so, the service is too small for its load."
            ) from None
        finally:
            self._in_flight -= 1
            self._metrics().in_flight.dec()

    def _as_it_comes(self, receive: Receive, deadline: asyncio.Timeout) -> Receive:
        """What is received, the deadline moved on with each part of a body."""
        loop, wait_s = asyncio.get_running_loop(), self._settings.timeout_s
        began, came = loop.time(), 0

        async def received() -> Message:
            nonlocal came
            message = await receive()
            if message["type"] == "http.request":
                came += len(message.get("body", b""))
                ends = loop.time() + wait_s
                if message.get("more_body"):
                    last = min(SENT_WITHIN_S, wait_s + came / LEAST_BYTES_S)
                    ends = min(ends, began + last)
                _move(deadline, ends)
            return message

        return received

    async def _unless_gone(
        self, scope: Scope, receive: Receive, send: Send, exchange: Exchange
    ) -> None:
        """Answer, but stop as soon as the caller has closed the connection: nobody would read it,
        and somebody else waits for the place."""
        body_read = asyncio.Event()
        if scope["method"] == "GET":
            body_read.set()  # our GET routes never ask for a body

        async def noted() -> Message:
            message = await receive()
            if not message.get("more_body"):
                body_read.set()
            return message

        async def gone() -> None:
            await body_read.wait()
            await _gone(receive)

        bounded = self._bodies.bounded(self._dispatch, scope, noted, send, exchange)
        work = asyncio.create_task(bounded)
        watch = asyncio.create_task(gone())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not exchange.status:
                await _cancelled(work)
                # Nobody reads it, but BentoML waits for the beginning of an answer.
                await send({"type": "http.response.start", "status": CLIENT_GONE, "headers": []})
                await send({"type": "http.response.body", "body": b""})
            else:
                await work
        finally:
            watch.cancel()
            await _cancelled(work)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = prefix_here()
        if self._native.owns(scope["path"]):
            await self._native(scope, receive, send)
        elif not prefix:
            await self._api(scope, receive, send)
        else:
            await self._behind(prefix, scope, receive, send)

    async def _behind(self, prefix: str, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"]:
            # Beside `/records` the page's files would be looked for at `/web/`.
            query = scope["query_string"]
            location = prefix.encode() + b"/" + (b"?" + query if query else b"")
            start = {"type": "http.response.start", "status": 307}
            await send({**start, "headers": [(b"location", location), (b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        inner = behind(scope, prefix)
        try:
            await self._api(inner, receive, send)
        finally:
            if "route" in inner:
                scope["route"] = inner["route"]

    def _record(self, scope: Scope, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.started
        route = _route_of(scope, self._routes)
        metrics = self._metrics()
        metrics.requests.labels(route, scope["method"], str(exchange.status)).inc()
        if not exchange.listened:  # how long somebody listens says nothing of us
            metrics.seconds.labels(route).observe(seconds)
        quiet = exchange.refused or route in self._probes or route in self._free
        level = logging.DEBUG if quiet else logging.INFO
        if not access_log.isEnabledFor(level):
            return
        access_log.log(
            level,
            "%s %s %s %.1f ms",
            scope["method"],
            route,
            exchange.status,
            seconds * 1000,
            extra={
                "request_id": exchange.request_id,
                "route": route,
                "status": exchange.status,
                "duration_ms": round(seconds * 1000, 1),
                **({"batch_size": exchange.batch_size} if exchange.batch_size else {}),
            },
        )


def _route_of(scope: Scope, routes: Collection[str]) -> str:
    """The route's template: the label of metrics, whose number must not grow with traffic."""
    route = scope.get("route")
    if route is not None and hasattr(route, "path"):
        return str(route.path)
    path: str = scope["path"]
    if path.startswith(FILES):
        return FILES.rstrip("/")
    return path if path in routes else "other"


def _named(error: Exception, exchange: Exchange) -> ShazamError:
    if isinstance(error, ShazamError):
        return error
    logger.error("request %s failed", exchange.request_id, exc_info=error)
    return internal_error(exchange.request_id)


async def _gone(receive: Receive) -> None:
    """Returns once the caller has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _move(deadline: asyncio.Timeout, ends: float) -> None:
    """To another moment of the event loop's clock, where it is not past: that cannot be undone."""
    if not deadline.expired():
        deadline.reschedule(ends)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """End a task and wait until it has ended; nothing where it has already."""
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
