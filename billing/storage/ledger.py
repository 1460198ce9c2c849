"""One batch of operations on one connection: load rows, let the book decide, write in bulk.

    select holds   select transfers   select accounts (sorted, locked)   -- three reads
    insert/update  holds, accounts, transfers, entries, sessions         -- only those touched

Whatever the size of the batch, the number of statements stays the same. The caller owns the
transaction: `GroupWriter` commits it, and so may any other unit of work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import bindparam, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.book import AccountRow, Book, HoldRow, TransferRow
from billing.domain.operations import AccountRef, Answer, OpenHold, Operation, Post, Settle
from billing.domain.splits import Share
from billing.errors import BillingError
from billing.storage.tables import accounts, entries, holds, sessions, transfers

Outcome: TypeAlias = Answer | BillingError
Row: TypeAlias = dict[str, Any]  # Any: values of many column types

# Kinds of accounts that come to be when first named; a caller's account is opened knowingly.
SELF_MADE: Final = frozenset({"client", "provider", "reseller", "referrer", "tax", "funding"})

_HOLDS = (
    select(holds, sessions.c.balance_before, sessions.c.balance_after)
    .select_from(holds.outerjoin(sessions, sessions.c.id == holds.c.id))
    .where(holds.c.id.in_(bindparam("ids", expanding=True)))
)
_TRANSFERS = select(transfers.c.id, transfers.c.key, transfers.c.input_hash).where(
    transfers.c.key.in_(bindparam("keys", expanding=True))
)
_ACCOUNTS = (
    select(accounts)
    .where(
        tuple_(accounts.c.kind, accounts.c.code, accounts.c.currency).in_(
            bindparam("refs", expanding=True)
        )
    )
    .order_by(accounts.c.id)
    .with_for_update(key_share=True)
)
_UPDATE_ACCOUNT = (
    update(accounts)
    .where(accounts.c.id == bindparam("row_id"))
    .values(
        posted=bindparam("posted"),
        held=bindparam("held"),
        open_holds=bindparam("open_holds"),
        version=bindparam("version"),
    )
)
_UPDATE_HOLD = (
    update(holds)
    .where(holds.c.id == bindparam("row_id"), holds.c.status == "pending")
    .values(
        {
            name: bindparam(name)
            for name in (
                "status", "step", "seconds", "amount", "proven_us", "expires_us",
                "resolved_us", "settled_amount",
            )
        }
    )
)  # fmt: skip
_CLOSE_SESSION = (
    update(sessions)
    .where(sessions.c.id == bindparam("row_id"), sessions.c.state == "open")
    .values(
        {
            name: bindparam(name)
            for name in (
                "state", "started_us", "ended_us", "talk_us", "billed_seconds", "cost",
                "balance_before", "balance_after", "evidence", "review", "note",
            )
        }
    )
)  # fmt: skip


async def post_batch(connection: AsyncConnection, operations: Sequence[Operation]) -> list[Outcome]:
    """Apply operations in order; each gets its own answer or refusal.

    Nothing is committed here.
    """
    book = await _load(connection, operations)
    outcomes: list[Outcome] = []
    for operation in operations:
        try:
            outcomes.append(book.apply(operation))
        except BillingError as refusal:
            outcomes.append(refusal)
    await _write(connection, book)
    return outcomes


async def _load(connection: AsyncConnection, operations: Sequence[Operation]) -> Book:
    hold_ids = sorted({op.hold_id for op in operations if not isinstance(op, Post)})
    keys = sorted({op.key for op in operations if isinstance(op, Post)})
    refs = sorted({ref for op in operations for ref in _refs(op)})
    # Accounts first: their locks make the reads that follow stand still.
    found = await _accounts(connection, refs)
    return Book(
        accounts=found,
        holds={
            row.id: HoldRow(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
            for row in (await connection.execute(_HOLDS, {"ids": hold_ids}) if hold_ids else ())
        },
        transfers={
            row.key: TransferRow(id=row.id, key=row.key, input_hash=row.input_hash)
            for row in (await connection.execute(_TRANSFERS, {"keys": keys}) if keys else ())
        },
    )


def _refs(operation: Operation) -> Iterable[AccountRef]:
    if isinstance(operation, Post):
        return [entry.account for entry in operation.entries]
    refs = [operation.account]
    if isinstance(operation, Settle):
        currency = operation.account.currency
        refs += [
            AccountRef(kind=part.kind, code=part.account, currency=currency)
            for part in operation.parts
        ]
    return refs


async def _accounts(
    connection: AsyncConnection, refs: Sequence[AccountRef]
) -> dict[AccountRef, AccountRow]:
    found = await _select_accounts(connection, refs)
    missing = [ref for ref in refs if ref not in found and ref.kind in SELF_MADE]
    if missing:
        await ensure_accounts(connection, missing)
        found |= await _select_accounts(connection, missing)
    return found


async def ensure_accounts(connection: AsyncConnection, refs: Sequence[AccountRef]) -> None:
    """Make accounts without a floor exist; another writer may make the same ones meanwhile."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    await connection.execute(
        dialect.insert(accounts).on_conflict_do_nothing(),
        [
            {"kind": ref.kind, "code": ref.code, "currency": ref.currency, "created_us": 0}
            for ref in refs
        ],
    )


