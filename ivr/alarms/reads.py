"""What the alarms are found in: bounded reads over the last hour, by index."""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import MICROSECONDS
from billing.storage.report_tables import revenue_days
from billing.storage.tables import accounts, sessions
from ivr.alarms.findings import CallerCalls, Revenue, Spending, TalkShape
from ivr.directory.fraud_limits import FraudLimits
from ivr.tables import calls, pin_failures
from ivr.webhook_tables import webhook_outbox

HOUR_US: Final = 3_600 * MICROSECONDS
DAY_US: Final = 24 * HOUR_US
GROUPS_MAX: Final = 2_000
ACCOUNTS_MAX: Final = 50
USUAL_DAYS: Final = 30


async def caller_calls(connection: AsyncConnection, now_us: int) -> list[CallerCalls]:
    """Count the calls of the last hour per number and DID, the most first."""
    talk_us = func.sum(case((calls.c.answered_us.is_(None), 0), else_=_talk_us()))
    query = (
        select(
            calls.c.caller, calls.c.did, calls.c.client, func.count().label("calls"),
            talk_us.label("talk_us"),
        )
        .where(calls.c.started_us >= now_us - HOUR_US, calls.c.caller != "")
        .group_by(calls.c.caller, calls.c.did, calls.c.client)
        .order_by(func.count().desc())
        .limit(GROUPS_MAX)
    )  # fmt: skip
    return [
        CallerCalls(
            caller=row.caller.removeprefix("+"), did=row.did, client=row.client or "",
            calls=row.calls, talk_seconds=int(row.talk_us or 0) // MICROSECONDS,
        )
        for row in await connection.execute(query)
    ]  # fmt: skip


async def talk_shapes(
    connection: AsyncConnection, now_us: int, limits: FraudLimits
) -> list[TalkShape]:
    """Count the talks that ended within the last hour per client, and the odd ones of them."""
    long_us = (limits.long_seconds or 0) * MICROSECONDS
    short_us = (limits.short_seconds or 0) * MICROSECONDS
    query = (
        select(
            sessions.c.client,
            func.count().label("talks"),
            func.sum(case((sessions.c.talk_us >= long_us, 1), else_=0)).label("long"),
            func.sum(case((sessions.c.talk_us <= short_us, 1), else_=0)).label("short"),
        )
        .where(_settled(now_us - HOUR_US))
        .group_by(sessions.c.client)
    )
    return [
        TalkShape(client=row.client, talks=row.talks, long=int(row.long), short=int(row.short))
        for row in await connection.execute(query)
    ]


async def revenues(connection: AsyncConnection, now_us: int) -> list[Revenue]:
    """Sum what each client's lines earned within the last hour, and in the seven days before."""
    today_us = now_us - now_us % DAY_US
    hour = (
        select(sessions.c.client, sessions.c.currency, func.sum(sessions.c.cost).label("amount"))
        .where(_settled(now_us - HOUR_US))
        .group_by(sessions.c.client, sessions.c.currency)
    )
    week = (
        select(
            revenue_days.c.client,
            revenue_days.c.currency,
            func.sum(revenue_days.c.gross).label("amount"),
        )
        .where(revenue_days.c.day_us >= today_us - 7 * DAY_US, revenue_days.c.day_us < today_us)
        .group_by(revenue_days.c.client, revenue_days.c.currency)
    )
    before = {(row.client, row.currency): int(row.amount) for row in await connection.execute(week)}
    return [
        Revenue(
            client=row.client, currency=row.currency, hour=int(row.amount or 0),
            week=before.get((row.client, row.currency), 0),
        )
        for row in await connection.execute(hour)
    ]  # fmt: skip


async def spendings(connection: AsyncConnection, now_us: int) -> list[Spending]:
    """Sum what the accounts that spent most today spent, and what they did in the month before."""
    today_us = now_us - now_us % DAY_US
    today = (
        select(
            accounts.c.id, accounts.c.code, sessions.c.currency,
            func.sum(sessions.c.cost).label("amount"),
        )
        .select_from(sessions.join(accounts, accounts.c.id == sessions.c.account_id))
        .where(_settled(today_us), accounts.c.kind == "caller")
        .group_by(accounts.c.id, accounts.c.code, sessions.c.currency)
        .order_by(func.sum(sessions.c.cost).desc())
        .limit(ACCOUNTS_MAX)
    )  # fmt: skip
    rows = (await connection.execute(today)).all()
    day = sessions.c.ended_us - sessions.c.ended_us % DAY_US
    before = (
        select(
            sessions.c.account_id,
            func.sum(sessions.c.cost).label("amount"),
            func.count(day.distinct()).label("days"),
        )
        .where(
            sessions.c.account_id.in_([row.id for row in rows]),
            sessions.c.ended_us >= today_us - USUAL_DAYS * DAY_US,
            sessions.c.ended_us < today_us,
            sessions.c.state == "settled",
        )
        .group_by(sessions.c.account_id)
    )
    usual = {row.account_id: row for row in await connection.execute(before)} if rows else {}
    return [
        Spending(
            account=row.code, currency=row.currency, today=int(row.amount or 0),
            before=int(usual[row.id].amount or 0) if row.id in usual else 0,
            days=usual[row.id].days if row.id in usual else 0,
        )
        for row in rows
    ]  # fmt: skip


async def locked_pins(connection: AsyncConnection, now_us: int) -> dict[str, int]:
    """Count what is locked after wrong PINs, by scope."""
    query = (
        select(pin_failures.c.scope, func.count().label("locks"))
        .where(pin_failures.c.until_us > now_us)
        .group_by(pin_failures.c.scope)
    )
    return {row.scope: row.locks for row in await connection.execute(query)}


async def late_webhooks(connection: AsyncConnection, before_us: int) -> int:
    """Count deliveries that should have been tried before a moment."""
    query = select(func.count()).where(
        webhook_outbox.c.state == "pending", webhook_outbox.c.next_us < before_us
    )
    return int(await connection.scalar(query) or 0)


def _talk_us() -> ColumnElement[int]:
    return func.coalesce(calls.c.ended_us, calls.c.answered_us) - calls.c.answered_us


def _settled(since_us: int) -> ColumnElement[bool]:
    """Pick what was settled since a moment."""
    return (sessions.c.ended_us >= since_us) & (sessions.c.state == "settled")
