"""Tables of card payments: what was asked of the processor, what it says, what became of it.

card_payments   one row for each attempt to bring money in; our id is the processor's key
card_claims     money that went back to the card's owner: refunds and disputes, by charge
saved_cards     the card of an account that may be charged without its owner, within limits
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from billing.storage.tables import metadata

card_payments = Table(
    "card_payments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),  # code of a caller's account
    Column("currency", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # checkout | auto
    Column("state", Text, nullable=False),  # open | paid | failed | expired | review | closed
    Column("form_key", Text, nullable=False),
    Column("saves_card", Boolean, nullable=False),
    Column("checkout", Text),  # the processor's page
    Column("url", Text),
    Column("intent", Text, unique=True),  # the processor's payment
    Column("transfer_id", Text),
    # Of the money that was credited, what was taken from the account again.
    Column("taken", BigInteger, nullable=False, server_default="0"),
    Column("moves", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    # Who asks the processor next holds the row until then.
    Column("next_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("ended_us", BigInteger),
    UniqueConstraint("account", "form_key"),
    CheckConstraint("amount > 0", name="amount_positive"),
    CheckConstraint("taken >= 0 AND taken <= amount", name="taken_within_amount"),
    CheckConstraint(
        "state IN ('open', 'paid', 'failed', 'expired', 'review', 'closed')", name="state_known"
    ),
    CheckConstraint("(state = 'paid') = (transfer_id IS NOT NULL)", name="paid_is_booked"),
    Index("ix_card_payments_account_created_us", "account", "created_us"),
    Index("ix_card_payments_created_us", "created_us", "id"),
    Index("ix_card_payments_ended_us", "ended_us"),
    Index(
        "ix_card_payments_open",
        "next_us",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    # One charge without its owner at a time.
    Index(
        "ix_card_payments_auto",
        "account",
        unique=True,
        sqlite_where=text("state = 'open' AND kind = 'auto'"),
        postgresql_where=text("state = 'open' AND kind = 'auto'"),
    ),
)

card_claims = Table(
    "card_claims",
    metadata,
    Column("id", Text, primary_key=True),  # the processor's dispute, or its charge for refunds
    Column("intent", Text, nullable=False),
    Column("kind", Text, nullable=False),  # refund | dispute
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("won", Boolean, nullable=False),  # a dispute that was decided for us
    Column("at_us", BigInteger, nullable=False),
    Index("ix_card_claims_intent", "intent"),
)

saved_cards = Table(
    "saved_cards",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("label", Text, nullable=False),  # what its owner knows it by: visa •••• 4242
    Column("enabled", Boolean, nullable=False),
    Column("threshold", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("month_max", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("notice", Text),  # why it was switched off, for its owner
    Column("changed_us", BigInteger, nullable=False),
    CheckConstraint(
        "NOT enabled OR (threshold > 0 AND amount >= threshold AND month_max >= amount)",
        name="limits_make_sense",
    ),
)
