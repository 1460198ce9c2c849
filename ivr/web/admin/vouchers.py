"""Vouchers for operators: batches, new codes that are shown once, calling back, redeeming."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.clock import microseconds_of
from billing.money import format_amount
from billing.vouchers import Batch, Generated, Vouchers
from ivr.web.admin.accounts import currencies
from ivr.web.fields import Code, Line, OptionalDay, OptionalLine, PageInput, TopUpAmount
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

COUNT_MAX: Final = 10_000
SHOWN_MAX: Final = 200


class GenerateForm(PageInput):
    """A new batch. The codes are in the answer and nowhere else."""

    amount: TopUpAmount
    currency: Line
    count: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    expires: OptionalDay = None
    note: OptionalLine = None
    codes: Literal["page", "file"] = "page"


class DisableForm(PageInput):
    """A batch that is called back."""

    batch: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]


class RedeemForm(PageInput):
    """A code that becomes money of an account."""

    account: Code
    code: Annotated[Line, Field(min_length=1)]
    key: FormKey


def _vouchers(request: web.Request) -> Vouchers:
    deps = web_of(request).deps
    return Vouchers(engine=deps.engine, clock=deps.clock, secret=deps.voucher_key)


async def show(request: web.Request, who: Who) -> web.Response:
    """List the batches, and offer what can be done."""
    return await _page(request, who)


async def _page(
    request: web.Request,
    who: Who,
    *,
    made: Generated | None = None,
    said: str = "",
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> web.Response:
    batches: list[Batch] = await _vouchers(request).batches()
    values = {
        "batches": batches,
        "made": made,
        "said": said,
        "typed": typed or {},
        "errors": errors or {},
        "currencies": currencies(web_of(request)),
        "key": new_key(),
        "now_us": web_of(request).now_us(),
    }
    return render(request, "admin/vouchers.html", who, values, status=422 if errors else 200)


async def generate(request: web.Request, who: Who) -> web.StreamResponse:
    """Make a batch; its codes are shown, or downloaded, this once."""
    sent = await read_sent(request, GenerateForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    if form.codes == "page" and form.count > SHOWN_MAX:
        wrong = {"codes": f"A page shows at most {SHOWN_MAX} codes. Download them instead."}
        return await _page(request, who, typed=sent.typed, errors=wrong)
    day = form.expires
    expires = None if day is None else microseconds_of(datetime.combine(day, time(), UTC))
    made, refused = await attempt(
        _vouchers(request).generate(
            amount=form.amount,
            currency=form.currency,
            count=form.count,
            actor=who.login,
            expires_us=expires,
            note=form.note,
        )
    )
    if made is None:
        return await _page(request, who, typed=sent.typed, errors={"count": refused})
    facts = f"{form.count} of {format_amount(form.amount)} {form.currency}"
    await web_of(request).note(who, "generate vouchers", made.batch.id, after=facts)
    if form.codes == "page":
        return await _page(request, who, made=made)
    return web.Response(
        body=_csv(made).encode(),
        content_type="text/csv",
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="vouchers-{made.batch.id}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _csv(made: Generated) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["code", "amount", "currency"])
    shared = (format_amount(made.batch.amount), made.batch.currency)
    writer.writerows((code, *shared) for code in made.codes)
    return text.getvalue()


async def disable(request: web.Request, who: Who) -> web.StreamResponse:
    """Call back what is left of a batch."""
    sent = await read_sent(request, DisableForm)
    if sent.value is None:
        return await _page(request, who, errors={"batch": "Choose a batch of the list."})
    await _vouchers(request).disable_batch(sent.value.batch)
    await web_of(request).note(who, "disable vouchers", sent.value.batch)
    raise web.HTTPSeeOther("/admin/vouchers")


async def redeem(request: web.Request, who: Who) -> web.StreamResponse:
    """Turn a code into money of an account, once per form."""
    sent = await read_sent(request, RedeemForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    done, refused = await attempt(
        _vouchers(request).redeem(form.account, form.code, key=form.key, actor=who.login)
    )
    if done is None:
        return await _page(request, who, typed=sent.typed, errors={"code": refused})
    amount = f"{format_amount(done.amount)} {done.currency}"
    if not done.replayed:
        await web_of(request).note(who, "redeem voucher", form.account, after=amount)
    balance = f"{format_amount(done.balance)} {done.currency}"
    said = f"{amount} were added to {done.account}. The balance is {balance}."
    return await _page(request, who, said=said)


PAGES: Final = (
    Page(method="GET", path="/admin/vouchers", roles=OPERATORS, handler=show),
    Page(
        method="POST", path="/admin/vouchers", roles=OPERATORS, handler=generate, right=Right.MONEY
    ),
    Page(
        method="POST",
        path="/admin/vouchers/disable",
        roles=OPERATORS,
        handler=disable,
        right=Right.MONEY,
    ),
    Page(
        method="POST",
        path="/admin/vouchers/redeem",
        roles=OPERATORS,
        handler=redeem,
        right=Right.MONEY,
    ),
)
