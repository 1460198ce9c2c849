"""Changing one's own password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from billing.errors import InvalidInput
from ivr.web.guard import Page, read_form
from ivr.web.language import gettext as _
from ivr.web.passwords import check_strength
from ivr.web.reasons import reason_of, whole
from ivr.web.reauth import wrong_password
from ivr.web.scope import EVERYBODY, Who
from ivr.web.settings.home import settings_page
from ivr.web.state import web_of
from ivr.web.users import set_password


async def change(request: web.Request, who: Who) -> web.StreamResponse:
    """Change the password; all other sessions end, since one of them may be a thief's."""
    form = await read_form(request)
    wanted, errors = choose_password(form, login=who.login)
    if not errors and (wrong := await wrong_password(request, who, form.get("old_password", ""))):
        errors["old_password"] = wrong
    if errors:
        return await settings_page(request, who, errors=errors)
    await save_password(request, who, wanted)
    raise web.HTTPSeeOther("/settings?done=password")


def choose_password(form: Mapping[str, str], *, login: str) -> tuple[str, dict[str, str]]:
    """Read a new password that was typed twice; tell what is wrong with it by field."""
    wanted = form.get("new_password", "")
    try:
        check_strength(wanted, login=login)
    except InvalidInput as error:
        return wanted, {"new_password": whole(reason_of(str(error.facts["reason"])))}
    if wanted != form.get("new_password_again", ""):
        return wanted, {"new_password_again": _("This is not the same password.")}
    return wanted, {}


async def save_password(request: web.Request, who: Who, wanted: str) -> None:
    """Set the visitor's password, end its other sessions, write it down."""
    running = web_of(request)
    await set_password(
        running.deps.engine,
        who.login,
        password_hash=await running.passwords.hash(wanted),
        kept_session=who.session,
    )
    await running.sessions.prove(who.session)
    await running.note(
        who, "change password", who.login, before="old password", after="new password"
    )


PAGES: Final = (Page(method="POST", path="/settings/password", roles=EVERYBODY, handler=change),)
