"""The second step of a login: who knows the password is asked for a code.

Between the two steps a signed cookie says whose password was right. It lasts minutes, dies with the
password, and opens nothing by itself.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from aiohttp import web

from billing.clock import MICROSECONDS
from ivr.web.guard import render
from ivr.web.security import (
    LOGIN_COOKIE,
    drop_cookie,
    login_csrf,
    read_cookie,
    set_cookie,
    tokens_match,
)
from ivr.web.state import web_of
from ivr.web.users import LOGIN, User, find_user

FACTOR_COOKIE: Final = "talkmeter_factor"
STEP_SECONDS: Final = 300


def ask_for_code(request: web.Request, user: User, *, address: str) -> web.HTTPException:
    """Send the visitor on to the page for the code."""
    expires_us = web_of(request).now_us() + STEP_SECONDS * MICROSECONDS
    value = f"{user.login.encode().hex()}.{expires_us}.{_sign(request, user, expires_us)}"
    response = web.HTTPSeeOther(address)
    set_cookie(request, response, FACTOR_COOKIE, value, seconds=STEP_SECONDS)
    return response


async def user_of_step(request: web.Request) -> User | None:
    """Return whose password was right a moment ago in this browser; None when nobody's."""
    name, _, rest = read_cookie(request, FACTOR_COOKIE).partition(".")
    moment, _, signature = rest.partition(".")
    try:
        login, expires_us = bytes.fromhex(name).decode(), int(moment)
    except ValueError:
        return None
    running = web_of(request)
    if not LOGIN.fullmatch(login) or expires_us < running.now_us():
        return None
    async with running.reading() as connection:
        user = await find_user(connection, login)
    if user is None or user.disabled:
        return None
    return user if tokens_match(_sign(request, user, expires_us), signature) else None


def code_page(
    request: web.Request, user: User, *, next_page: str, problem: str = "", status: int = 200
) -> web.Response:
    """Show the form for the code."""
    nonce = read_cookie(request, LOGIN_COOKIE)
    csrf = login_csrf(nonce, key=web_of(request).deps.web_key)
    values = {
        "csrf": csrf, "login": user.login, "next_page": next_page, "problem": problem,
        "action": "/login/code",
    }  # fmt: skip
    return render(request, "login_code.html", None, values, status=status)


def drop_step(request: web.Request, response: web.StreamResponse) -> None:
    """Take the cookie of the step back."""
    drop_cookie(request, response, FACTOR_COOKIE)


def _sign(request: web.Request, user: User, expires_us: int) -> str:
    text = f"factor step:{user.login}:{expires_us}:{user.password_hash}"
    return hmac.new(web_of(request).deps.web_key, text.encode(), hashlib.sha256).hexdigest()
