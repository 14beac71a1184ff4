"""Who sings beside what, what was recorded, and what came of it.

Each change is one transaction. A session is its key's alone: `owner` None is a worker.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.base.errors import AudioExpired, SessionNotFound, SessionNotReady
from engine.library.database import Database
from engine.library.records import fit, named_in, now
from engine.voice.jobs import add, end, of_session, queue_again
from engine.voice.lyrics.lines import Lyrics
from engine.voice.records import Session, VoiceJob, session_of
from engine.voice.tables import (
    ReferenceRow,
    ResultRow,
    SessionRow,
    VoiceJobRow,
    VoiceStepRow,
)

FOLDER = "voice/sessions"
_MOST_ASKED = 500
# Results of so many analyses of a session stay: one may be judged again and again for nothing.
MOST_ANALYSES = 100
# So many tracks that were sung beside are told at most.
MOST_RECENT = 1_000
EXPIRED = (
    "The audio of this session was removed, as it is within two hours of its start. Begin a new "
    "session."
)
NO_REFERENCE = (
    "The reference of this session could not be had. Send another one to fallback-source."
)
_OF_RESULTS = ("results", "score", "analyzed_at")
# A session as it was told by one of its analyses.
_JUDGED = (
    *(column for column in SessionRow.__table__.c if column.name not in _OF_RESULTS),
    *(getattr(ResultRow, name) for name in _OF_RESULTS),
    ResultRow.analysis,
)
# Of a take, what its transposition, language and words may change.
JUDGED = ("align", "score", "jury")


@dataclass(frozen=True)
class Reference:
    """What is to be sung beside: names, and where its sound is, as JSON:
    {"kind": "sample", "key", "sha256"}, {"kind": "file", "key", "sha256", "called"},
    {"kind": "artifact"}, {"kind": "link", "url"}."""

    source: Mapping[str, Any]
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    bpm: float | None = None
    track_id: int | None = None
    audio_shared: bool = True
    words: str | None = None

    def columns(self) -> dict[str, Any]:
        named = ("title", "artist", "album", "bpm", "track_id", "audio_shared", "words")
        told = {name: fit(getattr(self, name)) for name in named}
        url = self.source.get("url")
        return {**told, "source": fit(dict(self.source)), "url": fit(url)}


@dataclass(frozen=True)
class Recording:
    """A take that is in the store under `key`; `take` tells it from others of its session."""

    take: str
    key: str
    size: int  # bytes

    def column(self) -> dict[str, Any]:
        at = now().isoformat()
        return {"take": self.take, "key": self.key, "size": self.size, "received_at": at}


@dataclass(frozen=True)
class Wish:
    """How a take is to be judged."""

    language: Literal["en", "fr"] = "en"
    transposition: int = 0  # semitones of the singer above the reference
    details: Mapping[str, Any] = field(default_factory=dict)

    def asked(self, take: str | None) -> dict[str, Any]:
        told = {"language": self.language, "transposition": self.transposition}
        return {"take": take, **told, **self.details}


def new_id() -> str:
    return uuid.uuid4().hex


def folder_of(session_id: str) -> str:
    """Where the objects of a session lie."""
    return f"{FOLDER}/{session_id}"


class Sessions:
    """All of them; for services and workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- what singers ask

    async def start(self, session_id: str, owner: str, reference: Reference) -> Session:
        """Write a session down, and the job that makes its reference ready."""
        async with self._database.writing() as connection:
            known = select(SessionRow.session_id).where(SessionRow.session_id == session_id)
            if await connection.scalar(known) is None:
                await connection.execute(
                    insert(SessionRow).values(
                        session_id=session_id,
                        owner=owner,
                        lyrics_offset_s=0.0,
                        created_at=now(),
                        **reference.columns(),
                    )
                )
                await add(connection, "reference", owner, _kind(reference), session_id=session_id)
            return await self._whole(connection, session_id)

    async def get(self, session_id: str, owner: str | None) -> Session:
        """Raises `SessionNotFound`."""
        async with self._database.reading() as connection:
            row = await self._row(connection, session_id, owner)
            return await self._whole(connection, row.session_id)

    async def replace(self, session_id: str, owner: str, reference: Reference) -> Session:
        """Another sound in the place of the reference's; what the session calls it stays where the
        new one is not called. Raises `SessionNotFound`, `SessionNotReady`, `AudioExpired`."""
        async with self._database.writing() as connection:
            session = await self._with_audio(connection, session_id, owner)
            jobs = session.jobs or {}
            if any(job.is_active for job in jobs.values()):
                raise SessionNotReady("This session is being worked on. Wait until that has ended.")
            told = reference.columns()
            kept = ("title", "artist", "album", "bpm", "words")
            for name in kept:
                told[name] = told[name] if told[name] is not None else getattr(session, name)
            await self._set(connection, session_id, **told, reference_id=None, lyrics=None)
            await queue_again(connection, jobs["reference"], _kind(reference), forget=None)
            if "take" in jobs:
                await _unjudge(connection, jobs["take"])
            return await self._whole(connection, session_id)

    async def record(self, session_id: str, owner: str, recording: Recording) -> Session:
        """A take in the place of the one before. Raises `SessionNotFound`, `SessionNotReady`,
        `AudioExpired`."""
        async with self._database.writing() as connection:
            session = await self._with_audio(connection, session_id, owner)
            judging = session.judging
            if judging is not None and judging.is_active:
                raise SessionNotReady(
                    "The recording before this one is being judged. Wait until that has ended."
                )
            if session.take != recording.take:
                await self._set(connection, session_id, recording=recording.column())
            return await self._whole(connection, session_id)

    async def analyze(self, session_id: str, owner: str, wish: Wish) -> Session:
        """Have the take judged; one that is being judged so goes on. Raises `SessionNotFound`,
        `SessionNotReady`, `AudioExpired`."""
        async with self._database.writing() as connection:
            session = await self._with_audio(connection, session_id, owner)
            if session.take is None:
                raise SessionNotReady(
                    "There is no recording in this session yet. Send one to upload-recording."
                )
            judging = session.judging
            if session.has_no_reference:
                raise SessionNotReady(NO_REFERENCE)
            asked = wish.asked(session.take)
            if judging is None:
                await add(connection, "take", session.owner, asked, session_id=session_id)
            elif not judging.is_active:
                same = judging.asked.get("take") == session.take
                await queue_again(connection, judging, asked, forget=JUDGED if same else None)
            elif judging.asked != asked:
                raise SessionNotReady(
                    "The recording is being judged already. Wait until that has ended."
                )
            return await self._whole(connection, session_id)

    async def move_lyrics(self, session_id: str, owner: str, seconds: float) -> Session:
        """Have the words sung so much later. Raises `SessionNotFound`."""
        async with self._database.writing() as connection:
            await self._row(connection, session_id, owner)
            await self._set(connection, session_id, lyrics_offset_s=seconds)
            return await self._whole(connection, session_id)

    async def delete(self, session_id: str, owner: str) -> Session:
        """It is gone, with its results; its objects are to be removed. Raises `SessionNotFound`."""
        async with self._database.writing() as connection:
            await self._row(connection, session_id, owner)
            session = await self._whole(connection, session_id)
            gone = delete(SessionRow).where(SessionRow.session_id == session_id)
            await connection.execute(gone)
            return session

    async def history(self, owner: str, limit: int) -> list[Session]:
        """What was judged, newest first: a session for each of its analyses."""
        newest = (
            select(*_JUDGED)
            .join(ResultRow, ResultRow.session_id == SessionRow.session_id)
            .where(SessionRow.owner == owner)
            .order_by(ResultRow.analyzed_at.desc(), ResultRow.session_id, ResultRow.analysis.desc())
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(newest.limit(limit))
            return [session_of(row) for row in rows]

    async def analyzed(self, session_id: str, owner: str, analysis: int) -> Session:
        """A session with the results of one of its analyses. Raises `SessionNotFound`."""
        session = await self.get(session_id, owner)
        this = (ResultRow.session_id == session_id, ResultRow.analysis == analysis)
        async with self._database.reading() as connection:
            row = (await connection.execute(select(ResultRow).where(*this))).one_or_none()
        if row is None:
            raise SessionNotFound(
                f"There is no analysis {analysis} of this session. See /api/results/history."
            )
        told = {name: getattr(row, name) for name in (*_OF_RESULTS, "analysis")}
        return replace(session, **told)

    async def recent_tracks(self, owner: str) -> list[int]:
        """Tracks that were sung beside, the last one first, each once. Who chose one and recorded
        nothing did not sing."""
        asked = (
            select(SessionRow.track_id)
            .where(SessionRow.owner == owner, SessionRow.track_id.is_not(None))
            .where(SessionRow.recording.is_not(None))
            .group_by(SessionRow.track_id)
            .order_by(func.max(SessionRow.created_at).desc())
            .limit(MOST_RECENT)
        )
        async with self._database.reading() as connection:
            return [one for one in await connection.scalars(asked) if one is not None]

    # --- what workers tell

    async def known_reference(self, session_id: str, reference_id: str) -> bool:
        """What is made of its content is this. False: the session is gone, or its audio is."""
        return await self._tell(session_id, reference_id=reference_id)

    async def described(self, session_id: str, told: Mapping[str, Any]) -> bool:
        """What a source says of a reference, where the singer did not."""
        async with self._database.writing() as connection:
            asked = select(SessionRow).where(SessionRow.session_id == session_id).with_for_update()
            row = (await connection.execute(asked)).one_or_none()
            if row is None:
                return False
            named = named_in(told, ("title", "artist", "album"))
            new = {name: said for name, said in named.items() if getattr(row, name) is None}
            if told.get("audio_shared") is False:
                new["audio_shared"] = False
            if new:
                await self._set(connection, session_id, **new)
            return True

    async def found_lyrics(self, session_id: str, lyrics: Lyrics | None) -> bool:
        told = None if lyrics is None else fit(lyrics.to_json())
        return await self._tell(session_id, lyrics=told)

    async def judged(self, session_id: str, analysis: int, results: Mapping[str, Any]) -> bool:
        """What came of a take, once more where it was told before; it stays when the audio is gone.
        False: the session is gone."""
        told = fit(dict(results))
        values = {"results": told, "score": told.get("score"), "analyzed_at": now()}
        over = ResultRow.analysis <= analysis - MOST_ANALYSES
        which = (ResultRow.session_id == session_id, over | (ResultRow.analysis == analysis))
        async with self._database.writing() as connection:
            there = await self._set(connection, session_id, **values)
            if there:
                named = {"session_id": session_id, "analysis": analysis}
                await connection.execute(delete(ResultRow).where(*which))
                await connection.execute(insert(ResultRow).values(**named, **values))
            return there

    # --- what is removed in time

    async def expired(self, begun_before: datetime, begun_after: datetime) -> list[str]:
        """Sessions that began before the one moment, or after the other, and whose audio may be
        there still."""
        began = SessionRow.created_at
        asked = select(SessionRow.session_id).where(
            SessionRow.silent_at.is_(None), (began <= begun_before) | (began > begun_after)
        )
        async with self._database.reading() as connection:
            return list(await connection.scalars(asked))

    async def silence(self, session_id: str) -> None:
        """Its audio is removed from now on: nothing more is done with it, and nothing is added."""
        async with self._database.writing() as connection:
            for job in (await of_session(connection, session_id)).values():
                if job.is_active:
                    await end(connection, job, "failed", AudioExpired.code, EXPIRED)
                # What steps told is for a next attempt, and there is none without audio.
                await connection.execute(
                    delete(VoiceStepRow).where(VoiceStepRow.job_id == job.job_id)
                )
            await self._set(connection, session_id, silent_at=now())

    async def living(self, session_ids: Collection[str]) -> dict[str, bool]:
        """Those of these that there are, and whether they have their audio yet."""
        asked, found = sorted(session_ids), dict[str, bool]()
        async with self._database.reading() as connection:
            for begin in range(0, len(asked), _MOST_ASKED):
                these = SessionRow.session_id.in_(asked[begin : begin + _MOST_ASKED])
                rows = select(SessionRow.session_id, SessionRow.silent_at).where(these)
                found |= {one: at is None for one, at in await connection.execute(rows)}
        return found

    # --- rows

    async def _whole(self, connection: AsyncConnection, session_id: str) -> Session:
        row = await self._row(connection, session_id, None)
        session = session_of(row)
        facts = None
        if session.reference_id is not None:
            asked = select(ReferenceRow.facts).where(
                ReferenceRow.reference_id == session.reference_id
            )
            facts = await connection.scalar(asked)
        return session.of(await of_session(connection, session_id), facts)

    async def _with_audio(
        self, connection: AsyncConnection, session_id: str, owner: str
    ) -> Session:
        """A session that nobody else changes until the transaction ends. Raises `SessionNotFound`,
        `AudioExpired`."""
        row = await self._row(connection, session_id, owner, held=True)
        if row.silent_at is not None:
            raise AudioExpired(EXPIRED)
        return await self._whole(connection, session_id)

    async def _row(
        self,
        connection: AsyncConnection,
        session_id: str,
        owner: str | None,
        *,
        held: bool = False,
    ) -> Row[Any]:
        asked = select(SessionRow).where(SessionRow.session_id == fit(session_id))
        row = (await connection.execute(asked.with_for_update() if held else asked)).one_or_none()
        if row is None or (owner is not None and row.owner != owner):
            raise SessionNotFound(
                f"There is no session {session_id[:50]!r}. Begin one by /api/session/start."
            )
        return row

    async def _set(self, connection: AsyncConnection, session_id: str, **values: Any) -> bool:
        this = SessionRow.session_id == session_id
        done = await connection.execute(update(SessionRow).where(this).values(**values))
        return bool(done.rowcount)

    async def _tell(self, session_id: str, **values: Any) -> bool:
        this = (SessionRow.session_id == session_id, SessionRow.silent_at.is_(None))
        async with self._database.writing() as connection:
            done = await connection.execute(update(SessionRow).where(*this).values(**values))
            return bool(done.rowcount)


def _kind(reference: Reference) -> dict[str, Any]:
    """What of a reference's source tells where its job waits."""
    return {"kind": reference.source["kind"]}


async def _unjudge(connection: AsyncConnection, job: VoiceJob) -> None:
    """What was judged was judged beside another reference: it is judged anew when that is asked."""
    this = VoiceJobRow.job_id == job.job_id
    await connection.execute(update(VoiceJobRow).where(this).values(asked={}))
