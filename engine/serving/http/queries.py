"""A query string → the parameters a route knows: others are refused by name, blank ones are absent.

A parameter that is misspelt and passed over gives an answer to another question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi.routing import APIRoute
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from engine.base.errors import InvalidRequest
from engine.serving.http.forms import MULTIPART, pairs_of, refuse_repeated, shown
from engine.serving.http.messages import Scope


def _plain(given: Any) -> Any:
    """Digits alone: `1.0`, `+1` and ` 1` would be further addresses of what is at `1`."""
    if isinstance(given, str) and not re.fullmatch(r"-?[0-9]+", given):
        raise PydanticCustomError(
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        )
    return given


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# An id in a path.
Id = Annotated[int, BeforeValidator(_plain)]


class StrictRoute(APIRoute):
    """A route that answers no query but its own. Not for pages and probes: to their addresses
    trackers and platforms append theirs.

    It knows the parameters its function declares, and the fields of the form it documents: those
    may come in the query string as well.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        # `$` of a pattern is also before a line break at the end: another address of the same.
        if _CONTROL.search(scope["path"]):
            return Match.NONE, {}
        return super().matches(scope)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        known = {field.alias: None for field in self.dependant.query_params}
        known |= dict.fromkeys(_form_fields(self.openapi_extra or {}))

        async def answer_known(request: Request) -> Response:
            request = _readable(request)
            _refuse_unknown(request, list(known))
            request = _without_blanks(request)
            refuse_repeated(name for name, _ in request.query_params.multi_items())
            return await answer(request)

        return answer_known


def _form_fields(extra: dict[str, Any]) -> list[str]:
    content = extra.get("requestBody", {}).get("content", {})
    fields = content.get(MULTIPART, {}).get("schema", {}).get("properties", {})
    return [name for name, schema in fields.items() if schema.get("format") != "binary"]


def _refuse_unknown(request: Request, known: list[str]) -> None:
    for name in request.query_params:
        if name not in known:
            those = f"those are {', '.join(known)}" if known else "there are none"
            raise InvalidRequest(f"{shown(name)} is no parameter of this address; {those}.")


def _readable(request: Request) -> Request:
    """A query that is not UTF-8, as Latin-1: another reading would put U+FFFD into the words."""
    given = request.query_params.multi_items()
    if not any("\ufffd" in part for pair in given for part in pair):
        return request
    return _with_query(request, pairs_of(request.scope["query_string"]))


def _with_query(request: Request, pairs: list[tuple[str, str]]) -> Request:
    return Request(dict(request.scope, query_string=urlencode(pairs).encode()), request.receive)


def _without_blanks(request: Request) -> Request:
    given = request.query_params.multi_items()
    kept = [(name, value) for name, value in given if value.strip()]
    if len(kept) == len(given):
        return request
    return _with_query(request, kept)
