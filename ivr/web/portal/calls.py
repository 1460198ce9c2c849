"""A client's own calls."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.call_pages import CALL_PATH, detail_page, list_page, live_fragment
from ivr.web.guard import Page
from ivr.web.scope import CLIENTS, Who


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the calls on the client's DIDs."""
    return await list_page(request, who, "portal/calls.html")


async def live(request: web.Request, who: Who) -> web.Response:
    """Answer the live ones alone."""
    return live_fragment(request, who)


PAGES: Final = (
    Page(method="GET", path="/portal/calls", roles=CLIENTS, handler=show),
    Page(method="GET", path="/portal/calls/live", roles=CLIENTS, handler=live),
    Page(
        method="GET",
        path=f"/portal/calls/{CALL_PATH}",
        roles=CLIENTS,
        handler=detail_page,
    ),
)
