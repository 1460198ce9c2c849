"""Clients as rows for operators: found by name, with what they sold and what they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.domain.operations import AccountRef
from billing.domain.payouts import Payable
from billing.money import Micros
from billing.payable import payables
from billing.reports import Span
from billing.storage.payout_tables import payout_holds
from billing.storage.report_tables import revenue_days, share_days
from billing.storage.tables import clients
from ivr.directory.client_rows import ClientRow, client_rows
from ivr.tables import client_rules, dids, users
from ivr.web.scope import NotYours, Role, Scope
from ivr.webhook_tables import webhook_endpoints

SUSPENDED = '"suspended":true'


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFilter:
    """What a list shows: part of a code or title, and active, suspended or held."""

    text: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientItem:
    """One line of the list; `gross` and `share` are of the span that was asked for."""

    code: str
    title: str
    currency: str
    suspended: bool
    held: bool
    dids: int
    gross: Micros
    share: Micros
    payable: Payable


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Somebody who may log in for a client."""

    login: str
    disabled: bool


def only_operators(scope: Scope) -> None:
    """Refuse everybody else.

    Raises:
        NotYours: the visitor is no operator.

    """
    if scope.role is not Role.OPERATOR:
        raise NotYours


async def list_clients(
    connection: AsyncConnection,
    scope: Scope,
    wanted: ClientFilter,
    span: Span,
    *,
    now_us: int,
    after: str = "",
    limit: int,
) -> list[ClientItem]:
    """List clients by code; `after` is the last code of the page before."""
    only_operators(scope)
    rows = (
        await connection.execute(
            _wanted(wanted).where(clients.c.code > after).order_by(clients.c.code).limit(limit)
        )
    ).all()
    codes = [row.code for row in rows]
    lines = await _by_client(
        connection,
        select(dids.c.client, func.count()).where(dids.c.client.in_(codes)).group_by(dids.c.client),
    )
    gross = await _by_client(
        connection,
        select(revenue_days.c.client, func.sum(revenue_days.c.gross))
        .where(revenue_days.c.client.in_(codes), *_within(revenue_days, span))
        .group_by(revenue_days.c.client),
    )
    share = await _by_client(
        connection,
        select(share_days.c.client, func.sum(share_days.c.amount))
        .where(
            share_days.c.client.in_(codes),
            share_days.c.kind == "client",
            *_within(share_days, span),
        )
        .group_by(share_days.c.client),
    )
    refs = {
        row.code: AccountRef(kind="client", code=row.code, currency=row.currency) for row in rows
    }
    have = await payables(connection, list(refs.values()), now_us)
    return [
        ClientItem(
            code=row.code,
            title=row.title,
            currency=row.currency,
            suspended=SUSPENDED in (row.rules or ""),
            held=row.held is not None,
            dids=lines.get(row.code, 0),
            gross=gross.get(row.code, 0),
            share=share.get(row.code, 0),
            payable=have[refs[row.code]],
        )
        for row in rows
    ]


def _wanted(wanted: ClientFilter) -> Select[Any]:  # Any: columns of many types
    query = (
        select(clients, client_rules.c.rules, payout_holds.c.code.label("held"))
        .outerjoin(client_rules, client_rules.c.client == clients.c.code)
        .outerjoin(
            payout_holds,
            (payout_holds.c.kind == "client") & (payout_holds.c.code == clients.c.code),
        )
    )
    if wanted.text is not None:
        text = wanted.text.lower()
        query = query.where(
            or_(
                clients.c.code.contains(text, autoescape=True),
                func.lower(clients.c.title).contains(text, autoescape=True),
            )
        )
    suspended = func.coalesce(client_rules.c.rules, "").contains(SUSPENDED)
    match wanted.state:
        case "suspended":
            query = query.where(suspended)
        case "active":
            query = query.where(~suspended)
        case "held":
            query = query.where(payout_holds.c.code.is_not(None))
    return query


async def find_client(connection: AsyncConnection, scope: Scope, code: str) -> ClientRow:
    """Read one client as the database has it now.

    Raises:
        NotYours: there is no such client, or the visitor is no operator.

    """
    only_operators(scope)
    found = (await client_rows(connection, [code])).get(code)
    if found is None:
        raise NotYours
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldIn:
    """What a client sold in a span, and what of it was its own."""

    calls: int
    gross: Micros
    share: Micros


async def sold_in(connection: AsyncConnection, scope: Scope, code: str, span: Span) -> SoldIn:
    """Sum what one client sold."""
    only_operators(scope)
    sold = (
        await connection.execute(
            select(
                func.coalesce(func.sum(revenue_days.c.sessions), 0).label("calls"),
                func.coalesce(func.sum(revenue_days.c.gross), 0).label("gross"),
            ).where(revenue_days.c.client == code, *_within(revenue_days, span))
        )
    ).one()
    share = await connection.scalar(
        select(func.sum(share_days.c.amount)).where(
            share_days.c.client == code, share_days.c.kind == "client", *_within(share_days, span)
        )
    )
    return SoldIn(calls=int(sold.calls), gross=int(sold.gross), share=int(share or 0))


async def logins_of(connection: AsyncConnection, scope: Scope, role: str, code: str) -> list[Login]:
    """List who may log in for a party."""
    only_operators(scope)
    query = (
        select(users.c.login, users.c.disabled)
        .where(users.c.role == role, users.c.subject == code)
        .order_by(users.c.login)
    )
    rows = await connection.execute(query)
    return [Login(login=row.login, disabled=row.disabled) for row in rows]


async def count_webhooks(connection: AsyncConnection, scope: Scope, code: str) -> int:
    """Count the webhooks of a client."""
    only_operators(scope)
    query = (
        select(func.count())
        .select_from(webhook_endpoints)
        .where(webhook_endpoints.c.client == code)
    )
    return await connection.scalar(query) or 0


def _within(table: Any, span: Span) -> Sequence[Any]:  # Any: a table in, SQL conditions out
    return table.c.day_us >= span.from_us, table.c.day_us < span.until_us


async def _by_client(
    connection: AsyncConnection, query: Select[Any]
) -> dict[str, int]:  # Any: as above
    return {code: int(number) for code, number in await connection.execute(query)}
