"""Calls for operators: the list with its live ones, one call, and ending one."""

from __future__ import annotations

from typing import Final

import structlog
from aiohttp import web

from ivr.web.call_pages import CALL_PATH, list_page, live_fragment
from ivr.web.guard import Page
from ivr.web.problems import Refusal
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

log = structlog.get_logger()


async def show(request: web.Request, who: Who) -> web.Response:
    """Show all calls."""
    return await list_page(request, who, "admin/calls.html")


async def live(request: web.Request, who: Who) -> web.Response:
    """Answer the live calls alone; the page asks for them every second."""
    return live_fragment(request, who)


async def hang_up(request: web.Request, who: Who) -> web.StreamResponse:
    """End a live call."""
    call_id = request.match_info["call_id"]
    if not await web_of(request).deps.live.hang_up(call_id):
        raise Refusal("not_found", "This call is over already.")
    log.info("call ended by operator", call_id=call_id, actor=who.login)
    await web_of(request).note(who, "hang up", call_id)
    raise web.HTTPSeeOther("/admin/calls")


PAGES: Final = (
    Page(method="GET", path="/admin/calls", roles=OPERATORS, handler=show),
    Page(method="GET", path="/admin/calls/live", roles=OPERATORS, handler=live),
    Page(
        method="POST",
        path=f"/admin/calls/{CALL_PATH}/hangup",
        roles=OPERATORS,
        handler=hang_up,
        right=Right.CALLS,
    ),
)
