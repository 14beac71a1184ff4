"""The HTTP contract of sound: routes, what they take, what they answer.

FastAPI owns every public route. `capability.py` brings them to an application, `bento.py` gives
them BentoML's typed clients. The launching process never imports this module.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse, RedirectResponse

from engine.serving.app.capability import make_router
from engine.serving.http.page import etag_in
from engine.serving.http.queries import Id
from engine.serving.http.ranges import FilePart
from engine.sound.service import start
from engine.sound.service.answers import Format
from engine.sound.service.forms import (
    DEFAULT_K,
    LONGEST_GENRE,
    MAX_K,
    needed_words,
    read_recording,
    read_wanted,
)
from engine.sound.service.running import answers
from engine.sound.service.schemas import (
    IDENTIFY_EXAMPLES,
    IdentifySoundResponse,
    SimilarTracksResponse,
    SoundSearchResponse,
    TrackModel,
    TracksPage,
    Waveform,
)

settings = start.settings()
router = make_router(
    {
        403: "`unauthorized`: the key is not known; `audio_not_shared`: the licence forbids it",
        404: "`not_found`, `track_not_found` or `audio_not_found`",
        413: "`audio_too_long`",
        415: "`unreadable_audio`",
        416: "`range_not_satisfiable`",
        422: "`audio_too_short` or `audio_too_quiet`",
    }
)

FILE = {"type": "string", "format": "binary", "description": "WebM, MP4, Ogg, MP3, FLAC, WAV…"}
SEARCH_FORM = {
    "file": FILE,
    "k": {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K},
    "genre": {"type": "string"},
    "min_score": {"type": "number", "minimum": -1, "maximum": 1},
}
KEPT = {"Cache-Control": "public, max-age=86400"}
# Of a track that may be gone tomorrow, and is perhaps one caller's alone. A link ends earlier.
ASKED_AGAIN = {"Cache-Control": "private, no-cache"}


def form_body(fields: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "required": ["file"]}
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


K = Annotated[int, Query(ge=1, le=MAX_K, description="how many tracks")]
Genre = Annotated[
    str | None, Query(max_length=LONGEST_GENRE, description="tracks of this genre alone")
]
MinScore = Annotated[float | None, Query(ge=-1, le=1, description="at least this similar")]
TrackId = Annotated[Id, PathParam(ge=0, le=2**63 - 1, examples=[17])]
AlbumId = Annotated[
    int | None, Query(ge=-(2**63), le=2**63 - 1, description="tracks of this album alone")
]


@router.post(
    "/api/identify-sound",
    response_model=IdentifySoundResponse,
    responses={200: {"content": {"application/json": {"examples": IDENTIFY_EXAMPLES}}}},
    tags=["hear"],
    summary="Which track is this, and from when on?",
    openapi_extra=form_body({"file": FILE}),
)
@router.post(
    "/identify_sound",
    response_model=IdentifySoundResponse,
    include_in_schema=False,
    openapi_extra=form_body({"file": FILE}),
)
async def identify_sound(request: Request) -> Response:
    """Which track a recording is of: `match` or `no_match`, how sure that is, and where in the
    track it begins. 10 seconds are plenty; of longer ones the first 60 are listened to."""
    recording, _ = await read_recording(request, settings.max_upload_bytes)
    return JSONResponse((await answers().identify(recording)).model_dump())


@router.post(
    "/api/search-by-sound",
    response_model=SoundSearchResponse,
    tags=["hear"],
    summary="Tracks that sound like a recording",
    openapi_extra=form_body(SEARCH_FORM),
)
@router.post(
    "/search_by_sound",
    response_model=SoundSearchResponse,
    include_in_schema=False,
    openapi_extra=form_body(SEARCH_FORM),
)
async def search_by_sound(request: Request) -> SoundSearchResponse:
    """The tracks that sound most like a recording of 3 seconds or more. `k`, `genre` and
    `min_score` may be in the query string or in the form."""
    known = ("k", "genre", "min_score")
    recording, fields = await read_recording(request, settings.max_upload_bytes, known)
    return await answers().alike(recording, read_wanted(fields))


@router.get("/api/search-by-text", response_model=SoundSearchResponse, include_in_schema=False)
async def search_by_text(
    request: Request,
    query: Annotated[str, Query(min_length=1)],
    k: K = DEFAULT_K,
    genre: Genre = None,
    min_score: MinScore = None,
) -> SoundSearchResponse:
    """Of a service of sound alone, with an encoder that knows words (CLAP): beside covers the
    address is theirs."""
    return await answers().by_text(needed_words(query), read_wanted(request.query_params))


@router.get(
    "/api/tracks",
    response_model=TracksPage,
    tags=["tracks"],
    summary="A page of all tracks, or those called so",
)
@router.get("/tracks", response_model=TracksPage, include_in_schema=False)
async def tracks(
    offset: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    genre: Genre = None,
    album_id: AlbumId = None,
    q: Annotated[
        str | None, Query(max_length=400, description="words of title, artist or album")
    ] = None,
) -> TracksPage:
    """A page of the catalogue; with `q` the tracks whose title, artist or album has all its words,
    best first, with `album_id` those of an album of covers."""
    return await answers().tracks(offset, limit, genre=genre, album_id=album_id, q=q)


@router.get(
    "/api/tracks/{track_id}", response_model=TrackModel, tags=["tracks"], summary="One track"
)
async def track(track_id: TrackId) -> TrackModel:
    return answers().track(track_id)


@router.get(
    "/api/tracks/{track_id}/similar",
    response_model=SimilarTracksResponse,
    tags=["tracks"],
    summary="Tracks that sound like this one, and why",
)
@router.get("/recommend/{track_id}", response_model=SimilarTracksResponse, include_in_schema=False)
async def similar(
    request: Request,
    track_id: TrackId,
    k: K = DEFAULT_K,
    genre: Genre = None,
    min_score: MinScore = None,
) -> SimilarTracksResponse:
    """A track's nearest neighbours, itself left out; `because` says what both have in common."""
    return await answers().similar(track_id, read_wanted(request.query_params))


