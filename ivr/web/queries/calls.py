"""Calls as rows: lists by time with keyset paging, and one call with everything about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import Micros
from billing.reports import Span
from billing.storage.tables import accounts, entries, holds, sessions, tariff_versions, transfers
from ivr.tables import calls
from ivr.web.scope import NotYours, Role, Scope

DAY_FIRST: Final = date(2000, 1, 1)
DAY_LAST: Final = date(2199, 12, 31)
# A step of a call is a moment and a state; what happened between steps has a number, too.
STEP: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """What a list of calls shows; None means all. `outcome` is talked, free or review."""

    did: str | None = None
    account: str | None = None
    client: str | None = None
    outcome: str | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallItem:
    """One line of a list. Money is None for a call that never got a session."""

    id: str
    did: str
    client: str | None
    account: str | None
    caller: str
    topic: str | None
    tariff: str | None
    tariff_version: int | None
    state: str
    end_reason: str | None
    started_us: int
    answered_us: int | None
    ended_us: int | None
    session_state: str | None
    talk_us: int
    billed_seconds: int
    cost: Micros
    currency: str | None
    balance_before: Micros | None
    balance_after: Micros | None
    review: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One party's share of a call, as booked."""

    kind: str
    account: str
    amount: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDetail:
    """A call with what its money was computed from and where it went."""

    item: CallItem
    node: str
    destination: str | None
    timeline: tuple[tuple[int, str], ...]
    marks: tuple[tuple[int, str, int], ...]
    uniqueid: str
    channel: str
    boot: str
    language: str | None
    part: int
    follows: str | None
    rating: int | None
    parties: tuple[Party, ...]
    transfer_id: str | None
    shares: str | None  # JSON, as frozen when the call was authorised
    tariff_body: str | None
    timezone: str | None
    priced_us: int | None
    granted_seconds: int
    covered_seconds: int
    evidence: str | None
    note: str | None
    talk_ended_us: int | None


_ITEM: Final = (
    calls,
    sessions.c.state.label("session_state"),
    sessions.c.talk_us,
    sessions.c.billed_seconds,
    sessions.c.cost,
    sessions.c.currency,
    sessions.c.balance_before,
    sessions.c.balance_after,
    sessions.c.review,
    sessions.c.started_us.label("talk_started_us"),
    sessions.c.ended_us.label("talk_ended_us"),
)
_JOINED: Final = calls.outerjoin(sessions, sessions.c.id == calls.c.id)


async def list_calls(
    connection: AsyncConnection,
    scope: Scope,
    wanted: CallFilter,
    *,
    after: tuple[int, str] | None = None,
    limit: int,
) -> list[CallItem]:
    """List calls, newest first; `after` is the start and the id of the last one before."""
    query = (
        select(*_ITEM)
        .select_from(_JOINED)
        .where(scope.calls(), *_conditions(wanted, narrowed=scope.role is not Role.OPERATOR))
        .order_by(calls.c.started_us.desc(), calls.c.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(calls.c.started_us, calls.c.id) < after)
    return [_item(row) for row in await connection.execute(query)]


async def find_call(connection: AsyncConnection, scope: Scope, call_id: str) -> CallDetail:
    """Read one call.

    Raises:
        NotYours: there is no such call, or the visitor may not see it.

    """
    query = (
        select(
            *_ITEM,
            sessions.c.shares,
            sessions.c.timezone,
            sessions.c.opened_us.label("priced_us"),
            sessions.c.evidence,
            sessions.c.note,
            holds.c.seconds.label("granted_seconds"),
            sessions.c.covered_seconds,
            tariff_versions.c.body,
        )
        .select_from(
            _JOINED.outerjoin(holds, holds.c.id == sessions.c.id).outerjoin(
                tariff_versions, tariff_versions.c.id == sessions.c.tariff_version_id
            )
        )
        .where(scope.calls(), calls.c.id == call_id)
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotYours
    transfer_id, parties = await _booked(connection, call_id)
    noted = json.loads(row.timeline)
    return CallDetail(
        item=_item(row),
        node=row.node,
        destination=row.destination,
        timeline=tuple((int(one[0]), str(one[1])) for one in noted if len(one) == STEP),
        marks=tuple(
            (int(one[0]), str(one[1]), int(one[2])) for one in noted if len(one) == STEP + 1
        ),
        uniqueid=row.uniqueid,
        channel=row.channel,
        boot=row.boot,
        language=row.language,
        part=row.part,
        follows=row.follows,
        rating=row.rating,
        parties=parties,
        transfer_id=transfer_id,
        shares=row.shares,
        tariff_body=row.body,
        timezone=row.timezone,
        priced_us=row.priced_us,
        granted_seconds=row.granted_seconds or 0,
        covered_seconds=row.covered_seconds or 0,
        evidence=row.evidence,
        note=row.note,
        talk_ended_us=row.talk_ended_us,
    )


async def _booked(
    connection: AsyncConnection, call_id: str
) -> tuple[str | None, tuple[Party, ...]]:
    rows = (
        await connection.execute(
            select(transfers.c.id, accounts.c.kind, accounts.c.code, entries.c.amount)
            .select_from(
                transfers.join(entries, entries.c.transfer_id == transfers.c.id).join(
                    accounts, accounts.c.id == entries.c.account_id
                )
            )
            .where(
                transfers.c.reference == call_id,
                transfers.c.kind == "settle",
                entries.c.amount > 0,
            )
            .order_by(accounts.c.id)
        )
    ).all()
    parties = tuple(Party(kind=row.kind, account=row.code, amount=row.amount) for row in rows)
    return (rows[0].id if rows else None), parties


def _conditions(wanted: CallFilter, *, narrowed: bool) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.did is not None:
        conditions.append(calls.c.did == wanted.did)
    if wanted.account is not None:
        conditions.append(calls.c.account == wanted.account)
    if wanted.client is not None:
        conditions.append(calls.c.client == wanted.client)
    if wanted.first is not None or wanted.last is not None:
        span = Span(first=wanted.first or DAY_FIRST, last=wanted.last or DAY_LAST)
        conditions.append(
            and_(calls.c.started_us >= span.from_us, calls.c.started_us < span.until_us)
        )
    match wanted.outcome:
        case "talked":
            conditions.append(calls.c.answered_us.is_not(None))
        case "free":
            # Said so, no planner takes the index of all calls without talk where it is one client's
            # or one caller's that are wanted.
            narrow = wanted.did or wanted.account or wanted.client or narrowed
            free = func.coalesce(calls.c.answered_us, 0) == 0
            conditions.append(free if narrow else calls.c.answered_us.is_(None))
        case "review":
            # Few are marked, and an index holds just these.
            marked = select(sessions.c.id).where(sessions.c.review)
            conditions.append(calls.c.id.in_(marked))
    return conditions


def _item(row: Row[Any]) -> CallItem:  # Any: a row of many column types
    return CallItem(
        id=row.id,
        did=row.did,
        client=row.client,
        account=row.account,
        caller=row.caller,
        topic=row.topic,
        tariff=row.tariff,
        tariff_version=row.tariff_version,
        state=row.state,
        end_reason=row.end_reason,
        started_us=row.started_us,
        answered_us=row.talk_started_us or row.answered_us,
        ended_us=row.ended_us,
        session_state=row.session_state,
        talk_us=row.talk_us or 0,
        billed_seconds=row.billed_seconds or 0,
        cost=row.cost or 0,
        currency=row.currency,
        balance_before=row.balance_before,
        balance_after=row.balance_after,
        review=bool(row.review),
    )
