"""The HTTP contract: routes, what they take, what they answer.

FastAPI owns every public route. `bento.py` gives them processes and BentoML's typed clients;
`front.Front` stands before both. The launching process never imports this module.
"""

from __future__ import annotations

import faulthandler
import functools
import hashlib
import logging
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException

from engine.base.errors import (
    ImageTooLarge,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    NotReady,
    ShazamError,
)
from engine.base.places import PROJECT
from engine.base.version import VERSION
from engine.covers.question import DEFAULT_K, MAX_K
from engine.covers.service import start
from engine.covers.service.answers import Answers
from engine.covers.service.asking import SUBJECT, AsyncSearch
from engine.covers.service.forms import embeddings_request, needed_words, read_search, read_wanted
from engine.covers.service.schemas import (
    IDENTIFY_EXAMPLES,
    AlbumModel,
    AlbumsPage,
    Banner,
    EmbeddingsRequest,
    EmbeddingsResponse,
    GenreModel,
    Health,
    IdentifyManyResponse,
    IdentifyResponse,
    Models,
    SearchResponse,
)
from engine.covers.service.snippets import add_snippets
from engine.covers.service.towers import RemoteEncoder
from engine.serving.http.bodies import FORM_OVERHEAD, BodyLimits
from engine.serving.http.exchange import Exchange, current_exchange
from engine.serving.http.forms import read_json
from engine.serving.http.messages import ErrorResponse, error_headers, first_error, internal_error
from engine.serving.http.page import AT_ROOT, Reply, etag_in, load_page, wants_html, wants_json
from engine.serving.http.prefix import prefix_here
from engine.serving.http.preview import Preview, public_origin
from engine.serving.http.queries import StrictRoute
from engine.serving.process import preload
from engine.serving.watch import tracing
from engine.serving.watch.metrics import Metrics

settings = start.settings()
# After the last answer, how long threads that still run may take.
LAST_THREADS_S = 5.0
logger = logging.getLogger("shazam")
metrics = functools.cache(
    lambda: Metrics(
        SUBJECT, tracing.spans(settings), alone=preload.in_worker() and settings.workers == 1
    )
)
page = load_page(PROJECT / "web")
# Where the encoder runs in a process of its own: the way to it. Set before the application starts.
remote_encoder: RemoteEncoder | None = None
_search: AsyncSearch | None = None
_answers: Answers | None = None


def search() -> AsyncSearch:
    """This worker's search; made when the worker starts."""
    assert _search is not None, "the worker has not started"
    return _search


def answers() -> Answers:
    """This worker's one `Answers`; made when the worker starts."""
    assert _answers is not None, "the worker has not started"
    return _answers


def artifact_id() -> str:
    return _search.artifact_id if _search is not None else "none"


def _alive() -> dict[str, str]:
    return {"status": "alive"}


def _ready() -> dict[str, str]:
    search().about  # noqa: B018  raises NotReady
    return {"status": "ready"}


PROBES = {"/livez": _alive, "/readyz": _ready}


# Told whatever the load: it costs little, and a platform that cannot ask kills the process. The
# page's files, since a page that is half there is worse than none.
FREE = ("/health", "/metrics", "/web/")

_UPLOAD = settings.max_upload_bytes + FORM_OVERHEAD
BODIES = BodyLimits(
    _UPLOAD,
    lambda: ImageTooLarge(
        f"The upload has more than {settings.max_upload_bytes:,} bytes. Send a smaller picture: "
        "1,000 pixels a side are plenty."
    ),
    # Pictures travel as base64 there: a third more bytes, and several at once.
    {"/v1/embeddings": 4 * _UPLOAD},
)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global _search, _answers
    _search = AsyncSearch(settings, metrics(), remote_encoder)
    _answers = Answers(_search, settings)
    _search.start()
    yield
    await _search.stop()
    # All requests are answered; a thread that is stuck in a library must not keep the process.
    if preload.in_worker():
        faulthandler.dump_traceback_later(LAST_THREADS_S, exit=True)


FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": description}
    for status, description in {
        400: "`invalid_request`",
        401: "`unauthorized`: `SHAZAM_API_KEYS` is set and no key came",
        403: "`unauthorized`: the key is not known",
        404: "`not_found`, `album_not_found` or `cover_not_found`",
        413: "`image_too_large`",
        415: "`unreadable_image`",
        429: "`overloaded`: more requests than `SHAZAM_RATE_LIMIT` allows; carries `Retry-After`",
        503: "`overloaded` or `not_ready`; carries `Retry-After`",
        504: "`timeout`",
    }.items()
}


class Route(StrictRoute):
    any_query = frozenset(
        ("/", "/docs", "/web/{digest}/{name}", "/health", "/livez", "/readyz", "/metrics")
    )


# In the order of the API page.
TAGS = {
    "search": "Find albums by a picture, by words, or by both.",
    "identify": "Which album is this a photo of?",
    "catalogue": "The albums themselves.",
    "embeddings": "The encoder alone, for clients of OpenAI's API.",
    "service": "Is it alive, and what does it serve?",
}

api = FastAPI(
    title="Shazam Visual",
    version=VERSION,
    summary="Photograph a record sleeve, or describe it, and get the album.",
    docs_url=None,
    redoc_url=None,
    lifespan=lifespan,
    responses=FAILURES,
    openapi_tags=[{"name": name, "description": about} for name, about in TAGS.items()],
    separate_input_output_schemas=False,
)
api.router.route_class = Route

SEARCH_FORM = {
    "file": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, HEIC…"},
    "k": {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K},
    "genre_id": {"type": "integer"},
    "min_score": {"type": "number", "minimum": -1, "maximum": 1},
}
MIXED_FORM = {
    **SEARCH_FORM,
    "query": {"type": "string", "example": "a dark cover with a red moon"},
    "negative": {"type": "string", "example": "people"},
    "image_weight": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.5},
}
TEXT_BODY = {name: schema for name, schema in MIXED_FORM.items() if name != "file"}


def form_body(fields: dict[str, Any], *, needs: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "required": needs}
    return {
        "requestBody": {
            "required": bool(needs),
            "content": {"multipart/form-data": {"schema": schema}},
        }
    }


K = Annotated[int, Query(ge=1, le=MAX_K, description="how many albums")]
GenreId = Annotated[int | None, Query(description="albums of this genre alone")]
MinScore = Annotated[float | None, Query(ge=-1, le=1, description="at least this similar")]
AlbumId = Annotated[int, PathParam(examples=[17])]


ENDPOINTS = {
    "search_image": "/api/search-by-image",
    "search_text": "/api/search-by-text",
    "search": "/api/search",
    "identify": "/api/identify",
    "albums": "/api/albums",
    "genres": "/api/genres",
    "embeddings": "/v1/embeddings",
    "health": "/health",
    "metrics": "/metrics",
    "docs": "/docs",
    "openapi": "/openapi.json",
}


_PAGE = {"description": "What there is", "content": {"text/html": {"schema": {"type": "string"}}}}


@api.get(
    "/",
    response_model=Banner,
    tags=["service"],
    summary="The page; for programs, what there is",
    responses={200: _PAGE},
)
async def home(
    request: Request,
    album: Annotated[str | None, Query(description="an album that the page begins with")] = None,
) -> Response:
    """The page where `Accept` says `text/html`, what there is as JSON otherwise. An address that
    names an album is the page unless JSON is asked for by name, so that links to it are shown with
    its title and picture."""
    accept = request.headers.get("accept")
    if album is not None and not wants_json(accept):
        return page_reply(page.index(*_caching(request), preview=await _preview(request, album)))
    if wants_html(accept):
        return page_reply(page.index(*_caching(request)))
    banner = Banner(
        message="Shazam Visual: send a picture of a record sleeve, or describe it.",
        endpoints={name: prefix_here() + path for name, path in ENDPOINTS.items()},
        links=dict(settings.links),
    )
    return JSONResponse(banner.model_dump(), headers={"Vary": "Accept"})


