"""One batch of operations: load rows, let the book decide, write in bulk.

    find accounts (sorted, locked)   find holds   find transfers         -- three reads
    insert/update  transfers, entries, holds, sessions, accounts         -- only those touched

Whatever the size of the batch, the number of steps stays the same. The caller owns the
transaction: `GroupWriter` commits it, and so may any other unit of work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.book import Book
from billing.domain.cover import hold_ids, issuer_of
from billing.domain.operations import (
    AccountRef,
    Answer,
    Expire,
    OpenHold,
    Operation,
    Post,
    Settle,
    Settled,
    Sold,
    Void,
)
from billing.domain.rows import AccountRow, EntryRow, HoldRow, TransferRow
from billing.domain.splits import Share
from billing.errors import BillingError
from billing.storage.drivers import run_in
from billing.storage.report_tables import (
    AGENT_KEY,
    AGENT_SUMS,
    KEY,
    PARTY_KEY,
    agent_days,
    party_days,
    revenue_days,
    share_days,
)
from billing.storage.statements import Add, Adds, Find, Insert, Steps, Update, Values
from billing.storage.tables import accounts, entries, holds, sessions, transfers

Outcome: TypeAlias = Answer | BillingError

# Kinds of accounts that come to be when first named; a caller's account is opened knowingly.
SELF_MADE: Final = frozenset(
    {"client", "provider", "reseller", "referrer", "tax", "funding", "issuer", "payout", "deferred"}
)

_HOLD_STATE: Final = (
    "status", "step", "seconds", "amount", "proven_us", "expires_us", "resolved_us",
    "settled_amount", "covered_seconds",
)  # fmt: skip
_HOLD: Final = ("id", "account_id", "opened_us", *_HOLD_STATE)
_FIND_HOLDS: Final = Find(
    source="holds LEFT JOIN sessions ON sessions.id = holds.id",
    columns=(
        *(f"holds.{name}" for name in _HOLD),
        "sessions.balance_before",
        "sessions.balance_after",
        "sessions.client",
        "sessions.service",
        "sessions.detail",
        "sessions.tariff_version_id",
    ),
    keys=("holds.id",),
)
_HOLD_FIELDS: Final = (*_HOLD, "balance_before", "balance_after")
_TRANSFER: Final = (
    "id", "key", "input_hash", "kind", "reference", "reverses", "memo", "actor", "at_us",
)  # fmt: skip
_ENTRY: Final = ("account_id", "seq", "transfer_id", "amount", "balance_after")
_ACCOUNT_STATE: Final = ("posted", "held", "open_holds", "version")
_FIND_ACCOUNTS: Final = Find(
    source="accounts",
    columns=("id", "kind", "code", "currency", "status", "credit_limit", *_ACCOUNT_STATE),
    keys=("kind", "code", "currency"),
    lock=True,
)
_FIND_TRANSFERS: Final = Find(
    source="transfers", columns=("id", "key", "input_hash"), keys=("key",)
)
_MAKE_ACCOUNTS: Final = Insert(
    accounts, columns=("kind", "code", "currency", "created_us"), ignore=True
)
_INSERT_TRANSFERS: Final = Insert(transfers, columns=_TRANSFER)
_INSERT_ENTRIES: Final = Insert(entries, columns=_ENTRY)
_INSERT_HOLDS: Final = Insert(holds, columns=_HOLD)
_INSERT_SESSIONS: Final = Insert(
    sessions,
    columns=(
        "id", "account_id", "client", "service", "detail", "tariff_version_id", "timezone",
        "shares", "currency", "cover", "state", "opened_us",
    ),
)  # fmt: skip
_UPDATE_HOLDS: Final = Update(holds, columns=_HOLD_STATE, guard=("status", "pending"))
_CLOSE_SESSIONS: Final = Update(
    sessions,
    columns=(
        "state", "started_us", "ended_us", "talk_us", "billed_seconds", "cost", "balance_before",
        "balance_after", "evidence", "review", "note", "covered_seconds", "tax", "agent",
    ),
    guard=("state", "open"),
)  # fmt: skip
_UPDATE_ACCOUNTS: Final = Update(accounts, columns=_ACCOUNT_STATE)
_ADD_PARTIES: Final = Add(party_days, keys=PARTY_KEY, sums=("movements", "amount"))
_ADD_SUMS: Final = Adds(
    (
        Add(revenue_days, keys=KEY, sums=("sessions", "talk_us", "billed_seconds", "gross")),
        Add(share_days, keys=(*KEY, "kind", "account"), sums=("amount",)),
        Add(agent_days, keys=AGENT_KEY, sums=AGENT_SUMS),
        _ADD_PARTIES,
    )
)


async def post_batch(connection: AsyncConnection, operations: Sequence[Operation]) -> list[Outcome]:
    """Apply operations in order; each gets its own answer or refusal.

    Nothing is committed here.
    """
    return await run_in(connection, batch(operations))


async def lock_accounts(
    connection: AsyncConnection,
    condition: Any,  # Any: an SQL condition
) -> None:
    """Let nobody else move the money of these accounts until this transaction ends.

    What the same transaction will post to must be among them: locks are taken by id everywhere,
    so an account that is locked later closes a circle of waiting with the writer.
    """
    query = select(accounts.c.id).where(condition).order_by(accounts.c.id)
    await connection.execute(query.with_for_update(key_share=True))


def batch(operations: Sequence[Operation]) -> Steps[list[Outcome]]:
    """Apply operations in order, as steps of the caller's transaction."""
    book = yield from _load(operations)
    outcomes: list[Outcome] = []
    for operation in operations:
        try:
            outcomes.append(book.apply(operation))
        except BillingError as refusal:
            outcomes.append(refusal)
    yield from _write(book)
    return outcomes


