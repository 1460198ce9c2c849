"""The same form makes one batch of vouchers, however often it is sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("voucher_batches", sa.Column("key_hash", sa.Text(), nullable=True))
    op.create_index("ix_voucher_batches_key_hash", "voucher_batches", ["key_hash"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_voucher_batches_key_hash", "voucher_batches")
    op.drop_column("voucher_batches", "key_hash")