@router.get(
    "/api/tracks/{track_id}/audio",
    tags=["tracks"],
    response_class=Response,
    summary="A track's audio, whole or a part",
    responses={
        200: {"content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}},
        206: {"description": "The part that `Range` asks for"},
        302: {"description": "The audio is at another address"},
    },
)
@router.get("/audio/{track_id}", response_class=Response, include_in_schema=False)
async def audio(
    track_id: TrackId,
    wanted: Annotated[str | None, Header(alias="Range")] = None,
    if_range: Annotated[str | None, Header()] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The audio, where its licence allows it; `Range` is honoured, so that it can be played from
    any second."""
    found = await answers().audio(track_id)
    if isinstance(found, str):
        return RedirectResponse(found, 302, ASKED_AGAIN if answers().is_held(track_id) else KEPT)
    return FilePart(
        found.path,
        found.media_type,
        {"ETag": found.etag, **(ASKED_AGAIN if found.held else KEPT)},
        wanted=wanted,
        if_range=if_range,
        if_none_match=if_none_match,
    )


@router.get(
    "/api/tracks/{track_id}/waveform",
    response_model=Waveform,
    tags=["tracks"],
    summary="A track's waveform, as numbers or drawn",
    responses={
        200: {
            "content": {
                "image/png": {"schema": {"type": "string", "format": "binary"}},
                "image/svg+xml": {"schema": {"type": "string"}},
            }
        }
    },
)
@router.get("/waveform/{track_id}", response_model=Waveform, include_in_schema=False)
async def waveform(
    track_id: TrackId,
    points: Annotated[int, Query(ge=16, le=4096, description="parts of equal length")] = 400,
    format: Annotated[Format, Query()] = "json",
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The lowest and highest sample of each part of a track, as JSON; `format=png` or `svg` draws
    them."""
    answers().track(track_id)  # raises TrackNotFound
    etag = answers().waveform_etag(track_id, points, format)
    headers = {"ETag": etag, **(ASKED_AGAIN if answers().is_held(track_id) else KEPT)}
    if if_none_match is not None and etag_in(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    if format == "json":
        told = await answers().waveform(track_id, points)
        return Response(told.model_dump_json(), media_type="application/json", headers=headers)
    drawn = await answers().drawn(track_id, points, format)
    return Response(drawn.body, media_type=drawn.media_type, headers=headers)
