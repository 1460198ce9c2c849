"""What is booked stays booked: triggers that refuse to change or delete a posting."""

from __future__ import annotations

from typing import Final

GUARDED: Final = ("transfers", "entries")


def create_statements(dialect: str) -> list[str]:
    """Return the DDL that makes postings immutable."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_never_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are never changed'); END"
            for table in GUARDED
            for verb in ("update", "delete")
        ]
    return [
        (
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% are never changed', TG_TABLE_NAME; END $$"
        ),
        *(
            f"CREATE TRIGGER {table}_never_change BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            for table in GUARDED
        ),
    ]


def drop_statements(dialect: str) -> list[str]:
    """Return the DDL that removes them again."""
    if dialect == "sqlite":
        return [
            f"DROP TRIGGER {table}_never_{verb}"
            for table in GUARDED
            for verb in ("update", "delete")
        ]
    return [
        *(f"DROP TRIGGER {table}_never_change ON {table}" for table in GUARDED),
        "DROP FUNCTION refuse_change()",
    ]
