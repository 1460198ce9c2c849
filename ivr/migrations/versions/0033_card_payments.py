"""Card payments, claims on them, and saved cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "card_payments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("form_key", sa.Text(), nullable=False),
        sa.Column("saves_card", sa.Boolean(), nullable=False),
        sa.Column("checkout", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("intent", sa.Text(), nullable=True),
        sa.Column("transfer_id", sa.Text(), nullable=True),
        sa.Column("taken", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("moves", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_payments")),
        sa.UniqueConstraint("account", "form_key", name=op.f("uq_card_payments_account_form_key")),
        sa.UniqueConstraint("intent", name=op.f("uq_card_payments_intent")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_card_payments_amount_positive")),
        sa.CheckConstraint(
            "taken >= 0 AND taken <= amount", name=op.f("ck_card_payments_taken_within_amount")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'paid', 'failed', 'expired', 'review', 'closed')",
            name=op.f("ck_card_payments_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'paid') = (transfer_id IS NOT NULL)",
            name=op.f("ck_card_payments_paid_is_booked"),
        ),
    )
    op.create_index(
        "ix_card_payments_account_created_us", "card_payments", ["account", "created_us"]
    )
    op.create_index("ix_card_payments_created_us", "card_payments", ["created_us", "id"])
    for name, column, unique, condition in (
        ("ix_card_payments_open", "next_us", False, "state = 'open'"),
        ("ix_card_payments_auto", "account", True, "state = 'open' AND kind = 'auto'"),
    ):
        op.create_index(
            name,
            "card_payments",
            [column],
            unique=unique,
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    op.create_table(
        "card_claims",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("intent", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("won", sa.Boolean(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_claims")),
    )
    op.create_index("ix_card_claims_intent", "card_claims", ["intent"])
    op.create_table(
        "saved_cards",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("month_max", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=True),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_saved_cards")),
        sa.CheckConstraint(
            "NOT enabled OR (threshold > 0 AND amount >= threshold AND month_max >= amount)",
            name=op.f("ck_saved_cards_limits_make_sense"),
        ),
    )


def downgrade() -> None:
    for table in ("saved_cards", "card_claims", "card_payments"):
        op.drop_table(table)