async def _preview(request: Request, album_id: str) -> Preview | None:
    """What a link to an album shows; None where it is not known, now or at all."""
    if not search().ready or not re.fullmatch(r"[0-9]{1,18}", album_id):
        return None
    try:
        found = await answers().album(int(album_id))
    except (ShazamError, sqlite3.Error):
        return None  # the page itself says what is wrong
    origin = public_origin(request.url.scheme, request.headers)
    about = (found.artist, found.genre, str(found.year) if found.year else None)
    return Preview(
        title=found.title or f"Album {found.album_id}",
        description=" · ".join(part for part in about if part),
        picture=origin + found.cover_url if origin and found.cover_url else None,
        address=f"{origin}{prefix_here()}/?album={found.album_id}" if origin else None,
        kind="music.album",
    )


@api.get("/docs", tags=["service"], response_class=HTMLResponse, summary="The page of the API")
async def docs(request: Request) -> Response:
    return page_reply(page.docs(*_caching(request)))


async def at_root(request: Request) -> Response:
    reply = page.at_root(request.scope["route"].path, *_caching(request))
    if reply is None:
        raise NotFound("The page has no such file.")
    return page_reply(reply)


for _path in AT_ROOT:
    api.get(_path, include_in_schema=False)(at_root)


@api.get("/web/{digest}/{name}", include_in_schema=False)
async def asset(digest: str, name: str, request: Request) -> Response:
    reply = page.asset(digest, name, *_caching(request))
    if reply is None:
        raise NotFound(f"The page has no file {name!r}.")
    return page_reply(reply)


@api.get(
    "/health",
    response_model=Health,
    tags=["service"],
    responses={503: {"model": Health}},
    summary="What is served, and whether a search would be answered",
)
async def health() -> Response:
    body = answers().health()
    return JSONResponse(body.model_dump(), 200 if body.status == "healthy" else 503)


@api.get("/livez", tags=["service"], summary="The process is alive")
async def livez() -> dict[str, str]:
    return _alive()


@api.get("/readyz", tags=["service"], summary="Ready: both towers and the index have answered once")
async def readyz() -> dict[str, str]:
    return _ready()


@api.get("/metrics", tags=["service"], response_class=Response, summary="Figures for Prometheus")
async def prometheus() -> Response:
    body, media_type = metrics().page()
    return Response(body, media_type=media_type)


@api.post(
    "/api/search-by-image",
    response_model=SearchResponse,
    tags=["search"],
    summary="Albums that look like a picture",
    openapi_extra=form_body(SEARCH_FORM, needs=["file"]),
)
@api.post(
    "/search_by_image",
    response_model=SearchResponse,
    include_in_schema=False,
    openapi_extra=form_body(SEARCH_FORM, needs=["file"]),
)
async def search_by_image(request: Request) -> SearchResponse:
    """The albums whose covers are nearest to a picture. `k`, `genre_id` and `min_score` may be in
    the query string or in the form."""
    sent = await read_search(request, settings.max_upload_bytes)
    if sent.image is None:
        raise InvalidRequest(
            "The field 'file' is missing. Send the picture as multipart/form-data: "
            "curl -F file=@photo.jpg."
        )
    return await answers().by_image(sent.image, sent.wanted)


@api.get(
    "/api/search-by-text",
    response_model=SearchResponse,
    tags=["search"],
    summary="Albums that look like a description",
)
async def search_by_text(
    request: Request,
    query: Annotated[str, Query(min_length=1, examples=["a red album cover with a guitar"])],
    k: K = DEFAULT_K,
    genre_id: GenreId = None,
    min_score: MinScore = None,
) -> SearchResponse:
    """The albums whose covers fit a description. Texts of 77 tokens and more are truncated."""
    wanted = read_wanted(request.query_params)
    return await answers().by_text(needed_words(request.query_params, "query"), wanted)


