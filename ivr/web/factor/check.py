"""Checks a code of the second factor against the limits, at login and in the settings."""

from __future__ import annotations

from typing import Final

import structlog
from aiohttp import web

from ivr.web.factor.store import Spent
from ivr.web.limits import TRIES_PER_CODE, network
from ivr.web.problems import Refusal
from ivr.web.reauth import too_many, tries_of
from ivr.web.scope import Scope, Who
from ivr.web.security import address_of
from ivr.web.state import web_of
from ivr.web.users import User

CODE_SENT_MAX: Final = 40

log = structlog.get_logger()


async def spend_code(request: web.Request, user: User, code: str) -> bool:
    """Use up a code; a wrong one counts like a wrong password, and per login from everywhere.

    Raises:
        Refusal: too many tries.

    """
    running = web_of(request)
    # Only who knows the password gets here, so the owner is not locked out by strangers.
    keys = tries_of(request, user.login) | {f"code:{user.login}": TRIES_PER_CODE}
    if wait := await running.logins.take(keys):
        log.warning("code limited", network=network(address_of(request)))
        raise Refusal("too_many_tries", too_many(wait), headers={"Retry-After": str(wait)})
    fits = 0 < len(code) <= CODE_SENT_MAX
    spent = await running.factors.spend(user.id, code) if fits else None
    if spent is None:
        log.warning("code refused", network=network(address_of(request)))
        return False
    await running.logins.give_back(keys)
    if spent is Spent.RECOVERY:
        await _note_recovery(request, user)
    return True


async def _note_recovery(request: web.Request, user: User) -> None:
    running = web_of(request)
    async with running.reading() as connection:
        left = (await running.factors.state(connection, user.id)).codes_left
    scope = Scope(role=user.role, subject=user.subject)
    who = Who(login=user.login, scope=scope, address=address_of(request), csrf="", session="")
    await running.note(
        who, "use recovery code", user.login, before=f"{left + 1} left", after=f"{left} left"
    )
