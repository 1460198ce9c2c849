"""The table of agreements with clients: every version that was ever in force, for audit."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, PrimaryKeyConstraint, Table, Text

from billing.storage.tables import metadata

agreement_versions = Table(
    "agreement_versions",
    metadata,
    Column("client", Text, ForeignKey("clients.code"), nullable=False),
    Column("version", Integer, nullable=False),
    # JSON: {"shares": as in clients, "referrers": [...]}
    Column("body", Text, nullable=False),
    Column("in_force_us", BigInteger, nullable=False),
    Column("actor", Text),  # who changed it; null where nobody wrote it down
    PrimaryKeyConstraint("client", "version"),
)
