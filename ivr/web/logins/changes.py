"""The forms on the page of one login: rights, state, password, second factor, sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Literal

from aiohttp import web

from ivr.web.fields import PageInput
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, read_form
from ivr.web.logins import manage
from ivr.web.logins.pages import LOGIN_PATH, login_page, secret_page
from ivr.web.passwords import generate
from ivr.web.queries.users import UserItem
from ivr.web.reauth import prove
from ivr.web.rights import read_rights, write_rights
from ivr.web.scope import CLIENTS, OPERATORS, REFERRERS, RESELLERS, Right, Role, Who
from ivr.web.state import Web, web_of

Change = Callable[[Web, Who, str], Awaitable[UserItem]]


class StateForm(PageInput):
    """The state that is wanted."""

    state: Literal["active", "disabled"]


async def change_rights(request: web.Request, who: Who) -> web.StreamResponse:
    """Give a login the rights that are ticked, and no others."""
    form = await read_form(request)
    rights = read_rights(" ".join(right.value for right in Right if right.value in form))

    async def change(running: Web, who: Who, login: str) -> UserItem:
        return await manage.set_rights(running.deps.engine, who, login, rights)

    before = await _changed(request, who, change, field="rights")
    if isinstance(before, web.Response):
        return before
    held, wanted = write_rights(before.rights) or "none", write_rights(rights) or "none"
    await web_of(request).note(who, "change rights", before.login, before=held, after=wanted)
    raise _back(request, "rights")


async def change_state(request: web.Request, who: Who) -> web.StreamResponse:
    """Disable or enable a login."""
    sent = await read_sent(request, StateForm)
    login = request.match_info["login"]
    if sent.value is None:
        return await login_page(request, who, login, sent.errors)
    disabled = sent.value.state == "disabled"

    async def change(running: Web, who: Who, login: str) -> UserItem:
        return await manage.set_disabled(running.deps.engine, who, login, disabled=disabled)

    before = await _changed(request, who, change, field="state")
    if isinstance(before, web.Response):
        return before
    action = "disable login" if disabled else "enable login"
    was = "disabled" if before.disabled else "active"
    await web_of(request).note(who, action, before.login, before=was, after=sent.value.state)
    raise _back(request, "state")


async def new_password(request: web.Request, who: Who) -> web.StreamResponse:
    """Generate a password and show it, this once."""
    password = generate()

    async def change(running: Web, who: Who, login: str) -> UserItem:
        hashed = await running.passwords.hash(password)
        return await manage.reset_password(running.deps.engine, who, login, password_hash=hashed)

    before = await _changed(request, who, change, field="password")
    if isinstance(before, web.Response):
        return before
    await web_of(request).note(
        who, "reset password", before.login, before="old password", after="generated, to be changed"
    )
    return secret_page(request, who, before.login, password)


async def factor_off(request: web.Request, who: Who) -> web.StreamResponse:
    """Switch the second factor off for somebody who lost it."""

    async def change(running: Web, who: Who, login: str) -> UserItem:
        return await manage.reset_factor(running.deps.engine, who, login)

    before = await _changed(request, who, change, field="factor")
    if isinstance(before, web.Response):
        return before
    was = "on" if before.factor else "off"
    await web_of(request).note(who, "reset second factor", before.login, before=was, after="off")
    raise _back(request, "factor")


async def end_sessions(request: web.Request, who: Who) -> web.StreamResponse:
    """End the sessions of a login."""

    async def change(running: Web, who: Who, login: str) -> UserItem:
        return await manage.end_sessions(running.deps.engine, who, login)

    before = await _changed(request, who, change, field="sessions")
    if isinstance(before, web.Response):
        return before
    await web_of(request).note(who, "end sessions", before.login, after="ended")
    raise _back(request, "sessions")


async def _changed(
    request: web.Request, who: Who, change: Change, *, field: str
) -> UserItem | web.Response:
    """Ask for the password where it is time, then change; a refusal stands beside its form."""
    login = request.match_info["login"]
    form = await read_form(request)
    if wrong := await prove(request, who, form.get("own_password", "")):
        return await login_page(request, who, login, {f"own_password_{field}": wrong})
    before, refused = await attempt(change(web_of(request), who, login))
    if before is None:
        return await login_page(request, who, login, {field: refused})
    return before


def _back(request: web.Request, done: str) -> web.HTTPException:
    page = request.path.rpartition("/")[0]
    return web.HTTPSeeOther(f"{page}?done={done}")


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    handlers = {
        "rights": change_rights,
        "state": change_state,
        "password": new_password,
        "factor": factor_off,
        "sessions": end_sessions,
    }
    return tuple(
        Page(
            method="POST",
            path=f"{home}/users/{LOGIN_PATH}/{name}",
            roles=roles,
            handler=handler,
            right=Right.USERS,
        )
        for name, handler in handlers.items()
    )


PAGES: Final = (
    *_pages("/admin", OPERATORS),
    *_pages("/portal", CLIENTS | RESELLERS | REFERRERS),
)
