"""What the library writes down: its tables, the same on SQLite and on PostgreSQL.

    samples ─┬─ jobs ── steps     what is held, who makes it, what of that is finished
             ├─ sample_words      the words a sample is found by
             └─ changes           the last change of each track, numbered in the order of commits
    feed                          one row: the number of the last change
    leavings                      contents whose objects no sample names any longer
    creators, usage, workers, secrets

A table changes by a migration beside this (`migrations/`); a test compares what the migrations
make with what is told here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

State = Literal["queued", "running", "done", "failed", "cancelled"]
ACTIVE: tuple[State, ...] = ("queued", "running")
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
STATES: tuple[State, ...] = get_args(State)

Status = Literal["processing", "ready", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = get_args(Status)

# Ids of artifacts lie below; those of JavaScript's numbers end at 2^53.
FIRST_TRACK_ID = 1_000_000_001

# Of a word, in the table of words. Longer ones are found by their beginning.
MOST_LETTERS = 64


class Moment(TypeDecorator[datetime]):
    """A point in time, in UTC, which SQLite keeps without saying so."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts up a column only where it is called INTEGER, which there has 64 bits.
Number = BigInteger().with_variant(Integer, "sqlite")
Digest = String(64)  # sha256 in hex; of a key, of a content, of a link


class Table(DeclarativeBase):
    """Base of all; `Table.metadata` is what the migrations are compared with."""


class SampleRow(Table):
    """A track to be, a track, or what became of it."""

    __tablename__ = "samples"

    track_id: Mapped[int] = mapped_column(
        Number, Identity(start=FIRST_TRACK_ID), primary_key=True, autoincrement=True
    )
    owner: Mapped[str] = mapped_column(Digest)
    # In whose library a content is there once: the owner's where it is private, else "".
    scope: Mapped[str] = mapped_column(Digest)
    status: Mapped[str] = mapped_column(String(16))
    # The job that makes it. No foreign key: the two would name each other.
    job_id: Mapped[str] = mapped_column(String(32))

    title: Mapped[str | None] = mapped_column(Text)
    artist: Mapped[str | None] = mapped_column(Text)
    album: Mapped[str | None] = mapped_column(Text)
    year: Mapped[int | None]
    genre: Mapped[str | None] = mapped_column(Text)
    creator: Mapped[str | None] = mapped_column(Text)
    # `creator` as `words.plain` writes it.
    creator_plain: Mapped[str | None] = mapped_column(Text)

    duration_s: Mapped[float | None]
    bpm: Mapped[float | None]
    key: Mapped[str | None] = mapped_column(String(16))
    loudness_lufs: Mapped[float | None]
    energy: Mapped[float | None]
    danceability: Mapped[float | None]
    # What else is known of it, as JSON: confidences, peak, media type, tags.
    details: Mapped[dict[str, Any]] = mapped_column(JSON)

    sha256: Mapped[str | None] = mapped_column(Digest)
    size: Mapped[int | None] = mapped_column(Number)
    source: Mapped[str] = mapped_column(String(32))
    url: Mapped[str | None] = mapped_column(Text)
    licence: Mapped[str | None] = mapped_column(Text)
    audio_shared: Mapped[bool]
    downloads: Mapped[int]
    # name → key in the store: mp3, wav, preview, waveform, peaks, heard, source.
    objects: Mapped[dict[str, str]] = mapped_column(JSON)
    # What outside catalogues know of it.
    matches: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    # The artifact whose catalogue holds it, once it was folded into one.
    folded: Mapped[str | None] = mapped_column(Text)

    created_at: Mapped[datetime] = mapped_column(Moment)
    ready_at: Mapped[datetime | None] = mapped_column(Moment)

    __table_args__ = (
        # One content, one track. A sample whose content is not known yet has no sha256, and of
        # those there may be many.
        UniqueConstraint("scope", "sha256", name="one_track_of_a_content"),
        Index("samples_of_a_content", "sha256"),
        Index("samples_of_an_owner", "owner", "track_id"),
        Index("samples_by_status", "status", "track_id"),
        Index("samples_by_tempo", "bpm"),
        Index("samples_by_key", "key"),
        Index("samples_by_creator", "creator_plain"),
        {"sqlite_autoincrement": True},
    )


