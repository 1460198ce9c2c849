"""Tables of the care for accounts: what operators note, and the files that they import."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from billing.storage.tables import metadata

# What operators write down about an account.
account_notes = Table(
    "account_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Index("ix_account_notes_account_id", "account", "id"),
)

# Files that wait to be imported; the file itself is sealed.
uploads = Table(
    "uploads",
    metadata,
    Column("id", Text, primary_key=True),  # hash of the name that its sender knows
    Column("kind", Text, nullable=False),  # accounts | topups | catalog
    Column("login", Text, nullable=False),
    Column("session", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("shown", Text, nullable=False),  # JSON of fates
    Column("outcome", Text, nullable=False),  # JSON of fates, of the rows that are done
    Column("state", Text, nullable=False),  # looked | running | done | failed
    Column("position", Integer, nullable=False),
    Column("beat_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Index("ix_uploads_login_created_us", "login", "created_us"),
    Index("ix_uploads_expires_us", "expires_us"),
)
