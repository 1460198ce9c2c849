"""The tables of the library. Amounts are micro-units, moments are microseconds since 1970 in UTC.

The law of the ledger is written here a second time, as constraints: code that is wrong is refused
by the database. Rows of `transfers` and `entries` are never updated or deleted (triggers refuse).
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
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows itself only for INTEGER PRIMARY KEY.
RowId = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("id", RowId, primary_key=True),
    # caller | client | provider | reseller | referrer | tax | funding | allowance | issuer | …
    Column("kind", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("currency", Text, nullable=False),
    # prepaid | postpaid for callers, null for all others
    Column("mode", Text),
    # The digits a caller keys in; callers only.
    Column("number", Text, unique=True),
    Column("status", Text, nullable=False, server_default="active"),  # active | blocked
    Column("posted", BigInteger, nullable=False, server_default="0"),
    Column("held", BigInteger, nullable=False, server_default="0"),
    Column("open_holds", Integer, nullable=False, server_default="0"),
    # Null: the balance has no floor (clients, provider, funding).
    Column("credit_limit", BigInteger),
    # Number of entries so far, and the seq of the last one.
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("kind", "code", "currency"),
    # A caller has one account, in one currency; all other parties have one per currency.
    Index(
        "ix_accounts_caller",
        "code",
        unique=True,
        sqlite_where=text("kind = 'caller'"),
        postgresql_where=text("kind = 'caller'"),
    ),
    # Search by what a code or number begins with; PostgreSQL needs byte order for that.
    Index(
        "ix_accounts_search_code",
        "code",
        postgresql_ops={"code": "text_pattern_ops"},
        sqlite_where=text("kind = 'caller'"),
        postgresql_where=text("kind = 'caller'"),
    ),
    Index(
        "ix_accounts_search_number",
        "number",
        postgresql_ops={"number": "text_pattern_ops"},
        sqlite_where=text("number IS NOT NULL"),
        postgresql_where=text("number IS NOT NULL"),
    ),
    Index(
        "ix_accounts_blocked",
        "code",
        sqlite_where=text("status = 'blocked'"),
        postgresql_where=text("status = 'blocked'"),
    ),
    CheckConstraint("held >= 0", name="held_not_negative"),
    CheckConstraint("open_holds >= 0", name="open_holds_not_negative"),
    CheckConstraint(
        "credit_limit IS NULL OR posted - held + credit_limit >= 0", name="spendable_not_negative"
    ),
    CheckConstraint("status IN ('active', 'blocked')", name="status_known"),
)

transfers = Table(
    "transfers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("input_hash", Text, nullable=False),
    # top_up | settle | adjustment | refund | opening | payout | fee
    Column("kind", Text, nullable=False),
    Column("reference", Text),  # the session it belongs to, where there is one
    Column("reverses", Text, ForeignKey("transfers.id")),
    Column("memo", Text),
    Column("actor", Text),
    Column("at_us", BigInteger, nullable=False),
    Index("ix_transfers_reference", "reference"),
    Index("ix_transfers_at_us", "at_us"),
    Index(
        "ix_transfers_reversals",
        "at_us",
        sqlite_where=text("reverses IS NOT NULL"),
        postgresql_where=text("reverses IS NOT NULL"),
    ),
    # What was corrected after it was settled is little; reports must find it without all others.
    Index(
        "ix_transfers_corrections",
        "at_us",
        sqlite_where=text("kind IN ('refund', 'goodwill', 'rerate')"),
        postgresql_where=text("kind IN ('refund', 'goodwill', 'rerate')"),
    ),
)

entries = Table(
    "entries",
    metadata,
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("transfer_id", Text, ForeignKey("transfers.id"), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    PrimaryKeyConstraint("account_id", "seq"),
    CheckConstraint("amount <> 0", name="amount_not_zero"),
    Index("ix_entries_transfer_id", "transfer_id"),
)

holds = Table(
    "holds",
    metadata,
    # The id of its session; `<session>#0` and on hold seconds of allowances for it.
    Column("id", Text, primary_key=True),
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("status", Text, nullable=False),  # pending | settled | voided | expired
    Column("step", Integer, nullable=False),  # 1 when opened, +1 with each extension
    Column("seconds", BigInteger, nullable=False),  # talk paid for by `amount`
    Column("amount", BigInteger, nullable=False),
    # Talk that was proven when the hold was last extended: the floor of a settlement by estimate.
    Column("proven_us", BigInteger, nullable=False, server_default="0"),
    Column("opened_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("resolved_us", BigInteger),
    Column("settled_amount", BigInteger),
    # Of `seconds`, those that allowances cover; `amount` pays the others.
    Column("covered_seconds", BigInteger, nullable=False, server_default="0"),
    CheckConstraint("amount >= 0", name="amount_not_negative"),
    CheckConstraint("status IN ('pending', 'settled', 'voided', 'expired')", name="status_known"),
    CheckConstraint(
        "settled_amount IS NULL OR (settled_amount >= 0 AND settled_amount <= amount)",
        name="settled_within_grant",
    ),
    Index(
        "ix_holds_pending",
        "account_id",
        sqlite_where=text("status = 'pending'"),
        postgresql_where=text("status = 'pending'"),
    ),
)

tariff_versions = Table(
    "tariff_versions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("body", Text, nullable=False),  # canonical JSON of the tariff
    Column("body_hash", Text, nullable=False),
    Column("in_force_us", BigInteger, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    UniqueConstraint("name", "version"),
)

clients = Table(
    "clients",
    metadata,
    Column("code", Text, primary_key=True),
    Column("title", Text, nullable=False),
    Column("currency", Text, nullable=False),
    # JSON: [["provider", "provider", 3000], ["client", "acme", 7000]] = kind, account code, bps;
    # a fourth value {"fixed_fee": …, "of": …} only where there is one
    Column("shares", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),  # also the id of its hold
    Column("account_id", BigInteger, ForeignKey("accounts.id"), nullable=False),
    Column("client", Text, nullable=False),
    Column("service", Text, nullable=False),  # what was dialled: the DID
    Column("detail", Text),  # the topic
    Column("tariff_version_id", BigInteger, ForeignKey("tariff_versions.id"), nullable=False),
    Column("timezone", Text, nullable=False),
    Column("shares", Text, nullable=False),  # as in clients, frozen at authorisation
    Column("currency", Text, nullable=False),
    Column("state", Text, nullable=False),  # open | settled | voided
    Column("opened_us", BigInteger, nullable=False),
    Column("started_us", BigInteger),  # talk began
    Column("ended_us", BigInteger),
    Column("talk_us", BigInteger),
    Column("billed_seconds", BigInteger),
    # Allowances that pay first, in burning order, and the talk that they paid for.
    Column("cover", Text),
    Column("covered_seconds", BigInteger, nullable=False, server_default="0"),
    Column("cost", BigInteger),
    # Of the cost, what is tax: the parties share the rest.
    Column("tax", BigInteger, nullable=False, server_default="0"),
    Column("balance_before", BigInteger),
    Column("balance_after", BigInteger),
    Column("evidence", Text),  # ami | cel | monotonic | estimate
    Column("review", Boolean, nullable=False, server_default=text("false")),
    Column("note", Text),
    Column("agent", Text),  # who gave the service; null where nobody knows
    CheckConstraint("state IN ('open', 'settled', 'voided')", name="state_known"),
    Index(
        "ix_sessions_open",
        "opened_us",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "ix_sessions_review", "id", sqlite_where=text("review = 1"), postgresql_where=text("review")
    ),
    # Sessions that are open are in none of these: each gets its place once, when it ends.
    *(
        Index(
            f"ix_sessions_{'_'.join(names)}",
            *names,
            sqlite_where=text("ended_us IS NOT NULL"),
            postgresql_where=text("ended_us IS NOT NULL"),
        )
        for names in (("ended_us",), ("client", "ended_us"), ("account_id", "ended_us"))
    ),
)
