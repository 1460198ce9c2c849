"""Invoices, credit notes, payments and vouchers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_vouchers()


def downgrade() -> None:
    op.drop_index("ix_vouchers_used_us", table_name="vouchers")
    op.drop_table("vouchers")
    op.drop_table("voucher_batches")


def _make_vouchers() -> None:
    op.create_table(
        "voucher_batches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_voucher_batches_amount_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher_batches")),
    )
    op.create_table(
        "vouchers",
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("batch", sa.Text(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("disabled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(used_us IS NULL) = (transfer_id IS NULL) "
            "AND (account IS NULL) = (transfer_id IS NULL) "
            "AND (key IS NULL) = (transfer_id IS NULL)",
            name=op.f("ck_vouchers_used_all_or_nothing"),
        ),
        sa.ForeignKeyConstraint(["batch"], ["voucher_batches.id"], name=op.f("fk_vouchers_batch")),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_vouchers_transfer_id")
        ),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_vouchers")),
        sa.UniqueConstraint("account", "key", name=op.f("uq_vouchers_account_key")),
        sa.UniqueConstraint("batch", "serial", name=op.f("uq_vouchers_batch_serial")),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_vouchers_transfer_id")),
    )
    op.create_index("ix_vouchers_used_us", "vouchers", ["used_us"])
