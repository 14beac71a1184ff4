"""Requests → response models: one method an operation of the library."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from engine.base.errors import (
    AudioNotFound,
    AudioNotShared,
    DatabaseUnavailable,
    SampleNotReady,
    ShazamError,
)
from engine.base.texts import as_one_line
from engine.library.growing import Growing
from engine.library.jobs import Submission
from engine.library.pipeline.client import queue_of
from engine.library.records import Job
from engine.library.samples import Sample
from engine.library.service.following import FINAL, Following
from engine.library.service.opened import FILES, MEDIA_TYPES, Library, checked, filename_of
from engine.library.service.schemas import (
    Accepted,
    Deleted,
    Download,
    JobModel,
    Matches,
    Results,
    SampleModel,
    SamplesPage,
    Twin,
    failure,
)
from engine.library.signing import verify
from engine.serving.http.exchange import current_caller
from engine.serving.http.prefix import prefix_here
from engine.serving.http.uploads import Received
from engine.sound.service.answers import SoundAnswers
from engine.sound.service.forms import WantedTracks
from engine.sound.service.schemas import SimilarTracksResponse

logger = logging.getLogger("shazam")

FileFormat = Literal["mp3", "wav"]
API = "/api/v1"
MOST_LETTERS = 300  # of a file's name
# Of jobs that are told to the workers' engine: each is a transaction in a thread.
TOLD_AT_ONCE = 2
# A page waits so long to be told where files are; signing a link may ask a cloud who we are.
ORIGIN_WITHIN_S = 1.0
# What is done beside answers may take so long at the end.
ENDS_WITHIN_S = 5.0


@dataclass(frozen=True)
class StoredFile:
    """An object as a route sends it: a file on this disk, or an address where it is, or a key whose
    bytes go through this service."""

    found: Path | str | None
    key: str
    media_type: str
    filename: str = ""


class LibraryAnswers:
    def __init__(self, library: Library, growing: Growing, sound: SoundAnswers) -> None:
        self._library, self._growing, self._sound = library, growing, sound
        self._following = Following(library.jobs.several)
        self._tasks: set[asyncio.Task[None]] = set()
        self._telling = asyncio.Semaphore(TOLD_AT_ONCE)
        self._origin: asyncio.Task[str | None] | None = None

    async def close(self) -> None:
        self._following.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=ENDS_WITHIN_S)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        """What an answer does not wait for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("what an answer did not wait for failed", exc_info=task.exception())

    # --- what is added

    async def add_file(self, file: Received, about: Mapping[str, Any]) -> Accepted:
        """A file that came → its job, that of before where it came before. Raises
        `QuotaExceeded`."""
        library = self._library
        asked = Submission(
            owner=current_caller(),
            source="upload",
            sha256=file.sha256,
            upload_key=f"uploads/{file.sha256}",
            size=file.size,
            fields={**about, "filename": as_one_line(file.filename)[:MOST_LETTERS] or None},
        )
        # Nothing is stored of what would be refused.
        await library.patiently(lambda: library.jobs.admit(asked))
        await asyncio.to_thread(self._store, file)
        job = await library.patiently(lambda: library.jobs.submit(asked))
        # A sweep may have been removing what was there: whoever submits has waited for its end.
        if job.state in ("queued", "running"):
            await asyncio.to_thread(self._store, file)
        return self._begun(await self._mended(job))

    def _store(self, file: Received) -> None:
        """The bytes of a content are in the store afterwards, as they were sent; what is there of
        them and was cut is replaced."""
        objects, upload = self._library.objects, f"uploads/{file.sha256}"
        found = {
            one.key: one.size_bytes
            for one in objects.list(f"audio/{file.sha256}")
            if one.key.rpartition("/")[2].startswith("source")
        }
        found |= objects.sizes([upload])
        for key, size in (found or {upload: 0}).items():
            if size != file.size:
                objects.put(key, file.path)

    async def _mended(self, job: Job) -> Job:
        """What a job that is done had made is made anew where files of it are gone or cut."""
        if job.state != "done":
            return job
        library = self._library
        sample = await library.samples.get(job.track_id)
        if await asyncio.to_thread(self._is_whole, sample):
            return job
        logger.warning("files of track %d are gone or cut, and made anew", job.track_id)
        return await library.patiently(lambda: library.jobs.mend(job.job_id, job.attempt))

    def _is_whole(self, sample: Sample) -> bool:
        """Whether its files have the bytes that they had. What was heard of it may have been heard
        again since: then it is made anew once for nothing."""
        keys = sample.objects.values()
        sizes = self._library.objects.sizes(keys).values()
        whole = len(sizes) == len(keys) and all(sizes)
        return whole and sum(sizes) == sample.details.get("stored_bytes", sum(sizes))

    async def add_link(self, url: str, about: Mapping[str, Any], source: str | None) -> Accepted:
        """A link → its job; `source` is the adapter that must take it. Raises what
        `Sources.check` raises."""
        library = self._library
        name = await asyncio.to_thread(library.sources.check, url, source)
        asked = Submission(owner=current_caller(), source=name, url=url, fields=dict(about))
        return self._begun(await library.patiently(lambda: library.jobs.submit(asked)))

    async def _start(self, job: Job) -> None:
        """Tell the workers of a job that is queued. It is written down: where they cannot be told,
        they find it themselves."""
        with contextlib.suppress(DatabaseUnavailable):
            async with self._telling:
                await self._library.pipeline.start(job.job_id, job.attempt, *queue_of(job))
                await self._library.jobs.enqueued(job.job_id, job.attempt)

    def _begun(self, job: Job) -> Accepted:
        """What is answered of a job; that it is begun nobody waits for."""
        if job.state == "queued":
            self._beside(self._start(job))
        at = f"{prefix_here()}{API}/jobs/{job.job_id}"
        return Accepted(
            job_id=job.job_id,
            track_id=job.track_id,
            status_url=at,
            events_url=f"{at}/events",
            state=job.state,
        )

    # --- jobs

    async def job(self, job_id: str) -> JobModel:
        """Raises `JobNotFound`."""
        return _job(await self._library.jobs.get(job_id, current_caller()))

    async def events(
        self, job_id: str, last: str | None
    ) -> AsyncGenerator[tuple[str, object] | None] | None:
        """What is new of a job, from how it is now to its end; None where who asks has heard that
        already, as `last` tells. Raises `JobNotFound`."""
        job = await self._library.jobs.get(job_id, current_caller())
        if job.state in FINAL and last == _event_id(job):
            return None
        return self._told(job)

    async def _told(self, job: Job) -> AsyncGenerator[tuple[str, object] | None]:
        async with contextlib.aclosing(self._following.follow(job)) as news:
            async for now in news:
                yield None if now is None else (_event_id(now), _job(now).model_dump(mode="json"))

    async def cancel(self, job_id: str) -> JobModel:
        """Raises `JobNotFound`, `JobFinished`."""
        job = await self._library.jobs.cancel(job_id, current_caller())
        await self._stop(job.job_id, job.attempt)
        return _job(job)

    async def _stop(self, job_id: str, attempt: int) -> None:
        # A worker that is not told looks at the row before it stores anything.
        with contextlib.suppress(DatabaseUnavailable):
            await self._library.pipeline.cancel(job_id, attempt)

    async def retry(self, job_id: str) -> JobModel:
        """Raises `JobNotFound`, `JobFinished`."""
        job = await self._library.jobs.retry(job_id, current_caller())
        self._begun(job)
        return _job(job)

    # --- what the library holds

    async def samples(self, **asked: Any) -> SamplesPage:
        page = await self._library.samples.page(current_caller(), **asked)
        return SamplesPage(total=page.total, samples=[_sample(one) for one in page.samples])

    async def sample(self, track_id: int) -> SampleModel:
        """Raises `SampleNotFound`."""
        return _sample(await self._get(track_id))

    async def delete(self, track_id: int) -> Deleted:
        """Raises `SampleNotFound`."""
        gone = await self._library.samples.delete(track_id, current_caller())
        await self._growing.forget(track_id)
        for workflow in gone.workflow_ids:
            job_id, _, attempt = workflow.rpartition(".")
            await self._stop(job_id, int(attempt))
        if gone.sample.sha256 is not None:
            self._beside(self._remove(gone.sample.sha256))
        return Deleted(track_id=track_id)

    async def _remove(self, sha256: str) -> None:
        """The objects of a content that nobody names any more. Where that fails, a worker's sweep
        does it."""
        objects = self._library.objects

        def remove() -> None:
            for one in objects.list(f"audio/{sha256}"):
                objects.delete(one.key)
            objects.delete(f"uploads/{sha256}")

        try:
            async with self._library.retention.removing(sha256) as free:
                if free:
                    await asyncio.to_thread(remove)
        except ShazamError as error:
            logger.warning("files of a deleted track are left to a worker: %s", error.message)

    async def download(self, track_id: int, kind: FileFormat) -> Download:
        """Raises `SampleNotFound`, `SampleNotReady`, `AudioNotShared`."""
        sample = await self._ready(track_id)
        _check_shared(sample)
        filename = filename_of(sample, kind)
        link = await asyncio.to_thread(
            self._library.link, sample.objects[kind], filename, MEDIA_TYPES[kind]
        )
        seconds = self._library.settings.link_s
        return Download(
            url=prefix_here() + link if link.startswith(FILES) else link,
            expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
            format=kind,
            filename=filename,
            downloads=await self._library.samples.count_download(track_id, current_caller()),
        )

    def file(self, key: str, expires: str, filename: str, signature: str) -> StoredFile:
        """What a link of ours leads to. Raises `LinkExpired`."""
        verify(self._library.secret, key, expires, filename, signature)
        media_type = "audio/wav" if key.endswith(".wav") else "audio/mpeg"
        return StoredFile(self._library.objects.path(key), key, media_type, filename)

    async def preview(self, track_id: int) -> StoredFile:
        """Raises `SampleNotFound`, `SampleNotReady`, `AudioNotShared`, `AudioNotFound`."""
        sample = await self._ready(track_id)
        _check_shared(sample)
        key = sample.objects.get("preview")
        if key is None:
            raise AudioNotFound(f"There is no preview of track {track_id} here.")
        objects, media_type = self._library.objects, MEDIA_TYPES["preview"]
        found: Path | str | None = checked(objects.path(key), sample)
        if found is None:
            seconds, name = self._library.settings.link_s, filename_of(sample, "mp3")
            found = await asyncio.to_thread(objects.link, key, seconds, name, media_type)
        return StoredFile(found, key, media_type)

    async def origins(self) -> tuple[str, ...]:
        """Of files that are handed out by links to a bucket; as far as that is known now."""
        if self._origin is None or (self._origin.done() and self._origin.exception()):
            self._origin = asyncio.create_task(asyncio.to_thread(self._find_origin))
        await asyncio.wait([self._origin], timeout=ORIGIN_WITHIN_S)
        found = None
        if self._origin.done() and not self._origin.exception():
            found = self._origin.result()
        return () if found is None else (found,)

    def _find_origin(self) -> str | None:
        """Where a link to any file leads; None where this service sends them itself."""
        link = self._library.objects.link("nothing", 60, "nothing")
        return None if link is None else "{0.scheme}://{0.netloc}".format(urlsplit(link))

    async def size(self, key: str) -> int:
        """Bytes of an object. Raises `ObjectNotFound`."""
        return await asyncio.to_thread(self._library.objects.size, key)

    def read(self, key: str, at: int, size: int) -> bytes:
        """Some bytes of an object; not for an event loop."""
        return self._library.objects.read(key, at, at + size)

    # --- what was found out

    async def results(self, track_id: int) -> Results:
        """Raises `SampleNotFound`."""
        sample = await self._get(track_id)
        twins = []
        if sample.status == "ready":
            twins = [
                Twin(track=track, score=round(score, 4), offset_s=round(offset_s, 2))
                for track, score, offset_s in await self._sound.twins(track_id)
            ]
        return Results(
            track_id=track_id,
            status=sample.status,
            sample=_sample(sample),
            matches=Matches(library=twins, outside=sample.matches),
        )

    async def similar(self, track_id: int, wanted: WantedTracks) -> SimilarTracksResponse:
        """Raises `SampleNotFound`, `SampleNotReady`, `TrackNotFound`."""
        await self._ready(track_id)
        return await self._sound.similar(track_id, wanted)

    async def _get(self, track_id: int) -> Sample:
        return await self._library.samples.get(track_id, current_caller())

    async def _ready(self, track_id: int) -> Sample:
        sample = await self._get(track_id)
        if sample.status in ("failed", "cancelled"):
            raise SampleNotReady(
                f"Track {track_id} is {sample.status}: there is nothing of it. "
                f"{API}/jobs/{sample.job_id} says why; it can be tried again or deleted."
            )
        if sample.status != "ready":
            raise SampleNotReady(
                f"Track {track_id} is {sample.status}: there is nothing of it to be had yet. See "
                f"{API}/jobs/{sample.job_id}."
            )
        return sample


