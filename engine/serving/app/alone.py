"""One process that answers by itself: what is composed, on a socket, without BentoML before it.

BentoML is a second of imports and 70 MB, and of a worker's requests it answers two kinds itself:
for the document of its typed clients, and for the files of its own page. Here it is imported when
one of these is asked for. Several processes, an encoder apart and traces are BentoML's: they are
served by its own worker (`engine.serving.process.worker`).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from importlib import import_module
from typing import Any

import uvicorn

from engine.base.importing import one_thread
from engine.serving.app.prepared import or_end, prepare
from engine.serving.app.site import Site
from engine.serving.http.connections import BoundedProtocol
from engine.serving.http.messages import App, Receive, Scope, Send
from engine.serving.process import collector

BACKLOG = 2_048
# Longer than who calls keeps a connection for its next request, or that one meets its end: httpx
# keeps it 5 s, as BentoML's worker does, and Amazon's balancers a minute.
IDLE_S = 75


def serve(compose: Callable[[], Any], service: str, descriptor: int) -> None:
    """Answer at a listening socket until SIGTERM or SIGINT. `compose` says of what
    (`engine.services.composed`), `service` is the same by BentoML's name ("module:class")."""
    made = or_end(compose)
    prepare(made.settings, made.checks)
    site = Site(made.capabilities(), made.settings, made.absent)
    front = site.front(_Behind(site.api, service))
    collector.resume()
    config = uvicorn.Config(
        front,
        backlog=BACKLOG,
        timeout_keep_alive=IDLE_S,
        log_config=None,
        server_header=False,
        http=BoundedProtocol,
        ws="none",
    )
    uvicorn.Server(config).run([socket.socket(fileno=descriptor)])


class _Behind:
    """What is behind `Front`, besides the routes: their beginning and end, and BentoML's own."""

    def __init__(self, api: App, service: str) -> None:
        self._api, self._service = api, service
        self._bentoml: asyncio.Future[App] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._api(scope, receive, send)
        else:
            app = await self._imported()
            await app(scope, receive, send)

    async def _imported(self) -> App:
        """Once for all who ask; again where it failed."""
        made = self._bentoml
        if made is None or (made.done() and made.exception() is not None):
            made = asyncio.ensure_future(asyncio.to_thread(_bentoml_app, self._service))
            self._bentoml = made
        # Shielded: the first to ask may go before it is there.
        return await asyncio.shield(made)


def _bentoml_app(service: str) -> App:
    """BentoML's application of a service, with nothing of ours on it."""
    module, _, name = service.partition(":")
    with one_thread:
        app: App = getattr(import_module(module), name).to_asgi(is_main=True)
    return app
