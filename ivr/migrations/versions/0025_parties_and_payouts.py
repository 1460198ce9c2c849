"""Who served a session and sums by it, who changed an agreement, payouts held and sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from billing.storage.guards import drop_payout_hold_statements, payout_hold_statements

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

KEY = ("day_us", "client", "agent", "service", "detail", "currency")
KINDS = ("client", "provider", "reseller", "referrer", "tax")
SUMS = ("sessions", "talk_us", "billed_seconds", "gross", *(f"to_{kind}" for kind in KINDS))


def upgrade() -> None:
    op.add_column("sessions", sa.Column("agent", sa.Text))
    op.add_column("agreement_versions", sa.Column("actor", sa.Text))
    op.create_table(
        "agent_days",
        sa.Column("day_us", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in KEY[1:]),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in SUMS),
        sa.PrimaryKeyConstraint(*KEY, name="pk_agent_days"),
    )
    op.create_index("ix_agent_days_client_day_us", "agent_days", ["client", "day_us"])
    got = ", ".join(
        f"coalesce((SELECT sum(p.amount) FROM share_days p WHERE p.day_us = r.day_us "  # noqa: S608
        "AND p.client = r.client AND p.service = r.service AND p.detail = r.detail "
        f"AND p.currency = r.currency AND p.kind = '{kind}'), 0)"
        for kind in KINDS
    )
    # Nobody wrote down who served the calls until now.
    op.execute(
        "INSERT INTO agent_days SELECT r.day_us, r.client, '', r.service, r.detail, r.currency, "  # noqa: S608
        "sum(r.sessions), sum(r.talk_us), sum(r.billed_seconds), sum(r.gross), "
        f"{got} FROM revenue_days r GROUP BY r.day_us, r.client, r.service, r.detail, r.currency"
    )
    op.create_table(
        "payout_files",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("currency", "name", "iban", "bic")),
        sa.Column("made_us", sa.BigInteger, nullable=False),
        sa.Column("made_by", sa.Text, nullable=False),
    )
    op.create_table(
        "payout_holds",
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("held_us", sa.BigInteger, nullable=False),
        sa.Column("held_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("kind", "code", name="pk_payout_holds"),
        sa.CheckConstraint("reason <> ''", name="reason_given"),
    )
    with op.batch_alter_table("payouts") as payouts:
        payouts.add_column(sa.Column("file", sa.Text))
        payouts.create_foreign_key("fk_payouts_file", "payout_files", ["file"], ["id"])
    op.create_index("ix_payouts_file", "payouts", ["file"])
    for statement in payout_hold_statements(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    for statement in drop_payout_hold_statements(op.get_bind().dialect.name):
        op.execute(statement)
    op.drop_index("ix_payouts_file", "payouts")
    with op.batch_alter_table("payouts") as payouts:
        payouts.drop_constraint("fk_payouts_file", type_="foreignkey")
        payouts.drop_column("file")
    op.drop_table("payout_holds")
    op.drop_table("payout_files")
    op.drop_table("agent_days")
    op.drop_column("agreement_versions", "actor")
    op.drop_column("sessions", "agent")
