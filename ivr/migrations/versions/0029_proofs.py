"""When a password was typed again, and names of tokens that open nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("web_sessions", sa.Column("proved_us", sa.BigInteger()))
    op.create_index("ix_web_sessions_user_id", "web_sessions", ["user_id"])
    with op.batch_alter_table("api_tokens") as table:
        table.add_column(sa.Column("id", sa.Text()))
    op.execute("UPDATE api_tokens SET id = substr(token_hash, 1, 16)")
    with op.batch_alter_table("api_tokens") as table:
        table.alter_column("id", existing_type=sa.Text(), nullable=False)
        table.create_unique_constraint(op.f("uq_api_tokens_id"), ["id"])


def downgrade() -> None:
    with op.batch_alter_table("api_tokens") as table:
        table.drop_constraint(op.f("uq_api_tokens_id"), type_="unique")
        table.drop_column("id")
    op.drop_index("ix_web_sessions_user_id", "web_sessions")
    op.drop_column("web_sessions", "proved_us")
