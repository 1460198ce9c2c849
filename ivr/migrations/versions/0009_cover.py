"""Talk that a plan covers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("holds", "sessions"):
        op.add_column(
            table, sa.Column("covered_seconds", sa.BigInteger, nullable=False, server_default="0")
        )
    op.add_column("sessions", sa.Column("cover", sa.Text))


def downgrade() -> None:
    op.drop_column("sessions", "cover")
    for table in ("sessions", "holds"):
        op.drop_column(table, "covered_seconds")
