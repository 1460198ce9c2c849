"""Changing one's own password."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from billing.errors import InvalidInput
from ivr.web.guard import Page, read_form
from ivr.web.passwords import check_strength
from ivr.web.reauth import wrong_password
from ivr.web.scope import EVERYBODY, Who
from ivr.web.settings.home import settings_page
from ivr.web.state import web_of
from ivr.web.users import set_password


async def change(request: web.Request, who: Who) -> web.StreamResponse:
    """Change the password; all other sessions end, since one of them may be a thief's."""
    running = web_of(request)
    form = await read_form(request)
    errors: dict[str, str] = {}
    wanted = form.get("new_password", "")
    try:
        check_strength(wanted, login=who.login)
    except InvalidInput as error:
        text = str(error.facts["reason"])
        errors["new_password"] = f"{text[:1].upper()}{text[1:]}."
    else:
        if wanted != form.get("new_password_again", ""):
            errors["new_password_again"] = "This is not the same password."  # noqa: S105 - a sentence
    if not errors and (wrong := await wrong_password(request, who, form.get("old_password", ""))):
        errors["old_password"] = wrong
    if errors:
        return await settings_page(request, who, errors=errors)
    await set_password(
        running.deps.engine,
        who.login,
        password_hash=await running.passwords.hash(wanted),
        kept_session=who.session,
    )
    await running.note(
        who, "change password", who.login, before="old password", after="new password"
    )
    raise web.HTTPSeeOther("/settings?done=password")


PAGES: Final = (Page(method="POST", path="/settings/password", roles=EVERYBODY, handler=change),)
