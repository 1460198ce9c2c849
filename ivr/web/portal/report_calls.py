"""The calls behind a sum of the revenue report, with what each party got; the trail leads back."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.fields import PAGE_SIZE, read_cursor, write_cursor
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.portal.report import PARTIES, Linker, ReportForm, title_of, trail
from ivr.web.queries.revenue import sold_calls, totals_of
from ivr.web.scope import CLIENTS, OPERATORS, Who
from ivr.web.state import web_of


async def show(request: web.Request, who: Who) -> web.Response:
    """List the calls, newest first, and their sum, which is that of the report."""
    running = web_of(request)
    form = read_filter(request, ReportForm)
    span = form.value.span(running.now().date())
    wanted = form.value.wanted()
    place = read_cursor(request.query.get("after", ""), int, str)
    async with running.reading() as connection:
        totals = await totals_of(connection, who.scope, wanted, span)
        found = await sold_calls(
            connection,
            who.scope,
            wanted,
            span,
            after=(place[0], place[1]) if place else None,
            limit=PAGE_SIZE + 1,
        )
    cursor = None
    if len(found) > PAGE_SIZE:
        cursor = write_cursor(found[PAGE_SIZE - 1].ended_us, found[PAGE_SIZE - 1].id)
    report = request.path.removesuffix("/report-calls")
    link = Linker(path=report, form=form.value, span=span)
    values = {
        "title": title_of(running, who.scope.client(form.value.client)),
        "totals": list(totals.values()),
        "calls": found[:PAGE_SIZE],
        "parties": [
            kind for kind in PARTIES if any(line.shares.get(kind) for line in totals.values())
        ],
        "span": span,
        "trail": [*trail(link), (_("Calls"), request.path_qs)],
        "calls_path": f"{who.home}/calls",
        "everybody": who.scope.client(form.value.client) is None,
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "portal/report_calls.html", who, values)


PAGES: Final = (
    Page(method="GET", path="/portal/report-calls", roles=CLIENTS, handler=show),
    Page(method="GET", path="/admin/report/report-calls", roles=OPERATORS, handler=show),
)
