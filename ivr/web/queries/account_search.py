"""Finding accounts among a hundred thousand: each way to find one walks an index, none reads all.

    code     begins so, in the order of codes, page by page
    number, phone, title   begin so; the first `MATCHES_MAX` of each

What begins with a text lies between it and the last text with that beginning. PostgreSQL walks an
index so only by its byte order, which has operators of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, and_, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.money import Micros
from billing.storage.invoice_tables import billing_settings
from billing.storage.plan_tables import plan_versions, subscriptions
from billing.storage.tables import accounts
from billing.wallet import Account
from ivr.tables import phones
from ivr.web.queries.accounts import account_of, visible
from ivr.web.scope import Scope

MATCHES_MAX: Final = 200
DIGITS_MIN: Final = 3
_LAST: Final = "\U0010ffff"
_SPACES: Final = re.compile(r"[ ()+-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """What a list of accounts shows. `text` begins a code, account number, phone or title."""

    text: str | None = None
    status: str | None = None
    mode: str | None = None
    currency: str | None = None
    plan: str | None = None
    # Accounts that can spend less than this.
    below: Micros | None = None


async def list_accounts(
    connection: AsyncConnection,
    scope: Scope,
    wanted: AccountFilter,
    *,
    after: str | None = None,
    limit: int,
) -> list[Account]:
    """List accounts by code; `after` is the last code of the page before."""
    bytewise = connection.dialect.name == "postgresql"
    # Few can spend less than a little: to walk all accounts in the order of codes until enough are
    # found takes longer than to look at them as they lie, and to put those few in order.
    code = accounts.c.code if wanted.below is None else accounts.c.code.concat("")
    query = (
        select(accounts)
        .where(accounts.c.kind == "caller", *visible(scope), *_conditions(wanted))
        .order_by(code)
        .limit(limit)
    )
    if after is not None:
        query = query.where(code > after)
    if wanted.text is None:
        return [account_of(row) for row in await connection.execute(query)]
    found: dict[str, Account] = {}
    by_code = query.where(_begins(accounts.c.code, wanted.text.lower(), bytewise=bytewise))
    others = await _codes(connection, wanted.text, bytewise=bytewise)
    for narrowed in [by_code, *([query.where(accounts.c.code.in_(others))] if others else [])]:
        for row in await connection.execute(narrowed):
            found[row.code] = account_of(row)
    return [found[code] for code in sorted(found)][:limit]


async def titles_of(connection: AsyncConnection, codes: list[str]) -> dict[str, str]:
    """Read the titles of accounts that have one."""
    query = select(billing_settings.c.account, billing_settings.c.title).where(
        billing_settings.c.account.in_(codes), billing_settings.c.title != ""
    )
    return {row.account: row.title for row in await connection.execute(query)}


async def _codes(connection: AsyncConnection, text: str, *, bytewise: bool) -> set[str]:
    """Find accounts by what else begins with the text."""
    queries: list[Select[Any]] = []  # Any: one column of text
    digits = _SPACES.sub("", text)
    if digits.isdecimal() and len(digits) >= DIGITS_MIN:
        number, phone = accounts.c.number, phones.c.number
        queries = [
            select(accounts.c.code)
            .where(_begins(number, digits, bytewise=bytewise))
            .order_by(number),
            select(phones.c.account).where(_begins(phone, digits, bytewise=bytewise)),
        ]
    else:
        title = billing_settings.c.title
        # As typed, and as titles are usually written.
        ways = sorted({text, text.lower(), text.upper(), text.title(), text[:1].upper() + text[1:]})
        queries = [
            select(billing_settings.c.account).where(
                or_(*(_begins(title, way, bytewise=bytewise) for way in ways))
            )
        ]
    found: set[str] = set()
    for query in queries:
        found |= set(await connection.scalars(query.limit(MATCHES_MAX)))
    return found


def _begins(column: Column[Any], text: str, *, bytewise: bool) -> ColumnElement[bool]:  # Any: text
    if bytewise:
        return and_(column.op("~>=~")(text), column.op("~<~")(text + _LAST))
    return and_(column >= text, column < text + _LAST)


def _conditions(wanted: AccountFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status == "blocked":
        # Said in full, for a parameter would not find the index of those that are.
        conditions.append(accounts.c.status == literal_column("'blocked'"))
    elif wanted.status is not None:
        conditions.append(accounts.c.status == wanted.status)
    for column, value in ((accounts.c.mode, wanted.mode), (accounts.c.currency, wanted.currency)):
        if value is not None:
            conditions.append(column == value)
    if wanted.below is not None:
        spendable = accounts.c.posted - accounts.c.held + accounts.c.credit_limit
        conditions.append(spendable < wanted.below)
    if wanted.plan is not None:
        conditions.append(
            accounts.c.code.in_(
                select(subscriptions.c.account)
                .join(plan_versions, plan_versions.c.id == subscriptions.c.plan_version_id)
                .where(plan_versions.c.name == wanted.plan, subscriptions.c.state != "cancelled")
            )
        )
    return conditions
