"""The first page of resellers and referrers: the clients that they have to do with."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.guard import Page, render
from ivr.web.scope import REFERRERS, RESELLERS, Who
from ivr.web.state import web_of


async def show(request: web.Request, who: Who) -> web.Response:
    """List the clients of a partner, by their agreements of now."""
    known = web_of(request).deps.directory().clients
    found = [known[code] for code in sorted(who.scope.under)]
    return render(request, "portal/partner.html", who, {"clients": found})


PAGES: Final = (Page(method="GET", path="/portal", roles=RESELLERS | REFERRERS, handler=show),)
