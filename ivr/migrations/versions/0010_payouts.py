"""Payouts and their terms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "payout_terms",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("hold_back_days", sa.Integer, nullable=False),
        sa.Column("minimum", sa.BigInteger, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("iban", sa.Text, nullable=False),
        sa.Column("bic", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("kind", "code", name="pk_payout_terms"),
    )
    op.create_table(
        "payouts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("iban", sa.Text, nullable=False),
        sa.Column("bic", sa.Text, nullable=False),
        sa.Column("requested_us", sa.BigInteger, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("decided_us", sa.BigInteger),
        sa.Column("decided_by", sa.Text),
        sa.Column("paid_us", sa.BigInteger),
        sa.Column("note", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_payouts"),
        sa.UniqueConstraint("key", name="uq_payouts_key"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint("amount % 10000 = 0", name="whole_cents"),
        sa.CheckConstraint(
            "status IN ('requested', 'approved', 'paid', 'rejected')", name="status_known"
        ),
    )
    op.create_index("ix_payouts_status_requested_us", "payouts", ["status", "requested_us"])
    op.create_index("ix_payouts_kind_code", "payouts", ["kind", "code"])


def downgrade() -> None:
    op.drop_table("payouts")
    op.drop_table("payout_terms")
