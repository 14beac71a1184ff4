"""The HTTP contract of the library: routes, what they take, what they answer.

A body is put on this disk as it comes; what it holds is decoded by workers, never here.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Header, Query, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import JSONResponse, RedirectResponse

from engine.base.errors import NotReady, StorageFull
from engine.library.service.answers import FileFormat, StoredFile
from engine.library.service.following import Events
from engine.library.service.forms import ABOUT, TRACK, checked_file, read_about, read_link
from engine.library.service.running import RUNNING, answers
from engine.library.service.schemas import (
    Accepted,
    Deleted,
    Download,
    JobModel,
    LibraryHealth,
    Results,
    SampleModel,
    SamplesPage,
)
from engine.serving.app.capability import make_router
from engine.serving.http.queries import Id
from engine.serving.http.ranges import FilePart, Part
from engine.serving.http.uploads import received
from engine.sound.service.forms import DEFAULT_K, MAX_K, read_wanted
from engine.sound.service.schemas import SimilarTracksResponse

router = make_router(
    {
        403: "`unauthorized`, `audio_not_shared`, `link_expired`",
        404: "`job_not_found`, `sample_not_found`, `object_not_found`",
        409: "`job_finished`, `sample_not_ready`",
        413: "`audio_too_long`, `payload_too_large`",
        415: "`empty_file`",
        416: "`range_not_satisfiable`",
        422: "`link_refused`, `source_unavailable`",
        429: "`overloaded`, `quota_exceeded`: carries `Retry-After`",
        503: "`overloaded`, `not_ready`, `database_unavailable`, `storage_unavailable`",
        507: "`storage_full`",
    }
)

_TEXT = {"type": "string"}
_FIELDS: dict[str, Any] = {
    **dict.fromkeys((name for name in ABOUT if name not in ("year", "audio_shared")), _TEXT),
    "year": {"type": "integer"},
    "audio_shared": {"type": "boolean"},
}
_FILE = {"type": "string", "format": "binary", "description": "audio, or a video with sound"}
_UPLOAD = {"type": "object", "properties": {"file": _FILE, **_FIELDS}, "required": ["file"]}
_LINK = {"type": "object", "properties": {"url": _TEXT, **_FIELDS}, "required": ["url"]}
_BYTES = {"content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}}


def _body(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": schema}}}}


_UPLOAD_BODY = _body("multipart/form-data", _UPLOAD)
_LINK_BODY = _body("application/json", _LINK)

JobId = Annotated[str, PathParam(max_length=64, examples=["4f9c"])]
TrackId = Annotated[Id, PathParam(ge=0, le=2**63 - 1, examples=[1_000_000_001])]


@router.post(
    "/api/v1/upload/file",
    response_model=Accepted,
    status_code=202,
    tags=["library"],
    summary="Add a file",
    openapi_extra=_UPLOAD_BODY,
)
async def upload_file(request: Request) -> Accepted:
    """Audio or a video with sound: written down, answered, and then listened to by a worker. The
    same content is the same job."""
    ready = answers()
    with full_disk_named():
        async with received(request, TRACK) as (fields, file):
            about = read_about({**fields, **request.query_params}, beside="file")
            return await ready.add_file(checked_file(file), about)


@router.post(
    "/api/v1/process/submit",
    response_model=Accepted,
    status_code=202,
    tags=["library"],
    summary="Add a link",
    openapi_extra=_LINK_BODY,
)
async def submit(request: Request) -> Accepted:
    """A direct link to audio or video, or one of a source that `/api/v1/health` names."""
    return await _link(request, None)


@router.post(
    "/api/v1/upload/youtube",
    response_model=Accepted,
    status_code=202,
    tags=["library"],
    summary="Add a link to YouTube",
    openapi_extra=_LINK_BODY,
)
async def upload_youtube(request: Request) -> Accepted:
    return await _link(request, "youtube")


@router.post(
    "/api/v1/upload/spotify",
    response_model=Accepted,
    status_code=202,
    tags=["library"],
    summary="Add a link to Spotify",
    openapi_extra=_LINK_BODY,
)
async def upload_spotify(request: Request) -> Accepted:
    return await _link(request, "spotify")


async def _link(request: Request, source: str | None) -> Accepted:
    ready = answers()
    url, about = await read_link(request)
    return await ready.add_link(url, about, source)


@router.get("/api/v1/jobs/{job_id}", response_model=JobModel, tags=["library"], summary="A job")
async def job(job_id: JobId) -> JobModel:
    """How far it is: `queued`, `running` with `step` and `progress`, `done`, `failed` with the
    reason, `cancelled`."""
    return await answers().job(job_id)


@router.get(
    "/api/v1/jobs/{job_id}/events",
    tags=["library"],
    response_class=Response,
    summary="A job, as it goes on",
    responses={
        200: {"content": {"text/event-stream": {"schema": _TEXT}}},
        204: {"description": "It has ended, and `Last-Event-ID` says that this is known"},
    },
)
async def events(job_id: JobId, last_event_id: Annotated[str | None, Header()] = None) -> Response:
    """Server-sent events: the job as it is, then at each change, until it has ended."""
    told = await answers().events(job_id, last_event_id)
    return Response(status_code=204) if told is None else Events(told)


@router.post(
    "/api/v1/jobs/{job_id}/cancel", response_model=JobModel, tags=["library"], summary="Cancel it"
)
async def cancel(job_id: JobId) -> JobModel:
    return await answers().cancel(job_id)


@router.post(
    "/api/v1/jobs/{job_id}/retry",
    response_model=JobModel,
    status_code=202,
    tags=["library"],
    summary="Try it again",
)
async def retry(job_id: JobId) -> JobModel:
    """What failed or was cancelled is queued again; what it had finished is not repeated."""
    return await answers().retry(job_id)


@router.get(
    "/api/v1/samples", response_model=SamplesPage, tags=["library"], summary="What it holds"
)
async def samples(
    q: Annotated[str, Query(max_length=400, description="words of title, artist…")] = "",
    status: Annotated[str | None, Query(max_length=20)] = None,
    bpm: Annotated[str | None, Query(max_length=20, description="92, or 90-100")] = None,
    key: Annotated[str | None, Query(max_length=20, description="A minor, or Am")] = None,
    creator: Annotated[str | None, Query(max_length=200)] = None,
    offset: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> SamplesPage:
    """Newest first."""
    return await answers().samples(
        q=q, status=status, bpm=bpm, key=key, creator=creator, offset=offset, limit=limit
    )


@router.get(
    "/api/v1/samples/{track_id}", response_model=SampleModel, tags=["library"], summary="One of it"
)
async def sample(track_id: TrackId) -> SampleModel:
    return await answers().sample(track_id)


@router.delete(
    "/api/v1/samples/{track_id}", response_model=Deleted, tags=["library"], summary="Delete it"
)
async def delete(track_id: TrackId) -> Deleted:
    """The track, its files, and all by which it is found."""
    return await answers().delete(track_id)


@router.post(
    "/api/v1/samples/{track_id}/download",
    response_model=Download,
    tags=["library"],
    summary="A link to its file",
)
async def download(
    track_id: TrackId, format: Annotated[FileFormat, Query(description="mp3 or wav")] = "mp3"
) -> Download:
    """A link that is good for `SHAZAM_LINK_S` seconds, for whoever has it."""
    return await answers().download(track_id, format)


@router.get(
    "/api/v1/files/{key:path}",
    response_class=Response,
    include_in_schema=False,
)
async def file(
    request: Request,
    key: Annotated[str, PathParam(max_length=600)],
    expires: Annotated[str, Query(max_length=20)],
    signature: Annotated[str, Query(max_length=200)],
    filename: Annotated[str, Query(max_length=500)] = "",
) -> Response:
    """What a link of ours leads to."""
    return await _sent(answers().file(key, expires, filename, signature), request.headers)


@router.get(
    "/api/v1/results/{track_id}",
    response_model=Results,
    tags=["library"],
    summary="What was found out about it",
)
async def results(track_id: TrackId) -> Results:
    """Its measures, and its matches: the same recording in the catalogue, and what outside
    catalogues know of it."""
    return await answers().results(track_id)


@router.get(
    "/api/v1/results/{track_id}/similar",
    response_model=SimilarTracksResponse,
    tags=["library"],
    summary="Tracks that sound like it, and why",
)
async def similar(
    request: Request,
    track_id: TrackId,
    k: Annotated[int, Query(ge=1, le=MAX_K, description="how many tracks")] = DEFAULT_K,
    genre: Annotated[str | None, Query(max_length=200)] = None,
    min_score: Annotated[float | None, Query(ge=-1, le=1)] = None,
) -> SimilarTracksResponse:
    return await answers().similar(track_id, read_wanted(request.query_params))


@router.get(
    "/api/v1/results/{track_id}/preview",
    response_class=Response,
    tags=["library"],
    summary="30 seconds of it",
    responses={200: _BYTES, 302: {"description": "It is at another address"}},
)
async def preview(request: Request, track_id: TrackId) -> Response:
    return await _sent(await answers().preview(track_id), request.headers)


@router.get(
    "/api/v1/health",
    response_model=LibraryHealth,
    tags=["library"],
    responses={503: {"model": LibraryHealth}},
    summary="What the library stands on: database, storage, workers, sources",
)
async def health() -> Response:
    """Each by its name. `degraded` where one does not answer; 503 where the database or the storage
    does not, or where work has waited for five minutes and no worker lives. That none lives is
    usual where workers are scaled with the queue and nothing is in it."""
    found = await RUNNING.asked_health()
    return JSONResponse(found.told.model_dump(), 200 if found.works else 503)


async def _sent(file: StoredFile, asked: Mapping[str, str]) -> Response:
    """A file, whole or a part, or where it is."""
    if isinstance(file.found, str):
        return RedirectResponse(file.found, 302, {"Cache-Control": "private, no-cache"})
    headers = {"ETag": f'"{_version(file.key)}"', "Cache-Control": "private, no-cache"}
    if file.filename:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file.filename)}"
    given = {
        "wanted": asked.get("range"),
        "if_range": asked.get("if-range"),
        "if_none_match": asked.get("if-none-match"),
    }
    size = await answers().size(file.key)  # raises ObjectNotFound
    if file.found is not None:
        return FilePart(file.found, file.media_type, headers, **given)
    return Part(size, partial(answers().read, file.key), file.media_type, headers, **given)


def _version(key: str) -> str:
    """`audio/<sha256>/audio.mp3`: another content has another key."""
    return "-".join(part for part in key.replace(".", "-").split("/")[1:])


@contextmanager
def full_disk_named() -> Iterator[None]:
    """A temporary file that cannot be written, by what is to be done about it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                "The disk of this service is full: free some of it, then try again."
            ) from error
        raise NotReady(
            f"This service cannot keep an upload ({error.strerror or 'of its disk'}). See its log.",
            retry_after_s=10,
        ) from error
