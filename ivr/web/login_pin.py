"""Logging in as on the phone: a phone or account number, and the PIN.

Wrong PINs count together with those keyed in by phone: per account, per network, and overall.
Unknown, blocked, locked and wrong look alike and take the same time. Where a login of the account
has a second factor, the PIN alone opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Final

import structlog
from aiohttp import web

from billing.clock import MICROSECONDS
from ivr.web.agents import browser_name
from ivr.web.guard import check_form, read_form, render
from ivr.web.language import gettext as _
from ivr.web.limits import TRIES_PER_CODE, network
from ivr.web.pin_sessions import login_of
from ivr.web.pins import check_pin
from ivr.web.problems import Refusal
from ivr.web.public import end_session
from ivr.web.queries.accounts import PinHolder, holder_of_number, holder_of_pin
from ivr.web.reauth import too_many
from ivr.web.scope import HOMES, Role, Scope, Who
from ivr.web.security import (
    COOKIE,
    LOGIN_COOKIE,
    address_of,
    drop_cookie,
    login_csrf,
    new_login_nonce,
    read_cookie,
    set_cookie,
    tokens_match,
)
from ivr.web.state import web_of
from ivr.web.users import User, callers_of

STEP_COOKIE: Final = "talkmeter_pin_step"
STEP_SECONDS: Final = 300
CODE_SENT_MAX: Final = 40
FACTORS_MAX: Final = 5
PIN_SENT_MAX: Final = 64
# The separators that people write into numbers.
BREAKS: Final = re.compile(r"[ ()+./-]")
DIGITS: Final = re.compile(r"[0-9]{2,20}", re.ASCII)

log = structlog.get_logger()


async def show(request: web.Request) -> web.StreamResponse:
    """Show the form."""
    return _page(request, number=request.query.get("number", "")[:20])


def _page(
    request: web.Request, *, number: str, problem: str = "", status: int = 200
) -> web.Response:
    nonce = read_cookie(request, LOGIN_COOKIE) or new_login_nonce()
    csrf = login_csrf(nonce, key=web_of(request).deps.web_key)
    values = {"csrf": csrf, "number": number, "problem": problem}
    response = render(request, "login_pin.html", None, values, status=status)
    set_cookie(request, response, LOGIN_COOKIE, nonce)
    return response


async def log_in(request: web.Request) -> web.StreamResponse:
    """Check number and PIN and begin a session, or ask for the code of the second factor."""
    running = web_of(request)
    await check_login_form(request)
    form = await read_form(request)
    typed, pin = form.get("number", "").strip()[:40], form.get("pin", "")[:PIN_SENT_MAX]
    number = BREAKS.sub("", typed)
    async with running.reading() as connection:
        holder = await holder_of_number(connection, number if DIGITS.fullmatch(number) else "")
    account = holder.account if holder and holder.admitted else None
    stored = holder.pin_hash if holder and holder.admitted else None
    if not await check_pin(request, account, stored, pin) or holder is None:
        problem = _("Number and PIN do not match, or wrong ones were tried too often.")
        return _page(request, number=typed, problem=problem, status=403)
    if await _factor_users(request, holder.account):
        response = web.HTTPSeeOther("/login/pin/code")
        set_cookie(request, response, STEP_COOKIE, _step(request, holder), seconds=STEP_SECONDS)
        raise response
    raise await begin_pin_session(request, holder.account, holder.pin_hash or "")


async def check_login_form(request: web.Request) -> None:
    """Refuse a form that was not made for this browser, before there is a session."""
    nonce = read_cookie(request, LOGIN_COOKIE)
    if not nonce:
        raise Refusal("bad_origin", _("This needs cookies. Allow them for this site."))
    await check_form(request, login_csrf(nonce, key=web_of(request).deps.web_key))


async def begin_pin_session(
    request: web.Request, account: str, pin_hash: str, *, response: web.StreamResponse | None = None
) -> web.HTTPException:
    """Begin a session and return the way to the caller's pages; the cookie is on `response` too."""
    running, address = web_of(request), address_of(request)
    await end_session(request)
    token = await running.pin_sessions.begin(
        account,
        pin_hash,
        address=address,
        agent=browser_name(request.headers.get("User-Agent", "")),
    )
    scope = Scope(role=Role.CALLER, subject=account)
    who = Who(login=login_of(account), scope=scope, address=address, csrf="", session="")
    await running.note(who, "log in by PIN", account)
    home = web.HTTPSeeOther(HOMES[Role.CALLER])
    for answer in (home, response) if response is not None else (home,):
        set_cookie(request, answer, COOKIE, token)
        drop_cookie(request, answer, LOGIN_COOKIE)
        drop_cookie(request, answer, STEP_COOKIE)
    return home