def _load(operations: Sequence[Operation]) -> Steps[Book]:
    named = {op.hold_id for op in operations if not isinstance(op, Post)}
    covering = {name for op in operations for name in hold_ids(op)}
    keys = sorted({op.key for op in operations if isinstance(op, Post)})
    # Accounts first: their locks make the reads that follow stand still.
    found = yield from _accounts({ref for op in operations for ref in _refs(op)})
    holds_found: dict[str, HoldRow] = {}
    if named:
        for row in (yield _FIND_HOLDS, [(hold_id,) for hold_id in sorted(named | covering)]):
            *state, client, service, detail, tariff_version_id = row
            hold = HoldRow(**dict(zip(_HOLD_FIELDS, state, strict=True)))
            if client is not None:
                hold.sold = Sold(
                    client=client,
                    service=service,
                    detail=detail or "",
                    tariff_version_id=tariff_version_id,
                )
            holds_found[hold.id] = hold
    stored: dict[str, TransferRow] = {}
    if keys:
        for row in (yield _FIND_TRANSFERS, [(key,) for key in keys]):
            stored[row[1]] = TransferRow(id=row[0], key=row[1], input_hash=row[2])
    return Book(accounts=found, holds=holds_found, transfers=stored)


def _refs(operation: Operation) -> Iterable[AccountRef]:
    if isinstance(operation, Post):
        return [entry.account for entry in operation.entries]
    refs = [operation.account, *operation.cover]
    if isinstance(operation, Settle):
        refs += [issuer_of(allowance) for allowance in operation.cover]
        currency = operation.account.currency
        refs += [
            AccountRef(kind=part.kind, code=part.account, currency=currency)
            for part in operation.parts
        ]
    return refs


def _accounts(refs: set[AccountRef]) -> Steps[dict[AccountRef, AccountRow]]:
    found = yield from _find_accounts(refs)
    missing = {ref for ref in refs if ref not in found and ref.kind in SELF_MADE}
    if missing:
        # Another writer may make the same ones meanwhile.
        yield _MAKE_ACCOUNTS, [(ref.kind, ref.code, ref.currency, 0) for ref in sorted(missing)]
        found |= yield from _find_accounts(missing)
    return found


def _find_accounts(refs: set[AccountRef]) -> Steps[dict[AccountRef, AccountRow]]:
    found: dict[AccountRef, AccountRow] = {}
    if not refs:
        return found
    rows = yield _FIND_ACCOUNTS, [(ref.kind, ref.code, ref.currency) for ref in refs]
    for row_id, kind, code, currency, status, credit_limit, *state in rows:
        ref = AccountRef(kind=kind, code=code, currency=currency)
        posted, held, open_holds, version = state
        found[ref] = AccountRow(
            id=row_id,
            ref=ref,
            status=status,
            posted=posted,
            held=held,
            open_holds=open_holds,
            credit_limit=credit_limit,
            version=version,
        )
    return found


