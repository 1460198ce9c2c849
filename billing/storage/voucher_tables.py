"""Tables of vouchers: a batch says what each is worth, a row which of them are used.

A code itself is never stored, only its keyed hash.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from billing.storage.tables import metadata

voucher_batches = Table(
    "voucher_batches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False),  # of each voucher
    Column("currency", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("expires_us", BigInteger),  # null: never; the first moment when it is too late
    Column("note", Text),
    Column("actor", Text, nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("created_us", BigInteger, nullable=False),
    # Of the key of the form that asked for it: the same form again makes no second batch.
    Column("key_hash", Text),
    Index("ix_voucher_batches_key_hash", "key_hash", unique=True),
    CheckConstraint("amount > 0", name="amount_positive"),
)

vouchers = Table(
    "vouchers",
    metadata,
    Column("code_hash", Text, primary_key=True),
    Column("batch", Text, ForeignKey("voucher_batches.id"), nullable=False),
    Column("serial", Integer, nullable=False),  # 1, 2, 3, … within the batch
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    # All of these or none: when, by whom, with which key, and the transfer that it became.
    Column("used_us", BigInteger),
    Column("account", Text),
    Column("key", Text),
    Column("transfer_id", Text, ForeignKey("transfers.id"), unique=True),
    UniqueConstraint("batch", "serial"),
    UniqueConstraint("account", "key"),
    Index("ix_vouchers_used_us", "used_us"),
    CheckConstraint(
        "(used_us IS NULL) = (transfer_id IS NULL) AND (account IS NULL) = (transfer_id IS NULL) "
        "AND (key IS NULL) = (transfer_id IS NULL)",
        name="used_all_or_nothing",
    ),
)
