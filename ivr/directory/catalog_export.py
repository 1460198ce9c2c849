"""The database as a catalog file again; applied to the same database it changes nothing.

PINs and balances stay where they are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of, moment_of
from billing.domain.notation import format_days, format_duration, format_percent, format_price
from billing.domain.payouts import PayoutTerms
from billing.domain.plans import Plan
from billing.domain.tariffs import Tariff, Tier
from billing.money import format_amount
from billing.storage.plan_rows import live_subscriptions, newest_plans
from billing.storage.tables import accounts
from ivr.directory.catalog_billing import billing_document, load_billing
from ivr.directory.catalog_clients import NAMED_PARTIES
from ivr.directory.catalog_parties import parties_document
from ivr.directory.catalog_payouts import load_payouts, payout_document
from ivr.directory.catalog_plans import plan_document
from ivr.directory.model import Client, Did, Directory, TariffVersion, Topic, parse_pin
from ivr.directory.queues import queues_document
from ivr.directory.rules import access_document, client_document, line_document, topic_document
from ivr.directory.store import load_lines, load_planned
from ivr.directory.yaml_writer import write_yaml
from ivr.tables import account_languages, phones

Document = dict[str, Any]  # Any: YAML values
ACCOUNTS_AT_ONCE: Final = 250


async def export(engine: AsyncEngine, clock: Clock) -> str:
    """Write everything that `catalog apply` reads, but PINs and opening balances.

    Raises:
        SQLAlchemyError: the database does not answer.

    """
    return "".join([part async for part in export_parts(engine, clock)])


async def export_parts(engine: AsyncEngine, clock: Clock) -> AsyncIterator[str]:
    """Write it part by part, so that a hundred thousand accounts hold up nothing else.

    Raises:
        SQLAlchemyError: the database does not answer.

    """
    now_us = microseconds_of(clock.now())
    async with engine.connect() as connection:
        directory = await load_lines(connection, now_us)
        planned = await load_planned(connection, now_us)
        payouts = await load_payouts(connection)
        plans = {name: one.plan for name, one in (await newest_plans(connection)).items()}
        currencies = await _currencies(connection)
    tariffs = {
        name: version.tariff
        for name, version in sorted(directory.tariffs.items())
        if parse_pin(name)[1] is None
    }
    kept: list[Tariff | Client | Plan] = [
        *tariffs.values(), *directory.clients.values(), *plans.values()
    ]  # fmt: skip
    money = _most(Counter(each.currency for each in kept) + currencies)
    yield write_yaml(
        {
            "currency": money,
            "tariffs": {
                name: {
                    **_own(tariff.currency, money),
                    **tariff_document(tariff),
                    **({"next": _next(*planned[name])} if name in planned else {}),
                }
                for name, tariff in tariffs.items()
            },
            "clients": {
                code: {
                    **_own(client.currency, money),
                    **_client(directory, code, payouts.get(code)),
                }
                for code, client in sorted(directory.clients.items())
            },
        }
    )
    if not currencies:
        yield write_yaml({"accounts": {}})
    head = "accounts:\n"
    async for listed in _accounts(engine, money):
        body = write_yaml({"accounts": listed}).removeprefix("accounts:\n")
        yield head + body
        head = ""
    if plans:
        listed = {
            name: {**_own(plan.currency, money), **plan_document(plan)}
            for name, plan in sorted(plans.items())
        }
        yield write_yaml({"plans": listed})


async def _currencies(connection: AsyncConnection) -> Counter[str]:
    """Count the callers' accounts by currency."""
    query = (
        select(accounts.c.currency, func.count())
        .where(accounts.c.kind == "caller")
        .group_by(accounts.c.currency)
    )
    return Counter({row[0]: row[1] for row in await connection.execute(query)})


async def _accounts(engine: AsyncEngine, money: str) -> AsyncIterator[Document]:
    """Write the callers' accounts by code, some at a time."""
    query = (
        select(accounts)
        .where(accounts.c.kind == "caller")
        .order_by(accounts.c.code)
        .limit(ACCOUNTS_AT_ONCE)
    )
    after = ""
    while True:
        async with engine.connect() as connection:
            rows = (await connection.execute(query.where(accounts.c.code > after))).all()
            codes = [row.code for row in rows]
            more = await _more_of(connection, codes)
        if rows:
            yield {
                row.code: {
                    **_own(row.currency, money),
                    "mode": row.mode,
                    "number": row.number,
                    **(
                        {"credit_limit": format_amount(row.credit_limit)}
                        if row.credit_limit
                        else {}
                    ),
                    **more[row.code],
                }
                for row in rows
            }
        if len(rows) < ACCOUNTS_AT_ONCE:
            return
        after = codes[-1]


