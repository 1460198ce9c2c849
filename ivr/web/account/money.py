"""A caller's money: vouchers, receipts as PDF, the statement as CSV."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field, ValidationError

from billing.documents import receipt_pdf
from billing.errors import InvalidInput, UnknownInvoice
from billing.money import format_amount
from billing.receipts import read_receipt
from billing.reports import ROWS_MAX, StatementLine, statement_of
from billing.vouchers import Vouchers
from ivr.calls.history import moment
from ivr.spreadsheet import harmless
from ivr.web.account.home import TRANSFER_ID, home_page
from ivr.web.fields import Line, PageInput
from ivr.web.forms import FormKey, attempt, read_sent
from ivr.web.guard import Page, read_query
from ivr.web.portal.report import PeriodForm
from ivr.web.problems import Refusal, messages
from ivr.web.queries.accounts import find_account
from ivr.web.scope import CALLERS, NotYours, Who
from ivr.web.state import web_of


class VoucherForm(PageInput):
    """A voucher; `key` came with the form, so that sending it twice is one try."""

    code: Annotated[Line, Field(min_length=1)]
    key: FormKey


async def redeem(request: web.Request, who: Who) -> web.StreamResponse:
    """Turn a voucher into money; wrong codes count together with those keyed in by phone."""
    sent = await read_sent(request, VoucherForm)
    form = sent.value
    if form is None:
        return await home_page(request, who, typed=sent.typed, errors=sent.errors)
    running, account = web_of(request), who.scope.subject or ""
    deps = running.deps
    vouchers = Vouchers(engine=deps.engine, clock=deps.clock, secret=deps.voucher_key)
    done, refused = await attempt(
        running.pins.redeem(
            account,
            lambda: vouchers.redeem(account, form.code, key=f"web:{form.key}", actor=who.login),
        )
    )
    if done is None:
        return await home_page(request, who, typed=sent.typed, errors={"code": refused})
    if not done.replayed:
        facts = f"{format_amount(done.amount)} {done.currency}"
        await running.note(who, "redeem voucher", account, after=facts)
    raise web.HTTPSeeOther(f"/account?topped_up={done.transfer_id}")


async def receipt(request: web.Request, who: Who) -> web.Response:
    """Answer the receipt of one of the caller's own payments as PDF."""
    if "transfer" not in request.query:
        raise web.HTTPSeeOther("/account")
    transfer_id = read_query(request)["transfer"]
    if not TRANSFER_ID.fullmatch(transfer_id):
        raise NotYours
    deps = web_of(request).deps
    try:
        found = await read_receipt(deps.engine, transfer_id)
    except (UnknownInvoice, InvalidInput):
        # What is not the caller's own and what does not exist look the same.
        raise NotYours from None
    if found.account != who.scope.subject:
        raise NotYours
    body = await asyncio.to_thread(receipt_pdf, found, deps.issuer)
    return _attachment(body, "application/pdf", f"receipt-{transfer_id}.pdf")


async def download(request: web.Request, who: Who) -> web.Response:
    """Answer the movements of a period as CSV; without one, of this month so far."""
    try:
        form = PeriodForm.model_validate(read_query(request))
    except ValidationError as error:
        wrong = messages(error)
        raise Refusal("invalid", " ".join(wrong.values()), fields=wrong) from None
    running = web_of(request)
    span = form.span(running.now().date())
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, who.scope.subject or "")
        lines = await statement_of(connection, account.id, span)
    if len(lines) > ROWS_MAX:
        raise Refusal("invalid", f"There are more than {ROWS_MAX:,} lines. Ask for fewer days.")
    text = write_csv(lines, account.currency)
    return _attachment(text.encode(), "text/csv", f"statement-{span.first}-{span.last}.csv")


def write_csv(lines: Sequence[StatementLine], currency: str) -> str:
    """Write movements for a spreadsheet, oldest first."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["at", "kind", "memo", "amount", "balance", "currency", "transfer"])
    for line in lines:
        writer.writerow(
            [
                moment(line.at_us),
                line.kind,
                harmless(line.memo or ""),
                format_amount(line.amount),
                format_amount(line.balance_after),
                currency,
                line.transfer_id,
            ]
        )
    return text.getvalue()


def _attachment(body: bytes, content_type: str, name: str) -> web.Response:
    return web.Response(
        body=body,
        content_type=content_type,
        charset="utf-8" if content_type == "text/csv" else None,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


PAGES: Final = (
    Page(method="POST", path="/account/vouchers", roles=CALLERS, handler=redeem),
    Page(method="GET", path="/account/receipt.pdf", roles=CALLERS, handler=receipt),
    Page(method="GET", path="/account/statement.csv", roles=CALLERS, handler=download),
)
