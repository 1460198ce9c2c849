"""A caller has one account, in one currency."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_accounts_caller",
        "accounts",
        ["code"],
        unique=True,
        sqlite_where=sa.text("kind = 'caller'"),
        postgresql_where=sa.text("kind = 'caller'"),
    )


def downgrade() -> None:
    op.drop_index("ix_accounts_caller", table_name="accounts")
