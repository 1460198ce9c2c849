"""Accounts for operators: the list, found while one types, and as a file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from ivr.bulk.account_sheet import EXPORTED, exported
from ivr.bulk.sheet import write_sheet
from ivr.web.downloads import send_parts
from ivr.web.fields import (
    PAGE_SIZE,
    OptionalAmount,
    OptionalLine,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.problems import Refusal
from ivr.web.queries.account_search import AccountFilter, list_accounts, titles_of
from ivr.web.queries.plans import list_plans
from ivr.web.scope import OPERATORS, Scope, Who
from ivr.web.state import Web, web_of

EXPORT_PAGE: Final = 500
EXPORT_PAGES_MAX: Final = 2_000


class SearchForm(PageInput):
    """The filter of the list."""

    q: OptionalLine = None
    status: Literal["", "active", "blocked"] = ""
    mode: Literal["", "prepaid", "postpaid"] = ""
    currency: Annotated[str, Field(pattern=r"^([A-Z]{3})?$")] = ""
    plan: OptionalLine = None
    below: OptionalAmount = None

    def wanted(self) -> AccountFilter:
        """Return the filter."""
        return AccountFilter(
            text=self.q,
            status=self.status or None,
            mode=self.mode or None,
            currency=self.currency or None,
            plan=self.plan,
            below=self.below,
        )


async def show(request: web.Request, who: Who) -> web.Response:
    """Show accounts by code; the page looks again while somebody types."""
    running = web_of(request)
    form = read_filter(request, SearchForm)
    place = read_cursor(request.query.get("after", ""), str)
    async with running.reading() as connection:
        found = await list_accounts(
            connection,
            who.scope,
            form.value.wanted(),
            after=place[0] if place else None,
            limit=PAGE_SIZE + 1,
        )
        shown = found[:PAGE_SIZE]
        titles = await titles_of(connection, [account.code for account in shown])
        plans = await list_plans(connection)
    cursor = write_cursor(shown[-1].code) if len(found) > PAGE_SIZE else None
    return render(
        request,
        "admin/accounts.html",
        who,
        {
            "accounts": shown,
            "titles": titles,
            "form": form,
            "filtered": any(
                value is not None and value != "" for value in form.value.model_dump().values()
            ),
            "currencies": currencies(running),
            "plans": [one.plan.name for one in plans],
            "csv": f"/admin/accounts.csv?{request.query_string}",
            "next": next_link(request, cursor),
            "first": first_link(request),
        },
    )


async def export(request: web.Request, who: Who) -> web.StreamResponse:
    """Answer the filtered list as a file."""
    form = read_filter(request, SearchForm)
    if form.errors:
        raise Refusal("invalid", " ".join(form.errors.values()), fields=form.errors)
    parts = account_parts(web_of(request), who.scope, form.value.wanted())
    return await send_parts(request, parts, name="accounts.csv")


async def account_parts(
    running: Web, scope: Scope, wanted: AccountFilter
) -> AsyncGenerator[bytes, None]:
    """Write accounts as the CSV file that the import reads, page by page."""
    head = [EXPORTED]
    after: str | None = None
    for _number in range(EXPORT_PAGES_MAX):
        async with running.reading() as connection:
            found = await list_accounts(connection, scope, wanted, after=after, limit=EXPORT_PAGE)
            rows = await exported(connection, found)
        yield write_sheet([*head, *rows])
        head = []
        if len(found) < EXPORT_PAGE:
            break
        after = found[-1].code


def currencies(running: Web) -> list[str]:
    """List the currencies that clients sell in."""
    clients = running.deps.directory().clients.values()
    return sorted({client.currency for client in clients}) or ["USD"]


PAGES: Final = (
    Page(method="GET", path="/admin/accounts.csv", roles=OPERATORS, handler=export),
    Page(method="GET", path="/admin/accounts", roles=OPERATORS, handler=show),
)
