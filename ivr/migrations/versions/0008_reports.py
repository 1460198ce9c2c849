"""Daily sums for reports, filled from what is settled already."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEY = ("day_us", "client", "service", "detail", "tariff_version_id", "currency")
DAY = "s.ended_us - s.ended_us % 86400000000"
SOLD = f"{DAY}, s.client, s.service, coalesce(s.detail, ''), s.tariff_version_id, s.currency"


def columns() -> list[sa.Column]:
    return [
        sa.Column("day_us", sa.BigInteger, nullable=False),
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column(
            "tariff_version_id",
            sa.BigInteger,
            sa.ForeignKey("tariff_versions.id"),
            nullable=False,
        ),
        sa.Column("currency", sa.Text, nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "revenue_days",
        *columns(),
        sa.Column("sessions", sa.BigInteger, nullable=False),
        sa.Column("talk_us", sa.BigInteger, nullable=False),
        sa.Column("billed_seconds", sa.BigInteger, nullable=False),
        sa.Column("gross", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*KEY, name="pk_revenue_days"),
    )
    op.create_table(
        "share_days",
        *columns(),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(*KEY, "kind", "account", name="pk_share_days"),
    )
    for table in ("revenue_days", "share_days"):
        op.create_index(f"ix_{table}_client_day_us", table, ["client", "day_us"])
    op.execute(
        f"INSERT INTO revenue_days SELECT {SOLD}, count(*), sum(s.talk_us), "  # noqa: S608 - our own words
        "sum(s.billed_seconds), sum(s.cost) FROM sessions s WHERE s.state = 'settled' "
        "GROUP BY 1, 2, 3, 4, 5, 6"
    )
    op.execute(
        f"INSERT INTO share_days SELECT {SOLD}, a.kind, a.code, sum(e.amount) FROM sessions s "  # noqa: S608
        "JOIN transfers t ON t.reference = s.id AND t.kind = 'settle' "
        "JOIN entries e ON e.transfer_id = t.id AND e.amount > 0 "
        "JOIN accounts a ON a.id = e.account_id WHERE s.state = 'settled' "
        "GROUP BY 1, 2, 3, 4, 5, 6, 7, 8"
    )


def downgrade() -> None:
    op.drop_table("share_days")
    op.drop_table("revenue_days")
