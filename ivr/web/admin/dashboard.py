"""The operators' first page: alarms, what happens now, how today goes, the last fortnight."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.call_pages import RECENT, live_rows
from ivr.web.guard import Page, render
from ivr.web.pulse import pulse_values
from ivr.web.queries.calls import CallFilter, list_calls
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import web_of


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the dashboard."""
    async with web_of(request).reading() as connection:
        recent = await list_calls(connection, who.scope, CallFilter(), limit=RECENT)
    values = {
        **await pulse_values(request, who),
        "calls": recent,
        "live": live_rows(request, who.scope),
    }
    return render(request, "admin/dashboard.html", who, values)


PAGES: Final = (Page(method="GET", path="/admin", roles=OPERATORS, handler=show),)
