"""Capabilities → one FastAPI application: their routes, and what they have in common.

The page and its files, the document of the API, health, probes, metrics, and every failure in its
one shape. `Front` stands before it and is told of everything here by `Site.front`.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import functools
import math
import re
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, Field, create_model
from starlette.datastructures import Headers

from engine.base.errors import NotFound, NotReady, ShazamError
from engine.base.places import PROJECT
from engine.base.settings import Settings
from engine.base.version import VERSION
from engine.serving.app.capability import ERROR_MODEL, Capability, documented
from engine.serving.app.failures import Absent, handle_failures
from engine.serving.app.snippets import Call, add_snippets
from engine.serving.http.bodies import BodyLimits
from engine.serving.http.connections import BoundedProtocol
from engine.serving.http.exchange import current_caller
from engine.serving.http.french import MESSAGES, OTHERWISE
from engine.serving.http.front import Front
from engine.serving.http.languages import Language, Languages
from engine.serving.http.messages import App
from engine.serving.http.page import AT_ROOT, Reply, load_page, wants_html, wants_json
from engine.serving.http.prefix import prefix_here
from engine.serving.http.preview import Preview
from engine.serving.process import preload
from engine.serving.watch import tracing
from engine.serving.watch.metrics import Metrics

# After the last answer, how long threads that still run may take.
LAST_THREADS_S = 5.0
# Told whatever the load: it costs little, and a platform that cannot ask kills the process. The
# page's files, since a page that is half there is worse than none.
FILES = "/web/"
FREE = ("/health", "/metrics", FILES)
# For how long, once its own capability is open, `/readyz` waits for those beside it: platforms give
# a start a minute and then kill it, and what is open would answer meanwhile.
READY_WITHOUT_S = 45.0
ENDPOINTS = {
    "health": "/health",
    "metrics": "/metrics",
    "docs": "/docs",
    "openapi": "/openapi.json",
}
SERVICE_TAG = {"service": "Is it alive, and what does it serve?"}
HEALTH_CALL = {"/health": Call("/health")}
_PAGE = {"description": "What there is", "content": {"text/html": {"schema": {"type": "string"}}}}


class Banner(BaseModel):
    message: str
    status: str = "running"
    endpoints: dict[str, str]
    links: dict[str, str] = Field(
        description="`SHAZAM_LINKS`: names of other places and templates of their addresses, with "
        "`{artist}`, `{title}`, `{year}` to be percent-encoded"
    )


class Site:
    """One application; the first capability is its own (see `capability`)."""

    def __init__(
        self, capabilities: Sequence[Capability], settings: Settings, absent: Absent | None = None
    ) -> None:
        self._all, self._settings = tuple(capabilities), settings
        self._own, *self._others = self._all
        for one in self._all:
            if one.meet is not None:
                one.meet([other for other in self._all if other is not one])
        self._absent = absent or {}
        self._page = load_page(PROJECT / "web")
        self._opening: asyncio.Task[None] | None = None
        self._waits_until = math.inf  # of the monotonic clock
        self._tried: set[str] = set()  # those that are open, or whose first attempt has failed
        alone = preload.in_worker() and settings.workers == 1
        subjects = [one.subject for one in self._all]
        self.metrics = functools.cache(
            lambda: Metrics(subjects, tracing.spans(settings), alone=alone)
        )
        self._owners = _owners(self._all)
        self.api = self._application()

    def front(self, app: App) -> Front:
        """What stands before this application, and before `app` behind it. This process's
        connections ask it for what waits for nothing."""
        made = Front(
            app,
            api=self.api,
            routes=[route.path for route in self.api.routes],  # type: ignore[attr-defined]
            probes=self._probes(),
            free=FREE,
            listened=_listened(self._all),
            is_page=_is_page,
            sealed=tuple(path for one in self._all for path in one.sealed),
            bodies=BodyLimits(self._own.body, self._limits()),
            settings=self._settings,
            metrics=self.metrics,
            artifact_id=self.artifact_id,
            languages=languages(self._all),
        )
        BoundedProtocol.at_once, BoundedProtocol.at_end = made.at_once, made.end
        return made

    def artifact_id(self, path: str) -> str:
        """The artifact that answers at a path: its capability's, else that of the first."""
        return self._owner(path).running.artifact_id

    # --- what it is made of

    def _application(self) -> FastAPI:
        tags = {**{k: v for one in self._all for k, v in one.tags.items()}, **SERVICE_TAG}
        api = FastAPI(
            title="Shazam Visual",
            version=VERSION,
            summary=" ".join(one.summary for one in self._all),
            docs_url=None,
            redoc_url=None,
            lifespan=self._lifespan,
            responses=documented({}),
            openapi_tags=[{"name": name, "description": about} for name, about in tags.items()],
            separate_input_output_schemas=False,
        )
        self._add_page(api)
        self._add_watch(api)
        for one in self._all:
            # As they are: `include_router` would look for a route's router at each request.
            api.router.routes.extend(one.router.routes)
        calls = {path: call for one in self._all for path, call in one.calls.items()}
        add_snippets(api.routes, {**calls, **HEALTH_CALL})
        handle_failures(
            api, lambda path, error: self._owner(path).running.look_into(error), self._absent
        )
        return api

    def _add_page(self, api: FastAPI) -> None:
        names = [name for one in self._all for name in one.previews]
        api.get(
            "/",
            response_model=Banner,
            tags=["service"],
            summary="The page; for programs, what there is",
            responses={200: _PAGE},
            openapi_extra={"parameters": [_page_parameter(name) for name in names]},
        )(self.home)
        api.get(
            "/docs", tags=["service"], response_class=HTMLResponse, summary="The page of the API"
        )(self.docs)
        for path in AT_ROOT:
            api.get(path, include_in_schema=False)(self.at_root)
        api.get("/web/{digest}/{name}", include_in_schema=False)(self.asset)

    def _add_watch(self, api: FastAPI) -> None:
        health = self._health_model()
        api.get(
            "/health",
            response_model=health,
            tags=["service"],
            responses={503: {"model": health}},
            summary="What is served, and whether a search would be answered",
        )(self.health)
        api.get("/livez", tags=["service"], responses=ERROR_MODEL, summary="The process is alive")(
            self.livez
        )
        api.get("/readyz", tags=["service"], summary="Ready: everything needed has answered once")(
            self.readyz
        )
        api.get(
            "/metrics", tags=["service"], response_class=Response, summary="Figures for Prometheus"
        )(self.prometheus)
        for path, said in self._probes().items():
            if path not in ("/livez", "/readyz"):
                api.get(path, include_in_schema=False)(said)

    def _health_model(self) -> type[BaseModel]:
        if not self._others:
            return self._own.health
        parts: dict[str, Any] = {one.name: (one.part, ...) for one in self._others}
        return create_model("Health", __base__=self._own.health, **parts)

    def _probes(self) -> dict[str, Any]:
        probes: dict[str, Any] = {"/livez": _alive, "/readyz": self._ready}
        for one in self._all:
            probes.update({path: functools.partial(self._ready, one) for path in one.probes})
        return probes

    def _limits(self) -> dict[str, Any]:
        return {
            path: one.bodies.get(path, one.body)
            for one in reversed(self._all)  # where two have a path, the first answers
            for path in (*one.bodies, *(route.path for route in one.router.routes))  # type: ignore[attr-defined]
        }

    def _owner(self, path: str) -> Capability:
        exact = self._owners.get(path)
        if exact is not None or not self._others:
            return exact or self._own
        # `/api/tracks/{track_id}/audio` is looked for as `/api/tracks/`.
        found = [start for start in self._owners if start[-1] == "/" and path.startswith(start)]
        return self._owners[max(found, key=len)] if found else self._own

    # --- how it lives

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self._own.running.start(self.metrics())
        self._opening = asyncio.create_task(self._open_others())
        yield
        self._opening.cancel()
        for one in self._all:
            await one.running.stop()
        # All requests are answered; a thread stuck in a library must not keep the process.
        if preload.in_worker():
            faulthandler.dump_traceback_later(LAST_THREADS_S, exit=True)

    async def _open_others(self) -> None:
        """Each after the one before it: what a caller waits for first has the cores first."""
        await self._own.running.settled()
        self._waits_until = time.monotonic() + READY_WITHOUT_S
        for one in self._others:
            one.running.start(self.metrics())
            await one.running.settled()
            self._tried.add(one.name)

    def _ready(self, one: Capability | None = None) -> dict[str, Any]:
        """Raises `NotReady` where the service's own capability, or `one`, is not; and while another
        is being opened for the first time. One that could not be opened is named."""
        (one or self._own).running.check_ready()
        without = []
        for other in self._others:
            if other is not one:
                try:
                    other.running.check_ready()
                except NotReady:
                    if other.name not in self._tried and time.monotonic() < self._waits_until:
                        raise
                    without.append(other.name)
        return {"status": "ready", **({"without": without} if without else {})}

    # --- what it answers

    async def home(self, request: Request) -> Response:
        """The page where `Accept` says `text/html`, what there is as JSON otherwise. An address
        that names an album is the page unless JSON is asked for by name, so that links to it are
        shown with its title and picture."""
        accept = request.headers.get("accept")
        # Of several the page opens the first of a name, and an album before a track.
        given = request.query_params
        names = [name for one in self._all for name in one.previews if name in given]
        if names and not wants_json(accept):
            preview = await self._preview(request, names[0], given.getlist(names[0])[0])
            media = await self._media()
            return page_reply(self._page.index(*_caching(request), preview=preview, media=media))
        if wants_html(accept):
            return page_reply(self._page.index(*_caching(request), media=await self._media()))
        endpoints = {**{k: v for one in self._all for k, v in one.endpoints.items()}, **ENDPOINTS}
        banner = Banner(
            message="Shazam Visual: " + ", or ".join(one.invitation for one in self._all) + ".",
            endpoints={name: prefix_here() + path for name, path in endpoints.items()},
            links={name: link for one in self._all for name, link in one.links.items()},
        )
        return JSONResponse(banner.model_dump(), headers={"Vary": "Accept"})

    async def _preview(self, request: Request, name: str, value: str) -> Preview | None:
        """None where nothing is known of it, now or at all: the page itself says what is wrong. Nor
        for who has no key: the page is there to enter one."""
        if self._settings.api_keys and not current_caller():
            return None
        with contextlib.suppress(ShazamError, sqlite3.Error):
            for one in self._all:
                if name in one.previews:
                    return await one.previews[name](request, value)
        return None

    async def _media(self) -> list[str]:
        """Where, besides here, what the page plays is; as far as that is known now."""
        found: list[str] = []
        for one in self._all:
            if one.media is not None:
                with contextlib.suppress(ShazamError, sqlite3.Error):
                    found += await one.media()
        return found

    async def docs(self, request: Request) -> Response:
        return page_reply(self._page.docs(*_caching(request)))

    async def at_root(self, request: Request) -> Response:
        reply = self._page.at_root(request.scope["route"].path, *_caching(request))
        if reply is None:
            raise NotFound("The page has no such file.")
        return page_reply(reply)

    async def asset(self, digest: str, name: str, request: Request) -> Response:
        reply = self._page.asset(digest, name, *_caching(request))
        if reply is None:
            raise NotFound(f"The page has no file {name!r}.")
        return page_reply(reply)

    async def health(self) -> Response:
        """`degraded`, with 503, where a search cannot be answered."""
        body = self._own.running.health().model_dump()
        for one in self._others:
            body[one.name] = one.running.part().model_dump()
            if one.running.failed:
                body["status"] = "degraded"
        return JSONResponse(body, 200 if body["status"] == "healthy" else 503)

    async def livez(self) -> dict[str, str]:
        return _alive()

    async def readyz(self) -> dict[str, Any]:
        """What is named as `without` could not be opened: what is its own is refused."""
        return self._ready()

    async def prometheus(self) -> Response:
        body, media_type = self.metrics().page()
        return Response(body, media_type=media_type)


