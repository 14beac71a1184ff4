"""What voice writes down, beside the library's tables and in the same database.

    voice_sessions ── voice_jobs ── voice_steps    who sings beside what; what is done for that
                   └─ voice_results                what came of each analysis
    voice_references                               what was made of a reference, by its content

The library's migrations make them (`engine.library.migrations`): a database has one line of these.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from engine.library.tables import Attempted, Digest, Moment, Number, Stepped, Table

# What a job is for: to make a reference ready, to judge a take, to tell when words are sung.
Kind = Literal["reference", "take", "words"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class SessionRow(Table):
    """Somebody sings beside a reference: what is known of it, and what came of it."""

    __tablename__ = "voice_sessions"

    session_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(Digest)

    title: Mapped[str | None] = mapped_column(Text)
    artist: Mapped[str | None] = mapped_column(Text)
    album: Mapped[str | None] = mapped_column(Text)
    bpm: Mapped[float | None]
    # Of an artifact or of the library: no foreign key, as either may go.
    track_id: Mapped[int | None] = mapped_column(Number)
    url: Mapped[str | None] = mapped_column(Text)
    audio_shared: Mapped[bool]

    # Where the reference's sound is: {"kind": sample|artifact|link|file, …}.
    source: Mapped[dict[str, Any]] = mapped_column(JSON)
    # What was made of it, once its content is known.
    reference_id: Mapped[str | None] = mapped_column(String(32))
    # Words as the caller sent them; lines as they were found or parsed.
    words: Mapped[str | None] = mapped_column(Text)
    lyrics: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    lyrics_offset_s: Mapped[float]

    # The take that came last: {"take", "key", "size", "received_at"}; and the results that did.
    recording: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    results: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    score: Mapped[float | None]
    analyzed_at: Mapped[datetime | None] = mapped_column(Moment)

    created_at: Mapped[datetime] = mapped_column(Moment)
    # When its audio was removed.
    silent_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (
        Index("voice_sessions_of_an_owner", "owner", "created_at"),
        Index("voice_sessions_with_audio", "silent_at", "created_at"),
        Index("voice_sessions_of_a_reference", "reference_id"),
    )


class VoiceJobRow(Attempted, Table):
    """What a worker does for a session, or for the words of a track."""

    __tablename__ = "voice_jobs"

    kind: Mapped[str] = mapped_column(String(16))
    session_id: Mapped[str | None] = mapped_column(
        String(32), ForeignKey("voice_sessions.session_id", ondelete="CASCADE")
    )
    # What it is asked for: of a take {"take", "transposition", "language"}.
    asked: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Of words: whose.
    track_id: Mapped[int | None] = mapped_column(Number)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = (
        # PostgreSQL and SQLite alike: of jobs without a session there may be many.
        UniqueConstraint("session_id", "kind", name="one_job_of_a_kind"),
        Index("voice_jobs_by_state", "state", "updated_at"),
        Index("voice_jobs_of_a_track", "track_id", "kind"),
    )


class VoiceStepRow(Stepped, Table):
    """A step of a job."""

    __tablename__ = "voice_steps"

    job_id: Mapped[str] = mapped_column(
        String(32), ForeignKey("voice_jobs.job_id", ondelete="CASCADE"), primary_key=True
    )


class ResultRow(Table):
    """What came of an analysis that ended: of the same take once more, or of another one."""

    __tablename__ = "voice_results"

    session_id: Mapped[str] = mapped_column(
        String(32), ForeignKey("voice_sessions.session_id", ondelete="CASCADE"), primary_key=True
    )
    # The attempt of the job that judges; 0: the last one before there was this table.
    analysis: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    results: Mapped[dict[str, Any]] = mapped_column(JSON)
    score: Mapped[float | None]
    analyzed_at: Mapped[datetime] = mapped_column(Moment)


class ReferenceRow(Table):
    """What was made of one content, remembered while somebody needs it. A row that is gone is
    found no more; its objects are removed after that, and then the row."""

    __tablename__ = "voice_references"

    reference_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sha256: Mapped[str] = mapped_column(Digest)
    # It is of an artifact's track, which stays: so does this, for as long as somebody sings it now
    # and then. Of a track of the library it stays no longer than that does.
    lasting: Mapped[bool]
    # Step → what it told: {"version", "objects": {name: key}, …}.
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    used_at: Mapped[datetime] = mapped_column(Moment)
    gone: Mapped[bool]

    __table_args__ = (
        Index("voice_references_of_a_content", "sha256"),
        Index("voice_references_by_use", "gone", "used_at"),
    )
