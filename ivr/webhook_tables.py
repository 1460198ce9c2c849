"""Tables of webhooks: who is told of which events, what was written for them, and the outbox.

facts (calls, transfers, alerts, payouts, payments, alarms) ── marks ─▶ webhook_outbox ─▶ sent
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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

# Of a client, of a caller's account, or of the installation where neither is named.
webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Text, primary_key=True),
    Column("client", Text, ForeignKey("clients.code")),
    Column("account", Text),
    Column("url", Text, nullable=False),
    Column("secret", Text, nullable=False),  # signs what is sent
    # The one before signs as well until then, so that nobody must change two places at once.
    Column("old_secret", Text),
    Column("old_until_us", BigInteger),
    Column("events", Text, nullable=False),  # JSON: names
    Column("low_balance", BigInteger, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("failing_us", BigInteger),  # since when no try has succeeded
    Column("off_reason", Text),  # why we switched it off ourselves
    Column("request_key", Text, unique=True),  # the idempotency key that made it
    Column("created_us", BigInteger, nullable=False),
    Index("ix_webhook_endpoints_client", "client"),
    Index("ix_webhook_endpoints_account", "account"),
)

# Until where each endpoint was told of each event.
webhook_marks = Table(
    "webhook_marks",
    metadata,
    Column("endpoint", Text, ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("event", Text, nullable=False),
    Column("since_us", BigInteger, nullable=False),  # nothing of before is told
    Column("seen_us", BigInteger, nullable=False),
    PrimaryKeyConstraint("endpoint", "event"),
)

webhook_outbox = Table(
    "webhook_outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint", Text, ForeignKey("webhook_endpoints.id"), nullable=False),
    Column("event_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending | delivered | failed
    Column("attempts", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("reason", Text),
    Column("status", Integer),  # of the last answer
    Column("answer", Text),  # how it began
    Column("took_ms", Integer),
    Column("tried_us", BigInteger),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("endpoint", "event_id"),
    Index("ix_webhook_outbox_state_next_us", "state", "next_us"),
    Index("ix_webhook_outbox_endpoint_created_us", "endpoint", "created_us"),
)