class WordRow(Table):
    """A word, without its accents and its case, and a sample whose names have it."""

    __tablename__ = "sample_words"

    # Compared by its bytes: the words with one beginning lie side by side.
    word: Mapped[str] = mapped_column(
        String(MOST_LETTERS).with_variant(String(MOST_LETTERS, collation="C"), "postgresql"),
        primary_key=True,
    )
    track_id: Mapped[int] = mapped_column(
        Number, ForeignKey("samples.track_id", ondelete="CASCADE"), primary_key=True
    )

    __table_args__ = (Index("words_of_a_sample", "track_id"),)


class Attempted:
    """The columns of a job by which a `ledger` knows it: how far which attempt is."""

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(Digest)
    attempt: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    step: Mapped[str | None] = mapped_column(String(32))
    progress: Mapped[float]
    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    # The attempt that the workers' engine was told of, 0 before the first.
    enqueued_attempt: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class Stepped:
    """The columns of a step of a job, but whose it is."""

    step: Mapped[str] = mapped_column(String(32), primary_key=True)
    runs: Mapped[int]
    # Of `runs`, those of the attempt that is running.
    runs_of_attempt: Mapped[int]
    attempt: Mapped[int]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    began_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class JobRow(Attempted, Table):
    """What somebody asked for, and how far it is."""

    __tablename__ = "jobs"

    track_id: Mapped[int] = mapped_column(
        Number, ForeignKey("samples.track_id", ondelete="CASCADE")
    )
    scope: Mapped[str] = mapped_column(Digest)
    source: Mapped[str] = mapped_column(String(32))
    url: Mapped[str | None] = mapped_column(Text)
    # A link may be longer than a row of an index.
    url_digest: Mapped[str | None] = mapped_column(Digest)
    sha256: Mapped[str | None] = mapped_column(Digest)
    upload_key: Mapped[str | None] = mapped_column(Text)
    size: Mapped[int | None] = mapped_column(Number)
    fields: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (
        Index("jobs_by_state", "state", "updated_at"),
        Index("jobs_of_a_track", "track_id"),
        Index("jobs_of_a_link", "url_digest"),
        Index("jobs_of_an_owner", "owner", "created_at"),
    )


class StepRow(Stepped, Table):
    """A step of a job: how often it was begun, and what it gave once it had ended."""

    __tablename__ = "steps"

    job_id: Mapped[str] = mapped_column(
        String(32), ForeignKey("jobs.job_id", ondelete="CASCADE"), primary_key=True
    )


class ChangeRow(Table):
    """The last that happened to a track: it can be found, or no longer."""

    __tablename__ = "changes"

    # No foreign key: it outlives its sample.
    track_id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(Number)
    kind: Mapped[str] = mapped_column(String(8))

    __table_args__ = (Index("changes_in_order", "revision", unique=True),)


class FeedRow(Table):
    """The number of the last change, in its one row."""

    __tablename__ = "feed"

    feed: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(Number)


class LeavingRow(Table):
    """A content that no sample named when this was written: its objects are to be removed."""

    __tablename__ = "leavings"

    sha256: Mapped[str] = mapped_column(Digest, primary_key=True)
    since: Mapped[datetime] = mapped_column(Moment)
    # Who removes them at this moment, and since when.
    remover: Mapped[str | None] = mapped_column(String(32))
    claimed_at: Mapped[datetime | None] = mapped_column(Moment)


class CreatorRow(Table):
    """Who made what a source holds, as it told when it was last asked."""

    __tablename__ = "creators"

    source: Mapped[str] = mapped_column(String(32), primary_key=True)
    handle: Mapped[str] = mapped_column(String(255), primary_key=True)
    name: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    asked_at: Mapped[datetime] = mapped_column(Moment)


class UsageRow(Table):
    """What a key has added on a day (UTC), also where it is gone again."""

    __tablename__ = "usage"

    owner: Mapped[str] = mapped_column(Digest, primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)  # 2026-11-28
    jobs: Mapped[int]
    size: Mapped[int] = mapped_column(Number)  # bytes


class WorkerRow(Table):
    """A process that works, and when it last said so."""

    __tablename__ = "workers"

    worker: Mapped[str] = mapped_column(String(128), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(Moment)
    beat_at: Mapped[datetime] = mapped_column(Moment)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class SecretRow(Table):
    """What every process that answers must know and nobody else may: what signs links."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
