"""Tax of sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("tax", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("sessions", "tax")
