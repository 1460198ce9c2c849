"""Switching one's own second factor on and off."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from ivr.web.factor.check import spend_code
from ivr.web.factor.totp import link, written
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.reauth import own_user, wrong_password
from ivr.web.scope import EVERYBODY, Who
from ivr.web.settings.first import first_page
from ivr.web.settings.home import settings_page
from ivr.web.state import web_of

WRONG_CODE: Final = "This code is wrong, too old, or was used before."


async def begin(request: web.Request, who: Who) -> web.StreamResponse:
    """Show a fresh secret, this once; nothing is in force before its first code."""
    running = web_of(request)
    form = await read_form(request)
    if wrong := await wrong_password(request, who, form.get("factor_password", "")):
        errors = {"factor_password": wrong}
        if who.steps:
            return first_page(request, who, errors)
        return await settings_page(request, who, errors=errors)
    if "password" in who.steps:
        raise web.HTTPSeeOther("/settings/first")
    secret = await running.factors.begin((await own_user(request, who)).id)
    if secret is None:
        raise web.HTTPSeeOther("/settings")
    values = {"secret": written(secret), "link": link(secret, who.login), "errors": {}}
    return render(request, "settings/factor_new.html", who, values)


async def confirm(request: web.Request, who: Who) -> web.StreamResponse:
    """Put the factor in force and show the recovery codes, this once; all other sessions end."""
    running = web_of(request)
    form = await read_form(request)
    user = await own_user(request, who)
    codes = await running.factors.confirm(user.id, form.get("code", ""))
    if codes is None:
        values = {"secret": "", "link": "", "errors": {"code": _(WRONG_CODE)}}
        return render(request, "settings/factor_new.html", who, values, status=422)
    await running.note(who, "switch second factor on", who.login, before="off", after="on")
    await running.sessions.end_others(who.login, kept=who.session)
    return render(request, "settings/factor_codes.html", who, {"codes": codes})


async def off(request: web.Request, who: Who) -> web.StreamResponse:
    """Switch the factor off with password and code; all other sessions end."""
    running = web_of(request)
    form = await read_form(request)
    user = await own_user(request, who)
    if who.role in running.deps.require_second_factor:
        errors = {"off_code": _("Logins like yours need a second factor here.")}
        return await settings_page(request, who, errors=errors)
    if wrong := await wrong_password(request, who, form.get("off_password", "")):
        return await settings_page(request, who, errors={"off_password": wrong})
    if not await spend_code(request, user, form.get("off_code", "")):
        return await settings_page(request, who, errors={"off_code": _(WRONG_CODE)})
    await running.factors.off(user.id)
    await running.note(who, "switch second factor off", who.login, before="on", after="off")
    await running.sessions.end_others(who.login, kept=who.session)
    raise web.HTTPSeeOther("/settings?done=factor-off")


PAGES: Final = (
    Page(
        method="POST",
        path="/settings/factor/begin",
        roles=EVERYBODY,
        handler=begin,
        before_steps=True,
    ),
    Page(
        method="POST",
        path="/settings/factor/confirm",
        roles=EVERYBODY,
        handler=confirm,
        before_steps=True,
    ),
    Page(method="POST", path="/settings/factor/off", roles=EVERYBODY, handler=off),
)
