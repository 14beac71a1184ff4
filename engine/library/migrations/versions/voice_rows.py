"""Sessions of voice, their jobs and steps, references."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ID = sa.String(32)
DIGEST = sa.String(64)


def upgrade() -> None:
    op.create_table(
        "voice_sessions",
        sa.Column("session_id", ID, nullable=False),
        sa.Column("owner", DIGEST, nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("artist", sa.Text(), nullable=True),
        sa.Column("album", sa.Text(), nullable=True),
        sa.Column("bpm", sa.Double(), nullable=True),
        sa.Column("track_id", NUMBER, nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("audio_shared", sa.Boolean(), nullable=False),
        sa.Column("source", sa.JSON(), nullable=False),
        sa.Column("reference_id", ID, nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("lyrics", sa.JSON(), nullable=True),
        sa.Column("lyrics_offset_s", sa.Double(), nullable=False),
        sa.Column("recording", sa.JSON(), nullable=True),
        sa.Column("results", sa.JSON(), nullable=True),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("analyzed_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("silent_at", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("session_id"),
    )
    op.create_index("voice_sessions_of_an_owner", "voice_sessions", ["owner", "created_at"])
    op.create_index("voice_sessions_with_audio", "voice_sessions", ["silent_at", "created_at"])
    op.create_index("voice_sessions_of_a_reference", "voice_sessions", ["reference_id"])
    op.create_table(
        "voice_jobs",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("owner", DIGEST, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("step", ID, nullable=True),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("error_code", DIGEST, nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("track_id", NUMBER, nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("enqueued_attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["voice_sessions.session_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id"),
        sa.UniqueConstraint("session_id", "kind", name="one_job_of_a_kind"),
    )
    op.create_index("voice_jobs_by_state", "voice_jobs", ["state", "updated_at"])
    op.create_index("voice_jobs_of_a_track", "voice_jobs", ["track_id", "kind"])
    op.create_table(
        "voice_steps",
        sa.Column("job_id", ID, nullable=False),
        sa.Column("step", ID, nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("runs_of_attempt", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["job_id"], ["voice_jobs.job_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "step"),
    )
    op.create_table(
        "voice_references",
        sa.Column("reference_id", ID, nullable=False),
        sa.Column("sha256", DIGEST, nullable=False),
        sa.Column("lasting", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("used_at", MOMENT, nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("reference_id"),
    )
    op.create_index("voice_references_of_a_content", "voice_references", ["sha256"])
    op.create_index("voice_references_by_use", "voice_references", ["gone", "used_at"])
