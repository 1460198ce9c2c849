"""The settings in force, for operators to read; they are changed where the service is started."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.configuration import configured
from ivr.web.guard import Page, render
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of


async def show(request: web.Request, who: Who) -> web.Response:
    """Show every setting with its source and its meaning; secrets are only said to be set."""
    settings = web_of(request).deps.settings
    groups = configured(settings) if settings is not None else {}
    return render(request, "logins/settings.html", who, {"groups": groups})


PAGES: Final = (
    Page(method="GET", path="/admin/settings", roles=OPERATORS, handler=show, right=Right.USERS),
)
