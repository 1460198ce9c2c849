"""The statement of one account as a file, for operators: CSV for sheets, PDF for people."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from pydantic import ValidationError

from billing.clock import moment_of
from billing.documents import table_pdf
from billing.invoicing import Invoicing
from billing.money import format_amount
from billing.reports import ROWS_MAX, Span, StatementLine, statement_of
from billing.wallet import Account
from ivr.web.account.statements import write_csv
from ivr.web.admin.account_page import ACCOUNT_PATH, StatementForm
from ivr.web.guard import Page, read_query
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal, messages
from ivr.web.queries.accounts import find_account
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import web_of
from ivr.web.words import KINDS


async def as_csv(request: web.Request, who: Who) -> web.Response:
    """Answer the movements that the page shows as CSV; without days, those of this month."""
    account, lines, span = await _read(request, who)
    text = write_csv(lines, account.currency)
    return _file(text.encode(), "text/csv", f"statement-{account.code}-{_days(span)}.csv")


async def as_pdf(request: web.Request, who: Who) -> web.Response:
    """Answer the same as PDF, with the balance before and after."""
    account, lines, span = await _read(request, who)
    running = web_of(request)
    invoicing = Invoicing(engine=running.deps.engine, clock=running.deps.clock)
    terms = await invoicing.terms(account.code)
    facts = [
        ("Account", f"{account.code} ({account.number})"),
        ("Days", f"{span.first} - {span.last} (UTC)"),
        ("Currency", account.currency),
    ]
    if lines and not request.query.get("kind"):
        facts += [
            ("Balance before", format_amount(lines[0].balance_after - lines[0].amount)),
            ("Balance after", format_amount(lines[-1].balance_after)),
        ]
    body = await asyncio.to_thread(
        table_pdf,
        "Statement",
        facts,
        ("When (UTC)", "What", "Amount", "Balance"),
        [_row(line) for line in lines] or [("", "No movements in these days", "", "")],
        running.deps.issuer,
        at_us=lines[-1].at_us if lines else span.until_us,
        right=frozenset({2, 3}),
        whom=(terms.title or account.code, terms.address),
    )
    return _file(body, "application/pdf", f"statement-{account.code}-{_days(span)}.pdf")


def _row(line: StatementLine) -> tuple[str, str, str, str]:
    what = KINDS.get(line.kind, line.kind.replace("_", " ").capitalize())
    return (
        f"{moment_of(line.at_us):%Y-%m-%d %H:%M}",
        f"{what}: {line.memo}" if line.memo else what,
        format_amount(line.amount),
        format_amount(line.balance_after),
    )


async def _read(request: web.Request, who: Who) -> tuple[Account, Sequence[StatementLine], Span]:
    try:
        form = StatementForm.model_validate(read_query(request))
    except ValidationError as error:
        wrong = messages(error)
        raise Refusal("invalid", " ".join(wrong.values()), fields=wrong) from None
    running = web_of(request)
    today = running.now().date()
    span = form.span() or Span(first=today.replace(day=1), last=today)
    async with running.reading() as connection:
        account = await find_account(connection, who.scope, request.match_info["code"])
        lines = await statement_of(connection, account.id, span, kind=form.kind or None)
    if len(lines) > ROWS_MAX:
        many = _("There are more than %(rows)s lines. Ask for fewer days.", rows=f"{ROWS_MAX:,}")
        raise Refusal("invalid", many)
    return account, lines, span


def _days(span: Span) -> str:
    return f"{span.first}-{span.last}"


def _file(body: bytes, content_type: str, name: str) -> web.Response:
    return web.Response(
        body=body,
        content_type=content_type,
        charset="utf-8" if content_type == "text/csv" else None,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


PAGES: Final = tuple(
    Page(
        method="GET",
        path=f"/admin/accounts/{ACCOUNT_PATH}/statement.{kind}",
        roles=OPERATORS,
        handler=handler,
    )
    for kind, handler in (("csv", as_csv), ("pdf", as_pdf))
)
