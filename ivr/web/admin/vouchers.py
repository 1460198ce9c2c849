"""Vouchers for operators: batches, new codes that are shown once, calling back, redeeming."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.clock import microseconds_of
from billing.money import format_amount
from billing.vouchers import Generated, Vouchers
from ivr.bulk.sheet import write_sheet
from ivr.web.admin.accounts import currencies
from ivr.web.fields import (
    PAGE_SIZE,
    Code,
    Line,
    OptionalDay,
    OptionalLine,
    PageInput,
    TopUpAmount,
    read_cursor,
    write_cursor,
)
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link
from ivr.web.queries.vouchers import list_batches
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of
from ivr.web.words import plain_money

COUNT_MAX: Final = 10_000
SHOWN_MAX: Final = 500
# Cards on a sheet of paper: how many beside each other.
SHEETS: Final = {"8": 2, "10": 2, "21": 3, "24": 3}


class GenerateForm(PageInput):
    """A new batch, once per form. The codes are in the answer and nowhere else."""

    amount: TopUpAmount
    currency: Line
    count: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    expires: OptionalDay = None
    note: OptionalLine = None
    codes: Literal["page", "file"] = "page"
    sheet: Literal["8", "10", "21", "24"] = "10"
    key: FormKey


class DisableForm(PageInput):
    """A batch that is called back."""

    batch: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]


class DisableCodeForm(PageInput):
    """One code that is called back: somebody lost the card."""

    lost: Annotated[Line, Field(min_length=1)]


class RedeemForm(PageInput):
    """A code that becomes money of an account."""

    account: Code
    code: Annotated[Line, Field(min_length=1)]
    key: FormKey


def vouchers_of(request: web.Request) -> Vouchers:
    """Return the use-cases of vouchers."""
    deps = web_of(request).deps
    return Vouchers(engine=deps.engine, clock=deps.clock, secret=deps.voucher_key)


async def show(request: web.Request, who: Who) -> web.Response:
    """List the batches, and offer what can be done."""
    return await _page(request, who)


async def _page(
    request: web.Request,
    who: Who,
    *,
    said: str = "",
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> web.Response:
    running = web_of(request)
    place = read_cursor(request.query.get("after", ""), str)
    async with running.reading() as connection:
        found = await list_batches(
            connection,
            who.scope,
            now_us=running.now_us(),
            after=place[0] if place else None,
            limit=PAGE_SIZE + 1,
        )
    cursor = write_cursor(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None
    values = {
        "batches": found[:PAGE_SIZE],
        "said": said or (_("The code is called back.") if "off" in request.query else ""),
        "typed": typed or {},
        "errors": errors or {},
        "currencies": currencies(running),
        "key": new_key(),
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/vouchers.html", who, values, status=422 if errors else 200)


async def generate(request: web.Request, who: Who) -> web.StreamResponse:
    """Make a batch; its codes are shown, or downloaded, this once.

    The same form again gets the same codes for an hour, so that a lost answer loses nothing.
    """
    sent = await read_sent(request, GenerateForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    if form.codes == "page" and form.count > SHOWN_MAX:
        many = _("A page shows at most %(most)s codes. Download them instead.", most=SHOWN_MAX)
        wrong = {"codes": many}
        return await _page(request, who, typed=sent.typed, errors=wrong)
    day = form.expires
    expires = None if day is None else microseconds_of(datetime.combine(day, time(), UTC))
    made, refused = await attempt(
        vouchers_of(request).generate(
            amount=form.amount,
            currency=form.currency,
            count=form.count,
            actor=who.login,
            expires_us=expires,
            note=form.note,
            key=form.key,
        )
    )
    if made is None:
        return await _page(request, who, typed=sent.typed, errors={"count": refused})
    running = web_of(request)
    if not made.replayed:
        facts = f"{form.count} of {format_amount(form.amount)} {form.currency}"
        await running.note(who, "generate vouchers", made.batch.id, after=facts)
    if form.codes == "file":
        return _file(made)
    values = {
        "made": made,
        "codes": [(serial, _groups(code)) for serial, code in enumerate(made.codes, 1)],
        "sheet": form.sheet,
        "beside": SHEETS[form.sheet],
        "lines": _lines(running, form.currency),
        "issuer": running.deps.issuer.title,
    }
    response = render(request, "admin/voucher_codes.html", who, values)
    response.headers["Cache-Control"] = "no-store"
    return response


def _groups(code: str) -> str:
    return " ".join(code[place : place + 4] for place in range(0, len(code), 4))


def _lines(running: Web, currency: str) -> list[str]:
    """List the numbers that people with a card may call."""
    directory = running.deps.directory()
    return sorted(
        did.number
        for did in directory.dids.values()
        if did.kind == "local" and directory.client(did.client).currency == currency
    )[:3]


def _file(made: Generated) -> web.Response:
    shared = (format_amount(made.batch.amount), made.batch.currency)
    rows = [("code", "amount", "currency", "serial")]
    rows += [(code, *shared, str(serial)) for serial, code in enumerate(made.codes, 1)]
    return web.Response(
        body=write_sheet(rows),
        content_type="text/csv",
        charset="utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="vouchers-{made.batch.id}.csv"',
            "Cache-Control": "no-store",
        },
    )


async def disable(request: web.Request, who: Who) -> web.StreamResponse:
    """Call back what is left of a batch."""
    sent = await read_sent(request, DisableForm)
    if sent.value is None:
        return await _page(request, who, errors={"batch": _("Choose a batch of the list.")})
    batch = sent.value.batch
    _none, refused = await attempt(vouchers_of(request).disable_batch(batch))
    if refused:
        return await _page(request, who, errors={"batch": refused})
    await web_of(request).note(who, "disable vouchers", batch)
    raise web.HTTPSeeOther(f"/admin/vouchers/{batch}")


async def disable_code(request: web.Request, who: Who) -> web.StreamResponse:
    """Call back one code that somebody tells; it is never written down."""
    sent = await read_sent(request, DisableCodeForm)
    if sent.value is None:
        return await _page(request, who, errors=sent.errors)
    _none, refused = await attempt(vouchers_of(request).disable_code(sent.value.lost))
    if refused:
        return await _page(request, who, typed=sent.typed, errors={"lost": refused})
    await web_of(request).note(who, "disable voucher", "one code")
    raise web.HTTPSeeOther("/admin/vouchers?off")


async def redeem(request: web.Request, who: Who) -> web.StreamResponse:
    """Turn a code into money of an account, once per form."""
    sent = await read_sent(request, RedeemForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    done, refused = await attempt(
        vouchers_of(request).redeem(form.account, form.code, key=form.key, actor=who.login)
    )
    if done is None:
        return await _page(request, who, typed=sent.typed, errors={"code": refused})
    amount = f"{format_amount(done.amount)} {done.currency}"
    if not done.replayed:
        await web_of(request).note(who, "redeem voucher", form.account, after=amount)
    said = _(
        "%(amount)s were added to %(account)s. The balance is %(balance)s.",
        amount=plain_money(done.amount, done.currency),
        account=done.account,
        balance=plain_money(done.balance, done.currency),
    )
    return await _page(request, who, said=said)


PAGES: Final = (
    Page(method="GET", path="/admin/vouchers", roles=OPERATORS, handler=show),
    *(
        Page(
            method="POST",
            path=f"/admin/vouchers{path}",
            roles=OPERATORS,
            handler=handler,
            right=Right.MONEY,
        )
        for path, handler in (
            ("", generate),
            ("/disable", disable),
            ("/codes/disable", disable_code),
            ("/redeem", redeem),
        )
    ),
)
