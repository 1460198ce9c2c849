"""Plans, subscriptions and usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan_versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_versions")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_plan_versions_name_version")),
    )
    op.create_table(
        "usage_alerts",
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "subscription", "meter", "cycle", "percent", name=op.f("pk_usage_alerts")
        ),
    )
    op.create_index("ix_usage_alerts_at_us", "usage_alerts", ["at_us"], unique=False)
    op.create_table(
        "usage_events",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("key_type", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("overage_units", sa.BigInteger(), nullable=False),
        sa.Column("overage", sa.BigInteger(), nullable=False),
        sa.Column("remaining", sa.BigInteger(), nullable=False),
        sa.Column("warning", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("account", "key", name=op.f("pk_usage_events")),
    )
    op.create_table(
        "usage_hours",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("hour_us", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("overage_units", sa.BigInteger(), nullable=False),
        sa.Column("overage", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "meter", "type", "hour_us", name=op.f("pk_usage_hours")),
    )
    op.create_index("ix_usage_hours_hour_us", "usage_hours", ["hour_us"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("plan_version_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("months_paid_at_once", sa.Integer(), nullable=False),
        sa.Column("anchor_us", sa.BigInteger(), nullable=False),
        sa.Column("cycle", sa.Integer(), nullable=False),
        sa.Column("cycle_start_us", sa.BigInteger(), nullable=False),
        sa.Column("cycle_end_us", sa.BigInteger(), nullable=False),
        sa.Column("paid_cycles", sa.Integer(), nullable=False),
        sa.Column("ends", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("addons", sa.Text(), server_default="{}", nullable=False),
        sa.Column("changes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state IN ('active', 'past_due', 'cancelled')",
            name=op.f("ck_subscriptions_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["plan_versions.id"], name=op.f("fk_subscriptions_plan_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_index(
        "ix_subscriptions_cycle_end_us", "subscriptions", ["cycle_end_us"], unique=False
    )
    op.create_index(
        "ix_subscriptions_live",
        "subscriptions",
        ["account"],
        unique=True,
        sqlite_where=sa.text("state <> 'cancelled'"),
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
    op.create_table(
        "allowances",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscriptions.id"], name=op.f("fk_allowances_subscription")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_allowances")),
    )
    op.create_index("ix_allowances_subscription", "allowances", ["subscription"], unique=False)
    op.create_table(
        "deferrals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("recognised", sa.Integer(), nullable=False),
        sa.Column("anchor_us", sa.BigInteger(), nullable=False),
        sa.Column("first_cycle", sa.Integer(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscriptions.id"], name=op.f("fk_deferrals_subscription")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deferrals")),
    )
    op.create_index("ix_deferrals_due_us", "deferrals", ["due_us"], unique=False)
    op.create_table(
        "subscription_meters",
        sa.Column("subscription", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("overage_units", sa.BigInteger(), nullable=False),
        sa.Column("overage", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscriptions.id"], name=op.f("fk_subscription_meters_subscription")
        ),
        sa.PrimaryKeyConstraint("subscription", "meter", name=op.f("pk_subscription_meters")),
    )


def downgrade() -> None:
    op.drop_table("subscription_meters")
    op.drop_index("ix_deferrals_due_us", table_name="deferrals")
    op.drop_table("deferrals")
    op.drop_index("ix_allowances_subscription", table_name="allowances")
    op.drop_table("allowances")
    op.drop_index(
        "ix_subscriptions_live",
        table_name="subscriptions",
        sqlite_where=sa.text("state <> 'cancelled'"),
        postgresql_where=sa.text("state <> 'cancelled'"),
    )
    op.drop_index("ix_subscriptions_cycle_end_us", table_name="subscriptions")
    op.drop_table("subscriptions")
    op.drop_index("ix_usage_hours_hour_us", table_name="usage_hours")
    op.drop_table("usage_hours")
    op.drop_table("usage_events")
    op.drop_index("ix_usage_alerts_at_us", table_name="usage_alerts")
    op.drop_table("usage_alerts")
    op.drop_table("plan_versions")
