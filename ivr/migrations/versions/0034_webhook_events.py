"""Webhooks of the installation and of callers, for chosen events, with a log of answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _endpoints()
    _outbox()
    op.create_table(
        "webhook_marks",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["webhook_endpoints.id"],
            name=op.f("fk_webhook_marks_endpoint_webhook_endpoints"),
        ),
        sa.PrimaryKeyConstraint("endpoint", "event", name=op.f("pk_webhook_marks")),
    )
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
    op.create_index("ix_calls_closed_us", "calls", ["closed_us"])
    _take_over()
    op.drop_table("webhook_deliveries")
    op.drop_table("webhooks")


def _endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("account", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_until_us", sa.BigInteger(), nullable=True),
        sa.Column("events", sa.Text(), nullable=False),
        sa.Column("low_balance", sa.BigInteger(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("failing_us", sa.BigInteger(), nullable=True),
        sa.Column("off_reason", sa.Text(), nullable=True),
        sa.Column("request_key", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client"], ["clients.code"], name=op.f("fk_webhook_endpoints_client_clients")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        sa.UniqueConstraint("request_key", name=op.f("uq_webhook_endpoints_request_key")),
    )
    op.create_index("ix_webhook_endpoints_client", "webhook_endpoints", ["client"])
    op.create_index("ix_webhook_endpoints_account", "webhook_endpoints", ["account"])


def _outbox() -> None:
    op.create_table(
        "webhook_outbox",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=True),
        sa.Column("tried_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["webhook_endpoints.id"],
            name=op.f("fk_webhook_outbox_endpoint_webhook_endpoints"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_outbox")),
        sa.UniqueConstraint(
            "endpoint", "event_id", name=op.f("uq_webhook_outbox_endpoint_event_id")
        ),
    )
    op.create_index("ix_webhook_outbox_state_next_us", "webhook_outbox", ["state", "next_us"])
    op.create_index(
        "ix_webhook_outbox_endpoint_created_us", "webhook_outbox", ["endpoint", "created_us"]
    )


def _take_over() -> None:
    """Keep what there was: each webhook is told of ended calls, as before."""
    op.execute(
        "INSERT INTO webhook_endpoints "
        "(id, client, url, secret, events, low_balance, enabled, created_us) "
        "SELECT id, client, url, secret, '[\"call.ended\"]', 5000000, enabled, created_us "
        "FROM webhooks"
    )
    op.execute(
        "INSERT INTO webhook_marks (endpoint, event, since_us, seen_us) "
        "SELECT id, 'call.ended', created_us, seen_us FROM webhooks"
    )
    op.execute(
        "INSERT INTO webhook_outbox "
        "(id, endpoint, event_id, event, body, state, attempts, next_us, reason, tried_us, "
        "created_us) "
        "SELECT id, webhook, event_id, event, body, state, attempts, next_us, reason, tried_us, "
        "created_us FROM webhook_deliveries"
    )


def downgrade() -> None:
    op.drop_index("ix_calls_closed_us", "calls")
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client"], ["clients.code"], name=op.f("fk_webhooks_client_clients")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tried_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook"], ["webhooks.id"], name=op.f("fk_webhook_deliveries_webhook_webhooks")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "webhook", "event_id", name=op.f("uq_webhook_deliveries_webhook_event_id")
        ),
    )
    op.create_index(
        "ix_webhook_deliveries_state_next_us", "webhook_deliveries", ["state", "next_us"]
    )
    op.execute(
        "INSERT INTO webhooks (id, client, url, secret, enabled, seen_us, created_us) "
        "SELECT e.id, e.client, e.url, e.secret, e.enabled, m.seen_us, e.created_us "
        "FROM webhook_endpoints e JOIN webhook_marks m ON m.endpoint = e.id "
        "WHERE e.client IS NOT NULL AND m.event = 'call.ended'"
    )
    op.execute(
        "INSERT INTO webhook_deliveries "
        "(id, webhook, event_id, event, body, state, attempts, next_us, reason, tried_us, "
        "created_us) "
        "SELECT id, endpoint, event_id, event, body, state, attempts, next_us, reason, tried_us, "
        "created_us FROM webhook_outbox WHERE endpoint IN (SELECT id FROM webhooks)"
    )
    for table in ("webhook_outbox", "webhook_events", "webhook_marks", "webhook_endpoints"):
        op.drop_table(table)
