"""Find calls by DID, without talk, and for review, without reading all of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_calls_did_started_us", "calls", ["did", "started_us"])
    op.create_index(
        "ix_calls_untalked",
        "calls",
        ["started_us"],
        sqlite_where=sa.text("answered_us IS NULL"),
        postgresql_where=sa.text("answered_us IS NULL"),
    )
    op.create_index(
        "ix_sessions_review",
        "sessions",
        ["id"],
        sqlite_where=sa.text("review = 1"),
        postgresql_where=sa.text("review"),
    )


def downgrade() -> None:
    op.drop_index("ix_sessions_review", table_name="sessions")
    op.drop_index("ix_calls_untalked", table_name="calls")
    op.drop_index("ix_calls_did_started_us", table_name="calls")
