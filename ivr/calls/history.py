"""The record of a call that ended: what was said of it, and what its money did.

The parts of the split are read from the ledger's entries, not recomputed, so that what is shown
is what was booked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import Micros, format_amount
from billing.storage.tables import accounts, entries, sessions, transfers
from ivr.tables import calls

MICROSECONDS: Final = 1_000_000
PAGE_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPart:
    """One party's share of a call; `account` is its code."""

    party: str
    account: str
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A call as users of the API and the command line see it."""

    call_id: str
    did: str
    topic: str | None
    account: str | None
    client: str | None
    caller: str
    state: str
    talk_us: int
    billed_seconds: int
    cost: Micros
    currency: str | None
    balance_before: Micros | None
    balance_after: Micros | None
    split: tuple[SplitPart, ...]
    tariff: str | None
    tariff_version: int | None
    started_us: int
    answered_us: int | None
    ended_us: int | None
    end_reason: str | None
    review: bool

    def document(self) -> dict[str, object]:
        """Write the record as JSON values: amounts are decimal strings, moments ISO 8601."""
        return {
            "call_id": self.call_id,
            "did": self.did,
            "topic": self.topic,
            "account": self.account,
            "client": self.client,
            "state": self.state,
            "talk_seconds": round(self.talk_us / MICROSECONDS, 6),
            "billed_seconds": self.billed_seconds,
            "cost": format_amount(self.cost),
            "currency": self.currency,
            "balance_before": _amount(self.balance_before),
            "balance_after": _amount(self.balance_after),
            "split": [
                {"party": part.party, "account": part.account, "amount": format_amount(part.amount)}
                for part in self.split
            ],
            "tariff": self.tariff,
            "tariff_version": self.tariff_version,
            "started_at": moment(self.started_us),
            "answered_at": moment(self.answered_us),
            "ended_at": moment(self.ended_us),
            "end_reason": self.end_reason,
            "review": self.review,
        }


def moment(at_us: int | None) -> str | None:
    """Write microseconds since 1970 as ISO 8601 in UTC."""
    if at_us is None:
        return None
    return datetime.fromtimestamp(at_us / MICROSECONDS, tz=UTC).isoformat(timespec="microseconds")


def _amount(amount: Micros | None) -> str | None:
    return None if amount is None else format_amount(amount)


_COLUMNS: Final = (
    calls,
    sessions.c.talk_us,
    sessions.c.billed_seconds,
    sessions.c.cost,
    sessions.c.currency,
    sessions.c.balance_before,
    sessions.c.balance_after,
    sessions.c.review,
    sessions.c.started_us.label("talk_started_us"),
)


def _query() -> Select[Any]:  # Any: a row of many column types
    return select(*_COLUMNS).select_from(calls.outerjoin(sessions, sessions.c.id == calls.c.id))


async def find(connection: AsyncConnection, call_id: str) -> CallRecord | None:
    """Read one call; None when there is no such call."""
    row = (await connection.execute(_query().where(calls.c.id == call_id))).one_or_none()
    if row is None:
        return None
    parts = await connection.execute(
        select(accounts.c.kind, accounts.c.code, entries.c.amount)
        .select_from(
            transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                accounts, accounts.c.id == entries.c.account_id
            )
        )
        .where(transfers.c.reference == call_id, transfers.c.kind == "settle", entries.c.amount > 0)
        .order_by(accounts.c.id)
    )
    split = tuple(
        SplitPart(party=part.kind, account=part.code, amount=part.amount) for part in parts
    )
    return _record(row, split)


async def recent(
    connection: AsyncConnection, *, limit: int, before: str | None = None
) -> list[CallRecord]:
    """List calls, newest first; ids sort by time, so `before` is the last id of a page."""
    query = _query().order_by(calls.c.id.desc()).limit(min(limit, PAGE_MAX))
    if before is not None:
        query = query.where(calls.c.id < before)
    return [_record(row, ()) for row in await connection.execute(query)]


def _record(row: Row[Any], split: tuple[SplitPart, ...]) -> CallRecord:  # Any: as above
    return CallRecord(
        call_id=row.id,
        did=row.did,
        topic=row.topic,
        account=row.account,
        client=row.client,
        caller=row.caller,
        state=row.state,
        talk_us=row.talk_us or 0,
        billed_seconds=row.billed_seconds or 0,
        cost=row.cost or 0,
        currency=row.currency,
        balance_before=row.balance_before,
        balance_after=row.balance_after,
        split=split,
        tariff=row.tariff,
        tariff_version=row.tariff_version,
        started_us=row.started_us,
        answered_us=row.talk_started_us,
        ended_us=row.ended_us,
        end_reason=row.end_reason,
        review=bool(row.review),
    )
