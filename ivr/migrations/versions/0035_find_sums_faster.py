"""Daily sums of what moved on the accounts of parties; indexes for lists; a table nobody used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

# Name, table, columns.
INDEXES = (
    ("ix_share_days_kind_account_day_us", "share_days", ["kind", "account", "day_us"]),
    ("ix_card_payments_ended_us", "card_payments", ["ended_us"]),
    ("ix_recordings_created_us", "recordings", ["created_us", "call"]),
    ("ix_callbacks_created_us", "callbacks", ["created_us", "id"]),
)
ENDED = (
    ("ix_sessions_client_ended_us", ["client", "ended_us"]),
    ("ix_sessions_account_id_ended_us", ["account_id", "ended_us"]),
)


def upgrade() -> None:
    op.create_table(
        "party_days",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("day_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("movements", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_party_days_account_id_accounts")
        ),
        sa.PrimaryKeyConstraint("account_id", "day_us", "kind", name=op.f("pk_party_days")),
    )
    op.execute(
        "INSERT INTO party_days "
        "SELECT e.account_id, t.at_us - t.at_us % 86400000000, t.kind, count(*), sum(e.amount) "
        "FROM accounts a JOIN entries e ON e.account_id = a.id "
        "JOIN transfers t ON t.id = e.transfer_id "
        "WHERE a.kind IN ('client', 'reseller', 'referrer') GROUP BY 1, 2, 3"
    )
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    _partial("ix_transfers_reversals", "transfers", ["at_us"], "reverses IS NOT NULL")
    for name, columns in ENDED:
        op.drop_index(name, "sessions")
        _partial(name, "sessions", columns, "ended_us IS NOT NULL")
    _partial("ix_sessions_ended_us", "sessions", ["ended_us"], "ended_us IS NOT NULL")
    op.drop_table("webhook_events")


def _partial(name: str, table: str, columns: list[str], rows: str) -> None:
    where = sa.text(rows)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    op.create_table(
        "webhook_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_events")),
    )
    op.create_index("ix_webhook_events_event_at_us", "webhook_events", ["event", "at_us"])
    op.drop_index("ix_sessions_ended_us", "sessions")
    for name, columns in reversed(ENDED):
        op.drop_index(name, "sessions")
        op.create_index(name, "sessions", columns)
    op.drop_index("ix_transfers_reversals", "transfers")
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table)
    op.drop_table("party_days")
