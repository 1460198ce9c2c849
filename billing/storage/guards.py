"""Triggers that refuse what code must never do: change a posting, or pay who is held."""

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


_HELD: Final = "EXISTS (SELECT 1 FROM payout_holds h WHERE h.kind = NEW.kind AND h.code = NEW.code)"
_LEAVES: Final = (
    "(NEW.status = 'approved' AND OLD.status <> 'approved') "
    "OR (NEW.file IS NOT NULL AND OLD.file IS NULL)"
)


def payout_hold_statements(dialect: str) -> list[str]:
    """Return the DDL that lets no payout begin, be approved or be sent while its party is held."""
    refused = "payouts of this party are held"
    if dialect == "sqlite":
        return [
            (
                f"CREATE TRIGGER payouts_held_insert BEFORE INSERT ON payouts WHEN {_HELD} "
                f"BEGIN SELECT RAISE(ABORT, '{refused}'); END"
            ),
            (
                f"CREATE TRIGGER payouts_held_update BEFORE UPDATE ON payouts "
                f"WHEN ({_LEAVES}) AND {_HELD} BEGIN SELECT RAISE(ABORT, '{refused}'); END"
            ),
        ]
    return [
        (
            "CREATE FUNCTION refuse_held_payout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {_HELD} THEN RAISE EXCEPTION '{refused}'; END IF; RETURN NEW; END $$"
        ),
        (
            "CREATE TRIGGER payouts_held_insert BEFORE INSERT ON payouts "
            "FOR EACH ROW EXECUTE FUNCTION refuse_held_payout()"
        ),
        (
            "CREATE TRIGGER payouts_held_update BEFORE UPDATE ON payouts FOR EACH ROW "
            f"WHEN ({_LEAVES}) EXECUTE FUNCTION refuse_held_payout()"
        ),
    ]


def drop_payout_hold_statements(dialect: str) -> list[str]:
    """Return the DDL that removes them again."""
    if dialect == "sqlite":
        return ["DROP TRIGGER payouts_held_insert", "DROP TRIGGER payouts_held_update"]
    return [
        "DROP TRIGGER payouts_held_insert ON payouts",
        "DROP TRIGGER payouts_held_update ON payouts",
        "DROP FUNCTION refuse_held_payout()",
    ]
