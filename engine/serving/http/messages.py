"""A failure → the two messages of ASGI that tell it, in the one shape of an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

from pydantic import BaseModel

from engine.base.errors import Internal, ShazamError
from engine.serving.http.exchange import Exchange


class ErrorBody(BaseModel):
    code: str
    message: str
    details: dict[str, Any] = {}


class ErrorResponse(BaseModel):
    """What every failure looks like, whatever its status."""

    error: ErrorBody

    @classmethod
    def of(cls, error: ShazamError, exchange: Exchange) -> ErrorResponse:
        details = {**error.details, "request_id": exchange.request_id}
        message = exchange.language.tell(error)
        return cls(error=ErrorBody(code=error.code, message=message, details=details))


def error_headers(error: ShazamError, exchange: Exchange) -> dict[str, str]:
    """What an error's answer says beside its body."""
    told = {"Content-Language": exchange.language.code, "Vary": "Accept-Language"}
    return {**told, **error.headers()}


def describe(error: dict[str, Any] | Any) -> str:
    """One pydantic error → a sentence: where, what was wrong."""
    where = list(error.get("loc", ()))
    if where[:1] in (["body"], ["query"], ["path"], ["header"]):
        where = where[1:]  # which part of the request; a field may be called the same
    name = ".".join(map(str, where))
    if error.get("type") == "missing" and name:
        return f"The field '{name}' is missing. See /docs for what is taken."
    message = str(error.get("msg", "is not valid"))
    return f"{name or 'The request'}: {message[0].lower()}{message[1:]}."


def first_error(errors: Iterable[Any]) -> str:
    return describe(next(iter(errors), {}))


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def internal_error(request_id: str) -> Internal:
    """A bug, told without anything of the inside."""
    return Internal(
        f"Something went wrong on our side. If it happens again, report the request id "
        f"{request_id}."
    )


async def send_error(error: ShazamError, exchange: Exchange, send: Send) -> None:
    for message in error_messages(error, exchange):
        await send(message)


def error_messages(error: ShazamError, exchange: Exchange) -> tuple[Message, Message]:
    """ASGI's two messages of an error: the one place where its body is written."""
    body = ErrorResponse.of(error, exchange).model_dump_json().encode()
    return json_messages(int(error.status), body, error_headers(error, exchange))


def json_messages(
    status: int, body: bytes, more: Mapping[str, str] | None = None
) -> tuple[Message, Message]:
    """ASGI's two messages of an answer with a body of JSON."""
    headers = {"content-type": "application/json", "content-length": str(len(body)), **(more or {})}
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ],
    }
    return start, {"type": "http.response.body", "body": body}
