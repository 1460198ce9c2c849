"""Rights of logins and tokens; the audit log is only ever added to."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

from billing.storage.guards import create_statements, drop_statements

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

GUARDED: Final = ("audit_log",)
FUNCTION: Final = "refuse_audit_change"
# Who could do everything so far still can; callers never needed a right.
EVERYTHING: Final = {
    "operator": "accounts calls lines money users",
    "client": "calls lines money users",
}


def upgrade() -> None:
    for table in ("users", "api_tokens"):
        op.add_column(table, sa.Column("rights", sa.Text(), nullable=False, server_default=""))
        for role, rights in EVERYTHING.items():
            op.execute(f"UPDATE {table} SET rights = '{rights}' WHERE role = '{role}'")  # noqa: S608 - constants
    op.add_column(
        "users",
        sa.Column("must_change", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
    op.add_column("users", sa.Column("seen_us", sa.BigInteger()))
    op.add_column("api_tokens", sa.Column("created_by", sa.Text()))
    op.add_column("api_tokens", sa.Column("used_us", sa.BigInteger()))
    op.create_index("ix_api_tokens_role_subject", "api_tokens", ["role", "subject"])
    op.add_column("audit_log", sa.Column("role", sa.Text()))
    op.add_column("audit_log", sa.Column("company", sa.Text()))
    op.create_index("ix_audit_log_actor", "audit_log", ["actor", "id"])
    op.create_index("ix_audit_log_company", "audit_log", ["role", "company", "id"])
    for statement in create_statements(op.get_bind().dialect.name, GUARDED, function=FUNCTION):
        op.execute(statement)


def downgrade() -> None:
    for statement in drop_statements(op.get_bind().dialect.name, GUARDED, function=FUNCTION):
        op.execute(statement)
    op.drop_index("ix_audit_log_company", "audit_log")
    op.drop_index("ix_audit_log_actor", "audit_log")
    op.drop_column("audit_log", "company")
    op.drop_column("audit_log", "role")
    op.drop_index("ix_api_tokens_role_subject", "api_tokens")
    op.drop_column("api_tokens", "used_us")
    op.drop_column("api_tokens", "created_by")
    op.drop_column("users", "seen_us")
    op.drop_column("users", "must_change")
    for table in ("api_tokens", "users"):
        op.drop_column(table, "rights")
