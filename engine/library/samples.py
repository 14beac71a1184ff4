"""What a library holds: found by words, tempo and key, told of as it changes, and let go of.

`track_id` is what a sample is called everywhere; it is never given twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, func, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.base.database import bounded
from engine.base.errors import InvalidRequest, SampleNotFound
from engine.library.database import Database
from engine.library.records import (
    NAMES,
    Failure,
    Kind,
    announce,
    failure_of,
    fit,
    hold_library,
    keep_words,
    leave,
    named_in,
    now,
)
from engine.library.tables import (
    ACTIVE,
    STATUSES,
    ChangeRow,
    JobRow,
    SampleRow,
    Status,
    WordRow,
)
from engine.library.words import asked_bpm, asked_key, asked_ranges, key_named, plain

# Told by whoever knows first: the caller, then the source, then the file's own tags.
_TOLD = (*NAMES, "year", "genre", "url", "licence")
_MEASURED = ("duration_s", "bpm", "loudness_lufs", "energy", "danceability", "size")
_MOST_ASKED = 500
_MOST = 2**62  # as far as a database counts


@dataclass(frozen=True)
class Sample:
    """A sample as it was when it was asked about. What is not known is None."""

    track_id: int
    owner: str
    status: Status
    job_id: str
    error: Failure | None  # of its job
    title: str | None
    artist: str | None
    album: str | None
    year: int | None
    genre: str | None
    creator: str | None
    duration_s: float | None
    bpm: float | None
    key: str | None  # "A minor", as `words.key_named` writes it
    loudness_lufs: float | None
    energy: float | None  # 0 … 1
    danceability: float | None  # 0 … 1
    details: dict[str, Any]
    sha256: str | None
    size: int | None  # bytes
    source: str
    url: str | None
    licence: str | None
    audio_shared: bool
    downloads: int
    objects: dict[str, str]  # name → key in the store
    matches: list[dict[str, Any]]
    folded: str | None
    created_at: datetime
    ready_at: datetime | None
    filename: str | None = None  # of what was uploaded, as its sender called it


@dataclass(frozen=True)
class Page:
    """Some of the samples that were asked for, newest first, and how many those are in all."""

    total: int
    samples: list[Sample]


@dataclass(frozen=True)
class Change:
    """A track can be found (`ready`, with its sample), or no longer (`gone`)."""

    revision: int
    track_id: int
    kind: Kind
    sample: Sample | None


@dataclass(frozen=True)
class Changes:
    """What changed, in the order of the commits, and the cursor to ask from next time."""

    changes: list[Change]
    cursor: int


@dataclass(frozen=True)
class Deleted:
    """A sample that is gone, and the attempts (`Job.workflow_id`) that were still at it."""

    sample: Sample
    workflow_ids: list[str]


class Samples:
    """All samples of a library. `owner` is who asks: where the library is private, others' samples
    are not there for them; None asks for all, as a worker does."""

    def __init__(self, database: Database, *, private: bool = False) -> None:
        self._database = database
        self._private = private

    async def get(self, track_id: int, owner: str | None = None) -> Sample:
        """Raises `SampleNotFound`."""
        async with self._database.reading() as connection:
            return await self._one(connection, track_id, owner)

    async def get_many(
        self, track_ids: Iterable[int], owner: str | None = None
    ) -> dict[int, Sample]:
        """Those of these that there are."""
        asked, found = [bounded(track_id) for track_id in track_ids], {}
        async with self._database.reading() as connection:
            for begin in range(0, len(asked), _MOST_ASKED):
                part = asked[begin : begin + _MOST_ASKED]
                these = self._seen(_SAMPLES, owner).where(SampleRow.track_id.in_(part))
                for row in await connection.execute(these):
                    found[row.track_id] = _sample(row)
        return found

    async def page(
        self,
        owner: str | None = None,
        *,
        q: str = "",
        status: str | None = None,
        bpm: str | None = None,
        key: str | None = None,
        creator: str | None = None,
        offset: int = 0,
        limit: int = 20,
    ) -> Page:
        """Newest first. `q`: words of title, artist, album and creator, of which the last letters
        may be missing; `bpm`: a number, ± 2, or a range; `key`: "A minor" or "Am". Raises
        `InvalidRequest`."""
        which = [
            *_with_words(q),
            *_with_status(status),
            *_with_tempo(bpm),
            *([SampleRow.key == asked_key(key)] if key else []),
            *([SampleRow.creator_plain == plain(creator)] if creator else []),
        ]
        these = self._seen(select(SampleRow.track_id), owner).where(*which)
        # Only what is on the page is read whole.
        newest = these.order_by(SampleRow.track_id.desc())
        some = newest.offset(min(offset, _MOST)).limit(min(limit, _MOST)).subquery()
        asked = _SAMPLES.where(SampleRow.track_id.in_(select(some.c.track_id)))
        async with self._database.reading() as connection:
            total = await connection.scalar(select(func.count()).select_from(these.subquery()))
            rows = await connection.execute(asked.order_by(SampleRow.track_id.desc()))
            return Page(total or 0, [_sample(row) for row in rows])

    async def describe(self, job_id: str, attempt: int, told: Mapping[str, Any]) -> bool:
        """What a source tells of it: title, artist, album, year, genre, creator, url, licence,
        audio_shared; what is known already stays. Anything else goes into `details`. False: the job
        is no longer this attempt's."""
        async with self._database.writing() as connection:
            sample = await _made_by(connection, job_id, attempt)
            if sample is None:
                return False
            await _tell(connection, sample, told)
            return True

    async def finish(
        self, job_id: str, attempt: int, facts: Mapping[str, Any], objects: Mapping[str, str]
    ) -> bool:
        """From now on it can be found: its facts (as those of `describe`, and what was measured:
        duration_s, bpm, key, loudness_lufs, energy, danceability), its objects, its words and the
        change are one transaction. False: the job is no longer this attempt's."""
        async with self._database.writing() as connection:
            sample = await _made_by(connection, job_id, attempt)
            if sample is None:
                return False
            ready = {"status": "ready", "objects": fit(dict(objects))}
            await _tell(connection, sample, facts, ready_at=sample.ready_at or now(), **ready)
            await announce(connection, sample.track_id, "ready")
            return True

    async def heard_again(self, track_id: int) -> bool:
        """What was heard of it is another: who holds it is told. False: it is not ready."""
        async with self._database.writing() as connection:
            which = (SampleRow.track_id == bounded(track_id), SampleRow.status == "ready")
            asked = select(SampleRow.track_id).where(*which).with_for_update()
            if await connection.scalar(asked) is None:
                return False
            await announce(connection, track_id, "ready")
            return True

    async def matched(self, track_id: int, matches: Iterable[Mapping[str, Any]]) -> None:
        """What outside catalogues know of it."""
        told = fit([dict(match) for match in matches])
        async with self._database.writing() as connection:
            which = SampleRow.track_id == bounded(track_id)
            await connection.execute(update(SampleRow).where(which).values(matches=told))

    async def count_download(self, track_id: int, owner: str | None = None) -> int:
        """One more; how many that makes. Raises `SampleNotFound`."""
        async with self._database.writing() as connection:
            counted = (
                update(SampleRow)
                .where(SampleRow.track_id == bounded(track_id), self._owned(owner))
                .values(downloads=SampleRow.downloads + 1)
                .returning(SampleRow.downloads)
            )
            downloads = (await connection.execute(counted)).scalar_one_or_none()
            if downloads is None:
                raise _absent(track_id)
            return downloads

    async def mark_folded(self, track_ids: Iterable[int], artifact: str) -> None:
        """These are in the catalogue of an artifact, too."""
        ids = [bounded(track_id) for track_id in track_ids]
        async with self._database.writing() as connection:
            for begin in range(0, len(ids), _MOST_ASKED):
                which = SampleRow.track_id.in_(ids[begin : begin + _MOST_ASKED])
                await connection.execute(update(SampleRow).where(which).values(folded=artifact))

    async def delete(self, track_id: int, owner: str | None = None) -> Deleted:
        """Let go of a sample, its jobs and words; a worker that is at it stops. That it is gone and
        what is to be removed from the store are written down in the same transaction. Raises
        `SampleNotFound`."""
        async with self._database.writing() as connection:
            asked = select(SampleRow.scope).where(SampleRow.track_id == bounded(track_id))
            await hold_library(self._database, connection, await connection.scalar(asked) or "")
            sample = await self._one(connection, track_id, owner)
            gone = (
                delete(JobRow)
                .where(JobRow.track_id == track_id)
                .returning(JobRow.job_id, JobRow.attempt, JobRow.state)
            )
            jobs = (await connection.execute(gone)).all()
            await connection.execute(delete(SampleRow).where(SampleRow.track_id == track_id))
            await leave(connection, sample.sha256)
            await announce(connection, track_id, "gone")
            at_it = [f"{job.job_id}.{job.attempt}" for job in jobs if job.state in ACTIVE]
            return Deleted(sample, at_it)

    async def changes_since(self, cursor: int, limit: int = 1_000) -> Changes:
        """The last change of each track that changed after `cursor` (0: of all), at most `limit`;
        none below the cursor that is answered comes later (`records.announce`)."""
        changed = (ChangeRow.revision, ChangeRow.kind, ChangeRow.track_id.label("changed"))
        asked = (
            select(SampleRow, *_OF_JOB, *changed)
            .select_from(ChangeRow)
            .join(SampleRow, SampleRow.track_id == ChangeRow.track_id, isouter=True)
            .join(JobRow, JobRow.job_id == SampleRow.job_id, isouter=True)
            .where(ChangeRow.revision > bounded(cursor))
            .order_by(ChangeRow.revision)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            changes = [_change(row) for row in await connection.execute(asked)]
        return Changes(changes, changes[-1].revision if changes else cursor)

    async def ready_ids(self) -> dict[int, tuple[str, int]]:
        """Every track that can be found: its owner, and the revision it last changed in."""
        asked = (
            select(SampleRow.track_id, SampleRow.owner, ChangeRow.revision)
            .join(ChangeRow, ChangeRow.track_id == SampleRow.track_id)
            .where(SampleRow.status == "ready")
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(asked)
            return {row.track_id: (row.owner, row.revision) for row in rows}

    async def any_private(self) -> bool:
        """Whether something was added while the library was private: it is its owner's alone."""
        asked = select(SampleRow.track_id).where(SampleRow.scope != "").limit(1)
        async with self._database.reading() as connection:
            return (await connection.execute(asked)).first() is not None

    def _owned(self, owner: str | None) -> Any:
        return SampleRow.owner == owner if self._private and owner is not None else true()

    def _seen(self, asked: Any, owner: str | None) -> Any:
        return asked.where(self._owned(owner))

    async def _one(self, connection: AsyncConnection, track_id: int, owner: str | None) -> Sample:
        asked = self._seen(_SAMPLES, owner).where(SampleRow.track_id == bounded(track_id))
        row = (await connection.execute(asked)).one_or_none()
        if row is None:
            raise _absent(track_id)
        return _sample(row)


# Of the job that makes it: its failure, and what it was told.
_OF_JOB = (JobRow.error_code, JobRow.error_message, JobRow.fields.label("told"))
_SAMPLES: Any = select(SampleRow, *_OF_JOB).join(
    JobRow, JobRow.job_id == SampleRow.job_id, isouter=True
)


def _absent(track_id: int) -> SampleNotFound:
    return SampleNotFound(
        f"There is no sample {track_id}. See /api/v1/samples for those there are."
    )


def _with_words(q: str) -> list[Any]:
    """Text without a word finds none, no text at all finds every sample."""
    ranges = asked_ranges(q)
    if not ranges:
        return [] if not q.strip() else [SampleRow.track_id < 0]
    return [
        SampleRow.track_id.in_(
            select(WordRow.track_id).where(WordRow.word >= first, WordRow.word <= last)
        )
        for first, last in ranges
    ]


def _with_status(status: str | None) -> list[Any]:
    if not status:
        return []
    if status not in STATUSES:
        raise InvalidRequest(f"status={status[:50]!r} is none of {', '.join(STATUSES)}.")
    return [SampleRow.status == status]


def _with_tempo(bpm: str | None) -> list[Any]:
    if not bpm:
        return []
    low, high = asked_bpm(bpm)
    return [SampleRow.bpm >= low, SampleRow.bpm <= high]


async def _made_by(connection: AsyncConnection, job_id: str, attempt: int) -> Any:
    """The row of the sample that an attempt makes, nobody else's until the transaction ends; None
    where the job is no longer this attempt's."""
    touched = (
        update(JobRow)
        .where(JobRow.job_id == job_id, JobRow.attempt == attempt, JobRow.state.in_(ACTIVE))
        .values(updated_at=now())
        .returning(JobRow.track_id)
    )
    track_id = (await connection.execute(touched)).scalar_one_or_none()
    asked = select(SampleRow).where(SampleRow.track_id == track_id, SampleRow.job_id == job_id)
    return (await connection.execute(asked.with_for_update())).one_or_none()


async def _tell(
    connection: AsyncConnection, sample: Any, told: Mapping[str, Any], **values: Any
) -> None:
    """Facts → columns of a sample whose row is held, the rest into its details; and its words."""
    facts = {name: fit(value) for name, value in told.items() if value is not None}
    known = {name: getattr(sample, name) for name in _TOLD}
    names = dict.fromkeys(_TOLD) | named_in({n: facts.pop(n, None) for n in _TOLD}, _TOLD)
    values |= {name: names[name] if known[name] is None else known[name] for name in _TOLD}
    values |= {name: facts.pop(name) for name in _MEASURED if name in facts}
    if "audio_shared" in facts:  # a source may forbid what its caller allowed, not the reverse
        values["audio_shared"] = bool(facts.pop("audio_shared")) and sample.audio_shared
    if "key" in facts:
        values["key"] = key_named(str(facts.pop("key")))
    values["details"] = {**sample.details, **facts}
    values["creator_plain"] = plain(values["creator"]) if values["creator"] else None
    which = SampleRow.track_id == sample.track_id
    await connection.execute(update(SampleRow).where(which).values(values))
    await keep_words(connection, sample.track_id, (values[name] for name in NAMES))


def _sample(row: Any) -> Sample:
    of_job = ("error", "filename")
    values = {one.name: getattr(row, one.name) for one in fields(Sample) if one.name not in of_job}
    return Sample(**values, error=failure_of(row), filename=(row.told or {}).get("filename"))


def _change(row: Any) -> Change:
    sample = _sample(row) if row.kind == "ready" and row.track_id is not None else None
    return Change(row.revision, row.changed, cast("Kind", row.kind), sample)
