"""What came of each analysis of a session; of those before, what came of the last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "voice_results",
        sa.Column("session_id", sa.String(32), nullable=False),
        sa.Column("analysis", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("analyzed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["voice_sessions.session_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("session_id", "analysis"),
    )
    op.execute(
        "INSERT INTO voice_results (session_id, analysis, results, score, analyzed_at) "
        "SELECT session_id, 0, results, score, analyzed_at FROM voice_sessions "
        "WHERE results IS NOT NULL AND analyzed_at IS NOT NULL"
    )
