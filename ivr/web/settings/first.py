"""What a login must do before it sees anything else: a password of its own, a second factor.

A password that somebody else made opens this page alone. So does a login whose role needs a second
factor and has none. The gate sends everybody here who is not done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.reauth import own_user
from ivr.web.scope import EVERYBODY, Who
from ivr.web.settings.password import choose_password, save_password
from ivr.web.state import web_of

PATH: Final = "/settings/first"


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the next step."""
    return first_page(request, who, {})


def first_page(request: web.Request, who: Who, errors: Mapping[str, str]) -> web.Response:
    """Show the next step, and what was wrong with it."""
    if not who.steps:
        raise web.HTTPSeeOther(who.home)
    values = {"step": who.steps[0], "errors": errors, "left": len(who.steps)}
    return render(request, "settings/first.html", who, values, status=422 if errors else 200)


async def change(request: web.Request, who: Who) -> web.StreamResponse:
    """Take the first password of the visitor's own; the other sessions end."""
    if "password" not in who.steps:
        raise web.HTTPSeeOther(PATH)
    form = await read_form(request)
    running = web_of(request)
    wanted, errors = choose_password(form, login=who.login)
    if not errors and await running.passwords.matches(
        (await own_user(request, who)).password_hash, wanted
    ):
        errors["new_password"] = _("Choose another one than the password that you were given.")
    if errors:
        return first_page(request, who, errors)
    await save_password(request, who, wanted)
    raise web.HTTPSeeOther(PATH if len(who.steps) > 1 else who.home)


PAGES: Final = (
    Page(method="GET", path=PATH, roles=EVERYBODY, handler=show, before_steps=True),
    Page(method="POST", path=PATH, roles=EVERYBODY, handler=change, before_steps=True),
)
