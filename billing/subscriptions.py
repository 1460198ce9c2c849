"""Subscriptions: begin, change in the middle of a month, cancel, renew; and units bought ahead.

Every step is one transaction; repeating it changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.cycles import GRANT, Cycles, deferred_of, provider_of, recognise
from billing.domain.cover import issuer_of
from billing.domain.cycles import months_after
from billing.domain.operations import AccountRef
from billing.domain.plans import PAYMENTS, Meter, Plan
from billing.errors import (
    CurrencyMismatch,
    InvalidInput,
    SubscriptionExists,
    UnknownAccount,
    UnknownPlan,
    UnknownSubscription,
)
from billing.ids import new_id
from billing.money import Micros, Rounding, divide
from billing.plan_changes import change_plan, check_change
from billing.storage.engine import for_writing
from billing.storage.plan_rows import (
    Bucket,
    PlanVersion,
    Subscription,
    buckets_of,
    call_allowances,
    find_subscription,
    live_subscriptions,
    lock_accounts,
    moved,
    newest_plans,
    open_bucket,
    open_meter,
    post_all,
)
from billing.storage.plan_tables import deferrals, subscriptions
from billing.storage.tables import accounts

__all__ = ["Subscriptions", "call_allowances", "subscribe_in"]

COUNT_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """An allowance and what it holds now."""

    bucket: Bucket
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run of cycles did: subscriptions looked at, and months of advance fees earned."""

    renewed: int
    past_due: tuple[str, ...]
    recognised: int


