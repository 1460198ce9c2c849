"""Cycles of a subscription: what is paid, granted, rolled over and expired when a month begins.

    caller -> provider             the fee of a month, key `subscription:<id>:<cycle>`
    caller -> deferred -> provider the fee of several months, earned month by month
    issuer -> allowance            the grant, key `grant:<id>:<meter>:<cycle start>`
    allowance -> rollover | issuer what is left of it when the cycle ends

Everything has a key, so a cycle that is entered twice is entered once. The caller owns the
transaction and has locked the subscription.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.alerts import note_crossings
from billing.clock import Clock
from billing.domain.cover import issuer_of
from billing.domain.cycles import months_after, share_of_month
from billing.domain.operations import AccountRef, Post
from billing.domain.plans import WHOLE, Meter
from billing.errors import AccountBlocked, BillingError, InsufficientFunds
from billing.ids import new_id
from billing.money import Micros, Rounding, divide
from billing.mrr import note_mrr
from billing.storage.ledger import post_batch
from billing.storage.plan_rows import (
    CYCLE,
    ROLLOVER,
    Balance,
    Subscription,
    buckets_of,
    fee_of,
    lock_accounts,
    moved,
    open_meter,
    post_all,
)
from billing.storage.plan_tables import (
    allowances,
    deferrals,
    subscription_meters,
    subscriptions,
)

FEE: Final = "subscription"
GRANT: Final = "grant"
ACTOR: Final = "subscriptions"


def provider_of(currency: str) -> AccountRef:
    """Name the account that earns fees and overage."""
    return AccountRef(kind="provider", code="provider", currency=currency)


def deferred_of(currency: str) -> AccountRef:
    """Name the account of fees that are paid and not yet earned."""
    return AccountRef(kind="deferred", code="deferred", currency=currency)


class Cycles:
    """Moves one locked subscription through its months, in one transaction."""

    def __init__(self, connection: AsyncConnection, clock: Clock, now_us: int) -> None:
        self._connection = connection
        self._clock = clock
        self._now_us = now_us

    async def advance(self, subscription: Subscription) -> Subscription:
        """Bring a subscription to the cycle that is now; again changes nothing."""
        if subscription.state == "cancelled":
            return subscription
        await self.lock(subscription)
        while subscription.state == "active" and subscription.cycle_end_us <= self._now_us:
            subscription = await self._next(subscription)
        if subscription.state == "past_due":
            subscription = await self.enter(await self._skip(subscription))
        await self._store(subscription)
        return subscription

    async def lock(self, subscription: Subscription) -> dict[AccountRef, Balance]:
        """Make every account of a subscription stand still, in the order of the ledger."""
        currency = subscription.plan.currency
        buckets = [bucket.ref for bucket in await buckets_of(self._connection, [subscription.id])]
        refs = {subscription.caller, provider_of(currency), deferred_of(currency), *buckets}
        return await lock_accounts(
            self._connection, refs | {issuer_of(bucket) for bucket in buckets}
        )

    async def enter(self, subscription: Subscription) -> Subscription:
        """Take the fee of a cycle that is not paid, then grant what it includes."""
        if subscription.cycle >= subscription.paid_cycles:
            try:
                subscription = await self._pay(subscription)
            except (InsufficientFunds, AccountBlocked):
                return replace(subscription, state="past_due")
        for meter in subscription.plan.meters:
            await open_meter(self._connection, subscription, meter, self._now_us)
            await self.grant(
                subscription,
                meter,
                meter.included,
                key=f"grant:{subscription.id}:{meter.unit}:{subscription.cycle_start_us}",
            )
            await self._set(subscription, meter, CYCLE, meter.included)
        return replace(subscription, state="active")

    async def grant(
        self, subscription: Subscription, meter: Meter, units: int, *, key: str, name: str = CYCLE
    ) -> None:
        """Give units to an allowance, once per key."""
        ref = subscription.bucket(meter, name)
        if units > 0:
            entries = moved(issuer_of(ref), ref, units)
            await post_all(self._connection, [self.post(subscription, key, GRANT, entries)])

    async def end(self, subscription: Subscription) -> Subscription:
        """Cancel now; what is left of the cycle expires, what was bought stays in the books."""
        for meter in subscription.plan.meters:
            await self._close(replace(subscription, ends=True), meter, rolls=False)
        done = replace(subscription, state="cancelled", ends=True)
        await self._store(done)
        return done

    def post(
        self,
        subscription: Subscription,
        key: str,
        kind: str,
        entries: Iterable[object],
        memo: str | None = None,
    ) -> Post:
        """Write a transfer that belongs to a subscription."""
        return Post(
            key=key,
            transfer_id=new_id(self._clock),
            kind=kind,
            entries=tuple(entries),  # type: ignore[arg-type]  # entries of `moved`
            at_us=self._now_us,
            memo=memo or subscription.plan.name,
            actor=ACTOR,
        )

    async def _next(self, subscription: Subscription) -> Subscription:
        last = subscription.ends and subscription.cycle + 1 >= subscription.paid_cycles
        await note_crossings(self._connection, subscription, self._now_us)
        await self._commit(subscription)
        for meter in subscription.plan.meters:
            await self._close(subscription, meter, rolls=not last)
        if last:
            return replace(subscription, state="cancelled")
        return await self.enter(_at(subscription, subscription.cycle + 1))

    async def _skip(self, subscription: Subscription) -> Subscription:
        """Nobody owes for months without service: go to the month that is now."""
        if subscription.cycle_end_us <= self._now_us:
            for meter in subscription.plan.meters:
                await self._close(subscription, meter, rolls=False)
        while subscription.cycle_end_us <= self._now_us:
            subscription = _at(subscription, subscription.cycle + 1)
        return replace(subscription, paid_cycles=max(subscription.cycle, subscription.paid_cycles))

    async def _pay(self, subscription: Subscription) -> Subscription:
        months, currency = subscription.months, subscription.plan.currency
        amount = fee_of(subscription, months)
        key = f"subscription:{subscription.id}:{subscription.cycle}"
        if amount:
            target = provider_of(currency) if months == 1 else deferred_of(currency)
            entries = moved(subscription.caller, target, amount)
            await post_all(self._connection, [self.post(subscription, key, FEE, entries)])
            if months > 1:
                await self._defer(subscription, key, amount)
        return replace(subscription, paid_cycles=subscription.cycle + months)

    async def _defer(self, subscription: Subscription, key: str, amount: Micros) -> None:
        known = select(deferrals.c.id).where(deferrals.c.id == key)
        if await self._connection.scalar(known) is None:
            row = {
                "id": key,
                "subscription": subscription.id,
                "currency": subscription.plan.currency,
                "amount": amount,
                "months": subscription.months,
                "recognised": 0,
                "anchor_us": subscription.anchor_us,
                "first_cycle": subscription.cycle,
                "due_us": months_after(subscription.anchor_us, subscription.cycle + 1),
            }
            await self._connection.execute(insert(deferrals), row)

    async def _commit(self, subscription: Subscription) -> None:
        """Charge what a committed minimum is above fee and overage of the cycle that ended."""
        if not subscription.plan.committed:
            return
        query = select(subscription_meters.c.overage).where(
            subscription_meters.c.subscription == subscription.id
        )
        spent = sum(await self._connection.scalars(query)) + fee_of(subscription, 1)
        missing = subscription.plan.committed - spent
        if missing > 0:
            entries = moved(subscription.caller, provider_of(subscription.plan.currency), missing)
            key = f"commitment:{subscription.id}:{subscription.cycle}"
            post = self.post(subscription, key, "commitment", entries)
            # Without the money the fee of the next cycle is refused as well, and that is told.
            await post_batch(self._connection, [post])

    async def _close(self, subscription: Subscription, meter: Meter, *, rolls: bool) -> None:
        """Expire what is left of a cycle, and roll over what may be."""
        cycle, rollover = (subscription.bucket(meter, name) for name in (CYCLE, ROLLOVER))
        found = await lock_accounts(self._connection, {cycle, rollover})
        issuer, place = issuer_of(cycle), f"{subscription.id}:{meter.unit}:{subscription.cycle}"
        posts: list[Post] = []
        if rollover in found and (stale := found[rollover].spendable) > 0:
            entries = moved(rollover, issuer, stale)
            posts.append(self.post(subscription, f"expire-rolled:{place}", "expiry", entries))
        left = found[cycle].spendable if cycle in found else 0
        most = divide(meter.included * meter.rollover_bp, WHOLE, Rounding.DOWN)
        rolled = min(left, most) if rolls else 0
        if rolled > 0:
            entries = moved(cycle, rollover, rolled)
            posts.append(self.post(subscription, f"roll:{place}", "rollover", entries))
        if left > rolled:
            entries = moved(cycle, issuer, left - rolled)
            posts.append(self.post(subscription, f"expire:{place}", "expiry", entries))
        await post_all(self._connection, posts)
        ends = months_after(subscription.anchor_us, subscription.cycle + 2)
        await self._set(subscription, meter, ROLLOVER, rolled, ends)
        await self._set(subscription, meter, CYCLE, 0)
        await self._carry(subscription, meter)
        await self._connection.execute(
            update(subscription_meters)
            .where(
                subscription_meters.c.subscription == subscription.id,
                subscription_meters.c.meter == meter.unit,
            )
            .values(overage_units=0, overage=0)
        )

    async def _carry(self, subscription: Subscription, meter: Meter) -> None:
        """What is left of units bought ahead is what the next cycle has of them."""
        bought = {
            bucket.ref
            for bucket in await buckets_of(self._connection, [subscription.id])
            if bucket.meter == meter.unit and bucket.name not in {CYCLE, ROLLOVER}
        }
        for ref, balance in (await lock_accounts(self._connection, bought)).items():
            await self._connection.execute(
                update(allowances)
                .where(allowances.c.code == ref.code)
                .values(granted=balance.spendable)
            )

    async def _set(
        self,
        subscription: Subscription,
        meter: Meter,
        name: str,
        granted: int,
        expires_us: int | None = None,
    ) -> None:
        await self._connection.execute(
            update(allowances)
            .where(allowances.c.code == subscription.bucket(meter, name).code)
            .values(granted=granted, expires_us=expires_us or subscription.cycle_end_us)
        )

    async def _store(self, subscription: Subscription) -> None:
        await self._connection.execute(
            update(subscriptions)
            .where(subscriptions.c.id == subscription.id)
            .values(
                state=subscription.state,
                cycle=subscription.cycle,
                cycle_start_us=subscription.cycle_start_us,
                cycle_end_us=subscription.cycle_end_us,
                paid_cycles=subscription.paid_cycles,
                ends=subscription.ends,
            )
        )
        await note_mrr(self._connection, subscription, self._now_us)


def _at(subscription: Subscription, cycle: int) -> Subscription:
    return replace(
        subscription,
        cycle=cycle,
        cycle_start_us=months_after(subscription.anchor_us, cycle),
        cycle_end_us=months_after(subscription.anchor_us, cycle + 1),
    )


async def recognise(connection: AsyncConnection, clock: Clock, now_us: int) -> int:
    """Earn the months of fees paid in advance that are over; each once. Returns how many."""
    query = select(deferrals).where(
        deferrals.c.due_us <= now_us, deferrals.c.recognised < deferrals.c.months
    )
    done = 0
    for row in (await connection.execute(query.order_by(deferrals.c.id).with_for_update())).all():
        number, due_us = row.recognised, row.due_us
        posts: list[Post] = []
        while number < row.months and due_us <= now_us:
            amount = share_of_month(row.amount, months=row.months, number=number)
            if amount:
                posts.append(
                    Post(
                        key=f"recognise:{row.id}:{number}",
                        transfer_id=new_id(clock),
                        kind="recognition",
                        entries=moved(deferred_of(row.currency), provider_of(row.currency), amount),
                        at_us=due_us,
                        actor=ACTOR,
                    )
                )
            number += 1
            due_us = months_after(row.anchor_us, row.first_cycle + number + 1)
        await post_all(connection, posts)
        await connection.execute(
            update(deferrals)
            .where(deferrals.c.id == row.id)
            .values(recognised=number, due_us=due_us)
        )
        done += len(posts)
    return done


__all__ = ["BillingError", "Cycles", "provider_of", "recognise"]
