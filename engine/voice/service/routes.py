"""The HTTP contract of voice: routes, what they take, what they answer.

A recording is put on this disk as it comes; what it holds is heard by workers, never here.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import Path as PathParam
from fastapi import Query, Request, Response

from engine.library.service.routes import full_disk_named
from engine.serving.app.capability import make_router
from engine.serving.http.queries import Id
from engine.serving.http.ranges import FilePart, Part
from engine.serving.http.uploads import received
from engine.sound.service.schemas import TrackModel
from engine.voice.service.answers import FLAC, Who
from engine.voice.service.forms import (
    TAKE,
    checked_take,
    read_language,
    read_offset,
    read_reference,
    read_track_id,
    read_wish,
)
from engine.voice.service.running import RUNNING, answers
from engine.voice.service.schemas import (
    AnalysisModel,
    AudioModel,
    Begun,
    History,
    Language,
    LyricsModel,
    OffsetModel,
    Removed,
    ResultsModel,
    SessionModel,
    TaskModel,
    TracksModel,
    What,
    WordsModel,
)

router = make_router(
    {
        403: "`unauthorized`, `audio_not_shared`",
        404: "`session_not_found`, `track_not_found`, `audio_not_found`, `lyrics_not_found`, "
        "`job_not_found`",
        409: "`session_not_ready`",
        410: "`audio_expired`",
        413: "`audio_too_long`, `payload_too_large`",
        415: "`empty_file`",
        416: "`range_not_satisfiable`",
        422: "`link_refused`, `source_unavailable`, `part_unavailable`",
        429: "`overloaded`, `quota_exceeded`: carries `Retry-After`",
        503: "`overloaded`, `not_ready`, `database_unavailable`, `storage_unavailable`",
        507: "`storage_full`",
    }
)

_TEXT = {"type": "string"}
_NAMES: dict[str, Any] = {"title": _TEXT, "artist": _TEXT, "lyrics": _TEXT}
_TRACK = {"type": "integer"}
_FILE = {"type": "string", "format": "binary"}
_JSON = {"type": "object", "properties": {"track_id": _TRACK, "url": _TEXT, **_NAMES}}
_FORM = {"type": "object", "properties": {"reference": _FILE, **_NAMES}}
_REFERENCE = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _JSON},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}


def _json_body(required: bool = False, **properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}


_TAKE_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]}
            }
        },
    }
}
_BYTES = {"content": {FLAC: {"schema": {"type": "string", "format": "binary"}}}}

# Of any length: what is no session's is not found.
SessionId = Annotated[str, PathParam(examples=["4f9c"])]
TrackId = Annotated[Id, PathParam(ge=0, le=2**63 - 1, examples=[12])]
Limit = Annotated[int, Query(ge=1, le=200)]
_VOICE: dict[str, Any] = {"tags": ["voice"]}


@router.post(
    "/api/session/start",
    response_model=Begun,
    status_code=202,
    summary="Begin: choose what to sing beside",
    openapi_extra=_REFERENCE,
    **_VOICE,
)
async def start(request: Request) -> Begun:
    """A track of the catalogue or the library, a link, or a file; its voice, its melody and its
    words are looked for while you get ready."""
    ready = answers()
    with full_disk_named():
        async with read_reference(request) as asked:
            return await ready.start(asked)


@router.post(
    "/api/session/{session_id}/fallback-source",
    response_model=Begun,
    status_code=202,
    summary="Another sound, where the first could not be had",
    openapi_extra=_REFERENCE,
    **_VOICE,
)
async def fallback_source(request: Request, session_id: SessionId) -> Begun:
    ready = answers()
    with full_disk_named():
        async with read_reference(request) as asked:
            return await ready.replace(session_id, asked)


@router.get(
    "/api/session/{session_id}/status",
    response_model=SessionModel,
    summary="Where a session is",
    **_VOICE,
)
async def status(session_id: SessionId) -> SessionModel:
    """With what a singer sees beforehand: the melody's curve and the words, once they are there."""
    return await answers().status(session_id)


@router.post(
    "/api/session/{session_id}/upload-recording",
    response_model=SessionModel,
    summary="Send what was sung",
    openapi_extra=_TAKE_BODY,
    **_VOICE,
)
async def upload_recording(request: Request, session_id: SessionId) -> SessionModel:
    """Another one takes the place of the first."""
    ready = answers()
    await ready.check_may_record(session_id)
    with full_disk_named():
        async with received(request, TAKE) as (fields, file):
            return await ready.record(session_id, checked_take(fields, file))


@router.post(
    "/api/session/{session_id}/analyze",
    response_model=Begun,
    status_code=202,
    summary="Have it judged",
    openapi_extra=_json_body(
        transposition={"type": "integer", "description": "semitones you sang higher, on purpose"},
        language={"type": "string", "enum": ["en", "fr"], "description": "of the jury"},
    ),
    **_VOICE,
)
async def analyze(request: Request, session_id: SessionId) -> Begun:
    return await answers().analyze(session_id, await read_wish(request))


@router.get(
    "/api/session/{session_id}/analysis-status",
    response_model=AnalysisModel,
    summary="How far the judging is",
    **_VOICE,
)
async def analysis_status(session_id: SessionId) -> AnalysisModel:
    return await answers().analysis(session_id)