async def _select_accounts(
    connection: AsyncConnection, refs: Sequence[AccountRef]
) -> dict[AccountRef, AccountRow]:
    if not refs:
        return {}
    rows = await connection.execute(
        _ACCOUNTS, {"refs": [(ref.kind, ref.code, ref.currency) for ref in refs]}
    )
    found: dict[AccountRef, AccountRow] = {}
    for row in rows:
        ref = AccountRef(kind=row.kind, code=row.code, currency=row.currency)
        found[ref] = AccountRow(
            id=row.id,
            ref=ref,
            status=row.status,
            posted=row.posted,
            held=row.held,
            open_holds=row.open_holds,
            credit_limit=row.credit_limit,
            version=row.version,
        )
    return found


async def _write(connection: AsyncConnection, book: Book) -> None:
    new_holds = {hold.id for hold in book.new_holds}
    for statement, rows in (
        (insert(transfers), [_transfer(row) for row in book.new_transfers]),
        (insert(entries), [_entry(row) for row in book.new_entries]),
        (insert(holds), [_hold(row) for row in book.new_holds]),
        (insert(sessions), [_session(book, op) for op in book.opened if op.session]),
        (
            _UPDATE_HOLD,
            [_hold_change(row) for row in book.changed_holds.values() if row.id not in new_holds],
        ),
        (_CLOSE_SESSION, [_closed(op, answer) for op, answer in book.closed]),
        (_UPDATE_ACCOUNT, [_account_change(row) for row in book.changed_accounts.values()]),
    ):
        if rows:
            await connection.execute(statement, rows)


def shares_json(shares: Sequence[Share]) -> str:
    """Write shares as the tables keep them."""
    return json.dumps([[share.kind, share.account, share.basis_points] for share in shares])


def shares_from_json(text: str) -> tuple[Share, ...]:
    """Read what `shares_json` wrote."""
    return tuple(
        Share(kind=kind, account=account, basis_points=points)
        for kind, account, points in json.loads(text)
    )


def _transfer(row: TransferRow) -> Row:
    return {
        "id": row.id,
        "key": row.key,
        "input_hash": row.input_hash,
        "kind": row.kind,
        "reference": row.reference,
        "reverses": row.reverses,
        "memo": row.memo,
        "actor": row.actor,
        "at_us": row.at_us,
    }


def _entry(row: Any) -> Row:  # Any: an EntryRow, whose fields are the columns
    return {name: getattr(row, name) for name in row.__slots__}


def _hold(row: HoldRow) -> Row:
    return {
        "id": row.id,
        "account_id": row.account_id,
        "opened_us": row.opened_us,
        **_hold_fields(row),
    }


def _hold_change(row: HoldRow) -> Row:
    return {"row_id": row.id, **_hold_fields(row)}


def _hold_fields(row: HoldRow) -> Row:
    return {
        "status": row.status,
        "step": row.step,
        "seconds": row.seconds,
        "amount": row.amount,
        "proven_us": row.proven_us,
        "expires_us": row.expires_us,
        "resolved_us": row.resolved_us,
        "settled_amount": row.settled_amount,
    }


def _account_change(row: AccountRow) -> Row:
    return {
        "row_id": row.id,
        "posted": row.posted,
        "held": row.held,
        "open_holds": row.open_holds,
        "version": row.version,
    }


def _session(book: Book, operation: OpenHold) -> Row:
    session = operation.session
    assert session is not None
    return {
        "id": operation.hold_id,
        "account_id": book.accounts[operation.account].id,
        "client": session.client,
        "service": session.service,
        "detail": session.detail,
        "tariff_version_id": session.tariff_version_id,
        "timezone": session.timezone,
        "shares": shares_json(session.shares),
        "currency": operation.account.currency,
        "state": "open",
        "opened_us": operation.at_us,
    }


def _closed(operation: Any, answer: Any) -> Row:  # Any: Settle with Settled, or Void with None
    if answer is None:
        return {
            "row_id": operation.hold_id, "state": "voided", "started_us": None,
            "ended_us": operation.at_us, "talk_us": 0, "billed_seconds": 0, "cost": 0,
            "balance_before": None, "balance_after": None, "evidence": None,
            "review": False, "note": operation.note,
        }  # fmt: skip
    result = operation.result
    return {
        "row_id": operation.hold_id,
        "state": "settled",
        "started_us": result.started_us,
        "ended_us": result.ended_us,
        "talk_us": result.talk_us,
        "billed_seconds": result.billed_seconds,
        "cost": answer.amount,
        "balance_before": answer.balance_before,
        "balance_after": answer.balance_after,
        "evidence": result.evidence,
        "review": result.review,
        "note": result.note,
    }
