"""The plan of one account, for operators: subscribe, change, cancel, buy units ahead."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Final, Literal, TypeVar

from aiohttp import web
from pydantic import Field

from billing.errors import InsufficientFunds
from billing.subscriptions import Subscriptions
from ivr.web.actions import PLAN_ACTIONS
from ivr.web.admin.account_page import ACCOUNT_PATH, account_page
from ivr.web.fields import Line, PageInput
from ivr.web.forms import FormKey, attempt, read_sent
from ivr.web.guard import Page
from ivr.web.language import gettext as _
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of
from ivr.web.words import plain_money

Done = TypeVar("Done")


class PlanForm(PageInput):
    """What becomes of the plan. An account has at most one, so each of these twice is harmless."""

    what: Literal["subscribe", "change", "end", "end_now"]
    plan: Annotated[Line, Field(max_length=64)] = ""
    payment: Literal["monthly", "quarterly", "annual"] | None = None


class BundleForm(PageInput):
    """Units bought ahead, once per form: `meter:bundle`."""

    bundle: Annotated[Line, Field(pattern=r"^[^:]{1,64}:[^:]{1,64}$")]
    key: FormKey


def _subscriptions(request: web.Request) -> Subscriptions:
    deps = web_of(request).deps
    return Subscriptions(engine=deps.engine, clock=deps.clock)


async def tried(work: Awaitable[Done]) -> tuple[Done | None, str]:
    """Do it, or say why not with amounts that people read."""
    try:
        return await attempt(_readable(work))
    except _Poor as error:
        return None, str(error)


class _Poor(Exception):
    """There is not enough money; says so in words."""


async def _readable(work: Awaitable[Done]) -> Done:
    try:
        return await work
    except InsufficientFunds as error:
        needed, left = error.facts["needed"], error.facts["spendable"]
        assert isinstance(needed, int)
        assert isinstance(left, int)
        said = _(
            "This costs %(needed)s, and %(left)s can be spent.",
            needed=plain_money(needed),
            left=plain_money(left),
        )
        raise _Poor(said) from None


async def change(request: web.Request, who: Who) -> web.StreamResponse:
    """Begin, change or end the subscription of the account."""
    code = request.match_info["code"]
    sent = await read_sent(request, PlanForm)
    form = sent.value
    if form is None:
        return await account_page(request, who, typed=sent.typed, errors=sent.errors)
    use = _subscriptions(request)
    match form.what:
        case "subscribe":
            work = use.subscribe(code, form.plan, payment=form.payment)
        case "change":
            work = use.change(code, form.plan)
        case _:
            work = use.cancel(code, at_once=form.what == "end_now")
    done, refused = await tried(work)
    if done is None:
        return await account_page(request, who, typed=sent.typed, errors={"plan": refused})
    facts = f"{done.plan.name}@{done.version}, {done.state}"
    await web_of(request).note(who, PLAN_ACTIONS[form.what], code, after=facts)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=plan#plan")


async def buy(request: web.Request, who: Who) -> web.StreamResponse:
    """Buy a bundle of units ahead, once per form."""
    code = request.match_info["code"]
    sent = await read_sent(request, BundleForm)
    form = sent.value
    if form is None:
        return await account_page(request, who, typed=sent.typed, errors=sent.errors)
    meter, bundle = form.bundle.split(":")
    done, refused = await tried(
        _subscriptions(request).buy(code, meter, key=form.key, bundle=bundle)
    )
    if done is None:
        return await account_page(request, who, typed=sent.typed, errors={"bundle": refused})
    await web_of(request).note(who, "buy bundle", code, after=form.bundle)
    raise web.HTTPSeeOther(f"/admin/accounts/{code}?done=bundle#plan")


PAGES: Final = (
    Page(
        method="POST",
        path=f"/admin/accounts/{ACCOUNT_PATH}/plan",
        roles=OPERATORS,
        handler=change,
        right=Right.ACCOUNTS,
    ),
    Page(
        method="POST",
        path=f"/admin/accounts/{ACCOUNT_PATH}/bundles",
        roles=OPERATORS,
        handler=buy,
        right=Right.MONEY,
    ),
)