@router.get(
    "/api/session/{session_id}/results",
    response_model=ResultsModel,
    response_model_exclude_none=False,
    summary="How it was",
    **_VOICE,
)
async def results(
    request: Request,
    response: Response,
    session_id: SessionId,
    language: Annotated[Language | None, Query(description="of the jury")] = None,
    analysis: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="of the history; else the last")
    ] = None,
) -> ResultsModel:
    """The number, its parts, phrase by phrase, and what three of a jury say of it: in `language`,
    or in that of `Accept-Language`, or in that of the analysis."""
    response.headers["Vary"] = "Accept-Language"
    return await answers().results(session_id, language or read_language(request), analysis)


@router.get(
    "/api/session/{session_id}/lyrics",
    response_model=LyricsModel,
    summary="The words, with their times where somebody knows them",
    **_VOICE,
)
async def lyrics(session_id: SessionId) -> LyricsModel:
    return await answers().lyrics(session_id)


@router.get(
    "/api/session/{session_id}/lyrics-offset",
    response_model=OffsetModel,
    summary="How much later they are sung",
    **_VOICE,
)
async def lyrics_offset(session_id: SessionId) -> OffsetModel:
    return await answers().offset(session_id)


@router.post(
    "/api/session/{session_id}/lyrics-offset",
    response_model=OffsetModel,
    summary="Move them",
    openapi_extra=_json_body(required=True, offset_s={"type": "number"}),
    **_VOICE,
)
async def move_lyrics(request: Request, session_id: SessionId) -> OffsetModel:
    return await answers().move_lyrics(session_id, await read_offset(request))


@router.delete(
    "/api/session/{session_id}", response_model=Removed, summary="Delete a session", **_VOICE
)
async def delete(session_id: SessionId) -> Removed:
    """Its audio and its results."""
    return await answers().delete(session_id)


@router.get(
    "/api/search/tracks", response_model=TracksModel, summary="What there is to sing", **_VOICE
)
async def tracks(
    q: Annotated[
        str | None, Query(max_length=400, description="words of title, artist, album")
    ] = None,
    limit: Limit = 20,
) -> TracksModel:
    """Tracks with audio that may be heard."""
    return await answers().tracks(q, limit)


@router.get(
    "/api/search/tracks/{track_id}", response_model=TrackModel, summary="One of it", **_VOICE
)
async def track(track_id: TrackId) -> TrackModel:
    found: TrackModel = answers().track(track_id)
    return found


@router.get(
    "/api/search/recent", response_model=TracksModel, summary="What you sang lately", **_VOICE
)
async def recent(limit: Limit = 20) -> TracksModel:
    return await answers().recent(limit)


@router.get(
    "/api/audio/{session_id}/tracks",
    response_model=AudioModel,
    summary="What of a session can be heard",
    **_VOICE,
)
async def audio_tracks(session_id: SessionId) -> AudioModel:
    return await answers().audio(session_id)


@router.get(
    "/api/audio/{session_id}/{who}/{what}",
    response_class=Response,
    summary="Hear the singer, or the reference",
    responses={200: _BYTES, 206: _BYTES},
    **_VOICE,
)
async def audio(request: Request, session_id: SessionId, who: Who, what: What) -> Response:
    """All of it, or the part that `Range` asks for, as FLAC."""
    ready = answers()
    found = await ready.one_audio(session_id, who, what)
    name = found.key.rpartition("/")[0].rpartition("/")[2]
    # Nobody else may hear it, and after two hours nobody may.
    headers = {"ETag": f'"{name}-{what}"', "Cache-Control": "private, no-store"}
    asked = request.headers
    wanted = {
        "wanted": asked.get("range"),
        "if_range": asked.get("if-range"),
        "if_none_match": asked.get("if-none-match"),
    }
    size = await ready.size(found.key)
    if found.path is not None:
        return FilePart(found.path, FLAC, headers, **wanted)
    return Part(size, partial(ready.read, found.key), FLAC, headers, **wanted)


@router.get(
    "/api/lyrics/track/{track_id}", response_model=LyricsModel, summary="Words of a track", **_VOICE
)
async def track_lyrics(track_id: TrackId) -> LyricsModel:
    return await answers().track_lyrics(track_id)


@router.post(
    "/api/lyrics/word-timestamps/generate",
    response_model=TaskModel,
    status_code=202,
    summary="Have a track's words heard",
    openapi_extra=_json_body(required=True, track_id=_TRACK),
    **_VOICE,
)
async def hear_words(request: Request) -> TaskModel:
    """A worker listens to its voice; see `status_url`."""
    ready = answers()
    return await ready.hear_words(await read_track_id(request), RUNNING.part().words.missing)


@router.get(
    "/api/lyrics/word-timestamps/task/{task_id}",
    response_model=TaskModel,
    summary="How far that is",
    **_VOICE,
)
async def words_task(task_id: SessionId) -> TaskModel:
    return await answers().task(task_id)


@router.get("/api/lyrics/word-timestamps/task", include_in_schema=False)
@router.get("/api/lyrics/word-timestamps/task/", include_in_schema=False)
async def no_words_task() -> TaskModel:
    """No task has no name; without this its caller is sent on to a track called `task`."""
    return await answers().task("")


@router.get(
    "/api/lyrics/word-timestamps/{track_id}",
    response_model=WordsModel,
    summary="When each word of a track is sung",
    **_VOICE,
)
async def word_times(track_id: TrackId) -> WordsModel:
    return await answers().word_times(track_id)


@router.get(
    "/api/results/history", response_model=History, summary="What you sang, and how", **_VOICE
)
async def history(limit: Limit = 20) -> History:
    """Newest first; the results stay when the audio is gone."""
    return await answers().history(limit)
