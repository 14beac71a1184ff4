"""The HTTP contract: routes, what they take, what they answer.

Two halves share one port. FastAPI owns every public route; BentoML gives the service its
processes, its typed APIs (`bentoml.SyncHTTPClient(url).search_by_image(file=path)`) and, where the
encoder runs in a process of its own, the adaptively batched calls to it. `engine.http.Front`
stands before both.

Nothing heavy is imported here: the launching process reads this file before it starts workers.
"""

from __future__ import annotations

import faulthandler
import functools
import hashlib
import logging
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

# Before BentoML is imported: a service reports to nobody and asks no hub.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from engine import preload

preload.begin()

import bentoml
import numpy as np
from fastapi import FastAPI, Header, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import Field, ValidationError
from starlette.exceptions import HTTPException

from engine import __version__
from engine.answers import Answers
from engine.errors import InvalidRequest, MethodNotAllowed, NotFound, NotReady, ShazamError
from engine.forms import needed_words, read_json, read_search, read_wanted
from engine.http import Front, current_exchange, internal_error
from engine.logs import configure_logging
from engine.metrics import Metrics
from engine.page import Reply, load_page, wants_html
from engine.schemas import (
    IDENTIFY_EXAMPLES,
    AlbumModel,
    AlbumsPage,
    Banner,
    EmbeddingsRequest,
    EmbeddingsResponse,
    ErrorResponse,
    GenreModel,
    Health,
    IdentifyManyResponse,
    IdentifyResponse,
    SearchResponse,
    Wanted,
    first_error,
)
from engine.serving import AsyncSearch
from engine.settings import Settings
from engine.store import check_exists

try:
    settings = Settings.from_environment()
    configure_logging(settings.log_format, settings.log_level, unknown=Settings.unknown())
    check_exists(settings.artifact)
except ShazamError as refusal:
    sys.exit(f"{refusal.code}: {refusal.message}")

# An encoder on a GPU is worth a process of its own, shared by all workers; on a CPU the crossing
# costs more than it gives (benchmarks/README.md).
separate_encoder = settings.separate_encoder()
if separate_encoder or settings.workers > 1:
    # In a container BentoML leaves a dead process dead and runs on with those that are left, which
    # may be none that encodes; as on any other host, it shall start another. A process that is
    # alone still takes its container with it, for the platform to start anew.
    os.environ.pop("BENTOML_CONTAINERIZED", None)
if preload.in_worker():
    from engine.connections import bound_connections

    bound_connections()
# After the last answer, how long threads that still run may take.
LAST_THREADS_S = 5.0
logger = logging.getLogger("shazam")
metrics = functools.cache(Metrics)
page = load_page(Path(__file__).parent / "web")
_search: AsyncSearch | None = None


def search() -> AsyncSearch:
    """This worker's search; made when the worker starts."""
    assert _search is not None, "the worker has not started"
    return _search


def answers() -> Answers:
    return Answers(search(), settings)


def artifact_id() -> str:
    return _search.artifact_id if _search is not None else "none"


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global _search
    remote = _RemoteEncoder() if separate_encoder else None
    _search = AsyncSearch(settings, metrics(), remote)
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

api = FastAPI(
    title="Shazam Visual",
    version=__version__,
    summary="Photograph a record sleeve, or describe it, and get the album.",
    docs_url=None,
    redoc_url=None,
    lifespan=lifespan,
    responses=FAILURES,
    separate_input_output_schemas=False,
)

