"""The public page, login and logout."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

import structlog
from aiohttp import web

from ivr.web.agents import browser_name
from ivr.web.factor.check import spend_code
from ivr.web.factor.login import ask_for_code, code_page, drop_step, user_of_step
from ivr.web.guard import Page, check_form, current_session, read_form, render
from ivr.web.language import gettext as _
from ivr.web.limits import device_cookie, network
from ivr.web.problems import Refusal
from ivr.web.reauth import PASSWORD_SENT_MAX, too_many, tries_of
from ivr.web.scope import EVERYBODY, HOMES, Scope, Who
from ivr.web.security import (
    COOKIE,
    DEVICE_COOKIE,
    DEVICE_SECONDS,
    LOGIN_COOKIE,
    address_of,
    drop_cookie,
    login_csrf,
    new_login_nonce,
    read_cookie,
    set_cookie,
)
from ivr.web.state import Web, web_of
from ivr.web.users import LOGIN, User, find_user
from ivr.web.visitor import choose

# Where a login may lead back to: our own pages, in characters that cannot leave the site.
NEXT: Final = re.compile(
    r"/(admin|portal|account|settings)(/[A-Za-z0-9_.%/-]*)?(\?[\w.%&=+-]*)?", re.ASCII
)

log = structlog.get_logger()


async def front(request: web.Request) -> web.StreamResponse:
    """Show what this is, and the login form; who is logged in already goes to its pages."""
    session = await current_session(request)
    if session is not None:
        raise web.HTTPSeeOther(HOMES[session.scope.role])
    return _login_page(request, next_page=request.query.get("next", ""))


def _login_page(
    request: web.Request,
    *,
    next_page: str,
    login: str = "",
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> web.Response:
    nonce = read_cookie(request, LOGIN_COOKIE) or new_login_nonce()
    response = render(
        request,
        "front.html",
        None,
        {
            "csrf": login_csrf(nonce, key=web_of(request).deps.web_key),
            "next_page": next_page if NEXT.fullmatch(next_page) else "",
            "login": login,
            "problem": problem,
            "signup": web_of(request).deps.signup,
        },
        status=status,
    )
    response.headers.update(headers or {})
    set_cookie(request, response, LOGIN_COOKIE, nonce)
    return response


async def log_in(request: web.Request) -> web.StreamResponse:
    """Check a login and begin a session."""
    running = web_of(request)
    nonce = read_cookie(request, LOGIN_COOKIE)
    if not nonce:
        raise Refusal("bad_origin", "Logging in needs cookies. Allow them for this site.")
    await check_form(request, login_csrf(nonce, key=running.deps.web_key))
    form = await read_form(request)
    login, password = form.get("login", "").strip().lower(), form.get("password", "")
    next_page = form.get("next", "")
    user = await _check(request, login, password)
    if isinstance(user, int):
        return _login_page(
            request,
            next_page=next_page,
            login=login,
            problem=too_many(user),
            status=429,
            headers={"Retry-After": str(user)},
        )
    if user is None:
        return _login_page(
            request,
            next_page=next_page,
            login=login,
            problem=_("Login and password do not match."),
            status=403,
        )
    async with running.reading() as connection:
        factor = await running.factors.state(connection, user.id)
    if factor.on:
        kept = f"?next={quote(next_page, safe='')}" if NEXT.fullmatch(next_page) else ""
        raise ask_for_code(request, user, address=f"/login/code{kept}")
    return await _begin(request, running, user, next_page)


async def show_code(request: web.Request) -> web.StreamResponse:
    """Ask for the code of the second factor."""
    user = await user_of_step(request)
    if user is None or not read_cookie(request, LOGIN_COOKIE):
        raise web.HTTPSeeOther("/")
    return code_page(request, user, next_page=request.query.get("next", ""))


async def check_code(request: web.Request) -> web.StreamResponse:
    """Check the code and begin a session."""
    running = web_of(request)
    nonce = read_cookie(request, LOGIN_COOKIE)
    await check_form(request, login_csrf(nonce, key=running.deps.web_key) if nonce else "")
    user = await user_of_step(request)
    if user is None:
        raise web.HTTPSeeOther("/")
    form = await read_form(request)
    next_page = form.get("next", "")
    if not await spend_code(request, user, form.get("code", "")):
        problem = _("This code is wrong, too old, or was used before.")
        return code_page(request, user, next_page=next_page, problem=problem, status=403)
    return await _begin(request, running, user, next_page)


async def _check(request: web.Request, login: str, password: str) -> User | int | None:
    """Return the user, the seconds to wait, or None: unknown and wrong look the same."""
    running = web_of(request)
    if not LOGIN.fullmatch(login) or not 0 < len(password) <= PASSWORD_SENT_MAX:
        login, password = "", "-"
    keys = tries_of(request, login)
    wait_seconds = await running.logins.take(keys)
    if wait_seconds:
        log.warning("login limited", network=network(address_of(request)))
        return wait_seconds
    async with running.reading() as connection:
        user = await find_user(connection, login)
    usable = user is not None and not user.disabled
    stored = user.password_hash if user is not None and usable else None
    if not await running.passwords.matches(stored, password):
        log.warning("login refused", network=network(address_of(request)))
        return None
    await running.logins.give_back(keys)
    return user


async def _begin(
    request: web.Request, running: Web, user: User, next_page: str
) -> web.StreamResponse:
    await end_session(request)
    address = address_of(request)
    agent = browser_name(request.headers.get("User-Agent", ""))
    token = await running.sessions.begin(user, address=address, agent=agent)
    scope = Scope(role=user.role, subject=user.subject)
    who = Who(login=user.login, scope=scope, address=address, csrf="", session="")
    await running.note(who, "log in", user.login)
    home = HOMES[user.role]
    fits = NEXT.fullmatch(next_page) and next_page.split("?", maxsplit=1)[0].startswith(
        (home, "/settings")
    )
    response = web.HTTPSeeOther(next_page if fits else home)
    set_cookie(request, response, COOKIE, token)
    device = device_cookie(user.login, key=running.deps.web_key)
    set_cookie(request, response, DEVICE_COOKIE, device, seconds=DEVICE_SECONDS)
    drop_cookie(request, response, LOGIN_COOKIE)
    drop_step(request, response)
    raise response


async def end_session(request: web.Request) -> None:
    """End the session that the browser has, if any."""
    if old := await current_session(request):
        running = web_of(request)
        await (running.pin_sessions if old.by_pin else running.sessions).end(old.token_hash)


async def log_out(request: web.Request, _who: Who) -> web.StreamResponse:
    """End the session, here and in the database."""
    await end_session(request)
    response = web.HTTPSeeOther("/")
    drop_cookie(request, response, COOKIE)
    raise response


PAGES: Final = (
    Page(
        method="POST",
        path="/logout",
        roles=EVERYBODY,
        handler=log_out,
        before_steps=True,
        by_pin=True,
    ),
)


def add_public(app: web.Application) -> None:
    """Register what needs no login."""
    app.router.add_get("/", front)
    app.router.add_get("/language/{language}", choose)
    app.router.add_post("/login", log_in)
    app.router.add_get("/login/code", show_code)
    app.router.add_post("/login/code", check_code)