async def _more_of(connection: AsyncConnection, codes: Sequence[str]) -> dict[str, Document]:
    """Write what else accounts have: phones, terms, a plan, a language."""
    numbers: defaultdict[str, list[str]] = defaultdict(list)
    query = select(phones).where(phones.c.account.in_(codes)).order_by(phones.c.number)
    for row in await connection.execute(query):
        numbers[row.account].append(row.number)
    spoken = select(account_languages).where(account_languages.c.account.in_(codes))
    languages = {row.account: row.language for row in await connection.execute(spoken)}
    terms = await load_billing(connection, codes)
    having = await live_subscriptions(connection, codes)
    return {
        code: {
            "phones": numbers[code],
            **({"billing": billing_document(terms[code])} if code in terms else {}),
            **({"plan": having[code].plan.name} if code in having else {}),
            **({"language": languages[code]} if code in languages else {}),
        }
        for code in codes
    }


def _most(found: Counter[str]) -> str:
    """Choose the currency of the file; what is kept in another says so."""
    return min(found, key=lambda currency: (-found[currency], currency)) if found else "USD"


def _own(currency: str, of_file: str) -> Document:
    return {} if currency == of_file else {"currency": currency}


def _next(in_force_us: int, version: TariffVersion) -> Document:
    moment = moment_of(in_force_us).isoformat()
    return {"in_force_from": moment, **tariff_document(version.tariff)}


def tariff_document(tariff: Tariff) -> Document:
    """Write a price list as the catalog reads it."""
    document: Document = {
        "setup_fee": format_amount(tariff.setup_fee),
        "minimum": format_duration(tariff.minimum_seconds),
        "free": format_duration(tariff.free_seconds),
        "minimum_cost": format_amount(tariff.minimum_cost),
        "rounding": {
            "method": tariff.rounding.method.value,
            "decimals": tariff.rounding.decimals,
        },
        "tiers": _tiers(tariff.tiers),
    }
    if tariff.maximum_cost is not None:
        document["maximum_cost"] = format_amount(tariff.maximum_cost)
    if tariff.tax is not None:
        document["tax"] = {
            "name": tariff.tax.name,
            "rate": format_percent(tariff.tax.basis_points),
            "included": tariff.tax.included,
        }
    if tariff.holidays:
        document["holidays"] = list(tariff.holidays)
    if tariff.periods:
        document["periods"] = [
            {
                "days": format_days(period.days),
                "from": _time(period.from_minute),
                "to": _time(period.to_minute),
                "tiers": _tiers(period.tiers),
            }
            for period in tariff.periods
        ]
    return document


def _tiers(tiers: tuple[Tier, ...]) -> list[Document]:
    return [
        {
            "from": format_duration(tier.from_seconds),
            "price": format_price(tier.price, tier.per_seconds),
            "increment": format_duration(tier.increment_seconds),
        }
        for tier in tiers
    ]


def _time(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _client(directory: Directory, code: str, payout: PayoutTerms | None) -> Document:
    client = directory.clients[code]
    listed = [queue for _, queue in sorted(directory.queues.items()) if queue.client == code]
    return {
        "title": client.title,
        "split": _split(client),
        **parties_document(client),
        **client_document(client.rules),
        **({"payout": payout_document(payout)} if payout else {}),
        **({"queues": queues_document(listed)} if listed else {}),
        "dids": {
            did.number: did_document(did)
            for did in sorted(directory.dids.values(), key=lambda did: did.number)
            if did.client == code
        },
    }


def _split(client: Client) -> Document:
    document: Document = {}
    for share in client.shares:
        part = format_percent(share.basis_points)
        if share.kind in NAMED_PARTIES:
            document.setdefault(share.kind, {})[share.account] = part
        else:
            document[share.kind] = part
    return document


def did_document(did: Did) -> Document:
    """Write a DID as the catalog reads it."""
    return {
        "kind": did.kind,
        "monthly_fee": format_amount(did.monthly_fee),
        "timezone": did.timezone,
        "tariff": did.tariff,
        **line_document(did.rules),
        "access": {
            "trust_caller_id": did.access.trust_caller_id,
            "pin": did.access.pin,
            **access_document(did.rules),
        },
        "topics": {topic.digit: topic_of_catalog(topic) for topic in did.topics},
    }


def topic_of_catalog(topic: Topic) -> Document:
    """Write a topic as the catalog reads it."""
    return {
        "name": topic.name,
        "destination": str(topic.destination),
        **({"tariff": topic.tariff} if topic.tariff else {}),
        **topic_document(topic.rules),
    }