SEARCH_FORM = {
    "file": {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP, HEIC…"},
    "k": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5},
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


K = Annotated[int, Query(ge=1, le=100, description="how many albums")]
GenreId = Annotated[int | None, Query(description="albums of this genre alone")]
MinScore = Annotated[float | None, Query(ge=-1, le=1, description="at least this similar")]
AlbumId = Annotated[int, PathParam(examples=[17])]


@api.get("/", response_model=Banner, tags=["service"], summary="The page, or what there is")
async def home(request: Request) -> Response:
    if wants_html(request.headers.get("accept")):
        return page_reply(page.index(*_caching(request)))
    banner = Banner(
        message="Shazam Visual: send a picture of a record sleeve, or describe it.",
        endpoints={
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
        },
    )
    return JSONResponse(banner.model_dump(), headers={"Vary": "Accept"})


@api.get("/docs", tags=["service"], response_class=HTMLResponse, summary="This page")
async def docs(request: Request) -> Response:
    return page_reply(page.docs(*_caching(request)))


@api.get("/web/{digest}/{name}", include_in_schema=False)
async def asset(digest: str, name: str, request: Request) -> Response:
    reply = page.asset(digest, name, *_caching(request))
    if reply is None:
        raise NotFound(f"The page has no file {name!r}.")
    return page_reply(reply)


@api.get("/health", response_model=Health, tags=["service"], responses={503: {"model": Health}})
async def health() -> Response:
    body = answers().health()
    return JSONResponse(body.model_dump(), 200 if body.status == "healthy" else 503)


@api.get("/livez", tags=["service"], summary="Alive")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@api.get("/readyz", tags=["service"], summary="Ready: both towers and the index have answered once")
async def readyz() -> dict[str, str]:
    search().loaded  # noqa: B018  raises NotReady
    return {"status": "ready"}


@api.get("/metrics", tags=["service"], response_class=Response, summary="For Prometheus")
async def prometheus() -> Response:
    body, media_type = metrics().page()
    return Response(body, media_type=media_type)


@api.post(
    "/api/search-by-image",
    response_model=SearchResponse,
    tags=["search"],
    openapi_extra=form_body(SEARCH_FORM, needs=["file"]),
)
@api.post("/search_by_image", response_model=SearchResponse, include_in_schema=False)
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


@api.get("/api/search-by-text", response_model=SearchResponse, tags=["search"])
async def search_by_text(
    request: Request,
    query: Annotated[str, Query(min_length=1, examples=["a red album cover with a guitar"])],
    k: K = 5,
    genre_id: GenreId = None,
    min_score: MinScore = None,
) -> SearchResponse:
    """The albums whose covers fit a description. Texts of 77 tokens and more are truncated."""
    wanted = read_wanted(request.query_params)
    return await answers().by_text(needed_words(request.query_params, "query"), wanted)


@api.post("/search_by_text", response_model=SearchResponse, include_in_schema=False)
async def search_by_text_native(request: Request) -> SearchResponse:
    sent = await read_search(request, settings.max_upload_bytes)
    return await answers().by_text(needed_words({"query": sent.query}, "query"), sent.wanted)


@api.post(
    "/api/search",
    response_model=SearchResponse,
    tags=["search"],
    openapi_extra=form_body(MIXED_FORM, needs=[]),
)
@api.post("/search", response_model=SearchResponse, include_in_schema=False)
async def search_by_all(request: Request) -> SearchResponse:
    """One query made of any of a picture, words, and words for what it should not be."""
    return await answers().by_all(await read_search(request, settings.max_upload_bytes))


@api.post(
    "/api/identify",
    response_model=IdentifyResponse | IdentifyManyResponse,
    responses={200: {"content": {"application/json": {"examples": IDENTIFY_EXAMPLES}}}},
    tags=["search"],
    openapi_extra=form_body({"file": SEARCH_FORM["file"]}, needs=["file"]),
)
async def identify(
    request: Request,
    many: Annotated[bool, Query(description="every sleeve in the picture")] = False,
) -> Response:
    """Which album is this a photo of? `match`, `ambiguous` or `no_match`, how sure that is, and
    where in the picture the cover lies. With `many`, `answers` holds one such answer a sleeve."""
    sent = await read_search(request, settings.max_upload_bytes)
    if sent.image is None:
        raise InvalidRequest("The field 'file' is missing. Send one: curl -F file=@photo.jpg.")
    found = await (answers().identify_many if sent.many else answers().identify)(sent.image)
    return JSONResponse(found.model_dump())


@api.post("/identify", response_model=IdentifyResponse, include_in_schema=False)
async def identify_native(request: Request) -> Response:
    return await identify(request)


@api.get("/api/albums", response_model=AlbumsPage, tags=["catalogue"])
async def albums(
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    genre_id: GenreId = None,
) -> AlbumsPage:
    return await answers().albums(offset, limit, genre_id)


@api.get("/api/albums/{album_id}", response_model=AlbumModel, tags=["catalogue"])
async def album(album_id: AlbumId) -> AlbumModel:
    return await answers().album(album_id)


@api.get("/api/albums/{album_id}/similar", response_model=SearchResponse, tags=["catalogue"])
async def similar(
    request: Request,
    album_id: AlbumId,
    k: K = 5,
    genre_id: GenreId = None,
    min_score: MinScore = None,
) -> SearchResponse:
    """An album's nearest neighbours, itself left out."""
    return await answers().similar(album_id, read_wanted(request.query_params))


@api.get("/api/albums/{album_id}/cover", tags=["catalogue"], response_class=Response)
async def cover(
    album_id: AlbumId, if_none_match: Annotated[str | None, Header()] = None
) -> Response:
    """The cover's thumbnail, WebP or JPEG."""
    image = await answers().cover(album_id)
    etag = f'"{hashlib.sha256(image).hexdigest()[:16]}"'
    headers = {"ETag": etag, "Cache-Control": "public, max-age=86400"}
    if if_none_match is not None and (etag in if_none_match or if_none_match.strip() == "*"):
        return Response(status_code=304, headers=headers)
    media_type = "image/webp" if image[8:12] == b"WEBP" else "image/jpeg"
    return Response(image, media_type=media_type, headers=headers)


@api.get("/api/genres", response_model=list[GenreModel], tags=["catalogue"])
async def genres() -> list[GenreModel]:
    return await answers().genres()


@api.post(
    "/v1/embeddings",
    response_model=EmbeddingsResponse,
    tags=["embeddings"],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": EmbeddingsRequest.model_json_schema()}},
        }
    },
)
async def embeddings(request: Request) -> EmbeddingsResponse:
    """OpenAI's shape: `client.embeddings.create(model=…, input=…)`. Pictures come as data URIs."""
    body = await read_json(request)
    try:
        return await answers().embeddings(EmbeddingsRequest.model_validate(body))
    except ValidationError as error:
        raise InvalidRequest(first_error(error.errors())) from error