def _write(book: Book) -> Steps[None]:
    new_holds = {hold.id for hold in book.new_holds}
    changed_holds = [row for row in book.changed_holds.values() if row.id not in new_holds]
    for statement, rows in (
        (_INSERT_TRANSFERS, [_transfer(row) for row in book.new_transfers]),
        (_INSERT_ENTRIES, [_entry(row) for row in book.new_entries]),
        (
            _INSERT_HOLDS,
            [(row.id, row.account_id, row.opened_us, *_hold(row)) for row in book.new_holds],
        ),
        (_INSERT_SESSIONS, [_session(book, op) for op in book.opened if op.session]),
        (_UPDATE_HOLDS, [(*_hold(row), row.id) for row in changed_holds]),
        (_CLOSE_SESSIONS, [_closed(op, answer) for op, answer in book.closed]),
        (_UPDATE_ACCOUNTS, [_account(row) for row in book.changed_accounts.values()]),
    ):
        if rows:
            yield statement, rows
    parties = list(book.sums.party_rows())
    if book.sums.revenue:
        sold = (book.sums.revenue_rows(), book.sums.share_rows(), book.sums.agent_rows())
        yield _ADD_SUMS, [*map(list, sold), parties]
    elif parties:
        yield _ADD_PARTIES, parties


def shares_json(shares: Sequence[Share]) -> str:
    """Write shares as the tables keep them."""
    return json.dumps([_share_json(share) for share in shares])


def _share_json(share: Share) -> list[object]:
    written: list[object] = [share.kind, share.account, share.basis_points]
    if share.plain:
        return written
    more = {"fixed_fee": share.fixed_fee, "of": share.of}
    return [*written, {name: value for name, value in more.items() if value}]


def shares_from_json(text: str) -> tuple[Share, ...]:
    """Read what `shares_json` wrote."""
    return tuple(
        Share(kind=kind, account=account, basis_points=points, **(more[0] if more else {}))
        for kind, account, points, *more in json.loads(text)
    )


def refs_json(refs: Sequence[AccountRef]) -> str | None:
    """Write the allowances of a session as the tables keep them; None for none."""
    return json.dumps([[ref.kind, ref.code, ref.currency] for ref in refs]) if refs else None


def refs_from_json(text: str | None) -> tuple[AccountRef, ...]:
    """Read what `refs_json` wrote."""
    return tuple(
        AccountRef(kind=kind, code=code, currency=currency)
        for kind, code, currency in json.loads(text or "[]")
    )


def _transfer(row: TransferRow) -> Values:
    return (
        row.id, row.key, row.input_hash, row.kind, row.reference, row.reverses, row.memo,
        row.actor, row.at_us,
    )  # fmt: skip


def _entry(row: EntryRow) -> Values:
    return row.account_id, row.seq, row.transfer_id, row.amount, row.balance_after


def _hold(row: HoldRow) -> Values:
    return (
        row.status, row.step, row.seconds, row.amount, row.proven_us, row.expires_us,
        row.resolved_us, row.settled_amount, row.covered_seconds,
    )  # fmt: skip


def _account(row: AccountRow) -> Values:
    return row.posted, row.held, row.open_holds, row.version, row.id


def _session(book: Book, operation: OpenHold) -> Values:
    session = operation.session
    assert session is not None
    return (
        operation.hold_id,
        book.accounts[operation.account].id,
        session.client,
        session.service,
        session.detail,
        session.tariff_version_id,
        session.timezone,
        shares_json(session.shares),
        operation.account.currency,
        refs_json(operation.cover),
        "open",
        operation.at_us,
    )


def _closed(operation: Settle | Void | Expire, answer: Settled | None) -> Values:
    if isinstance(operation, Void | Expire):
        return (
            "voided", None, operation.at_us, 0, 0, 0, None, None, None, False, operation.note, 0, 0,
            None, operation.hold_id,
        )  # fmt: skip
    assert answer is not None
    result = operation.result
    return (
        "settled",
        result.started_us,
        result.ended_us,
        result.talk_us,
        result.billed_seconds,
        answer.amount,
        answer.balance_before,
        answer.balance_after,
        result.evidence,
        result.review,
        result.note,
        operation.covered_seconds,
        result.tax,
        result.agent or None,
        operation.hold_id,
    )