@api.post(
    "/search_by_text",
    response_model=SearchResponse,
    include_in_schema=False,
    openapi_extra=form_body(TEXT_BODY, needs=["query"]),
)
async def search_by_text_native(request: Request) -> SearchResponse:
    sent = await read_search(request, settings.max_upload_bytes)
    return await answers().by_text(needed_words({"query": sent.query}, "query"), sent.wanted)


@api.post(
    "/api/search",
    response_model=SearchResponse,
    tags=["search"],
    summary="One search by picture, words and unwanted words",
    openapi_extra=form_body(MIXED_FORM, needs=[]),
)
@api.post(
    "/search",
    response_model=SearchResponse,
    include_in_schema=False,
    openapi_extra=form_body(MIXED_FORM, needs=[]),
)
async def search_by_all(request: Request) -> SearchResponse:
    """One query made of any of a picture, words, and words for what it should not be."""
    return await answers().by_all(await read_search(request, settings.max_upload_bytes))


@api.post(
    "/api/identify",
    response_model=IdentifyResponse | IdentifyManyResponse,
    responses={200: {"content": {"application/json": {"examples": IDENTIFY_EXAMPLES}}}},
    tags=["identify"],
    summary="Which album is this a photo of?",
    openapi_extra=form_body({"file": SEARCH_FORM["file"]}, needs=["file"]),
)
async def identify(
    request: Request,
    many: Annotated[bool, Query(description="every sleeve in the picture")] = False,
    quick: Annotated[
        bool, Query(description="one look, as cheap as a search: `match` or `unsure`")
    ] = False,
) -> Response:
    """Which album is this a photo of? `match`, `ambiguous` or `no_match`, how sure that is, and
    where in the picture the cover lies. With `many`, `answers` holds one such answer a sleeve. With
    `quick`, for the frames of a camera, it is `match` or `unsure`: ask with the next frame."""
    sent = await read_search(request, settings.max_upload_bytes)
    if sent.image is None:
        raise InvalidRequest("The field 'file' is missing. Send one: curl -F file=@photo.jpg.")
    if sent.many and sent.quick:
        raise InvalidRequest("'many' and 'quick' cannot go together: a glance sees one sleeve.")
    ask = answers().glimpse if sent.quick else answers().identify
    found = await (answers().identify_many if sent.many else ask)(sent.image)
    return JSONResponse(found.model_dump())


@api.post("/identify", response_model=IdentifyResponse, include_in_schema=False)
async def identify_native(
    request: Request,
    many: Annotated[bool, Query()] = False,
    quick: Annotated[bool, Query()] = False,
) -> Response:
    return await identify(request)


@api.get(
    "/api/albums",
    response_model=AlbumsPage,
    tags=["catalogue"],
    summary="A page of all albums, or those called so",
)
async def albums(
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    genre_id: GenreId = None,
    q: Annotated[
        str | None, Query(max_length=400, description="words of the title or the artist")
    ] = None,
) -> AlbumsPage:
    """A page of the catalogue; with `q` the albums whose title or artist has all its words, best
    first. A typo is forgiven, the last letters of a word may be missing."""
    return await answers().albums(offset, limit, genre_id, q)


@api.get(
    "/api/albums/{album_id}", response_model=AlbumModel, tags=["catalogue"], summary="One album"
)
async def album(album_id: AlbumId) -> AlbumModel:
    return await answers().album(album_id)


