"""What goes wrong in a route → the one shape of an error."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from engine.base.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    NotReady,
    ShazamError,
)
from engine.serving.http.exchange import Exchange, current_exchange
from engine.serving.http.messages import ErrorResponse, error_headers, first_error, internal_error

logger = logging.getLogger("shazam")


# A path that was asked for, and what happened: whoever answers there may have lost its files.
LookInto = Callable[[str, Exception], None]


# Where something would be answered if it were switched on → what, and the variable that does it.
Absent = Mapping[str, tuple[str, str]]


def handle_failures(api: FastAPI, look_into: LookInto, absent: Absent) -> None:
    """Let `api` answer every failure, named or not, in the one shape of an error."""

    async def on_lost_catalogue(request: Request, error: sqlite3.Error) -> JSONResponse:
        look_into(request.url.path, error)
        return _failure(
            NotReady(
                "The catalogue's files cannot be read now; they are being looked into. Try again "
                "shortly.",
                retry_after_s=2,
            )
        )

    async def on_bug(request: Request, error: Exception) -> JSONResponse:
        look_into(request.url.path, error)
        return _on_bug()

    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        return _on_http(request, error, absent)

    api.exception_handler(ShazamError)(_on_named)
    api.exception_handler(sqlite3.Error)(on_lost_catalogue)
    api.exception_handler(RequestValidationError)(_on_invalid)
    api.exception_handler(HTTPException)(on_http)
    api.exception_handler(Exception)(on_bug)


def _failure(error: ShazamError) -> JSONResponse:
    exchange = current_exchange() or Exchange("unknown")
    body = ErrorResponse.of(error, exchange)
    return JSONResponse(body.model_dump(), int(error.status), error_headers(error, exchange))


async def _on_named(request: Request, error: ShazamError) -> JSONResponse:
    return _failure(error)


async def _on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return _failure(InvalidRequest(first_error(error.errors())))


def _nothing_at(path: str, absent: Absent) -> NotFound:
    for start, (what, variable) in absent.items():
        if path == start or path.startswith(f"{start}/"):
            return NotFound(
                f"There is nothing at {path[:200]}: {what} is off here. The operator turns it on "
                f"by {variable}."
            )
    return NotFound(f"There is nothing at {path[:200]}. See /docs.")


def _on_http(request: Request, error: HTTPException, absent: Absent) -> JSONResponse:
    if error.status_code == 404:
        return _failure(_nothing_at(request.url.path, absent))
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        refusal = MethodNotAllowed(
            f"{request.method} does not work here; {allow or 'another method'} does. See /docs.",
            allow=allow,
        )
        return _failure(refusal)
    return _failure(InvalidRequest(str(error.detail)))


def _on_bug() -> JSONResponse:
    exchange = current_exchange()
    return _failure(internal_error(exchange.request_id if exchange else "unknown"))
