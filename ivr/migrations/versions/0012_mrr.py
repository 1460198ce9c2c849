"""Monthly recurring revenue as it changed; what runs today begins here."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    changes = op.create_table(
        "mrr_changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("subscription", sa.Text(), sa.ForeignKey("subscriptions.id"), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("difference", sa.BigInteger(), nullable=False),
        sa.Column("mrr", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_mrr_changes_subscription", "mrr_changes", ["subscription", "id"])
    op.create_index("ix_mrr_changes_at_us", "mrr_changes", ["at_us"])
    rows = op.get_bind().execute(
        sa.text(
            "SELECT s.id, s.months_paid_at_once AS months, s.addons, s.created_us, "
            "p.name, p.currency, p.body FROM subscriptions s "
            "JOIN plan_versions p ON p.id = s.plan_version_id WHERE s.state = 'active'"
        )
    )
    known = [_begun(row) for row in rows]
    if known:
        op.bulk_insert(changes, [each for each in known if each["mrr"]])


def downgrade() -> None:
    op.drop_table("mrr_changes")


def _begun(row: sa.Row) -> dict[str, object]:
    plan = json.loads(row.body)
    months, extra = row.months, dict(plan["addons"])
    fee = plan["year"] if months == 12 and plan["year"] is not None else plan["price"] * months
    mrr = fee // months + sum(
        extra.get(name, 0) * count for name, count in json.loads(row.addons).items()
    )
    return {
        "subscription": row.id, "plan": row.name, "currency": row.currency, "kind": "new",
        "difference": mrr, "mrr": mrr, "at_us": row.created_us,
    }  # fmt: skip
