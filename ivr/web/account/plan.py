"""A caller's plan: what is left, other plans with their price told first, units bought ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from billing.domain.plans import scale_of
from billing.errors import InvalidInput
from billing.money import Micros
from billing.plan_changes import check_change, price_of_change
from billing.reports import Span
from billing.storage.plan_rows import PlanVersion, Subscription
from billing.subscriptions import Subscriptions
from billing.wallet import Account
from ivr.web.account.frame import code_of
from ivr.web.account.home import usage_of
from ivr.web.fields import Amount, Code, Line, PageInput
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.pictures import chart
from ivr.web.queries.accounts import find_account
from ivr.web.queries.plans import list_plans, operations_of, units, usage_by_day
from ivr.web.reasons import reason_of, whole
from ivr.web.scope import CALLERS, Who
from ivr.web.state import Web, web_of
from ivr.web.words import plain_money

DAYS: Final = 30
# What was done, as the address names it: nothing of the address is shown itself.
DONE: Final = {
    "subscribed": "Your plan has begun.",
    "changed": "Your plan is changed.",
    "cancelled": "Your plan ends with what is paid for.",
    "bought": "The units are yours.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A plan that the caller may choose: what it costs now, or why it cannot be had."""

    version: int
    plan: PlanVersion
    mine: bool
    price: Micros
    refused: str
    includes: tuple[str, ...]


class ChooseForm(PageInput):
    """A plan that was looked at: its version and price as they were told."""

    plan: Code
    version: Annotated[int, Field(ge=1)]
    price_max: Amount = 0


class BundleForm(PageInput):
    """Units to be bought ahead; `key` came with the form."""

    meter: Annotated[Line, Field(min_length=1, max_length=64)]
    bundle: Annotated[Line, Field(min_length=1, max_length=64)]
    key: FormKey


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the plan."""
    return await plan_page(request, who, errors={})


async def plan_page(request: web.Request, who: Who, *, errors: Mapping[str, str]) -> web.Response:
    """Show it with what was refused; `choose` names a plan whose price is told first."""
    running, code = web_of(request), code_of(who)
    usage = await usage_of(running, code)
    today = running.now().date()
    span = Span(first=today - timedelta(days=DAYS - 1), last=today)
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, code)
        plans = await list_plans(connection)
        days = await usage_by_day(connection, who.scope, code, span)
        used = await operations_of(connection, who.scope, code, span)
    mine = usage.subscription if usage else None
    offers = [
        _offer(one, mine, account, running.now_us())
        for one in plans
        if one.plan.currency == account.currency
    ]
    chosen = request.query.get("choose", "")
    values = {
        "account": account,
        "usage": usage,
        "offers": offers,
        "chosen": next((one for one in offers if one.plan.plan.name == chosen), None),
        "bundles": _bundles(mine),
        "chart": chart(days, kinds=("plan", "money"), currency="min"),
        "used": [
            (meter, kind, events, units(amount, scale_of(meter)))
            for meter, kind, events, amount in used
        ],
        "done": _(DONE[done]) if (done := request.query.get("done", "")) in DONE else "",
        "errors": errors,
        "key": new_key(),
    }
    return render(request, "account/plan.html", who, values, status=422 if errors else 200)


def _offer(sold: PlanVersion, mine: Subscription | None, account: Account, now_us: int) -> Offer:
    plan, refused = sold.plan, ""
    price = plan.price
    if mine is not None:
        price = price_of_change(mine, plan, now_us)
        try:
            check_change(mine, plan)
        except InvalidInput as error:
            reason = str(error.facts["reason"])
            refused = whole(reason_of(reason))
    if not refused and price > account.spendable:
        missing = plain_money(price - account.spendable)
        refused = _("Your balance is %(missing)s %(currency)s too small.") % {
            "missing": missing,
            "currency": account.currency,
        }
    return Offer(
        version=sold.version,
        plan=sold,
        mine=mine is not None and mine.plan_version_id == sold.id,
        price=price,
        refused=refused,
        includes=tuple(
            f"{units(meter.included, meter.scale)} {meter.unit}" for meter in plan.meters
        ),
    )


def _bundles(mine: Subscription | None) -> list[tuple[str, str, str, Micros]]:
    """List what can be bought ahead: meter, name, how much of it, the price."""
    if mine is None or mine.state != "active":
        return []
    return [
        (meter.unit, bundle.name, units(bundle.units, meter.scale), bundle.price)
        for meter in mine.plan.meters
        for bundle in meter.bundles
    ]


async def choose(request: web.Request, who: Who) -> web.StreamResponse:
    """Begin a plan or go to another one, at the price that was told."""
    sent = await read_sent(request, ChooseForm)
    form = sent.value
    if form is None:
        return await plan_page(request, who, errors={"plan": _("Choose one of the plans.")})
    running, account = web_of(request), code_of(who)
    before = await usage_of(running, account)
    use = _use(running)
    if before is None:
        if missing := await _missing(running, who, form.plan):
            return await plan_page(request, who, errors={"plan": missing})
        work = use.subscribe(account, form.plan, version=form.version)
    else:
        work = use.change(account, form.plan, version=form.version, price_max=form.price_max)
    after, refused = await attempt(work)
    if after is None:
        return await plan_page(request, who, errors={"plan": refused})
    old = before.subscription.plan.name if before else ""
    await running.note(who, "choose plan", account, before=old, after=after.plan.name)
    raise web.HTTPSeeOther(f"/account/plan?done={'changed' if before else 'subscribed'}")


async def _missing(running: Web, who: Who, name: str) -> str:
    """Say what is missing for the first fee of a plan: without it, it would begin unpaid."""
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, code_of(who))
        plans = await list_plans(connection)
    sold = next((one for one in plans if one.plan.name == name), None)
    if sold is None:
        return _("Choose one of the plans.")
    return _offer(sold, None, account, running.now_us()).refused


async def cancel(request: web.Request, who: Who) -> web.StreamResponse:
    """End the plan with what is paid for."""
    running, account = web_of(request), code_of(who)
    found, refused = await attempt(_use(running).cancel(account))
    if found is None:
        return await plan_page(request, who, errors={"plan": refused})
    await running.note(who, "cancel plan", account, before=found.plan.name, after="ends")
    raise web.HTTPSeeOther("/account/plan?done=cancelled")


async def buy(request: web.Request, who: Who) -> web.StreamResponse:
    """Buy units ahead, once per form."""
    sent = await read_sent(request, BundleForm)
    form = sent.value
    if form is None:
        return await plan_page(request, who, errors={"bundle": _("Choose one of the list.")})
    running, account = web_of(request), code_of(who)
    done, refused = await attempt(
        _use(running).buy(account, form.meter, key=f"web:{form.key}", bundle=form.bundle)
    )
    if done is None:
        return await plan_page(request, who, errors={"bundle": refused})
    await running.note(who, "buy bundle", account, after=f"{form.bundle} of {form.meter}")
    raise web.HTTPSeeOther("/account/plan?done=bought")


def _use(running: Web) -> Subscriptions:
    return Subscriptions(engine=running.deps.engine, clock=running.deps.clock)


PAGES: Final = (
    Page(method="GET", path="/account/plan", roles=CALLERS, handler=show),
    Page(method="POST", path="/account/plan", roles=CALLERS, handler=choose),
    Page(method="POST", path="/account/plan/cancel", roles=CALLERS, handler=cancel),
    Page(method="POST", path="/account/plan/bundles", roles=CALLERS, handler=buy),
)
