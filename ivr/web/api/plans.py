"""Operations on plans and subscriptions: what is sold, subscribe, change, cancel, buy units."""

from __future__ import annotations

from typing import Final

from billing.errors import UnknownPlan, UnknownSubscription
from billing.money import format_amount
from billing.storage.plan_rows import PlanVersion, Subscription, page_of_subscriptions
from billing.subscriptions import Subscriptions
from ivr.web.api import plan_models as models
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.places import SUBSCRIPTION
from ivr.web.api.usage import own_account, subscription_view
from ivr.web.api.usage_models import SubscriptionView, units_text
from ivr.web.problems import Refusal, wrong_fields
from ivr.web.queries import plans as queries
from ivr.web.scope import CALLERS, EVERYBODY, OPERATORS, NotYours, Right, Role


async def list_plans(ask: Ask) -> Answer:
    """List what is sold."""
    async with ask.web.reading() as connection:
        plans = await queries.list_plans(connection)
    return Answer(model=models.Plans(items=tuple(_plan(one) for one in plans)))


async def list_subscriptions(ask: Ask) -> Answer:
    """List live subscriptions."""
    assert isinstance(ask.query, models.SubscriptionsQuery)
    query = ask.query
    place = query.place(str)
    async with ask.web.reading() as connection:
        wanted = await page_of_subscriptions(
            connection,
            after=place or "",
            limit=query.limit + 1,
            account=(ask.who.scope.subject or "") if ask.who.role is Role.CALLER else None,
            plan=query.plan,
        )
    items, after = query.cut(wanted, lambda one: one.account)
    listed = await _subscriptions(ask).show_all(items)
    return Answer(
        model=models.Subscriptions(
            items=tuple(subscription_view(*one) for one in listed),
            next=after,
        )
    )


async def subscribe(ask: Ask) -> Answer:
    """Subscribe an account; it has at most one plan, so twice is refused."""
    assert isinstance(ask.body, models.NewSubscription)
    body, account = ask.body, own_account(ask, ask.body.account)
    try:
        done = await _subscriptions(ask).subscribe(
            account, body.plan, payment=body.payment, addons=body.addons
        )
    except UnknownPlan:
        raise _no_plan() from None
    await ask.web.note(ask.who, "subscribe", account, after=_said(done))
    return Answer(
        model=await _view(ask, done.id),
        headers=(("Location", f"/api/v1/subscriptions/{done.id}"),),
    )


async def change(ask: Ask) -> Answer:
    """Go to another plan."""
    assert isinstance(ask.body, models.SubscriptionChange)
    found = await _mine(ask)
    try:
        done = await _subscriptions(ask).change(found.account, ask.body.plan)
    except UnknownPlan:
        raise _no_plan() from None
    await ask.web.note(
        ask.who, "change plan", found.account, before=_said(found), after=_said(done)
    )
    return Answer(model=await _view(ask, done.id))


async def cancel(ask: Ask) -> Answer:
    """End a subscription."""
    assert isinstance(ask.body, models.Cancellation)
    found = await _mine(ask)
    done = await _subscriptions(ask).cancel(found.account, at_once=ask.body.at_once)
    after = "at once" if ask.body.at_once else "with what is paid for"
    await ask.web.note(ask.who, "cancel plan", found.account, before=_said(found), after=after)
    return Answer(model=await _view(ask, done.id))


async def buy(ask: Ask) -> Answer:
    """Buy units ahead, once per key."""
    assert isinstance(ask.body, models.Purchase)
    body, found = ask.body, await _mine(ask)
    if (body.bundle is None) == (body.units is None):
        raise wrong_fields({"units": "Name a bundle, or say how many units."})
    scales = {meter.unit: meter.scale for meter in found.plan.meters}
    left = await _subscriptions(ask).buy(
        found.account,
        body.meter,
        key=f"api:{found.account}:{idempotency_key(ask)}",
        bundle=body.bundle,
        units=(body.units or 0) * scales.get(body.meter, 1),
    )
    facts = f"{body.bundle or body.units} {body.meter}"
    await ask.web.note(ask.who, "buy units", found.account, after=facts)
    unit = left.bucket.meter
    return Answer(
        model=models.Bought(
            bucket=left.bucket.name,
            meter=unit,
            granted=units_text(left.bucket.granted, unit),
            remaining=units_text(left.units, unit),
        )
    )


