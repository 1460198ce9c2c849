"""Proofs on demand: every invariant of the ledger, checked against every row.

A check that fails names the rows; nothing is ever repaired silently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing import audit_invoices, audit_refunds, audit_sums
from billing.clock import moment_of
from billing.domain.rating import RateTable, seconds_of
from billing.domain.sessions import parts_of
from billing.domain.tariffs import Tariff
from billing.storage.engine import snapshot
from billing.storage.ledger import shares_from_json
from billing.storage.tables import accounts, entries, holds, sessions, tariff_versions, transfers

ROWS_SHOWN: Final = 20
CHUNK: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One invariant: `rows` names what breaks it, the first few."""

    name: str
    ok: bool
    rows: tuple[str, ...]


_QUERIES: Final = {
    "the entries of each transfer sum to zero": (
        "SELECT t.id, coalesce(sum(e.amount), 0) FROM transfers t "
        "LEFT JOIN entries e ON e.transfer_id = t.id "
        "GROUP BY t.id HAVING coalesce(sum(e.amount), 0) <> 0 OR count(e.amount) < 2"
    ),
    "all entries sum to zero per currency": (
        "SELECT a.currency, sum(e.amount) FROM entries e JOIN accounts a ON a.id = e.account_id "
        "GROUP BY a.currency HAVING sum(e.amount) <> 0"
    ),
    "each balance equals the sum of its entries": (
        "SELECT a.kind, a.code, a.posted FROM accounts a "
        "LEFT JOIN entries e ON e.account_id = a.id GROUP BY a.id, a.kind, a.code, a.posted, "
        "a.version HAVING a.posted <> coalesce(sum(e.amount), 0) "
        "OR a.version <> count(e.amount) OR a.version <> coalesce(max(e.seq), 0)"
    ),
    "each entry continues the balance before it": (
        "SELECT e.account_id, e.seq FROM entries e LEFT JOIN entries p "
        "ON p.account_id = e.account_id AND p.seq = e.seq - 1 "
        "WHERE e.balance_after <> coalesce(p.balance_after, 0) + e.amount"
    ),
    "held money equals the open holds": (
        "SELECT a.kind, a.code, a.held FROM accounts a "
        "LEFT JOIN holds h ON h.account_id = a.id AND h.status = 'pending' "
        "GROUP BY a.id, a.kind, a.code, a.held, a.open_holds "
        "HAVING a.held <> coalesce(sum(h.amount), 0) OR a.open_holds <> count(h.id)"
    ),
    "no spendable balance is below zero": (
        "SELECT kind, code FROM accounts "
        "WHERE credit_limit IS NOT NULL AND posted - held + credit_limit < 0"
    ),
    "each card payment is booked once, less what was taken back": (
        "SELECT p.id, p.state FROM card_payments p "
        "WHERE (CASE WHEN p.state = 'paid' THEN p.amount - p.taken ELSE 0 END) <> "
        "(SELECT coalesce(sum(e.amount), 0) FROM transfers t "
        "JOIN entries e ON e.transfer_id = t.id JOIN accounts a ON a.id = e.account_id "
        "WHERE t.reference = p.id AND a.kind = 'caller' AND a.code = p.account)"
    ),
    "each hold ended with its session": (
        "SELECT s.id, s.state, h.status FROM sessions s LEFT JOIN holds h ON h.id = s.id "
        "WHERE h.id IS NULL OR (s.state = 'open') <> (h.status = 'pending') "
        "OR (s.state = 'settled') <> (h.status = 'settled') OR h.account_id <> s.account_id "
        "OR (s.state = 'settled' AND coalesce(h.settled_amount, -1) <> s.cost)"
    ),
    "each hold belongs to a session": (
        "SELECT h.id, h.status FROM holds h LEFT JOIN sessions s ON s.id = h.id "
        "WHERE s.id IS NULL AND h.id NOT LIKE '%#_'"
    ),
    "each settlement belongs to a session": (
        "SELECT t.id, t.reference FROM transfers t LEFT JOIN sessions s ON s.id = t.reference "
        "WHERE t.kind = 'settle' AND s.id IS NULL"
    ),
    "each session that cost something was debited exactly once": (
        "SELECT s.id, s.cost, count(t.id) FROM sessions s "
        "LEFT JOIN transfers t ON t.reference = s.id AND t.kind = 'settle' "
        "WHERE s.state <> 'open' GROUP BY s.id, s.cost, s.state "
        "HAVING count(t.id) <> CASE WHEN s.state = 'settled' AND s.cost > 0 THEN 1 ELSE 0 END"
    ),
    "the covered talk of each session was drawn from allowances": (
        "SELECT s.id, s.covered_seconds, sum(e.amount) FROM sessions s "
        "LEFT JOIN transfers t ON t.reference = s.id AND t.kind = 'draw' "
        "LEFT JOIN entries e ON e.transfer_id = t.id AND e.amount < 0 "
        "WHERE s.cover IS NOT NULL OR s.covered_seconds <> 0 GROUP BY s.id, s.covered_seconds "
        "HAVING s.covered_seconds * 1000000 <> -coalesce(sum(e.amount), 0)"
    ),
    "each hold on an allowance ended with its session": (
        "SELECT h.id, h.status FROM holds h "
        "LEFT JOIN sessions s ON s.id = substr(h.id, 1, length(h.id) - 2) "
        "AND (s.state = 'open') = (h.status = 'pending') "
        "WHERE h.id LIKE '%#_' AND s.id IS NULL"
    ),
    "money on its way to parties belongs to their payouts": (
        "SELECT a.currency, a.posted, coalesce(sum(p.amount), 0) FROM accounts a "
        "LEFT JOIN payouts p ON p.currency = a.currency "
        "AND p.status IN ('requested', 'approved') WHERE a.kind = 'payout' "
        "GROUP BY a.id, a.currency, a.posted HAVING a.posted <> coalesce(sum(p.amount), 0)"
    ),
    "each debit equals the cost of its session": (
        "SELECT s.id, s.cost, sum(e.amount) FROM sessions s "
        "JOIN transfers t ON t.reference = s.id AND t.kind = 'settle' "
        "JOIN entries e ON e.transfer_id = t.id AND e.account_id = s.account_id "
        "GROUP BY s.id, s.cost HAVING s.cost <> -sum(e.amount)"
    ),
}