class Subscriptions:
    """The use-cases of plans that accounts have."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def subscribe(
        self,
        account: str,
        plan: str,
        *,
        payment: str | None = None,
        addons: Mapping[str, int] | None = None,
        version: int | None = None,
    ) -> Subscription:
        """Begin a subscription with the newest version of a plan; its first fee is taken now.

        Where the money is not there, it is past due and grants nothing until the fee is paid.
        `version` is the one that somebody was told the price of.

        Raises:
            InvalidInput: there is a newer version.
            UnknownPlan: there is none of that name.
            SubscriptionExists: the account has one.

        """
        async with self._writing() as connection:
            sold = await _newest(connection, plan, version)
            return await subscribe_in(
                connection, self._clock, account, sold, payment=payment, addons=addons
            )

    async def change(
        self,
        account: str,
        plan: str,
        *,
        version: int | None = None,
        price_max: Micros | None = None,
    ) -> Subscription:
        """Go to the newest version of a plan now: price and allowance by the days that are left.

        `version` and `price_max` are what somebody was told before.

        Raises:
            InvalidInput: several months are paid ahead, the fee of this one is not paid, or what
                was told is not so any more.
            InsufficientFunds: the difference cannot be paid; nothing changed.

        """
        async with self._writing() as connection:
            now_us = microseconds_of(self._clock.now())
            before = await self._live(connection, account)
            sold = await _newest(connection, plan, version)
            cycles = Cycles(connection, self._clock, now_us)
            before = await cycles.advance(before)
            if before.plan_version_id == sold.id:
                return before
            check_change(before, sold.plan)
            return await change_plan(connection, cycles, before, sold, now_us, price_max=price_max)

    async def cancel(self, account: str, *, at_once: bool = False) -> Subscription:
        """End a subscription with what is paid for, or at once without a refund."""
        async with self._writing() as connection:
            found = await self._live(connection, account)
            cycles = Cycles(connection, self._clock, microseconds_of(self._clock.now()))
            await cycles.lock(found)
            if at_once or found.state == "past_due":
                return await cycles.end(found)
            await connection.execute(
                update(subscriptions).where(subscriptions.c.id == found.id).values(ends=True)
            )
            return replace(found, ends=True)

    async def buy(
        self, account: str, meter: str, *, key: str, bundle: str | None = None, units: int = 0
    ) -> Left:
        """Buy units ahead: a bundle by its name, or so many micro-units at the unit price.

        Raises:
            InvalidInput: the plan sells no such thing.
            InsufficientFunds: nothing was bought.
            IdempotencyConflict: the key bought something else.

        """
        async with self._writing() as connection:
            now_us = microseconds_of(self._clock.now())
            found = await self._live(connection, account)
            counted = _meter(found.plan, meter)
            units, price = _offer(counted, bundle, units)
            cycles = Cycles(connection, self._clock, now_us)
            await cycles.lock(found)
            name = f"bundle-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
            ref = await open_bucket(connection, found, counted, name, now_us=now_us, granted=units)
            entries = moved(issuer_of(ref), ref, units)
            posts = [cycles.post(found, f"grant-bundle:{found.id}:{key}", GRANT, entries)]
            if price:
                paid = moved(found.caller, provider_of(found.plan.currency), price)
                posts.insert(0, cycles.post(found, f"bundle:{found.id}:{key}", "bundle", paid))
            await post_all(connection, posts)
            left = await _left(connection, [found])
            return next(each for each in left[found.id] if each.bucket.ref == ref)

    async def run_cycles(self) -> Ran:
        """Renew what is due, try what is past due again, and earn what was paid ahead."""
        now_us = microseconds_of(self._clock.now())
        due = (subscriptions.c.cycle_end_us <= now_us) & (subscriptions.c.state != "cancelled")
        query = select(subscriptions.c.id).where(due | (subscriptions.c.state == "past_due"))
        async with self._engine.connect() as connection:
            ids = list(await connection.scalars(query.order_by(subscriptions.c.id)))
        late: list[str] = []
        for name in ids:
            async with self._writing() as connection:
                found = await find_subscription(connection, name, lock=True)
                assert found is not None
                found = await Cycles(connection, self._clock, now_us).advance(found)
                if found.state == "past_due":
                    late.append(found.account)
        async with self._writing() as connection:
            earned = await recognise(connection, self._clock, now_us)
        return Ran(renewed=len(ids) - len(late), past_due=tuple(late), recognised=earned)

    async def show(self, name: str) -> tuple[Subscription, list[Left]]:
        """Read a subscription by its id, or the live one of an account, with its allowances.

        Raises:
            UnknownSubscription: there is none.

        """
        async with self._engine.connect() as connection:
            found = await find_subscription(connection, name)
            found = found or (await live_subscriptions(connection, [name])).get(name)
            if found is None:
                raise UnknownSubscription(subscription=name)
            return found, (await _left(connection, [found]))[found.id]

    async def show_all(
        self, listed: Sequence[Subscription]
    ) -> list[tuple[Subscription, list[Left]]]:
        """Read the allowances of many subscriptions at once."""
        async with self._engine.connect() as connection:
            left = await _left(connection, listed)
        return [(each, left[each.id]) for each in listed]

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                yield connection
        finally:
            await connection.close()

    async def _live(self, connection: AsyncConnection, account: str) -> Subscription:
        found = await live_subscriptions(connection, [account], lock=True)
        if account not in found:
            raise UnknownSubscription(subscription=account)
        return found[account]


async def _newest(connection: AsyncConnection, plan: str, version: int | None) -> PlanVersion:
    sold = (await newest_plans(connection)).get(plan)
    if sold is None:
        raise UnknownPlan(plan=plan)
    if version is not None and sold.version != version:
        raise InvalidInput(reason=f"the plan {plan} has changed meanwhile; look at it again")
    return sold


async def subscribe_in(
    connection: AsyncConnection,
    clock: Clock,
    account: str,
    sold: PlanVersion,
    *,
    payment: str | None = None,
    addons: Mapping[str, int] | None = None,
) -> Subscription:
    """Begin a subscription in the caller's transaction."""
    now_us = microseconds_of(clock.now())
    await _check_account(connection, account, sold.plan)
    found = Subscription(
        id=new_id(clock),
        account=account,
        plan=sold.plan,
        version=sold.version,
        plan_version_id=sold.id,
        state="past_due",
        months=_months(payment or sold.plan.payment),
        anchor_us=now_us,
        cycle=0,
        cycle_start_us=now_us,
        cycle_end_us=months_after(now_us, 1),
        paid_cycles=0,
        ends=False,
        addons=_addons(sold.plan, addons or {}),
        changes=0,
    )
    row = {
        "id": found.id,
        "account": account,
        "plan_version_id": sold.id,
        "state": found.state,
        "months_paid_at_once": found.months,
        "anchor_us": now_us,
        "cycle": 0,
        "cycle_start_us": now_us,
        "cycle_end_us": found.cycle_end_us,
        "paid_cycles": 0,
        "addons": json.dumps(found.addons, sort_keys=True),
        "created_us": now_us,
    }
    await connection.execute(insert(subscriptions), row)
    for meter in sold.plan.meters:
        await open_meter(connection, found, meter, now_us)
    return await Cycles(connection, clock, now_us).advance(found)


