"""Which pages of other origins may ask: Starlette's middleware, its refusals in our shape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response

from engine.base.errors import InvalidRequest
from engine.serving.http.exchange import Exchange, current_exchange
from engine.serving.http.messages import App, ErrorResponse, error_headers


class Cors(CORSMiddleware):
    """Answers preflights, and tells browsers who may read an answer."""

    def __init__(self, app: App, origins: Iterable[str]) -> None:
        super().__init__(app, **cors_options(origins))

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        exchange = current_exchange() or Exchange("unknown")
        error = InvalidRequest(
            f"{bytes(answer.body).decode()}: a page of this origin may not ask this. "
            "SHAZAM_ALLOWED_ORIGINS names those that may."
        )
        body = ErrorResponse.of(error, exchange)
        kept = {name: value for name, value in answer.headers.items() if name[:8] != "content-"}
        told = error_headers(error, exchange)
        told["Vary"] = ", ".join(filter(None, [kept.pop("vary", ""), told["Vary"]]))
        return JSONResponse(body.model_dump(), int(error.status), {**kept, **told})


def cors_options(origins: Iterable[str]) -> dict[str, Any]:
    """Starlette's CORS options. A `*` inside a host becomes part of a regular expression, since in
    Starlette's list of origins it would only be a letter that matches nothing."""
    exact = [origin for origin in origins if "*" not in origin or origin == "*"]
    patterns = [
        re.escape(origin).replace(r":\*", r":\d+").replace(r"\*", r"[A-Za-z0-9.-]+")
        for origin in origins
        if "*" in origin and origin != "*"
    ]
    return {
        "allow_origins": exact,
        "allow_origin_regex": "|".join(patterns) or None,
        "allow_methods": ["GET", "POST", "HEAD", "OPTIONS"],
        "allow_headers": ["*"],
        # A player asks for parts, and must see which came.
        "expose_headers": [
            *("X-Request-ID", "X-Artifact", "Retry-After", "ETag"),
            *("Accept-Ranges", "Content-Range"),
        ],
        "max_age": 600,
    }
