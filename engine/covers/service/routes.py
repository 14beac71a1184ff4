"""The HTTP contract: routes, what they take, what they answer.

FastAPI owns every public route. `capability.py` brings them to an application, `bento.py` gives
them BentoML's typed clients. The launching process never imports this module.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse

from engine.base.errors import InvalidRequest
from engine.covers.question import DEFAULT_K, MAX_K
from engine.covers.service import start
from engine.covers.service.forms import embeddings_request, needed_words, read_search, read_wanted
from engine.covers.service.running import answers, search
from engine.covers.service.schemas import (
    IDENTIFY_EXAMPLES,
    AlbumModel,
    AlbumsPage,
    EmbeddingsRequest,
    EmbeddingsResponse,
    GenreModel,
    IdentifyManyResponse,
    IdentifyResponse,
    Models,
    SearchResponse,
)
from engine.serving.app.capability import make_router
from engine.serving.http.forms import read_json
from engine.serving.http.page import etag_in
from engine.serving.http.queries import Id

settings = start.settings()
router = make_router(
    {
        404: "`not_found`, `album_not_found` or `cover_not_found`",
        413: "`image_too_large`",
        415: "`unreadable_image`",
    }
)

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
AlbumId = Annotated[Id, PathParam(examples=[17])]


@router.post(
    "/api/search-by-image",
    response_model=SearchResponse,
    tags=["search"],
    summary="Albums that look like a picture",
    openapi_extra=form_body(SEARCH_FORM, needs=["file"]),
)
@router.post(
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


@router.get(
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


@router.post(
    "/search_by_text",
    response_model=SearchResponse,
    include_in_schema=False,
    openapi_extra=form_body(TEXT_BODY, needs=["query"]),
)
async def search_by_text_native(request: Request) -> SearchResponse:
    sent = await read_search(request, settings.max_upload_bytes)
    return await answers().by_text(needed_words({"query": sent.query}, "query"), sent.wanted)


@router.post(
    "/api/search",
    response_model=SearchResponse,
    tags=["search"],
    summary="One search by picture, words and unwanted words",
    openapi_extra=form_body(MIXED_FORM, needs=[]),
)
@router.post(
    "/search",
    response_model=SearchResponse,
    include_in_schema=False,
    openapi_extra=form_body(MIXED_FORM, needs=[]),
)
async def search_by_all(request: Request) -> SearchResponse:
    """One query made of any of a picture, words, and words for what it should not be."""
    return await answers().by_all(await read_search(request, settings.max_upload_bytes))


@router.post(
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


@router.post("/identify", response_model=IdentifyResponse, include_in_schema=False)
async def identify_native(
    request: Request,
    many: Annotated[bool, Query()] = False,
    quick: Annotated[bool, Query()] = False,
) -> Response:
    return await identify(request)


@router.get(
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


@router.get(
    "/api/albums/{album_id}", response_model=AlbumModel, tags=["catalogue"], summary="One album"
)
async def album(album_id: AlbumId) -> AlbumModel:
    return await answers().album(album_id)


@router.get(
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


@router.get(
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


@router.get(
    "/api/genres",
    response_model=list[GenreModel],
    tags=["catalogue"],
    summary="Genres, and how many albums each has",
)
async def genres() -> list[GenreModel]:
    return await answers().genres()


@router.post(
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


@router.get(
    "/v1/models",
    response_model=Models,
    tags=["embeddings"],
    summary="The encoder's name, in OpenAI's shape",
)
async def models() -> Models:
    """OpenAI's list: the encoder."""
    return answers().models()
