"""One request on its way: its id, its language, what became of it."""

from __future__ import annotations

import contextlib
import contextvars
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from starlette.datastructures import Headers

from engine.serving.http.languages import ENGLISH, Language

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass
class Exchange:
    """One request on its way: what the layers need to tell each other."""

    request_id: str
    language: Language = ENGLISH
    prefix: str = ""  # what a proxy puts before our paths, as `/records`
    path: str = ""  # without it
    caller: str = ""  # sha256 in hex of the key that came; empty where none is asked for
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    finished: bool = False
    refused: bool = False  # for want of a place
    head: bool = False  # nothing but the head of the answer is asked for
    listened: bool = False  # the answer went on for as long as somebody listened
    batch_size: int | None = None  # of the encoder's call that this request shared


_exchange: contextvars.ContextVar[Exchange | None] = contextvars.ContextVar(
    "exchange", default=None
)


def current_exchange() -> Exchange | None:
    """The request being answered in this context, if any."""
    return _exchange.get()


def current_caller() -> str:
    """Who asks, in this context: see `Exchange.caller`."""
    exchange = _exchange.get()
    return exchange.caller if exchange else ""


def current_language() -> Language:
    """That of who asks, in this context; English where nobody does."""
    exchange = _exchange.get()
    return exchange.language if exchange else ENGLISH


@contextlib.contextmanager
def answering(exchange: Exchange) -> Iterator[None]:
    """For as long as it lasts, `exchange` is what `current_exchange` gives in this context."""
    token = _exchange.set(exchange)
    try:
        yield
    finally:
        _exchange.reset(token)


def request_id_of(headers: Headers) -> str:
    """The caller's own id, where it is one that a log line can hold; else a new one."""
    given = headers.get("x-request-id", "")
    # A line break or a megabyte from a caller must not reach a log.
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
