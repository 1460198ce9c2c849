"""Plans and subscriptions as the tables keep them, read and locked."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, func, insert, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.domain.cover import ALLOWANCES_MAX
from billing.domain.operations import AccountRef, Answer, Post, Posted, PostedEntry
from billing.domain.plans import SECONDS_UNIT, Meter, Plan
from billing.errors import BillingError
from billing.money import Micros
from billing.storage.drivers import run_in
from billing.storage.ledger import post_batch
from billing.storage.plan_tables import (
    allowances,
    plan_versions,
    subscription_meters,
    subscriptions,
)
from billing.storage.statements import Find, Insert, Steps
from billing.storage.tables import accounts

ALLOWANCE: Final = "allowance"
CYCLE: Final = "cycle"
ROLLOVER: Final = "rollover"
# What was rolled over ends first, so it burns first; what was bought stays longest.
PRIORITY: Final = {ROLLOVER: 10, CYCLE: 20}
BUNDLE_PRIORITY: Final = 30

_STATE: Final = ("kind", "code", "currency", "status", "posted", "held", "credit_limit")
_LOCK: Final = Find(source="accounts", columns=_STATE, keys=("kind", "code", "currency"), lock=True)
_MAKE: Final = Insert(
    accounts, columns=("kind", "code", "currency", "credit_limit", "created_us"), ignore=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """A plan as it is sold since some moment."""

    id: int
    version: int
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A plan that an account has, and the cycle that it is in."""

    id: str
    account: str
    plan: Plan
    version: int
    plan_version_id: int
    state: str
    months: int
    anchor_us: int
    cycle: int
    cycle_start_us: int
    cycle_end_us: int
    paid_cycles: int
    ends: bool
    addons: dict[str, int]
    changes: int

    @property
    def caller(self) -> AccountRef:
        """The account that pays."""
        return AccountRef(kind="caller", code=self.account, currency=self.plan.currency)

    def bucket(self, meter: Meter, name: str) -> AccountRef:
        """Name an allowance of the subscription."""
        code = f"{self.id}.{meter.unit}.{name}"
        return AccountRef(kind=ALLOWANCE, code=code, currency=meter.currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account that stands still until the end of the transaction; no floor: no limit."""

    status: str
    posted: int
    held: int
    credit_limit: int | None

    @property
    def spendable(self) -> int:
        """What may be taken."""
        return self.posted - self.held + (self.credit_limit or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """An allowance: what was granted into it for this cycle, and when it ends."""

    ref: AccountRef
    subscription: str
    meter: str
    name: str
    priority: int
    granted: int
    expires_us: int | None


def fee_of(subscription: Subscription, months: int) -> Micros:
    """Price so many months of a subscription with its add-ons."""
    prices = dict(subscription.plan.addons)
    extra = sum(prices[name] * count for name, count in subscription.addons.items())
    return subscription.plan.charge(months) + extra * months


# Said in full, for with a parameter nobody would find the index of these.
LIVE: Final = subscriptions.c.state != literal_column("'cancelled'")


async def newest_plans(connection: AsyncConnection) -> dict[str, PlanVersion]:
    """Read the plans that are sold now."""
    rows = await connection.execute(select(plan_versions).order_by(plan_versions.c.version))
    return {
        row.name: PlanVersion(id=row.id, version=row.version, plan=Plan.from_json(row.body))
        for row in rows
    }


async def live_subscriptions(
    connection: AsyncConnection, accounts_named: Collection[str] | None, *, lock: bool = False
) -> dict[str, Subscription]:
    """Read the subscriptions of accounts (None: of all) that are not cancelled, by account."""
    found: dict[str, Subscription] = {}
    if accounts_named is None:
        listed = await _read(connection, LIVE, lock=lock)
        return {each.account: each for each in listed}
    names = sorted(accounts_named)
    for start in range(0, len(names), 1000):
        where = (
            subscriptions.c.account.in_(names[start : start + 1000]),
            LIVE,
        )
        for each in await _read(connection, *where, lock=lock):
            found[each.account] = each
    return found


async def page_of_subscriptions(
    connection: AsyncConnection,
    *,
    after: str,
    limit: int,
    account: str | None = None,
    plan: str | None = None,
) -> list[Subscription]:
    """Read live subscriptions by account, of all, of one or to a plan of that name.

    `after` is the last account of the page before.
    """
    query = (
        select(subscriptions.c.id)
        .where(LIVE, subscriptions.c.account > after)
        .order_by(subscriptions.c.account)
        .limit(limit)
    )
    if account is not None:
        query = query.where(subscriptions.c.account == account)
    if plan is not None:
        versions = select(plan_versions.c.id).where(plan_versions.c.name == plan)
        query = query.where(subscriptions.c.plan_version_id.in_(versions))
    ids = list(await connection.scalars(query))
    found = await _read(connection, subscriptions.c.id.in_(ids), lock=False)
    return sorted(found, key=lambda each: each.account)


async def count_subscribers(connection: AsyncConnection) -> dict[str, int]:
    """Count the live subscriptions of each plan, whatever its version."""
    query = (
        select(plan_versions.c.name, func.count().label("subscribers"))
        .select_from(
            subscriptions.join(plan_versions, plan_versions.c.id == subscriptions.c.plan_version_id)
        )
        .where(LIVE)
        .group_by(plan_versions.c.name)
    )
    rows = await connection.execute(query)
    return {row.name: row.subscribers for row in rows}


async def find_subscription(
    connection: AsyncConnection, subscription: str, *, lock: bool = False
) -> Subscription | None:
    """Read one subscription, of any state."""
    found = await _read(connection, subscriptions.c.id == subscription, lock=lock)
    return found[0] if found else None


async def _read(
    connection: AsyncConnection, *where: Any, lock: bool
) -> list[Subscription]:  # Any: conditions
    query = (
        select(subscriptions, plan_versions.c.body, plan_versions.c.version)
        .join(plan_versions, plan_versions.c.id == subscriptions.c.plan_version_id)
        .where(*where)
        .order_by(subscriptions.c.id)
    )
    if lock:
        query = query.with_for_update(of=subscriptions)
    plans: dict[int, Plan] = {}
    found: list[Subscription] = []
    for row in await connection.execute(query):
        plan = plans.get(row.plan_version_id)
        if plan is None:
            plan = plans[row.plan_version_id] = Plan.from_json(row.body)
        found.append(_subscription(row, plan))
    return found


def _subscription(row: Row[Any], plan: Plan) -> Subscription:  # Any: a row of many column types
    return Subscription(
        id=row.id,
        account=row.account,
        plan=plan,
        version=row.version,
        plan_version_id=row.plan_version_id,
        state=row.state,
        months=row.months_paid_at_once,
        anchor_us=row.anchor_us,
        cycle=row.cycle,
        cycle_start_us=row.cycle_start_us,
        cycle_end_us=row.cycle_end_us,
        paid_cycles=row.paid_cycles,
        ends=row.ends,
        addons=json.loads(row.addons),
        changes=row.changes,
    )


async def buckets_of(connection: AsyncConnection, ids: Collection[str]) -> list[Bucket]:
    """Read the allowances of subscriptions in burning order."""
    found: list[Bucket] = []
    names = sorted(ids)
    for start in range(0, len(names), 1000):
        query = select(allowances).where(allowances.c.subscription.in_(names[start : start + 1000]))
        found += [
            Bucket(
                ref=AccountRef(kind=ALLOWANCE, code=row.code, currency=row.unit),
                subscription=row.subscription,
                meter=row.meter,
                name=row.bucket,
                priority=row.priority,
                granted=row.granted,
                expires_us=row.expires_us,
            )
            for row in await connection.execute(query)
        ]
    return sorted(found, key=_burning)


def _burning(bucket: Bucket) -> tuple[int, bool, int, str]:
    never = bucket.expires_us is None
    return bucket.priority, never, bucket.expires_us or 0, bucket.ref.code


async def call_allowances(
    database: AsyncConnection | AsyncEngine, account: str, at_us: int
) -> tuple[AccountRef, ...]:
    """List the allowances that talk of an account may draw from, in burning order."""
    if isinstance(database, AsyncEngine):
        async with database.connect() as connection:
            return await call_allowances(connection, account, at_us)
    query = (
        select(allowances.c.code)
        .join(subscriptions, subscriptions.c.id == allowances.c.subscription)
        .where(
            subscriptions.c.account == account,
            LIVE,
            subscriptions.c.state == "active",
            allowances.c.unit == SECONDS_UNIT,
            allowances.c.expires_us.is_(None) | (allowances.c.expires_us > at_us),
        )
        .order_by(
            allowances.c.priority, allowances.c.expires_us.asc().nulls_last(), allowances.c.code
        )
        .limit(ALLOWANCES_MAX)
    )
    codes = await database.scalars(query)
    return tuple(AccountRef(kind=ALLOWANCE, code=code, currency=SECONDS_UNIT) for code in codes)


async def open_bucket(
    connection: AsyncConnection,
    subscription: Subscription,
    meter: Meter,
    name: str,
    *,
    now_us: int,
    granted: int = 0,
    expires_us: int | None = None,
) -> AccountRef:
    """Make an allowance and its account, with a floor of nothing; one that is there stays."""
    ref = subscription.bucket(meter, name)
    known = await connection.scalar(select(allowances.c.code).where(allowances.c.code == ref.code))
    if known is None:
        row = {
            "code": ref.code,
            "subscription": subscription.id,
            "meter": meter.unit,
            "unit": meter.currency,
            "bucket": name,
            "priority": PRIORITY.get(name, BUNDLE_PRIORITY),
            "granted": granted,
            "expires_us": expires_us,
        }
        await connection.execute(insert(allowances), row)
        await run_in(connection, _make(ref, now_us))
    return ref


async def open_meter(
    connection: AsyncConnection, subscription: Subscription, meter: Meter, now_us: int
) -> None:
    """Make what a meter of a subscription is kept in."""
    known = await connection.scalar(
        select(subscription_meters.c.meter).where(
            subscription_meters.c.subscription == subscription.id,
            subscription_meters.c.meter == meter.unit,
        )
    )
    if known is None:
        row = {"subscription": subscription.id, "meter": meter.unit}
        await connection.execute(
            insert(subscription_meters), {**row, "overage_units": 0, "overage": 0}
        )
    for name in (CYCLE, ROLLOVER):
        await open_bucket(
            connection,
            subscription,
            meter,
            name,
            now_us=now_us,
            expires_us=subscription.cycle_end_us,
        )


def _make(ref: AccountRef, now_us: int) -> Steps[None]:
    yield _MAKE, [(ref.kind, ref.code, ref.currency, 0, now_us)]


async def lock_accounts(
    connection: AsyncConnection, refs: Collection[AccountRef]
) -> dict[AccountRef, Balance]:
    """Make accounts stand still, all at once and in the order of ids, as the ledger does."""
    return await run_in(connection, _lock(refs))


def _lock(refs: Collection[AccountRef]) -> Steps[dict[AccountRef, Balance]]:
    found: dict[AccountRef, Balance] = {}
    if not refs:
        return found
    rows = yield _LOCK, [(ref.kind, ref.code, ref.currency) for ref in refs]
    for kind, code, currency, status, posted, held, limit in rows:
        ref = AccountRef(kind=kind, code=code, currency=currency)
        found[ref] = Balance(status=status, posted=posted, held=held, credit_limit=limit)
    return found


async def post_all(connection: AsyncConnection, posts: Sequence[Post]) -> list[Answer]:
    """Post in the caller's transaction, all of them.

    Raises:
        BillingError: one was refused; the caller lets the transaction go.

    """
    answers: list[Answer] = []
    for outcome in await post_batch(connection, posts) if posts else ():
        if isinstance(outcome, BillingError):
            raise outcome
        assert isinstance(outcome, Posted)
        answers.append(outcome)
    return answers


def moved(source: AccountRef, target: AccountRef, amount: Micros) -> tuple[PostedEntry, ...]:
    """Write the two entries of a simple transfer."""
    return (
        PostedEntry(account=source, amount=-amount),
        PostedEntry(account=target, amount=amount),
    )
