"""Asks somebody who is logged in for the password again, before what a thief would want to do."""

from __future__ import annotations

from typing import Final

import structlog
from aiohttp import web

from billing.clock import MICROSECONDS
from ivr.web.language import gettext as _
from ivr.web.limits import buckets, known_device, network
from ivr.web.problems import Refusal
from ivr.web.scope import Who
from ivr.web.security import DEVICE_COOKIE, address_of, read_cookie
from ivr.web.state import web_of
from ivr.web.users import User, find_user

PASSWORD_SENT_MAX: Final = 512
# How long a proof of the password is good for changes to logins and keys.
PROOF_SECONDS: Final = 600
WRONG: Final = "This is not your password."

log = structlog.get_logger()


def tries_of(request: web.Request, login: str) -> dict[str, int]:
    """Name what a try for this login counts against: the same for passwords and codes."""
    key = web_of(request).deps.web_key
    device = known_device(read_cookie(request, DEVICE_COOKIE), login, key=key)
    return buckets(login=login, address=address_of(request), device=device)


def too_many(seconds: int) -> str:
    """Say how long to wait."""
    return _("Too many tries. Wait %(minutes)s min, then try again.", minutes=-(-seconds // 60))


async def wrong_password(request: web.Request, who: Who, password: str) -> str:
    """Return what is wrong with the password of the visitor; nothing when it is right.

    Raises:
        Refusal: too many tries, counted together with those to log in.

    """
    if not password:
        return _("Please fill this in.")
    running = web_of(request)
    keys = tries_of(request, who.login)
    if wait := await running.logins.take(keys):
        log.warning("password limited", network=network(who.address))
        raise Refusal("too_many_tries", too_many(wait), headers={"Retry-After": str(wait)})
    user = await own_user(request, who)
    if len(password) > PASSWORD_SENT_MAX or not await running.passwords.matches(
        user.password_hash, password
    ):
        log.warning("password refused", network=network(who.address))
        return _(WRONG)
    await running.logins.give_back(keys)
    return ""


def stale(request: web.Request, who: Who) -> bool:
    """Tell whether the visitor must prove its password again before it changes logins or keys."""
    return web_of(request).now_us() - who.proved_us > PROOF_SECONDS * MICROSECONDS


async def prove(request: web.Request, who: Who, password: str) -> str:
    """Ask for the password where the last proof is old; return what is wrong, nothing when right.

    Raises:
        Refusal: too many tries.

    """
    if not stale(request, who):
        return ""
    if wrong := await wrong_password(request, who, password):
        return wrong
    await web_of(request).sessions.prove(who.session)
    return ""


async def own_user(request: web.Request, who: Who) -> User:
    """Read the visitor's own row.

    Raises:
        Refusal: it was removed a moment ago.

    """
    async with web_of(request).reading() as connection:
        user = await find_user(connection, who.login)
    if user is None:
        raise Refusal("not_authenticated", "Log in again.")
    return user