def _failure(request: Request, error: ShazamError) -> JSONResponse:
    exchange = current_exchange()
    body = ErrorResponse.of(error, exchange.request_id if exchange else "unknown")
    return JSONResponse(body.model_dump(), int(error.status), error.headers())


@api.exception_handler(ShazamError)
async def on_named(request: Request, error: ShazamError) -> JSONResponse:
    return _failure(request, error)


@api.exception_handler(sqlite3.Error)
async def on_lost_catalogue(request: Request, error: sqlite3.Error) -> JSONResponse:
    logger.error("the catalogue cannot be read: %s", error)
    message = "The catalogue's files were damaged since the start. Repair them and restart."
    return _failure(request, NotReady(message, retry_after_s=60))


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
        message = (
            f"{request.method} does not work here; {allow or 'another method'} does. See /docs."
        )
        return _failure(request, MethodNotAllowed(message, allow=allow))
    return _failure(request, InvalidRequest(str(error.detail)))


@api.exception_handler(Exception)
async def on_bug(request: Request, error: Exception) -> JSONResponse:
    exchange = current_exchange()
    return _failure(request, internal_error(exchange.request_id if exchange else "unknown"))


def _caching(request: Request) -> tuple[str | None, str | None]:
    return request.headers.get("if-none-match"), request.headers.get("accept-encoding")


def page_reply(reply: Reply) -> Response:
    return Response(reply.body, reply.status, reply.headers)


# A client session to a dependency is closed by BentoML after 100 requests or 300 s with calls in
# flight, which fails 1 to 28 % of them; these bounds are never reached.
KEEP_SESSION = {"max_requests": 10**9, "max_age": 1e9}
# BentoML's own limits answer from outside any middleware; `Front` has ours, so BentoML's must only
# never come first. Not longer than needed: it keeps a timer of that length for every request.
BEHIND_OURS = {"timeout": settings.timeout_s + 30}


# The rest of the image is in bentofile.yaml. A distribution that BentoML knows would be given
# build-essential and git: 300 MB, and a compiler. The code goes in before the packages, so that
# deploy/container/slim.sh can compile it: the root file system of a container is read-only.
IMAGE = bentoml.images.Image(
    base_image="docker.io/library/python:3.11-slim",
    distro="bare",
    python_version="3.11",
    build_include_paths=["service.py", "engine"],
)


