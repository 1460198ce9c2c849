"""Plans for operators: what is sold, who subscribed, what is left of it, and subscribing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from billing.storage.plan_rows import (
    PlanVersion,
    Subscription,
    count_subscribers,
    page_of_subscriptions,
)
from billing.subscriptions import Left, Subscriptions
from ivr.web import grid
from ivr.web.fields import PAGE_SIZE, Code, Line, PageInput, read_cursor, write_cursor
from ivr.web.forms import attempt, read_sent
from ivr.web.grid import Grid
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link
from ivr.web.queries.plans import left_words, list_plans
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of


class SubscribeForm(PageInput):
    """An account and the plan that it gets; an account has at most one, so twice is harmless."""

    account: Code
    plan: Annotated[Line, Field(min_length=1)]


def _subscriptions(request: web.Request) -> Subscriptions:
    deps = web_of(request).deps
    return Subscriptions(engine=deps.engine, clock=deps.clock)


async def show(request: web.Request, who: Who) -> web.Response:
    """List plans and subscriptions."""
    return await _page(request, who, typed={}, errors={})


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    place = read_cursor(request.query.get("after", ""), str)
    async with web_of(request).reading() as connection:
        plans = await list_plans(connection)
        subscribers = await count_subscribers(connection)
        beyond = await page_of_subscriptions(
            connection, after=place[0] if place else "", limit=PAGE_SIZE + 1
        )
    cursor = write_cursor(beyond[PAGE_SIZE - 1].account) if len(beyond) > PAGE_SIZE else None
    listed = await _subscriptions(request).show_all(beyond[:PAGE_SIZE])
    values = {
        "plans": _plans(plans, subscribers),
        "names": [(one.plan.name, one.plan.name) for one in plans],
        "subscriptions": _listed(listed),
        "typed": typed,
        "errors": errors,
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/plans.html", who, values, status=422 if errors else 200)


def _plans(plans: Sequence[PlanVersion], subscribers: Mapping[str, int]) -> Grid:
    return Grid(
        caption="Plans",
        titles=("Plan", "Version", "A month", "Included", "Subscribers"),
        rows=tuple(
            (
                grid.text(one.plan.name, link=f"/admin/plan-prices/{one.plan.name}"),
                grid.text(str(one.version)),
                grid.money(one.plan.price, one.plan.currency),
                grid.text(", ".join(f"{m.included // m.one:,} {m.unit}" for m in one.plan.meters)),
                grid.count(subscribers.get(one.plan.name, 0)),
            )
            for one in plans
        ),
        empty="No plans are sold; `plans:` of the catalog brings them.",
    )


def _listed(listed: Sequence[tuple[Subscription, list[Left]]]) -> Grid:
    return Grid(
        caption="Subscriptions",
        titles=("Account", "Plan", "State", "Left", "Until"),
        rows=tuple(
            (
                grid.text(one.account, link=f"/admin/accounts/{one.account}"),
                grid.text(f"{one.plan.name}@{one.version}"),
                grid.badge(one.state),
                grid.text(", ".join(left_words(one, left))),
                grid.moment(one.cycle_end_us),
            )
            for one, left in listed
        ),
        empty="Nobody has subscribed yet.",
    )


async def subscribe(request: web.Request, who: Who) -> web.StreamResponse:
    """Subscribe an account; its first fee is taken now."""
    sent = await read_sent(request, SubscribeForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    done, refused = await attempt(_subscriptions(request).subscribe(form.account, form.plan))
    if done is None:
        return await _page(request, who, typed=sent.typed, errors={"account": refused})
    facts = f"{done.plan.name}@{done.version}, {done.state}"
    await web_of(request).note(who, "subscribe", form.account, after=facts)
    raise web.HTTPSeeOther("/admin/plans")


PAGES: Final = (
    Page(method="GET", path="/admin/plans", roles=OPERATORS, handler=show),
    Page(
        method="POST", path="/admin/plans", roles=OPERATORS, handler=subscribe, right=Right.ACCOUNTS
    ),
)
