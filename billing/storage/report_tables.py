"""Daily sums of settled sessions and of entries, written by the batch that writes these.

They say nothing that sessions and entries do not say; `audit` proves it. Reports read them, so a
month of a million sessions is some thousand rows.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text

from billing.storage.tables import metadata

# What a sum is of: the day in UTC on which the talk ended, and what was sold. No topic is ''.
KEY = ("day_us", "client", "service", "detail", "tariff_version_id", "currency")
AGENT_KEY = ("day_us", "client", "agent", "service", "detail", "currency")
PARTY_KEY = ("account_id", "day_us", "kind")
AGENT_SUMS = (
    "sessions", "talk_us", "billed_seconds", "gross",
    "to_client", "to_provider", "to_reseller", "to_referrer", "to_tax",
)  # fmt: skip

revenue_days = Table(
    "revenue_days",
    metadata,
    Column("day_us", BigInteger, nullable=False),
    Column("client", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("tariff_version_id", BigInteger, ForeignKey("tariff_versions.id"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("sessions", BigInteger, nullable=False),
    Column("talk_us", BigInteger, nullable=False),
    Column("billed_seconds", BigInteger, nullable=False),
    Column("gross", BigInteger, nullable=False),
    PrimaryKeyConstraint(*KEY),
    Index("ix_revenue_days_client_day_us", "client", "day_us"),
)

share_days = Table(
    "share_days",
    metadata,
    Column("day_us", BigInteger, nullable=False),
    Column("client", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("tariff_version_id", BigInteger, ForeignKey("tariff_versions.id"), nullable=False),
    Column("currency", Text, nullable=False),
    # The party that got the amount.
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint(*KEY, "kind", "account"),
    Index("ix_share_days_client_day_us", "client", "day_us"),
    Index("ix_share_days_kind_account_day_us", "kind", "account", "day_us"),
)

# What moved on the account of a party, by the day in UTC and the kind of the transfer: what is
# pending and what a statement lists are read from it, however many calls there were.
party_days = Table(
    "party_days",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("day_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("movements", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    PrimaryKeyConstraint(*PARTY_KEY),
)

# The same sums once more, by who gave the service: '' where nobody knows. What each kind of party
# got stands in columns, so that a settlement adds to one row.
agent_days = Table(
    "agent_days",
    metadata,
    Column("day_us", BigInteger, nullable=False),
    Column("client", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("currency", Text, nullable=False),
    *(Column(name, BigInteger, nullable=False) for name in AGENT_SUMS),
    PrimaryKeyConstraint(*AGENT_KEY),
    Index("ix_agent_days_client_day_us", "client", "day_us"),
)
