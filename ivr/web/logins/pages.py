"""The logins of a company, and for operators of everybody: who may come in, and what for.

What is changed here asks for the visitor's own password again where it was proven a while ago.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from aiohttp import web

from billing.errors import BillingError
from ivr.web.fields import (
    PAGE_SIZE,
    OptionalCode,
    OptionalLine,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.forms import read_sent
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.logins.make import make_login
from ivr.web.logins.words import rights_of, show_rights
from ivr.web.problems import problem_of
from ivr.web.queries.users import UserFilter, UserItem, find_user, list_users
from ivr.web.reauth import prove, stale
from ivr.web.rights import PRESETS
from ivr.web.scope import CLIENTS, OPERATORS, REFERRERS, RESELLERS, Right, Role, Who
from ivr.web.state import web_of
from ivr.web.words import word

LOGIN_PATH: Final = "{login:[a-z0-9][a-z0-9_.@+-]{1,63}}"


class FindForm(PageInput):
    """The filter of the list."""

    q: OptionalLine = None
    role: Literal["", "operator", "client", "reseller", "referrer", "caller"] = ""
    state: Literal["", "active", "disabled"] = ""


class NewLoginForm(PageInput):
    """A new login; `rights` is a preset. A company's own logins are always its own."""

    login: OptionalLine = None
    role: Role = Role.OPERATOR
    subject: OptionalCode = None
    rights: OptionalLine = None
    own_password: str = ""


async def show(request: web.Request, who: Who) -> web.Response:
    """List logins."""
    form = read_filter(request, FindForm)
    place = read_cursor(request.query.get("after", ""), str)
    wanted = UserFilter(
        text=form.value.q,
        role=Role(form.value.role) if form.value.role else None,
        disabled=form.value.state == "disabled" if form.value.state else None,
    )
    async with web_of(request).reading() as connection:
        found = await list_users(
            connection,
            who.scope,
            wanted,
            after=place[0] if place else None,
            limit=PAGE_SIZE + 1,
        )
    cursor = write_cursor(found[PAGE_SIZE - 1].login) if len(found) > PAGE_SIZE else None
    values = {
        "users": [(user, show_rights(user)) for user in found[:PAGE_SIZE]],
        "form": form,
        "roles": [(role.value, word(role.value)) for role in Role],
        "filtered": any(form.value.model_dump().values()),
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "logins/list.html", who, values)


async def new(request: web.Request, who: Who) -> web.Response:
    """Show the form of a new login."""
    return _new(request, who, {}, {})


def _new(
    request: web.Request, who: Who, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    roles = list(Role) if who.role is Role.OPERATOR else [who.role]
    values = {
        "typed": typed,
        "errors": errors,
        "stale": stale(request, who),
        "roles": [(role.value, word(role.value)) for role in roles],
        "presets": [(role.value, _presets(who, role)) for role in roles if len(PRESETS[role]) > 1],
    }
    return render(request, "logins/new.html", who, values, status=422 if errors else 200)


def _presets(who: Who, role: Role) -> list[str]:
    return [
        name for name, held in PRESETS[role].items() if role is not who.role or _may_give(who, held)
    ]


def _may_give(who: Who, rights: frozenset[Right]) -> bool:
    return rights <= who.rights


async def add(request: web.Request, who: Who) -> web.StreamResponse:
    """Add a login and show its password, this once."""
    sent = await read_sent(request, NewLoginForm)
    typed = {name: text for name, text in sent.typed.items() if name != "own_password"}
    form = sent.value
    if form is None:
        return _new(request, who, typed, sent.errors)
    # What the form says of role and subject counts for operators alone.
    operator = who.role is Role.OPERATOR
    role = form.role if operator else who.role
    subject = (None if role is Role.OPERATOR else form.subject) if operator else who.scope.subject
    if not form.login:
        return _new(request, who, typed, {"login": _("Please fill this in.")})
    name = (form.rights or "").removeprefix(f"{role.value}:") or next(iter(PRESETS[role]))
    rights = PRESETS[role].get(name)
    if rights is None:
        return _new(request, who, typed, {"rights": _("These rights do not fit the role.")})
    if role is who.role and not _may_give(who, rights):
        problem = _("You cannot hand out a right that you do not hold.")
        return _new(request, who, typed, {"rights": problem})
    if wrong := await prove(request, who, form.own_password):
        return _new(request, who, typed, {"own_password": wrong})
    login = form.login.lower()
    try:
        password = await make_login(
            web_of(request), who, login, role=role, subject=subject, rights=rights
        )
    except BillingError as error:
        problem_ = problem_of(error)
        if problem_ is None or problem_.status >= 500:
            raise
        field = "login" if error.code == "user_exists" or "a login is" in str(error) else "subject"
        return _new(request, who, typed, {field: problem_.detail})
    return secret_page(request, who, login, password)


def secret_page(request: web.Request, who: Who, login: str, password: str) -> web.Response:
    """Show a generated password, this once."""
    return render(request, "logins/secret.html", who, {"login": login, "password": password})


async def show_one(request: web.Request, who: Who) -> web.Response:
    """Show one login."""
    return await login_page(request, who, request.match_info["login"], {})


async def login_page(
    request: web.Request, who: Who, login: str, errors: Mapping[str, str]
) -> web.Response:
    """Show a login with what may be done to it, and what was wrong."""
    async with web_of(request).reading() as connection:
        user = await find_user(connection, who.scope, login)
    values = {
        "user": user,
        "held": show_rights(user),
        "choices": rights_of(user),
        "errors": errors,
        "stale": stale(request, who),
        "mine": user.login == who.login,
        "above": user.role is who.role and not user.rights <= who.rights,
        "done": _done(request, user),
    }
    return render(request, "logins/one.html", who, values, status=422 if errors else 200)


def _done(request: web.Request, user: UserItem) -> str:
    match request.query.get("done", ""):
        case "rights":
            return _("The rights are changed; they count from the next click on.")
        case "state" if user.disabled:
            return _("The login is disabled and all its sessions are ended.")
        case "state":
            return _("The login may be used again.")
        case "factor":
            return _("The second factor is off and all sessions are ended.")
        case "sessions":
            return _("All sessions of this login are ended.")
        case _:
            return ""


def _pages(home: str, roles: frozenset[Role]) -> tuple[Page, ...]:
    users = Right.USERS
    return (
        Page(method="GET", path=f"{home}/users", roles=roles, handler=show, right=users),
        Page(method="GET", path=f"{home}/new-user", roles=roles, handler=new, right=users),
        Page(method="POST", path=f"{home}/new-user", roles=roles, handler=add, right=users),
        Page(
            method="GET",
            path=f"{home}/users/{LOGIN_PATH}",
            roles=roles,
            handler=show_one,
            right=users,
        ),
    )


PAGES: Final = (
    *_pages("/admin", OPERATORS),
    *_pages("/portal", CLIENTS | RESELLERS | REFERRERS),
)
