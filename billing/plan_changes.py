"""A plan that changes in the middle of a month: price and allowance by the days that are left."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.cycles import GRANT, Cycles, provider_of
from billing.domain.cover import issuer_of
from billing.domain.cycles import prorate
from billing.domain.operations import Post
from billing.domain.plans import Meter, Plan
from billing.errors import InvalidInput
from billing.money import Micros
from billing.mrr import note_mrr
from billing.storage.plan_rows import (
    CYCLE,
    PlanVersion,
    Subscription,
    fee_of,
    lock_accounts,
    moved,
    open_meter,
    post_all,
)
from billing.storage.plan_tables import allowances, subscriptions


def check_change(before: Subscription, plan: Plan) -> None:
    """Refuse a change that cannot be prorated.

    Raises:
        InvalidInput: it says why.

    """
    if before.state != "active":
        raise InvalidInput(reason="the fee of this month is not paid; top up the account first")
    if before.months > 1:
        raise InvalidInput(
            reason=f"{before.months} months are paid ahead; cancel and subscribe anew"
        )
    if before.plan.currency != plan.currency:
        raise InvalidInput(reason="a plan in another currency needs another account")
    lost = sorted(before.addons.keys() - dict(plan.addons).keys())
    if lost:
        raise InvalidInput(reason=f"plan {plan.name} has no add-on {lost[0]!r}")


def price_of_change(before: Subscription, plan: Plan, now_us: int) -> Micros:
    """Return what a change costs now: the difference of the fees for the days that are left.

    Below zero it is given back.
    """
    after = replace(before, plan=plan)

    def part(amount: Micros) -> Micros:
        return prorate(
            amount, start_us=before.cycle_start_us, end_us=before.cycle_end_us, now_us=now_us
        )

    return part(fee_of(after, 1)) - part(fee_of(before, 1))


async def change_plan(
    connection: AsyncConnection,
    cycles: Cycles,
    before: Subscription,
    sold: PlanVersion,
    now_us: int,
    *,
    price_max: Micros | None = None,
) -> Subscription:
    """Go to another plan: the difference of price and allowance for the days that are left.

    Raises:
        InvalidInput: it costs more than `price_max`, which somebody was told.
        InsufficientFunds: the difference cannot be paid.

    """
    after = replace(
        before,
        plan=sold.plan,
        version=sold.version,
        plan_version_id=sold.id,
        changes=before.changes + 1,
    )

    def part(amount: int) -> int:
        return prorate(
            amount, start_us=before.cycle_start_us, end_us=before.cycle_end_us, now_us=now_us
        )

    place = f"{after.id}:{after.changes}"
    for meter in after.plan.meters:
        await open_meter(connection, after, meter, now_us)
    await cycles.lock(after)
    price = price_of_change(before, sold.plan, now_us)
    if price_max is not None and price > price_max:
        raise InvalidInput(reason="the price is another one by now; look again")
    if price:
        provider = provider_of(after.plan.currency)
        entries = (
            moved(after.caller, provider, price)
            if price > 0
            else moved(provider, after.caller, -price)
        )
        await post_all(connection, [cycles.post(after, f"change:{place}", "plan_change", entries)])
    included = {meter.unit: meter for meter in before.plan.meters}
    wanted = {meter.unit: meter for meter in after.plan.meters}
    for unit in sorted(included.keys() | wanted.keys()):
        meter = wanted.get(unit) or included[unit]
        more = part(wanted[unit].included if unit in wanted else 0)
        less = part(included[unit].included if unit in included else 0)
        await _regrant(connection, cycles, after, meter, more - less, place)
    await connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == after.id)
        .values(plan_version_id=sold.id, changes=after.changes)
    )
    await note_mrr(connection, after, now_us)
    return after


async def _regrant(
    connection: AsyncConnection,
    cycles: Cycles,
    after: Subscription,
    meter: Meter,
    difference: int,
    place: str,
) -> None:
    """Give or take the difference of an allowance; what is used already is not taken back."""
    ref = after.bucket(meter, CYCLE)
    issuer = issuer_of(ref)
    post: Post | None = None
    if difference > 0:
        entries = moved(issuer, ref, difference)
        post = cycles.post(after, f"grant-change:{place}:{meter.unit}", GRANT, entries)
    elif difference < 0:
        left = (await lock_accounts(connection, {ref}))[ref].spendable
        if taken := min(left, -difference):
            entries = moved(ref, issuer, taken)
            post = cycles.post(after, f"take-change:{place}:{meter.unit}", "plan_change", entries)
        difference = -taken
    if post is not None:
        await post_all(connection, [post])
        await connection.execute(
            update(allowances)
            .where(allowances.c.code == ref.code)
            .values(granted=allowances.c.granted + difference)
        )
