"""A caller's settings: how it logs in, and its e-mail or login name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from ivr.web.account.frame import code_of
from ivr.web.account.proof import PROOF_MAX, wrong_proof
from ivr.web.fields import Line, PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.problems import Refusal
from ivr.web.queries.accounts import find_account
from ivr.web.reauth import too_many
from ivr.web.scope import CALLERS, Who
from ivr.web.state import web_of
from ivr.web.users import LOGIN, callers_of, rename_user

RENAMES_MAX: Final = 5
DONE: Final = {"login": "Your login is changed. Log in with it from now on."}


class LoginForm(PageInput):
    """Another login name, and the password."""

    login: Annotated[Line, Field(min_length=2, max_length=64)]
    login_proof: Annotated[str, Field(max_length=PROOF_MAX)] = ""


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the settings."""
    return await settings_page(request, who, typed={}, errors={})


async def settings_page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    """Show them with what is wrong in a form."""
    code, done = code_of(who), request.query.get("done", "")
    async with web_of(request).reading() as connection:
        values = {
            "account": await find_account(connection, who.scope, code),
            "logins": [user.login for user in await callers_of(connection, code)],
        }
    values |= {
        "done": _(DONE[done]) if done in DONE else "",
        "typed": {"login": typed.get("login", "")},
        "errors": errors,
    }
    return render(request, "account/settings.html", who, values, status=422 if errors else 200)


async def change_login(request: web.Request, who: Who) -> web.StreamResponse:
    """Give the visitor's own login another name; who came by PIN has none to change."""
    sent = await read_sent(request, LoginForm)
    form, errors = sent.value, dict(sent.errors)
    wanted = form.login.lower() if form else ""
    if form is not None and not LOGIN.fullmatch(wanted):
        errors["login"] = _("Write an e-mail address or a name of a-z 0-9 _ . @ + -")
    if who.by_pin:
        errors["login"] = _("Log in with your password to change this.")
    if form is None or errors:
        return await settings_page(request, who, typed=sent.typed, errors=errors)
    if wrong := await wrong_proof(request, who, form.login_proof):
        return await settings_page(request, who, typed=sent.typed, errors={"login_proof": wrong})
    running = web_of(request)
    # Each try tells whether a name is taken, so there are few.
    if wait := await running.logins.take({f"rename:{code_of(who)}": RENAMES_MAX}):
        raise Refusal("too_many_tries", too_many(wait), headers={"Retry-After": str(wait)})
    done, refused = await attempt(rename_user(running.deps.engine, who.login, wanted))
    if done is None:
        return await settings_page(request, who, typed=sent.typed, errors={"login": refused})
    await running.note(who, "change login", code_of(who), before=who.login, after=wanted)
    raise web.HTTPSeeOther("/account/settings?done=login")


PAGES: Final = (
    Page(method="GET", path="/account/settings", roles=CALLERS, handler=show),
    Page(method="POST", path="/account/settings/login", roles=CALLERS, handler=change_login),
)
