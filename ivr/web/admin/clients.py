"""The operators' list of clients: what each sold this month, what it has, and where it stands."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web

from billing.reports import Span
from ivr.web.fields import PAGE_SIZE, OptionalLine, PageInput, read_cursor, write_cursor
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.queries.clients import ClientFilter, list_clients
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import web_of


class ClientsForm(PageInput):
    """Which clients are listed."""

    q: OptionalLine = None
    state: Literal["", "active", "suspended", "held"] = ""


async def show(request: web.Request, who: Who) -> web.Response:
    """List clients by code."""
    running = web_of(request)
    form = read_filter(request, ClientsForm)
    place = read_cursor(request.query.get("after", ""), str)
    today = running.now().date()
    month = Span(first=today.replace(day=1), last=today)
    wanted = ClientFilter(text=form.value.q, state=form.value.state or None)
    async with running.reading() as connection:
        found = await list_clients(
            connection,
            who.scope,
            wanted,
            month,
            now_us=running.now_us(),
            after=place[0] if place else "",
            limit=PAGE_SIZE + 1,
        )
    cursor = write_cursor(found[PAGE_SIZE - 1].code) if len(found) > PAGE_SIZE else None
    values = {
        "clients": found[:PAGE_SIZE],
        "form": form,
        "filtered": bool(form.value.q or form.value.state),
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/clients.html", who, values)


PAGES: Final = (Page(method="GET", path="/admin/clients", roles=OPERATORS, handler=show),)