@api.get(
    "/api/albums/{album_id}/similar",
    response_model=SearchResponse,
    tags=["catalogue"],
    summary="Albums that look like this one",
)
async def similar(
    request: Request,
    album_id: AlbumId,
    k: K = DEFAULT_K,
    genre_id: GenreId = None,
    min_score: MinScore = None,
) -> SearchResponse:
    """An album's nearest neighbours, itself left out."""
    return await answers().similar(album_id, read_wanted(request.query_params))


@api.get(
    "/api/albums/{album_id}/cover",
    tags=["catalogue"],
    response_class=Response,
    summary="A cover's thumbnail",
)
async def cover(
    album_id: AlbumId, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The cover's thumbnail, WebP or JPEG."""
    image = await answers().cover(album_id)
    etag = f'"{hashlib.sha256(image).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "public, max-age=86400"}
    if if_none_match is not None and etag_in(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    media_type = "image/webp" if image[8:12] == b"WEBP" else "image/jpeg"
    return Response(image, media_type=media_type, headers=headers)


@api.get(
    "/api/genres",
    response_model=list[GenreModel],
    tags=["catalogue"],
    summary="Genres, and how many albums each has",
)
async def genres() -> list[GenreModel]:
    return await answers().genres()


@api.post(
    "/v1/embeddings",
    response_model=EmbeddingsResponse,
    tags=["embeddings"],
    summary="Texts and pictures to vectors, in OpenAI's shape",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": EmbeddingsRequest.model_json_schema()}},
        }
    },
)
async def embeddings(request: Request) -> Response:
    """OpenAI's shape: `client.embeddings.create(model=…, input=…)`. Pictures come as data URIs,
    words and pictures in one list as it may be."""
    asked = await search().beside(embeddings_request, await read_json(request))
    found = await answers().embeddings(asked)
    # Two thousand rows are a million numbers: not written on the event loop.
    body = await search().beside(found.model_dump_json)
    return Response(body, media_type="application/json")


@api.get(
    "/v1/models",
    response_model=Models,
    tags=["embeddings"],
    summary="The encoder's name, in OpenAI's shape",
)
async def models() -> Models:
    """OpenAI's list: the encoder."""
    return answers().models()


add_snippets(api.routes)


def _failure(request: Request, error: ShazamError) -> JSONResponse:
    exchange = current_exchange() or Exchange("unknown")
    body = ErrorResponse.of(error, exchange)
    return JSONResponse(body.model_dump(), int(error.status), error_headers(error, exchange))


@api.exception_handler(ShazamError)
async def on_named(request: Request, error: ShazamError) -> JSONResponse:
    return _failure(request, error)


@api.exception_handler(sqlite3.Error)
async def on_lost_catalogue(request: Request, error: sqlite3.Error) -> JSONResponse:
    logger.error("the catalogue cannot be read: %s", error)
    damaged = NotReady(
        "The catalogue's files were damaged since the start. Repair them and restart.",
        retry_after_s=60,
    )
    return _failure(request, damaged)


@api.exception_handler(RequestValidationError)
async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return _failure(request, InvalidRequest(first_error(error.errors())))


@api.exception_handler(HTTPException)
async def on_http(request: Request, error: HTTPException) -> JSONResponse:
    if error.status_code == 404:
        return _failure(
            request, NotFound(f"There is nothing at {request.url.path[:200]}. See /docs.")
        )
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow", "")
        refusal = MethodNotAllowed(
            f"{request.method} does not work here; {allow or 'another method'} does. See /docs.",
            allow=allow,
        )
        return _failure(request, refusal)
    return _failure(request, InvalidRequest(str(error.detail)))


@api.exception_handler(Exception)
async def on_bug(request: Request, error: Exception) -> JSONResponse:
    exchange = current_exchange()
    return _failure(request, internal_error(exchange.request_id if exchange else "unknown"))


def _caching(request: Request) -> tuple[str | None, str | None]:
    return request.headers.get("if-none-match"), request.headers.get("accept-encoding")


def page_reply(reply: Reply) -> Response:
    return Response(reply.body, reply.status, reply.headers)
