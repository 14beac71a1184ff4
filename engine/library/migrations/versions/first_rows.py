"""Samples, jobs and their steps, words, changes; creators, usage, workers, secrets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
DIGEST = sa.String(64)
# Its order is that of bytes, whatever the database's language.
WORD = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
FIRST_TRACK_ID = 1_000_000_001


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("track_id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("track_id"),
    )
    op.create_index("changes_in_order", "changes", ["revision"], unique=True)
    op.create_table(
        "creators",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("handle", sa.String(length=255), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("source", "handle"),
    )
    op.create_table(
        "feed",
        sa.Column("feed", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("feed"),
    )
    op.create_table(
        "leavings",
        sa.Column("sha256", DIGEST, nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("remover", sa.String(length=32), nullable=True),
        sa.Column("claimed_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_table(
        "samples",
        sa.Column("track_id", NUMBER, sa.Identity(start=FIRST_TRACK_ID), nullable=False),
        sa.Column("owner", DIGEST, nullable=False),
        sa.Column("scope", DIGEST, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("artist", sa.Text(), nullable=True),
        sa.Column("album", sa.Text(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("genre", sa.Text(), nullable=True),
        sa.Column("creator", sa.Text(), nullable=True),
        sa.Column("creator_plain", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Double(), nullable=True),
        sa.Column("bpm", sa.Double(), nullable=True),
        sa.Column("key", sa.String(length=16), nullable=True),
        sa.Column("loudness_lufs", sa.Double(), nullable=True),
        sa.Column("energy", sa.Double(), nullable=True),
        sa.Column("danceability", sa.Double(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("sha256", DIGEST, nullable=True),
        sa.Column("size", NUMBER, nullable=True),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("audio_shared", sa.Boolean(), nullable=False),
        sa.Column("downloads", sa.Integer(), nullable=False),
        sa.Column("objects", sa.JSON(), nullable=False),
        sa.Column("matches", sa.JSON(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ready_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("track_id"),
        sa.UniqueConstraint("scope", "sha256", name="one_track_of_a_content"),
        sqlite_autoincrement=True,
    )
    op.create_index("samples_by_creator", "samples", ["creator_plain"])
    op.create_index("samples_by_key", "samples", ["key"])
    op.create_index("samples_by_status", "samples", ["status", "track_id"])
    op.create_index("samples_by_tempo", "samples", ["bpm"])
    op.create_index("samples_of_a_content", "samples", ["sha256"])
    op.create_index("samples_of_an_owner", "samples", ["owner", "track_id"])
    op.create_table(
        "secrets",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "usage",
        sa.Column("owner", DIGEST, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("jobs", sa.Integer(), nullable=False),
        sa.Column("size", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("owner", "day"),
    )
    op.create_table(
        "workers",
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("beat_at", MOMENT, nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("worker"),
    )
    op.create_table(
        "jobs",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=True),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("track_id", NUMBER, nullable=False),
        sa.Column("error_code", DIGEST, nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("owner", DIGEST, nullable=False),
        sa.Column("scope", DIGEST, nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("url_digest", DIGEST, nullable=True),
        sa.Column("sha256", DIGEST, nullable=True),
        sa.Column("upload_key", sa.Text(), nullable=True),
        sa.Column("size", NUMBER, nullable=True),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("enqueued_attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["track_id"], ["samples.track_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id"),
    )
    op.create_index("jobs_by_state", "jobs", ["state", "updated_at"])
    op.create_index("jobs_of_a_link", "jobs", ["url_digest"])
    op.create_index("jobs_of_a_track", "jobs", ["track_id"])
    op.create_index("jobs_of_an_owner", "jobs", ["owner", "created_at"])
    op.create_table(
        "sample_words",
        sa.Column("word", WORD, nullable=False),
        sa.Column("track_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["track_id"], ["samples.track_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("word", "track_id"),
    )
    op.create_index("words_of_a_sample", "sample_words", ["track_id"])
    op.create_table(
        "steps",
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("runs_of_attempt", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "step"),
    )
    if op.get_context().dialect.name == "sqlite":
        # Where its counting begins; a later copy of the table has to be given the number anew.
        op.execute(f"INSERT INTO sqlite_sequence VALUES ('samples', {FIRST_TRACK_ID - 1})")
    op.execute("INSERT INTO feed VALUES (1, 0)")