async def show_code(request: web.Request) -> web.StreamResponse:
    """Ask for the code of the second factor."""
    holder = await _holder_of_step(request)
    if holder is None or not read_cookie(request, LOGIN_COOKIE):
        raise web.HTTPSeeOther("/login/pin")
    return _code_page(request, holder)


def _code_page(
    request: web.Request, holder: PinHolder, *, problem: str = "", status: int = 200
) -> web.Response:
    nonce = read_cookie(request, LOGIN_COOKIE)
    values = {
        "csrf": login_csrf(nonce, key=web_of(request).deps.web_key),
        "login": holder.account,
        "next_page": "",
        "problem": problem,
        "action": "/login/pin/code",
    }
    return render(request, "login_code.html", None, values, status=status)


async def check_code(request: web.Request) -> web.StreamResponse:
    """Check the code of any login of the account and begin the session."""
    running = web_of(request)
    await check_login_form(request)
    holder = await _holder_of_step(request)
    if holder is None:
        raise web.HTTPSeeOther("/login/pin")
    keys = {f"code:pin:{holder.account}": TRIES_PER_CODE}
    if wait := await running.logins.take(keys):
        raise Refusal("too_many_tries", too_many(wait), headers={"Retry-After": str(wait)})
    code = (await read_form(request)).get("code", "").strip()
    if 0 < len(code) <= CODE_SENT_MAX:
        for user in await _factor_users(request, holder.account):
            if await running.factors.spend(user.id, code):
                await running.logins.give_back(keys)
                raise await begin_pin_session(request, holder.account, holder.pin_hash or "")
    log.warning("code refused", network=network(address_of(request)))
    problem = _("This code is wrong, too old, or was used before.")
    return _code_page(request, holder, problem=problem, status=403)


async def _factor_users(request: web.Request, account: str) -> list[User]:
    running = web_of(request)
    async with running.reading() as connection:
        users = (await callers_of(connection, account))[:FACTORS_MAX]
        return [user for user in users if (await running.factors.state(connection, user.id)).on]


async def _holder_of_step(request: web.Request) -> PinHolder | None:
    """Return whose PIN was right a moment ago in this browser; None when nobody's."""
    name, _dot, rest = read_cookie(request, STEP_COOKIE).partition(".")
    moment, _dot, signature = rest.partition(".")
    try:
        account, expires_us = bytes.fromhex(name).decode(), int(moment)
    except ValueError:
        return None
    running = web_of(request)
    if expires_us < running.now_us():
        return None
    async with running.reading() as connection:
        holder = await holder_of_pin(connection, account)
    if holder is None or not holder.admitted or holder.pin_hash is None:
        return None
    return holder if tokens_match(_sign(request, holder, expires_us), signature) else None


def _step(request: web.Request, holder: PinHolder) -> str:
    expires_us = web_of(request).now_us() + STEP_SECONDS * MICROSECONDS
    return f"{holder.account.encode().hex()}.{expires_us}.{_sign(request, holder, expires_us)}"


def _sign(request: web.Request, holder: PinHolder, expires_us: int) -> str:
    text = f"pin step:{holder.account}:{expires_us}:{holder.pin_hash}"
    return hmac.new(web_of(request).deps.web_key, text.encode(), hashlib.sha256).hexdigest()


def add_pin_login(app: web.Application) -> None:
    """Register what needs no login."""
    app.router.add_get("/login/pin", show)
    app.router.add_post("/login/pin", log_in)
    app.router.add_get("/login/pin/code", show_code)
    app.router.add_post("/login/pin/code", check_code)