def _listened(capabilities: Sequence[Capability]) -> Callable[[str], bool]:
    """Whether a path is one of those that are listened to."""
    templates = [path for one in capabilities for path in one.listened]
    if not templates:
        return lambda _: False
    patterns = [re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) for path in templates]
    return lambda path: re.fullmatch("|".join(patterns), path) is not None


def _is_page(path: str, headers: Headers) -> bool:
    """Whether the page is asked for, or one of its files: they say nothing of what is served, and
    let a key be entered."""
    return (
        path.startswith(FILES)
        or path in AT_ROOT
        or (path == "/" and wants_html(headers.get("accept")))
    )


def _alive() -> dict[str, str]:
    return {"status": "alive"}


def _owners(capabilities: Sequence[Capability]) -> dict[str, Capability]:
    """What stands before the first parameter of a route's path, or all of it → its capability."""
    return {
        route.path.partition("{")[0]: one  # type: ignore[attr-defined]
        for one in reversed(capabilities)
        for route in one.router.routes
    }


def languages(capabilities: Sequence[Capability]) -> Languages:
    """Every language that all of these speak."""
    french: dict[str, str] = dict(MESSAGES)
    for one in capabilities:
        french.update(one.french)
    return Languages((Language("fr", french, OTHERWISE),))


def _page_parameter(name: str) -> Mapping[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": "string"},
        "description": f"the {name} that the page begins with",
    }


def _caching(request: Request) -> tuple[str | None, str | None]:
    return request.headers.get("if-none-match"), request.headers.get("accept-encoding")


def page_reply(reply: Reply) -> Response:
    return Response(reply.body, reply.status, reply.headers)
