"""The page of one's own login."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.language import zones_by_region
from ivr.web.scope import EVERYBODY, Who
from ivr.web.state import web_of
from ivr.web.users import find_user

# What was done, as the address names it: nothing of the address is shown itself.
DONE: Final = {
    "password": "Your password is changed. All other sessions are ended.",
    "session": "The session is ended.",
    "factor-off": "The second factor is off. All other sessions are ended.",
    "others": "All other sessions are ended.",
    "language": "Language and time zone are changed.",
}


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the settings."""
    return await settings_page(request, who, errors={})


async def settings_page(
    request: web.Request, who: Who, *, errors: Mapping[str, str]
) -> web.Response:
    """Show the settings, with what is wrong in a form."""
    running = web_of(request)
    async with running.reading() as connection:
        sessions = await running.sessions.list(connection, who.login)
        user = await find_user(connection, who.login)
        factor = await running.factors.state(connection, user.id if user else 0)
    values = {
        "sessions": sessions,
        "factor": factor,
        "errors": errors,
        "done": _(DONE.get(request.query.get("done", ""), "")),
        "chosen": {
            "language": (user.language if user else None) or "",
            "timezone": (user.timezone if user else None) or "",
        },
        "zones": zones_by_region(),
    }
    return render(request, "settings/home.html", who, values, status=422 if errors else 200)


PAGES: Final = (Page(method="GET", path="/settings", roles=EVERYBODY, handler=show),)
