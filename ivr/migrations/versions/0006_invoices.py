"""Invoices, credit notes, payments and vouchers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.storage.guards import create_statements, drop_statements

# As they were when this was written.
GUARDED = ("invoices", "invoice_lines", "invoice_items", "invoice_allocations", "credit_notes")
FUNCTION = "refuse_invoice_change"

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _make_vouchers()
    _make_invoices()
    _make_what_follows_invoices()
    for statement in create_statements(op.get_bind().dialect.name, GUARDED, function=FUNCTION):
        op.execute(statement)


def downgrade() -> None:
    for statement in drop_statements(op.get_bind().dialect.name, GUARDED, function=FUNCTION):
        op.execute(statement)
    op.drop_table("invoice_lines")
    op.drop_table("invoice_items")
    op.drop_table("invoice_allocations")
    op.drop_table("credit_notes")
    op.drop_table("invoices")
    op.drop_table("invoice_counters")
    op.drop_table("billing_settings")
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


def _make_invoices() -> None:
    op.create_table(
        "billing_settings",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Text(), nullable=False),
        sa.Column("terms_days", sa.Integer(), nullable=False),
        sa.Column("late_fee", sa.BigInteger(), nullable=False),
        sa.Column("late_fee_bp", sa.Integer(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("early_discount_bp", sa.Integer(), nullable=False),
        sa.Column("early_days", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "cycle IN ('beginning', 'end')", name=op.f("ck_billing_settings_cycle_known")
        ),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_billing_settings")),
    )
    op.create_table(
        "invoice_counters",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("series", "year", name=op.f("pk_invoice_counters")),
    )
    op.create_table(
        "invoices",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("issued_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("cycle", sa.Text(), nullable=False),
        sa.Column("terms_days", sa.Integer(), nullable=False),
        sa.Column("late_fee", sa.BigInteger(), nullable=False),
        sa.Column("late_fee_bp", sa.Integer(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("early_discount_bp", sa.Integer(), nullable=False),
        sa.Column("early_days", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "total = net + tax AND total > 0", name=op.f("ck_invoices_total_of_parts")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_invoices")),
        sa.UniqueConstraint(
            "account", "currency", "month", name=op.f("uq_invoices_account_currency_month")
        ),
        sa.UniqueConstraint(
            "series", "year", "sequence", name=op.f("uq_invoices_series_year_sequence")
        ),
    )
    op.create_index("ix_invoices_account_issued_us", "invoices", ["account", "issued_us"])
    op.create_index("ix_invoices_due_us", "invoices", ["due_us"])


def _make_what_follows_invoices() -> None:
    op.create_table(
        "credit_notes",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("invoice", sa.Text(), nullable=False),
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("issued_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "total = net + tax AND total > 0", name=op.f("ck_credit_notes_total_of_parts")
        ),
        sa.ForeignKeyConstraint(
            ["invoice"], ["invoices.number"], name=op.f("fk_credit_notes_invoice")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_credit_notes_transfer_id")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_credit_notes")),
        sa.UniqueConstraint(
            "series", "year", "sequence", name=op.f("uq_credit_notes_series_year_sequence")
        ),
        sa.UniqueConstraint("transfer_id", name=op.f("uq_credit_notes_transfer_id")),
    )
    op.create_index("ix_credit_notes_invoice", "credit_notes", ["invoice"])
    op.create_table(
        "invoice_allocations",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("invoice", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_invoice_allocations_amount_positive")),
        sa.ForeignKeyConstraint(
            ["invoice"], ["invoices.number"], name=op.f("fk_invoice_allocations_invoice")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_invoice_allocations_transfer_id")
        ),
        sa.PrimaryKeyConstraint("transfer_id", "invoice", name=op.f("pk_invoice_allocations")),
    )
    op.create_index("ix_invoice_allocations_invoice", "invoice_allocations", ["invoice"])
    op.create_table(
        "invoice_items",
        sa.Column("transfer_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("invoice", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice"], ["invoices.number"], name=op.f("fk_invoice_items_invoice")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["transfers.id"], name=op.f("fk_invoice_items_transfer_id")
        ),
        sa.PrimaryKeyConstraint("transfer_id", "account", name=op.f("pk_invoice_items")),
    )
    op.create_index("ix_invoice_items_invoice", "invoice_items", ["invoice"])
    op.create_table(
        "invoice_lines",
        sa.Column("invoice", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("tariff", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("billed_seconds", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice"], ["invoices.number"], name=op.f("fk_invoice_lines_invoice")
        ),
        sa.PrimaryKeyConstraint("invoice", "position", name=op.f("pk_invoice_lines")),
    )
