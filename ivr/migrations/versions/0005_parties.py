"""Agreements with clients and their history."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agreement_versions",
        sa.Column("client", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("in_force_us", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("client", "version", name="pk_agreement_versions"),
        sa.ForeignKeyConstraint(["client"], ["clients.code"], name="fk_agreement_versions_client"),
    )
    # What was agreed before today's shares is known only of each session.
    op.execute(
        "INSERT INTO agreement_versions (client, version, body, in_force_us) "
        """SELECT code, 1, '{"shares": ' || shares || ', "referrers": []}', created_us """
        "FROM clients"
    )


def downgrade() -> None:
    op.drop_table("agreement_versions")
