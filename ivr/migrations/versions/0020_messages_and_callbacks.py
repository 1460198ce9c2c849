"""Messages, recordings, callbacks, parts of a call and the rules of clients."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_rules",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client"], ["clients.code"], name=op.f("fk_client_rules_client_clients")
        ),
        sa.PrimaryKeyConstraint("client", name=op.f("pk_client_rules")),
    )
    op.add_column("calls", sa.Column("part", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("calls", sa.Column("follows", sa.Text(), nullable=True))
    op.add_column("calls", sa.Column("language", sa.Text(), nullable=True))
    op.create_table(
        "recordings",
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("keep_until_us", sa.BigInteger(), nullable=False),
        sa.Column("heard_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["call"], ["calls.id"], name=op.f("fk_recordings_call_calls")),
        sa.PrimaryKeyConstraint("call", "kind", name=op.f("pk_recordings")),
    )
    op.create_index("ix_recordings_client_created_us", "recordings", ["client", "created_us"])
    op.create_index("ix_recordings_keep_until_us", "recordings", ["keep_until_us"])
    op.create_table(
        "callbacks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("digit", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("node", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("made", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client"], ["clients.code"], name=op.f("fk_callbacks_client_clients")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_callbacks")),
    )
    op.create_index("ix_callbacks_state_next_us", "callbacks", ["state", "next_us"])
    op.create_index("ix_callbacks_client_created_us", "callbacks", ["client", "created_us"])


def downgrade() -> None:
    op.drop_table("callbacks")
    op.drop_table("recordings")
    for column in ("language", "follows", "part"):
        op.drop_column("calls", column)
    op.drop_table("client_rules")