async def verify(engine: AsyncEngine) -> list[Check]:
    """Prove every invariant; a check per rule, in one snapshot of the database."""
    async with snapshot(engine) as connection:
        checks = [
            await _run(connection, name, _first(query))
            for name, query in (
                _QUERIES | audit_refunds.QUERIES | audit_sums.QUERIES | audit_invoices.QUERIES
            ).items()
        ]
        checks.append(await _prices(connection))
    return checks


def _first(query: str) -> TextClause:
    return text(f"{query} LIMIT {ROWS_SHOWN}")


async def _run(connection: AsyncConnection, name: str, query: TextClause) -> Check:
    rows = await connection.execute(query)
    shown = tuple(" ".join(map(str, row)) for row in rows)
    return Check(name=name, ok=not shown, rows=shown)


async def _prices(connection: AsyncConnection) -> Check:
    """Rate every settled session again, and split it again, by what it was authorised with."""
    tariffs: dict[int, Tariff] = {}
    wrong: list[str] = []
    last = ""
    while True:
        rows = (await connection.execute(_settled(last))).all()
        if not rows:
            break
        last = rows[-1].id
        booked = await _parts(connection, [row.id for row in rows])
        for row in rows:
            if row.tariff_version_id not in tariffs:
                tariffs[row.tariff_version_id] = Tariff.from_json(row.body)
            problem = _price_problem(row, tariffs[row.tariff_version_id], booked.get(row.id, {}))
            if problem and len(wrong) < ROWS_SHOWN:
                wrong.append(f"{row.id} {problem}")
    return Check(
        name="cost, split and grant of each session follow from its talk and its price version",
        ok=not wrong,
        rows=tuple(wrong),
    )


def _settled(last: str) -> Any:  # Any: a select over many columns
    return (
        select(sessions, tariff_versions.c.body, holds.c.seconds, holds.c.amount)
        .select_from(
            sessions.join(
                tariff_versions, tariff_versions.c.id == sessions.c.tariff_version_id
            ).join(holds, holds.c.id == sessions.c.id)
        )
        .where(sessions.c.state == "settled", sessions.c.id > last)
        .order_by(sessions.c.id)
        .limit(CHUNK)
    )


async def _parts(
    connection: AsyncConnection, ids: list[str]
) -> dict[str, dict[tuple[str, str], int]]:
    """Read what each party was credited."""
    rows = await connection.execute(
        select(transfers.c.reference, accounts.c.kind, accounts.c.code, entries.c.amount)
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(
            transfers.c.kind == "settle",
            entries.c.amount > 0,
            transfers.c.reference >= ids[0],
            transfers.c.reference <= ids[-1],
        )
    )
    booked: dict[str, dict[tuple[str, str], int]] = {}
    for row in rows:
        booked.setdefault(row.reference, {})[row.kind, row.code] = row.amount
    return booked


def _price_problem(
    row: Row[Any],  # Any: a row of many column types
    tariff: Tariff,
    booked: dict[tuple[str, str], int],
) -> str | None:
    table = RateTable.compile(tariff, started_at=moment_of(row.opened_us), timezone=row.timezone)
    charge = table.charge(min(seconds_of(row.talk_us), row.seconds) - row.covered_seconds)
    cost = charge.cost
    if cost != row.cost:
        return f"cost {row.cost} instead of {cost}"
    if charge.tax != row.tax:
        return f"tax {row.tax} instead of {charge.tax}"
    if row.cost > row.amount:
        return f"cost {row.cost} above the grant {row.amount}"
    expected = {
        (part.kind, part.account): part.amount
        for part in parts_of(charge, shares_from_json(row.shares))
        if part.amount
    }
    return None if expected == booked else f"split {booked} instead of {expected}"
