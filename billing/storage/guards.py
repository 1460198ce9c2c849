"""What is booked stays booked: triggers that refuse to change or delete a posting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

GUARDED: Final = ("transfers", "entries")
FUNCTION: Final = "refuse_change"


def create_statements(
    dialect: str, tables: Sequence[str] = GUARDED, *, function: str = FUNCTION
) -> list[str]:
    """Return the DDL that makes the rows of tables immutable; `function` is theirs alone."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_never_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END"
            for table in tables
            for verb in ("update", "delete")
        ]
    return [
        (
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% are never changed', TG_TABLE_NAME; END $$"
        ),
        *(
            f"CREATE TRIGGER {table}_never_change BEFORE UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()"
            for table in tables
        ),
    ]


def drop_statements(
    dialect: str, tables: Sequence[str] = GUARDED, *, function: str = FUNCTION
) -> list[str]:
    """Return the DDL that removes them again."""
    if dialect == "sqlite":
        return [
            f"DROP TRIGGER {table}_never_{verb}"
            for table in tables
            for verb in ("update", "delete")
        ]
    return [
        *(f"DROP TRIGGER {table}_never_change ON {table}" for table in tables),
        f"DROP FUNCTION {function}()",
    ]
