"""Payouts for operators: the list, and what is decided about each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.domain.payouts import PayoutStatus
from billing.money import format_amount
from billing.payouts import Payouts
from ivr.web.fields import PAGE_SIZE, OptionalLine, PageInput, read_cursor, write_cursor
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of


class PayoutFilter(PageInput):
    """Which payouts are listed."""

    status: Literal["", "requested", "approved", "paid", "rejected"] = ""


class DecisionForm(PageInput):
    """What becomes of a payout; a rejection needs a note."""

    payout: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    move: Literal["approve", "reject", "pay"]
    note: OptionalLine = None


def payouts_of(running: Web) -> Payouts:
    """Return the use-cases of payouts."""
    return Payouts(engine=running.deps.engine, clock=running.deps.clock)


async def show(request: web.Request, who: Who) -> web.Response:
    """List payouts, oldest first."""
    return await _page(request, who, errors={})


async def _page(request: web.Request, who: Who, *, errors: Mapping[str, str]) -> web.Response:
    form = read_filter(request, PayoutFilter)
    place = read_cursor(request.query.get("after", ""), str)
    found = await payouts_of(web_of(request)).list_payouts(
        status=PayoutStatus(form.value.status) if form.value.status else None,
        after=place[0] if place else "",
        limit=PAGE_SIZE + 1,
    )
    cursor = write_cursor(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None
    values = {
        "payouts": found[:PAGE_SIZE],
        "form": form,
        "errors": errors,
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/payouts.html", who, values, status=422 if errors else 200)


async def decide(request: web.Request, who: Who) -> web.StreamResponse:
    """Approve, reject or note the payment of a payout; doing it again changes nothing."""
    sent = await read_sent(request, DecisionForm)
    form = sent.value
    if form is None:
        return await _page(request, who, errors=sent.errors)
    use = payouts_of(web_of(request))
    if form.move == "approve":
        work = use.approve(form.payout, actor=who.login)
    elif form.move == "pay":
        work = use.pay(form.payout, actor=who.login)
    else:
        work = use.reject(form.payout, actor=who.login, note=form.note or "")
    done, refused = await attempt(work)
    if done is None:
        return await _page(request, who, errors={"payout": refused})
    facts = f"{format_amount(done.amount)} {done.party.currency} to {done.party.code}"
    await web_of(request).note(who, f"{form.move} payout", done.id, after=facts)
    raise web.HTTPSeeOther("/admin/payouts")


PAGES: Final = (
    Page(method="GET", path="/admin/payouts", roles=OPERATORS, handler=show),
    Page(method="POST", path="/admin/payouts", roles=OPERATORS, handler=decide, right=Right.MONEY),
)
