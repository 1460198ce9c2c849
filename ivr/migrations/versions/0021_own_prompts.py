"""Sounds of clients' own, and where they are spoken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "own_prompts",
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("sound", sa.LargeBinary(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client"], ["clients.code"], name=op.f("fk_own_prompts_client_clients")
        ),
        sa.PrimaryKeyConstraint("client", "name", "language", name=op.f("pk_own_prompts")),
    )
    op.create_table(
        "prompt_uses",
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("digit", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["did"], ["dids.number"], name=op.f("fk_prompt_uses_did_dids")),
        sa.PrimaryKeyConstraint("did", "digit", name=op.f("pk_prompt_uses")),
    )


def downgrade() -> None:
    op.drop_table("prompt_uses")
    op.drop_table("own_prompts")