@bentoml.service(
    name="shazam_visual_encoder",
    traffic=BEHIND_OURS,
    runner_connection=KEEP_SESSION,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    **({"resources": {"gpu": 1}} if settings.on_gpu() else {}),
)
class EncoderService:
    """The encoder in a process of its own; BentoML batches its callers adaptively."""

    def __init__(self) -> None:
        from engine.artifact import Artifact
        from engine.search import load_encoder
        from engine.store import find_artifact

        artifact = Artifact.open(find_artifact(settings.artifact))
        self._encoder = load_encoder(
            artifact, runtime=settings.runtime, threads=settings.usable_threads()
        )
        self._artifact_id = artifact.id
        artifact.golden().check(self._encoder, artifact.open_index())

    @bentoml.api
    def describe(self) -> dict[str, str]:
        encoder = self._encoder
        return {
            "artifact": self._artifact_id,
            "encoder": encoder.name,
            "runtime": encoder.runtime,
            "precision": encoder.precision,
        }

    @bentoml.api(batchable=True, max_batch_size=settings.max_batch)
    def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        """(N, S, S, 3) uint8 → (N, D) float32 unit rows."""
        with _ends_if_stuck():
            return self._encoder.embed_images(pixels)

    @bentoml.api(batchable=True, max_batch_size=settings.max_batch)
    def embed_texts(self, texts: list[str]) -> np.ndarray:
        """N texts → (N, D) float32 unit rows."""
        with _ends_if_stuck():
            return self._encoder.embed_texts(texts)


@contextmanager
def _ends_if_stuck() -> Iterator[None]:
    """End this process, and have another started, if a call takes longer than any request may."""
    faulthandler.dump_traceback_later(settings.timeout_s, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@bentoml.service(
    name="shazam_visual",
    workers=settings.workers,
    traffic=BEHIND_OURS,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    image=IMAGE,
)
@bentoml.asgi_app(api, path="/")
class ShazamVisual:
    """Which album is this? The APIs below are what BentoML's typed clients call."""

    if separate_encoder:
        encoder = bentoml.depends(EncoderService)

    @bentoml.api
    async def search_by_image(
        self,
        file: Path,
        k: Annotated[int, Field(ge=1, le=100)] = 5,
        genre_id: int | None = None,
        min_score: float | None = None,
    ) -> SearchResponse:
        """The albums whose covers are nearest to a picture."""
        return await answers().by_image(file.read_bytes(), Wanted(k, genre_id, min_score))

    @bentoml.api
    async def search_by_text(
        self,
        query: str,
        k: Annotated[int, Field(ge=1, le=100)] = 5,
        genre_id: int | None = None,
        min_score: float | None = None,
    ) -> SearchResponse:
        """The albums whose covers fit a description."""
        return await answers().by_text(query, Wanted(k, genre_id, min_score))

    @bentoml.api
    async def identify(self, file: Path) -> IdentifyResponse:
        """Which album is this a photo of?"""
        return await answers().identify(file.read_bytes())


class _RemoteEncoder:
    """`engine.serving.RemoteEncoder` over BentoML's connection to `EncoderService`."""

    async def describe(self) -> dict[str, Any]:
        return dict(await self._call("describe"))

    async def embed_images(self, pixels: np.ndarray) -> np.ndarray:
        rows: np.ndarray = await self._call("embed_images", pixels)
        return rows

    async def embed_texts(self, texts: list[str]) -> np.ndarray:
        rows: np.ndarray = await self._call("embed_texts", texts)
        return rows

    async def _call(self, name: str, *values: Any) -> Any:
        import aiohttp

        call = getattr(bentoml.get_current_service().encoder.to_async, name)
        try:
            return await call(*values)
        except aiohttp.ClientConnectionError:
            # The encoder's side closes a connection after 5 s of silence; a call that meets that
            # moment has not been read, and embedding twice is harmless.
            return await call(*values)


ShazamVisual.add_asgi_middleware(  # type: ignore[attr-defined]
    Front,
    api=api,
    routes=[route.path for route in api.routes],  # type: ignore[attr-defined]
    settings=settings,
    metrics=metrics,
    artifact_id=artifact_id,
)
