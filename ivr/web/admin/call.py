"""One call for operators: what happened, what it cost, and giving money back for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field, model_validator

from billing.money import format_amount
from billing.refunds import Refunds
from ivr.web.call_pages import CALL_PATH, detail_page
from ivr.web.fields import Line, PageInput, TopUpAmount
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of


class RefundForm(PageInput):
    """A refund. `key` came with the form, so that sending it twice gives the money back once."""

    kind: Literal["full", "part", "goodwill"]
    amount: TopUpAmount | None = None
    reason: Annotated[Line, Field(min_length=1)]
    key: FormKey

    @model_validator(mode="after")
    def _amount_fits(self) -> RefundForm:
        if self.kind == "part" and self.amount is None:
            raise ValueError("write how much goes back")
        return self


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a call."""
    return await _page(request, who, typed={}, errors={})


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    form = {"typed": typed, "errors": errors, "key": new_key()}
    return await detail_page(request, who, form=form, status=422 if errors else 200)


async def refund(request: web.Request, who: Who) -> web.StreamResponse:
    """Give money back for a call, once per form."""
    call_id = request.match_info["call_id"]
    sent = await read_sent(request, RefundForm)
    form = sent.value
    if form is None:
        errors = dict(sent.errors)
        if "body" in errors:
            errors["amount"] = errors.pop("body")
        return await _page(request, who, typed=sent.typed, errors=errors)
    running = web_of(request)
    refunds = Refunds(engine=running.deps.engine, clock=running.deps.clock)
    done, refused = await attempt(
        refunds.refund(
            call_id,
            key=form.key,
            actor=who.login,
            reason=form.reason,
            amount=None if form.kind == "full" else form.amount,
            goodwill=form.kind == "goodwill",
        )
    )
    if done is None:
        return await _page(request, who, typed=sent.typed, errors={"amount": refused})
    if not done.replayed:
        facts = f"{form.kind} {format_amount(done.amount)} {done.currency} to {done.account}"
        await running.note(who, "refund", call_id, after=facts)
    raise web.HTTPSeeOther(f"/admin/calls/{call_id}#refunds")


PAGES: Final = (
    Page(method="GET", path=f"/admin/calls/{CALL_PATH}", roles=OPERATORS, handler=show),
    Page(
        method="POST",
        path=f"/admin/calls/{CALL_PATH}/refunds",
        roles=OPERATORS,
        handler=refund,
        right=Right.MONEY,
    ),
)
