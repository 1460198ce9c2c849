"""Tables of payouts: the terms of each party, and each payout with where it stands."""

from __future__ import annotations

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
)

from billing.storage.tables import metadata

payout_terms = Table(
    "payout_terms",
    metadata,
    Column("kind", Text, nullable=False),  # client | reseller | referrer
    Column("code", Text, nullable=False),
    Column("hold_back_days", Integer, nullable=False),
    Column("minimum", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("iban", Text, nullable=False),
    Column("bic", Text, nullable=False),
    PrimaryKeyConstraint("kind", "code"),
)

payouts = Table(
    "payouts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("status", Text, nullable=False),  # requested | approved | paid | rejected
    # Where it goes, as it was when it was approved: a later change moves no payout.
    Column("name", Text, nullable=False),
    Column("iban", Text, nullable=False),
    Column("bic", Text, nullable=False),
    Column("requested_us", BigInteger, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("decided_us", BigInteger),
    Column("decided_by", Text),
    Column("paid_us", BigInteger),
    Column("note", Text),
    # The file that told the bank; null until it is in one.
    Column("file", Text, ForeignKey("payout_files.id")),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("amount % 10000 = 0", name="whole_cents"),
    CheckConstraint("status IN ('requested', 'approved', 'paid', 'rejected')", name="status_known"),
    Index("ix_payouts_status_requested_us", "status", "requested_us"),
    Index("ix_payouts_kind_code", "kind", "code"),
    Index("ix_payouts_file", "file"),
)

# A party whose payouts are held: nothing new is requested, approved or sent to the bank. The
# triggers of `guards.payout_hold_statements` refuse it a second time.
payout_holds = Table(
    "payout_holds",
    metadata,
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("held_us", BigInteger, nullable=False),
    Column("held_by", Text, nullable=False),
    PrimaryKeyConstraint("kind", "code"),
    CheckConstraint("reason <> ''", name="reason_given"),
)

# What was sent to the bank, and from which account: the same file can be written again.
payout_files = Table(
    "payout_files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("iban", Text, nullable=False),
    Column("bic", Text, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("made_by", Text, nullable=False),
)
