"""When the end of a call was written down, which may be long after it ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calls", sa.Column("closed_us", sa.BigInteger(), nullable=True))
    op.execute("UPDATE calls SET closed_us = ended_us")
    op.create_index("ix_calls_client_closed_us", "calls", ["client", "closed_us"])


def downgrade() -> None:
    op.drop_index("ix_calls_client_closed_us", "calls")
    op.drop_column("calls", "closed_us")
