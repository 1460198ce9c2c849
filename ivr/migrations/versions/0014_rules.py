"""Rules of lines and topics: hours, the longest talk, calls at once, price to be accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("dids", "topics"):
        op.add_column(table, sa.Column("rules", sa.Text(), server_default="{}", nullable=False))


def downgrade() -> None:
    for table in ("dids", "topics"):
        op.drop_column(table, "rules")
