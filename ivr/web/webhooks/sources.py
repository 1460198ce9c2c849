"""Where events come from: each is read from rows that were committed with what they tell.

A row is found by the moment at which it was written. Rows may become visible out of order, so the
last minutes are looked at again each time; the outbox takes each event of an endpoint once.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.ids import first_id
from billing.money import format_amount
from billing.storage.card_tables import card_payments
from billing.storage.payout_tables import payouts
from billing.storage.plan_tables import plan_versions, subscriptions, usage_alerts
from billing.storage.tables import accounts, entries, transfers
from ivr.calls.history import find, moment
from ivr.operation_tables import alarms
from ivr.tables import calls
from ivr.web.webhooks.endpoints import Endpoint
from ivr.web.webhooks.events import Facts, Owner
from ivr.webhook_tables import webhook_outbox

AT_ONCE: Final = 500
MILLISECOND_US: Final = 1_000
# Money that comes in from outside.
INCOMING: Final = ("top_up", "voucher", "payment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that happened; `id` is the same whenever it is found."""

    id: str
    at_us: int
    facts: Facts


async def _calls(connection: AsyncConnection, endpoint: Endpoint, since_us: int) -> list[Found]:
    query = (
        select(calls.c.id, calls.c.closed_us)
        .where(calls.c.closed_us > since_us, _untold(endpoint, calls.c.id))
        .where(_mine(endpoint, client=calls.c.client, account=calls.c.account))
        .order_by(calls.c.closed_us)
    )
    return [
        Found(id=row.id, at_us=row.closed_us, facts=record.document())
        for row in (await connection.execute(query.limit(AT_ONCE))).all()
        if (record := await find(connection, row.id))
    ]


async def _top_ups(connection: AsyncConnection, endpoint: Endpoint, since_us: int) -> list[Found]:
    query = _movements(endpoint, since_us, transfers.c.id).where(
        transfers.c.kind.in_(INCOMING), entries.c.amount > 0
    )
    return [
        Found(
            id=row.id,
            at_us=_written(row.id),
            facts={
                "account": row.code,
                "kind": row.kind,
                "amount": format_amount(row.amount),
                "currency": row.currency,
                "balance": format_amount(row.balance_after),
                "memo": row.memo,
                "transfer_id": row.id,
                "at": moment(row.at_us),
            },
        )
        for row in await connection.execute(query)
    ]


async def _low(connection: AsyncConnection, endpoint: Endpoint, since_us: int) -> list[Found]:
    """A debit crosses the line when what could be spent was above it before and is not after."""
    event_id = literal("low:") + transfers.c.id
    after = entries.c.balance_after + accounts.c.credit_limit
    query = _movements(endpoint, since_us, event_id).where(
        entries.c.amount < 0,
        after < endpoint.low_balance,
        after - entries.c.amount >= endpoint.low_balance,
    )
    return [
        Found(
            id=f"low:{row.id}",
            at_us=_written(row.id),
            facts={
                "account": row.code,
                "currency": row.currency,
                "spendable": format_amount(row.balance_after + row.credit_limit),
                "below": format_amount(endpoint.low_balance),
                "balance": format_amount(row.balance_after),
                "transfer_id": row.id,
                "at": moment(row.at_us),
            },
        )
        for row in await connection.execute(query)
    ]


def _movements(
    endpoint: Endpoint, since_us: int, event_id: ColumnElement[str]
) -> Select[Any]:  # Any: columns of many types
    return (
        select(
            transfers.c.id,
            transfers.c.kind,
            transfers.c.memo,
            transfers.c.at_us,
            entries.c.amount,
            entries.c.balance_after,
            accounts.c.code,
            accounts.c.currency,
            accounts.c.credit_limit,
        )
        .join(entries, entries.c.transfer_id == transfers.c.id)
        .join(accounts, accounts.c.id == entries.c.account_id)
        # By the id, which is made when the row is; `at_us` may lie long before. Ids know whole
        # milliseconds: the one that is told from on is over.
        .where(transfers.c.id > first_id(since_us + MILLISECOND_US), accounts.c.kind == "caller")
        .where(_untold(endpoint, event_id), _mine(endpoint, account=accounts.c.code))
        .order_by(transfers.c.id)
        .limit(AT_ONCE)
    )


