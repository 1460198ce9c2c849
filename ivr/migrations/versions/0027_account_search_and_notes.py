"""Accounts are found by what their code, number, phone or title begins with; notes about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# Name, table, column, and which rows (None: all).
SEARCHED = (
    ("ix_accounts_search_code", "accounts", "code", "kind = 'caller'"),
    ("ix_accounts_search_number", "accounts", "number", "number IS NOT NULL"),
    ("ix_phones_search", "phones", "number", None),
    ("ix_billing_settings_title", "billing_settings", "title", None),
)


def upgrade() -> None:
    for name, table, column, rows in SEARCHED:
        where = sa.text(rows) if rows else None
        op.create_index(
            name,
            table,
            [column],
            postgresql_ops={column: "text_pattern_ops"},
            sqlite_where=where,
            postgresql_where=where,
        )
    blocked = sa.text("status = 'blocked'")
    op.create_index(
        "ix_accounts_blocked", "accounts", ["code"], sqlite_where=blocked, postgresql_where=blocked
    )
    op.create_table(
        "account_notes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_notes")),
    )
    op.create_index("ix_account_notes_account_id", "account_notes", ["account", "id"])


def downgrade() -> None:
    op.drop_table("account_notes")
    op.drop_index("ix_accounts_blocked", "accounts")
    for name, table, _, _ in reversed(SEARCHED):
        op.drop_index(name, table)