async def _check_account(connection: AsyncConnection, account: str, plan: Plan) -> None:
    caller = AccountRef(kind="caller", code=account, currency=plan.currency)
    # Two who subscribe the same account at once wait for each other; with everything that the fee
    # moves, by id, so that no settlement waits in a circle.
    money = {caller, provider_of(plan.currency), deferred_of(plan.currency)}
    if caller not in await lock_accounts(connection, money):
        query = select(accounts.c.currency)
        kept_in = await connection.scalar(
            query.where(accounts.c.kind == "caller", accounts.c.code == account)
        )
        if kept_in is None:
            raise UnknownAccount(account=account)
        raise CurrencyMismatch(account=account, expected=plan.currency, actual=kept_in)
    known = (await live_subscriptions(connection, [account])).get(account)
    if known is not None:
        raise SubscriptionExists(account=account, subscription=known.id)


def _months(payment: str) -> int:
    if payment not in PAYMENTS:
        raise InvalidInput(reason=f"a payment is {', '.join(PAYMENTS)}")
    return PAYMENTS[payment]


def _addons(plan: Plan, wanted: Mapping[str, int]) -> dict[str, int]:
    sold = dict(plan.addons)
    for name, count in wanted.items():
        if name not in sold:
            raise InvalidInput(reason=f"plan {plan.name} has no add-on {name!r}")
        if not 0 < count <= COUNT_MAX:
            raise InvalidInput(reason=f"add-on {name}: 1 to {COUNT_MAX}")
    return dict(wanted)


def _meter(plan: Plan, unit: str) -> Meter:
    for meter in plan.meters:
        if meter.unit == unit:
            return meter
    raise InvalidInput(reason=f"plan {plan.name} does not count {unit!r}")


def _offer(meter: Meter, bundle: str | None, units: int) -> tuple[int, Micros]:
    """Find what is sold: how many micro-units, for how much."""
    if bundle is not None:
        for each in meter.bundles:
            if each.name == bundle:
                return each.units, each.price
        raise InvalidInput(reason=f"there is no bundle {bundle!r} of {meter.unit}")
    if meter.unit_price is None or units <= 0:
        raise InvalidInput(reason=f"{meter.unit} are not sold so")
    return units, divide(units * meter.unit_price, meter.one, Rounding.HALF_UP)


async def _left(
    connection: AsyncConnection, listed: Sequence[Subscription]
) -> dict[str, list[Left]]:
    """Read what the allowances of subscriptions hold, by subscription, in burning order."""
    buckets = await buckets_of(connection, [each.id for each in listed])
    query = select(accounts.c.code, accounts.c.posted - accounts.c.held).where(
        accounts.c.kind == "allowance",
        accounts.c.code.in_([bucket.ref.code for bucket in buckets]),
    )
    found = {row[0]: row[1] for row in await connection.execute(query)}
    left: dict[str, list[Left]] = {each.id: [] for each in listed}
    for bucket in buckets:
        left[bucket.subscription].append(Left(bucket=bucket, units=found[bucket.ref.code]))
    return left


async def deferred_left(engine: AsyncEngine, subscription: str) -> Micros:
    """Return what of the fees paid ahead is not earned yet."""
    query = select(deferrals).where(deferrals.c.subscription == subscription)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    return sum(row.amount - row.amount * row.recognised // row.months for row in rows)
