"""What one way to find music brings to an application that it may share with others.

The first capability of an application is its own: what `/readyz` waits for, what `/health` tells at
its head, what answers where nothing else is said. The others open after it and beside it; `/readyz`
waits for their first attempt too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from fastapi import APIRouter, Request
from pydantic import BaseModel

from engine.serving.app.snippets import Call
from engine.serving.http.bodies import BodyLimit
from engine.serving.http.messages import ErrorResponse
from engine.serving.http.preview import Preview
from engine.serving.http.queries import StrictRoute
from engine.serving.watch.metrics import Metrics, Subject

# What a parameter of the page's address asks for → what a link to it shows, None where unknown.
ShowPreview = Callable[[Request, str], Awaitable[Preview | None]]


# Words, how many at most and how alike at least → what of a capability fits them, as it tells of
# it; None where it knows no words, or cannot say now.
FindByWords = Callable[[str, int, float | None], Awaitable[list[dict[str, Any]] | None]]


class Running(Protocol):
    """What a capability is in a worker: begun with it, opened beside it, ended with it."""

    def start(self, metrics: Metrics) -> None:
        """Begin to open what is served; returns at once."""

    async def settled(self) -> None:
        """Returns once it is open, or the first attempt has failed."""

    async def stop(self) -> None: ...

    @property
    def artifact_id(self) -> str:
        """`none` while nothing is open."""

    @property
    def failed(self) -> bool:
        """Whether it could not be opened, or was lost."""

    def look_into(self, error: Exception) -> None:
        """An answer failed: is what is open still what was opened? Returns at once."""

    def check_ready(self) -> None:
        """Raises `NotReady` where a search would not be answered."""

    def health(self) -> BaseModel:
        """Where it is the first: `status` is `healthy` or `degraded`. Never raises."""

    def part(self) -> BaseModel:
        """The same beside another's, without a status. Never raises."""


@dataclass(frozen=True)
class Capability:
    name: str
    running: Running
    router: APIRouter  # see `make_router`
    subject: Subject
    summary: str  # what it does, one sentence
    invitation: str  # what to send it, the rest of a sentence
    tags: Mapping[str, str]  # sections of the page of the API, in order
    endpoints: Mapping[str, str]  # name → path, for programs that ask `/`
    calls: Mapping[str, Call]  # path → what its snippets ask
    french: Mapping[str, str]  # English message → French (`engine.serving.http.languages`)
    health: type[BaseModel]
    part: type[BaseModel]
    body: BodyLimit
    # Of paths whose bodies have another limit than `body`.
    bodies: Mapping[str, BodyLimit] = field(default_factory=dict)
    # Of its routes' paths those whose GET is answered for as long as its caller listens.
    listened: tuple[str, ...] = ()
    # What begins the paths of its links: whoever has one needs no key.
    sealed: tuple[str, ...] = ()
    # Paths that say, to anybody and whatever the load, whether this capability is ready.
    probes: tuple[str, ...] = ()
    previews: Mapping[str, ShowPreview] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    # What words find of it, beside the answers of the one that is asked by words.
    by_words: FindByWords | None = None
    # Told once, before anything opens, of the others beside it.
    meet: Callable[[Sequence[Capability]], None] | None = None
    # Origins, besides this service, where what the page plays is.
    media: Callable[[], Awaitable[Sequence[str]]] | None = None


def make_router(failures: Mapping[int, str]) -> APIRouter:
    """A router whose routes answer no query but their own; `failures` says the codes of errors by
    their statuses, beside those that any route can meet."""
    return APIRouter(route_class=StrictRoute, responses=documented(failures))


# Met before a route is.
_ANY = {
    400: "`invalid_request`",
    401: "`unauthorized`: `SHAZAM_API_KEYS` is set and no key came",
    403: "`unauthorized`: the key is not known",
    404: "`not_found`",
    429: "`overloaded`: more requests than `SHAZAM_RATE_LIMIT` allows; carries `Retry-After`",
    503: "`overloaded` or `not_ready`; carries `Retry-After`",
    504: "`timeout`",
}


# How errors look, by reference: of a model FastAPI makes a field for each status of each route, 230
# of them, which was 0.1 s of a start. `ERROR_MODEL` brings it into the document, once.
_BODY = {"application/json": {"schema": {"$ref": f"#/components/schemas/{ErrorResponse.__name__}"}}}
ERROR_MODEL: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorResponse, "description": _ANY[400]}
}


def documented(failures: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Statuses → FastAPI's description of what is answered."""
    return {
        status: {"description": said, "content": _BODY}
        for status, said in sorted({**_ANY, **failures}.items())
    }
