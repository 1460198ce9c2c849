"""A caller's papers: movements, statements by month as PDF and CSV, receipts as PDF."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from aiohttp import web
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.clock import moment_of
from billing.documents import receipt_pdf, statement_pdf
from billing.errors import InvalidInput, UnknownInvoice
from billing.money import format_amount
from billing.receipts import AccountStatement, read_receipt, read_statement
from billing.reports import ROWS_MAX, Span, StatementLine, statement
from billing.wallet import Account
from ivr.calls.history import moment
from ivr.spreadsheet import harmless
from ivr.web.account.frame import TRANSFER_ID, code_of
from ivr.web.fields import PAGE_SIZE, read_cursor, write_cursor
from ivr.web.guard import Page, read_query, render
from ivr.web.lists import first_link, next_link
from ivr.web.portal.report import PeriodForm
from ivr.web.problems import Refusal, messages
from ivr.web.queries.accounts import find_account, first_movement_us
from ivr.web.scope import CALLERS, NotYours, Who
from ivr.web.state import Web, web_of

MONTHS_SHOWN: Final = 24


async def show(request: web.Request, who: Who) -> web.Response:
    """Show what moved, newest first, and the months that there is a statement of."""
    running = web_of(request)
    place = read_cursor(request.query.get("after", ""), int)
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, code_of(who))
        lines = await statement(
            connection, account.id, before=place[0] if place else None, limit=PAGE_SIZE + 1
        )
        begun_us = await first_movement_us(connection, account.id)
    more = len(lines) > PAGE_SIZE
    today = running.now().date()
    begun = moment_of(begun_us).date() if begun_us is not None else today
    values = {
        "account": account,
        "lines": lines[:PAGE_SIZE],
        "next": next_link(request, write_cursor(lines[PAGE_SIZE - 1].seq) if more else None),
        "first": first_link(request),
        "months": months_of(begun, today) if begun_us is not None else [],
    }
    return render(request, "account/statements.html", who, values)


def months_of(begun: date, today: date) -> list[Span]:
    """List the calendar months from the first movement until now, newest first."""
    found: list[Span] = []
    first = today.replace(day=1)
    last = today
    while last >= begun and len(found) < MONTHS_SHOWN:
        found.append(Span(first=first, last=last))
        last = first - timedelta(days=1)
        first = last.replace(day=1)
    return found


async def receipt(request: web.Request, who: Who) -> web.Response:
    """Answer the receipt of one of the caller's own payments as PDF."""
    if "transfer" not in request.query:
        raise web.HTTPSeeOther("/account/statements")
    transfer_id = read_query(request)["transfer"]
    if not TRANSFER_ID.fullmatch(transfer_id):
        raise NotYours
    body = await own_receipt(web_of(request), code_of(who), transfer_id)
    return _attachment(body, "application/pdf", f"receipt-{transfer_id}.pdf")


async def own_receipt(running: Web, account: str, transfer_id: str) -> bytes:
    """Print the receipt of a payment of an account.

    Raises:
        NotYours: it is another's, or there is none: these look the same.

    """
    try:
        found = await read_receipt(running.deps.engine, transfer_id)
    except (UnknownInvoice, InvalidInput):
        raise NotYours from None
    if found.account != account:
        raise NotYours
    return await asyncio.to_thread(receipt_pdf, found, running.deps.issuer)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    account: Account
    statement: AccountStatement

    @property
    def name(self) -> str:
        span = self.statement.span
        return f"statement-{span.first}-{span.last}"


async def as_csv(request: web.Request, who: Who) -> web.Response:
    """Answer the movements of a period as CSV; without one, of this month so far."""
    wanted = await _wanted(request, who)
    text = write_csv(wanted.statement.lines, wanted.account.currency)
    return _attachment(text.encode(), "text/csv", f"{wanted.name}.csv")


async def as_pdf(request: web.Request, who: Who) -> web.Response:
    """Answer the same as PDF, with the balance before and after."""
    wanted = await _wanted(request, who)
    issuer = web_of(request).deps.issuer
    body = await asyncio.to_thread(statement_pdf, wanted.statement, issuer)
    return _attachment(body, "application/pdf", f"{wanted.name}.pdf")


async def _wanted(request: web.Request, who: Who) -> _Wanted:
    try:
        form = PeriodForm.model_validate(read_query(request))
    except ValidationError as error:
        wrong = messages(error)
        raise Refusal("invalid", " ".join(wrong.values()), fields=wrong) from None
    running = web_of(request)
    span = form.span(running.now().date())
    async with running.reading() as connection:
        return await _read(connection, who, span)


async def _read(connection: AsyncConnection, who: Who, span: Span) -> _Wanted:
    account = await find_account(connection, who.scope, code_of(who))
    found = await read_statement(connection, account.code, span)
    if len(found.lines) > ROWS_MAX:
        raise Refusal("invalid", f"There are more than {ROWS_MAX:,} lines. Ask for fewer days.")
    return _Wanted(account=account, statement=found)


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
    Page(method="GET", path="/account/statements", roles=CALLERS, handler=show),
    Page(method="GET", path="/account/receipt.pdf", roles=CALLERS, handler=receipt),
    Page(method="GET", path="/account/statement.csv", roles=CALLERS, handler=as_csv),
    Page(method="GET", path="/account/statement.pdf", roles=CALLERS, handler=as_pdf),
)