async def _mine(ask: Ask) -> Subscription:
    try:
        found, _ = await _subscriptions(ask).show(ask.named("subscription"))
    except UnknownSubscription:
        raise NotYours from None
    if ask.who.role is Role.CALLER and found.account != ask.who.scope.subject:
        raise NotYours
    return found


async def _view(ask: Ask, name: str) -> SubscriptionView:
    return subscription_view(*await _subscriptions(ask).show(name))


def _subscriptions(ask: Ask) -> Subscriptions:
    return Subscriptions(engine=ask.web.deps.engine, clock=ask.web.deps.clock)


def _no_plan() -> Refusal:
    return Refusal(
        "unknown_plan", "There is no such plan.", fields={"plan": "No plan of this name is sold."}
    )


def _said(one: Subscription) -> str:
    return f"{one.plan.name}@{one.version}, {one.state}"


def _plan(one: PlanVersion) -> models.Plan:
    return models.Plan(
        name=one.plan.name,
        version=one.version,
        currency=one.plan.currency,
        price=format_amount(one.plan.price),
        meters=tuple(
            models.PlanMeter(
                unit=meter.unit,
                included=units_text(meter.included, meter.unit),
                alerts=meter.alerts,
                bundles=tuple(bundle.name for bundle in meter.bundles),
                has_overage=bool(meter.overage),
            )
            for meter in one.plan.meters
        ),
        addons={name: format_amount(price) for name, price in one.plan.addons},
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/plans",
        name="listPlans",
        summary="List the plans that are sold",
        roles=EVERYBODY,
        handler=list_plans,
        answer=models.Plans,
    ),
    Operation(
        method="GET",
        path="/subscriptions",
        name="listSubscriptions",
        summary="List live subscriptions by account",
        roles=OPERATORS | CALLERS,
        handler=list_subscriptions,
        query=models.SubscriptionsQuery,
        answer=models.Subscriptions,
    ),
    Operation(
        method="POST",
        path="/subscriptions",
        name="subscribe",
        summary="Subscribe an account to a plan; its first fee is taken now",
        roles=OPERATORS | CALLERS,
        right=Right.ACCOUNTS,
        handler=subscribe,
        body=models.NewSubscription,
        answer=SubscriptionView,
        statuses=(201,),
        located="showSubscription",
        problems=(
            "not_found", "invalid_input", "unknown_account", "unknown_plan",
            "subscription_exists", "currency_mismatch",
        ),
    ),
    Operation(
        method="POST",
        path=f"/subscriptions/{SUBSCRIPTION}/change",
        name="changeSubscription",
        summary="Go to another plan now, by the days that are left",
        roles=OPERATORS | CALLERS,
        right=Right.ACCOUNTS,
        handler=change,
        body=models.SubscriptionChange,
        answer=SubscriptionView,
        problems=(
            "invalid_input", "unknown_plan", "unknown_subscription", "insufficient_funds",
            "account_blocked",
        ),
    ),
    Operation(
        method="POST",
        path=f"/subscriptions/{SUBSCRIPTION}/cancel",
        name="cancelSubscription",
        summary="End a subscription with what is paid for, or at once",
        roles=OPERATORS | CALLERS,
        right=Right.ACCOUNTS,
        handler=cancel,
        body=models.Cancellation,
        answer=SubscriptionView,
        problems=("invalid_input", "unknown_subscription"),
    ),
    Operation(
        method="POST",
        path=f"/subscriptions/{SUBSCRIPTION}/units",
        name="buyUnits",
        summary="Buy units ahead, once per key",
        roles=OPERATORS | CALLERS,
        right=Right.MONEY,
        handler=buy,
        body=models.Purchase,
        answer=models.Bought,
        needs_key=True,
        problems=(
            "invalid_input", "unknown_subscription", "insufficient_funds", "account_blocked",
        ),
    ),
)  # fmt: skip