def _check_shared(sample: Sample) -> None:
    if not sample.audio_shared and sample.licence is None:
        raise AudioNotShared(
            f"Who added track {sample.track_id} wants its audio kept here (audio_shared): it is "
            "found by its sound and handed out to nobody."
        )
    if not sample.audio_shared:
        raise AudioNotShared(
            f"The licence of track {sample.track_id} does not let this service hand out its audio."
        )


def _event_id(job: Job) -> str:
    return f"{job.attempt}-{job.state}-{job.step or 'none'}-{job.progress:.3f}"


def _job(job: Job) -> JobModel:
    own = {name: getattr(job, name) for name in JobModel.model_fields if name != "error"}
    return JobModel(**own | {"progress": round(job.progress, 3)}, error=failure(job.error))


_OWN = tuple(
    name
    for name in SampleModel.model_fields
    if name not in ("sample_id", "error", "audio_url", "waveform_url", "preview_url")
)


def _sample(sample: Sample) -> SampleModel:
    prefix, track_id = prefix_here(), sample.track_id
    ready = sample.status == "ready"
    heard = ready and sample.audio_shared
    track = f"{prefix}/api/tracks/{track_id}"
    return SampleModel(
        **{name: getattr(sample, name) for name in _OWN},
        sample_id=track_id,
        error=failure(sample.error),
        audio_url=f"{track}/audio" if heard else None,
        waveform_url=f"{track}/waveform" if ready else None,
        preview_url=f"{prefix}{API}/results/{track_id}/preview" if heard else None,
    )
