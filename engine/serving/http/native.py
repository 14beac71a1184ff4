"""What BentoML answers itself, its errors in our shape."""

from __future__ import annotations

from engine.base.errors import InvalidRequest, MethodNotAllowed, NotFound, ShazamError
from engine.serving.http.exchange import current_exchange
from engine.serving.http.messages import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    internal_error,
    send_error,
)

# Its own document of the typed APIs, and the files of its documentation page.
SCHEMA, FILES = "/schema.json", "/static_content/"


class Native:
    """BentoML's application with every error body put in our shape."""

    def __init__(self, app: App) -> None:
        self.app = app

    @staticmethod
    def owns(path: str) -> bool:
        return path == SCHEMA or path.startswith(FILES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = current_exchange()
        assert exchange is not None
        refused = 0

        async def reshaped(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused = message["status"]
            elif not refused:
                await send(message)

        await self.app(scope, receive, reshaped)
        if refused:
            await send_error(_from_bentoml(refused, exchange.request_id), exchange, send)


def _from_bentoml(status: int, request_id: str) -> ShazamError:
    """BentoML answers in plain text or lists; its own paths can only be missed or misused."""
    if status == 404:
        return NotFound("There is nothing at this address. See /docs for the routes.")
    if status == 405:
        return MethodNotAllowed("This address answers GET alone. See /docs.", allow="GET")
    if status < 500:
        return InvalidRequest("The request cannot be answered as it was sent. See /docs.")
    return internal_error(request_id)
