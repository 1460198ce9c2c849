"""Find what was corrected after it was settled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CORRECTIONS = "kind IN ('refund', 'goodwill', 'rerate')"


def upgrade() -> None:
    op.create_index(
        "ix_transfers_corrections",
        "transfers",
        ["at_us"],
        sqlite_where=sa.text(CORRECTIONS),
        postgresql_where=sa.text(CORRECTIONS),
    )


def downgrade() -> None:
    op.drop_index("ix_transfers_corrections", table_name="transfers")
