"""Tables of operations: limits against fraud, alarms, and who listened to a talk."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text, text

from billing.storage.tables import metadata

# Limits against fraud that differ from their defaults (`ivr.directory.fraud_limits`); null: none.
limits = Table(
    "limits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger),
)

# One row for each time that something was wrong: open, acknowledged, over.
alarms = Table(
    "alarms",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", Text, nullable=False),  # bad | warn
    Column("client", Text),
    Column("facts", Text, nullable=False),  # JSON of names and values
    Column("opened_us", BigInteger, nullable=False),
    Column("seen_us", BigInteger, nullable=False),
    Column("acknowledged_us", BigInteger),
    Column("acknowledged_by", Text),
    Column("note", Text),
    Column("over_us", BigInteger),
    Index("ix_alarms_opened_us", "opened_us"),
    Index(
        "ix_alarms_on",
        "kind",
        "subject",
        unique=True,
        sqlite_where=text("over_us IS NULL"),
        postgresql_where=text("over_us IS NULL"),
    ),
)

# Who listened to a talk; `heard_us` is null where nobody picked the phone up.
listenings = Table(
    "listenings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("call", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("heard_us", BigInteger),
    Column("ended_us", BigInteger),
    Index("ix_listenings_call", "call"),
)