async def _alerts(connection: AsyncConnection, endpoint: Endpoint, since_us: int) -> list[Found]:
    parts = (
        usage_alerts.c.subscription,
        usage_alerts.c.meter,
        usage_alerts.c.cycle,
        usage_alerts.c.percent,
    )
    query = (
        select(usage_alerts, subscriptions.c.account, plan_versions.c.name)
        .join(subscriptions, subscriptions.c.id == usage_alerts.c.subscription)
        .join(plan_versions, plan_versions.c.id == subscriptions.c.plan_version_id)
        .where(usage_alerts.c.at_us > since_us)
        .where(_mine(endpoint, account=subscriptions.c.account))
        .order_by(usage_alerts.c.at_us, *parts)
    )
    found = [
        Found(
            id=f"usage:{row.subscription}:{row.meter}:{row.cycle}:{row.percent}",
            at_us=row.at_us,
            facts={
                "account": row.account,
                "subscription": row.subscription,
                "plan": row.name,
                "meter": row.meter,
                "cycle": row.cycle,
                "percent": row.percent,
                "at": moment(row.at_us),
            },
        )
        for row in await connection.execute(query)
    ]
    known = set(
        await connection.scalars(
            select(webhook_outbox.c.event_id).where(
                webhook_outbox.c.endpoint == endpoint.id,
                webhook_outbox.c.event == "usage.threshold",
                webhook_outbox.c.created_us > since_us,
            )
        )
    )
    return [one for one in found if one.id not in known][:AT_ONCE]


async def _payouts(connection: AsyncConnection, endpoint: Endpoint, since_us: int) -> list[Found]:
    mine = true() if endpoint.owner is Owner.INSTALLATION else and_(
        payouts.c.kind == "client", payouts.c.code == endpoint.client
    )  # fmt: skip
    query = (
        select(payouts)
        .where(payouts.c.status.in_(("approved", "paid")), payouts.c.decided_us > since_us)
        .where(_untold(endpoint, payouts.c.id), mine)
        .order_by(payouts.c.decided_us)
        .limit(AT_ONCE)
    )
    return [
        Found(
            id=row.id,
            at_us=row.decided_us,
            facts={
                "payout_id": row.id,
                "party": row.kind,
                "account": row.code,
                "amount": format_amount(row.amount),
                "currency": row.currency,
                "approved_at": moment(row.decided_us),
            },
        )
        for row in await connection.execute(query)
    ]


async def _alarms(connection: AsyncConnection, endpoint: Endpoint, since_us: int) -> list[Found]:
    query = (
        select(alarms)
        .where(alarms.c.opened_us > since_us, _untold(endpoint, alarms.c.id), _mine(endpoint))
        .order_by(alarms.c.opened_us)
        .limit(AT_ONCE)
    )
    return [
        Found(
            id=row.id,
            at_us=row.opened_us,
            facts={
                "alarm_id": row.id,
                "kind": row.kind,
                "subject": row.subject,
                "severity": row.severity,
                "client": row.client,
                "facts": json.loads(row.facts),
                "at": moment(row.opened_us),
            },
        )
        for row in await connection.execute(query)
    ]


async def _failures(connection: AsyncConnection, endpoint: Endpoint, since_us: int) -> list[Found]:
    query = (
        select(card_payments)
        .where(card_payments.c.state == "failed", card_payments.c.ended_us > since_us)
        .where(_untold(endpoint, card_payments.c.id))
        .where(_mine(endpoint, account=card_payments.c.account))
        .order_by(card_payments.c.ended_us)
        .limit(AT_ONCE)
    )
    return [
        Found(
            id=row.id,
            at_us=row.ended_us,
            facts={
                "account": row.account,
                "amount": format_amount(row.amount),
                "currency": row.currency,
                "reason": row.reason,
            },
        )
        for row in await connection.execute(query)
    ]


def _mine(
    endpoint: Endpoint,
    *,
    client: ColumnElement[Any] | None = None,  # Any: a nullable column
    account: ColumnElement[Any] | None = None,  # Any: as above
) -> ColumnElement[bool]:
    """Write the condition on rows of the owner."""
    match endpoint.owner:
        case Owner.INSTALLATION:
            return true()
        case Owner.CLIENT if client is not None:
            return client == endpoint.client
        case Owner.ACCOUNT if account is not None:
            return account == endpoint.account
    return ~true()


def _untold(endpoint: Endpoint, event_id: ColumnElement[str]) -> ColumnElement[bool]:
    return ~exists().where(
        webhook_outbox.c.endpoint == endpoint.id, webhook_outbox.c.event_id == event_id
    )


def _written(transfer_id: str) -> int:
    """Read when a transfer was written from its id (UUIDv7: milliseconds first)."""
    return int(transfer_id.replace("-", "")[:12], 16) * 1_000


Source = Callable[[AsyncConnection, Endpoint, int], Awaitable[list[Found]]]
SOURCES: Final[Mapping[str, Source]] = {
    "call.ended": _calls,
    "balance.low": _low,
    "topup.received": _top_ups,
    "usage.threshold": _alerts,
    "payout.due": _payouts,
    "payment.failed": _failures,
    "alarm.raised": _alarms,
}
