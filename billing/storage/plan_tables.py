"""Tables of plans: versions, subscriptions, their allowances, and the usage that drew on them.

What an allowance holds is in the ledger, on the account of the same code; here is only in which
order it burns and when it ends.
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
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from billing.storage.tables import RowId, metadata

plan_versions = Table(
    "plan_versions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON of the plan
    Column("body_hash", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("name", "version"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("plan_version_id", BigInteger, ForeignKey("plan_versions.id"), nullable=False),
    Column("state", Text, nullable=False),  # active | past_due | cancelled
    Column("months_paid_at_once", Integer, nullable=False),  # 1 | 3 | 12
    Column("anchor_us", BigInteger, nullable=False),  # the first moment of the first cycle
    Column("cycle", Integer, nullable=False),  # 0, 1, 2, … months since the anchor
    Column("cycle_start_us", BigInteger, nullable=False),
    Column("cycle_end_us", BigInteger, nullable=False),
    Column("paid_cycles", Integer, nullable=False),  # the first cycle that is not paid for
    Column("ends", Boolean, nullable=False, server_default=text("false")),  # with this cycle
    Column("addons", Text, nullable=False, server_default="{}"),  # JSON: name -> how many
    Column("changes", Integer, nullable=False, server_default="0"),
    Column("created_us", BigInteger, nullable=False),
    CheckConstraint("state IN ('active', 'past_due', 'cancelled')", name="state_known"),
    # An account has one subscription at a time.
    Index(
        "ix_subscriptions_live",
        "account",
        unique=True,
        sqlite_where=text("state <> 'cancelled'"),
        postgresql_where=text("state <> 'cancelled'"),
    ),
    Index("ix_subscriptions_cycle_end_us", "cycle_end_us"),
)

allowances = Table(
    "allowances",
    metadata,
    Column("code", Text, primary_key=True),  # <subscription>.<meter>.<bucket>
    Column("subscription", Text, ForeignKey("subscriptions.id"), nullable=False),
    Column("meter", Text, nullable=False),
    Column("unit", Text, nullable=False),  # the currency of its account
    Column("bucket", Text, nullable=False),  # cycle | rollover | bundle-<id>
    Column("priority", Integer, nullable=False),  # the lowest burns first
    Column("granted", BigInteger, nullable=False),  # for the cycle that is
    Column("expires_us", BigInteger),  # null: never
    Index("ix_allowances_subscription", "subscription"),
)

subscription_meters = Table(
    "subscription_meters",
    metadata,
    Column("subscription", Text, ForeignKey("subscriptions.id"), nullable=False),
    Column("meter", Text, nullable=False),
    # Beyond the allowances, in the cycle that is.
    Column("overage_units", BigInteger, nullable=False),
    Column("overage", BigInteger, nullable=False),
    PrimaryKeyConstraint("subscription", "meter"),
)

deferrals = Table(
    "deferrals",
    metadata,
    Column("id", Text, primary_key=True),  # the key of the fee that was paid in advance
    Column("subscription", Text, ForeignKey("subscriptions.id"), nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("months", Integer, nullable=False),
    Column("recognised", Integer, nullable=False),  # months that the provider has earned
    Column("anchor_us", BigInteger, nullable=False),
    Column("first_cycle", Integer, nullable=False),
    Column("due_us", BigInteger, nullable=False),  # when the next month is earned
    Index("ix_deferrals_due_us", "due_us"),
)

usage_events = Table(
    "usage_events",
    metadata,
    Column("account", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("input_hash", Text, nullable=False),
    Column("subscription", Text, nullable=False),
    Column("meter", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("project", Text),
    Column("request_id", Text),
    Column("segment", Text),
    Column("key_type", Text),
    Column("status", Text),
    Column("at_us", BigInteger, nullable=False),
    Column("recorded_us", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("overage_units", BigInteger, nullable=False),
    Column("overage", BigInteger, nullable=False),
    Column("remaining", BigInteger, nullable=False),
    Column("warning", Text),
    PrimaryKeyConstraint("account", "key"),
)

usage_alerts = Table(
    "usage_alerts",
    metadata,
    Column("subscription", Text, nullable=False),
    Column("meter", Text, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("subscription", "meter", "cycle", "percent"),
    Index("ix_usage_alerts_at_us", "at_us"),
)

usage_hours = Table(
    "usage_hours",
    metadata,
    Column("account", Text, nullable=False),
    Column("meter", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("hour_us", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("overage_units", BigInteger, nullable=False),
    Column("overage", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "meter", "type", "hour_us"),
    Index("ix_usage_hours_hour_us", "hour_us"),
)

mrr_changes = Table(
    "mrr_changes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("subscription", Text, ForeignKey("subscriptions.id"), nullable=False),
    Column("plan", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("kind", Text, nullable=False),  # new | expansion | contraction | churned | back
    Column("difference", BigInteger, nullable=False),
    Column("mrr", BigInteger, nullable=False),  # afterwards
    Column("at_us", BigInteger, nullable=False),
    Index("ix_mrr_changes_subscription", "subscription", "id"),
    Index("ix_mrr_changes_at_us", "at_us"),
)
