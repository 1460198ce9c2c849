"""A caller's own calls, and each of them explained."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.call_pages import CALL_PATH, detail_page, list_page, live_fragment
from ivr.web.guard import Page
from ivr.web.scope import CALLERS, Who


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the caller's calls."""
    return await list_page(request, who, "account/calls.html")


async def live(request: web.Request, who: Who) -> web.Response:
    """Answer the live ones alone."""
    return live_fragment(request, who)


PAGES: Final = (
    Page(method="GET", path="/account/calls", roles=CALLERS, handler=show),
    Page(method="GET", path="/account/calls/live", roles=CALLERS, handler=live),
    Page(method="GET", path=f"/account/calls/{CALL_PATH}", roles=CALLERS, handler=detail_page),
)
