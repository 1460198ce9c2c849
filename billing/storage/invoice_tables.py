"""Tables of postpaid billing. Whether an invoice is open or paid follows from its allocations.

    invoices ── invoice_lines         what the caller reads
             ── invoice_items         which transfers it bills, each at most once
             ── invoice_allocations   which incoming transfers pay it
             ── credit_notes

Rows are never updated or deleted (triggers refuse), but for settings and counters.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from billing.storage.tables import metadata

# Guarded by triggers like the postings.
INVOICE_TABLES: Final = (
    "invoices",
    "invoice_lines",
    "invoice_items",
    "invoice_allocations",
    "credit_notes",
)
INVOICE_GUARD: Final = "refuse_invoice_change"

billing_settings = Table(
    "billing_settings",
    metadata,
    Column("account", Text, primary_key=True),  # code of a caller's account
    Column("cycle", Text, nullable=False),  # beginning | end
    Column("terms_days", Integer, nullable=False),
    Column("late_fee", BigInteger, nullable=False),
    Column("late_fee_bp", Integer, nullable=False),
    Column("grace_days", Integer, nullable=False),
    Column("early_discount_bp", Integer, nullable=False),
    Column("early_days", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("address", Text, nullable=False),
    CheckConstraint("cycle IN ('beginning', 'end')", name="cycle_known"),
    Index("ix_billing_settings_title", "title", postgresql_ops={"title": "text_pattern_ops"}),
)

# The last number given of each series and year; locked while a document is made.
invoice_counters = Table(
    "invoice_counters",
    metadata,
    Column("series", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("last", BigInteger, nullable=False),
    PrimaryKeyConstraint("series", "year"),
)

invoices = Table(
    "invoices",
    metadata,
    Column("number", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("account", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("month", Text, nullable=False),  # 2026-10
    Column("issued_us", BigInteger, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    # The terms as they were when it was issued.
    Column("cycle", Text, nullable=False),
    Column("terms_days", Integer, nullable=False),
    Column("late_fee", BigInteger, nullable=False),
    Column("late_fee_bp", Integer, nullable=False),
    Column("grace_days", Integer, nullable=False),
    Column("early_discount_bp", Integer, nullable=False),
    Column("early_days", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    UniqueConstraint("series", "year", "sequence"),
    UniqueConstraint("account", "currency", "month"),
    Index("ix_invoices_account_issued_us", "account", "issued_us"),
    Index("ix_invoices_due_us", "due_us"),
    CheckConstraint("total = net + tax AND total > 0", name="total_of_parts"),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("invoice", Text, ForeignKey("invoices.number"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", Text, nullable=False),  # settle | fee | refund | adjustment | …
    Column("text", Text, nullable=False),
    Column("service", Text),
    Column("detail", Text),
    Column("tariff", Text),
    Column("quantity", Integer, nullable=False),
    Column("billed_seconds", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    PrimaryKeyConstraint("invoice", "position"),
)

invoice_items = Table(
    "invoice_items",
    metadata,
    Column("transfer_id", Text, ForeignKey("transfers.id"), nullable=False),
    Column("account", Text, nullable=False),
    Column("invoice", Text, ForeignKey("invoices.number"), nullable=False),
    # Nothing is billed twice.
    PrimaryKeyConstraint("transfer_id", "account"),
    Index("ix_invoice_items_invoice", "invoice"),
)

invoice_allocations = Table(
    "invoice_allocations",
    metadata,
    Column("transfer_id", Text, ForeignKey("transfers.id"), nullable=False),
    Column("invoice", Text, ForeignKey("invoices.number"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("transfer_id", "invoice"),
    Index("ix_invoice_allocations_invoice", "invoice"),
    CheckConstraint("amount > 0", name="amount_positive"),
)

credit_notes = Table(
    "credit_notes",
    metadata,
    Column("number", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("invoice", Text, ForeignKey("invoices.number"), nullable=False),
    Column("transfer_id", Text, ForeignKey("transfers.id"), nullable=False, unique=True),
    Column("issued_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("net", BigInteger, nullable=False),
    Column("tax", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    UniqueConstraint("series", "year", "sequence"),
    Index("ix_credit_notes_invoice", "invoice"),
    CheckConstraint("total = net + tax AND total > 0", name="total_of_parts"),
)
