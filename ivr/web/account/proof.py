"""Asks a caller again who it is, before what a thief of its session would want to do.

Who came with account and PIN is asked for the PIN, who came with a login for its password.
"""

from __future__ import annotations

from aiohttp import web

from ivr.web.account.frame import code_of
from ivr.web.language import gettext as _
from ivr.web.pins import check_pin
from ivr.web.queries.accounts import pin_hash_of
from ivr.web.reauth import wrong_password
from ivr.web.scope import Who
from ivr.web.state import web_of

PROOF_MAX = 512


async def wrong_proof(request: web.Request, who: Who, proof: str) -> str:
    """Return what is wrong with the PIN or password; nothing when it is right.

    Raises:
        Refusal: too many wrong passwords.

    """
    if not who.by_pin:
        return await wrong_password(request, who, proof)
    if not proof:
        return _("Please fill this in.")
    account = code_of(who)
    async with web_of(request).reading() as connection:
        stored = await pin_hash_of(connection, account)
    if await check_pin(request, account, stored, proof[:PROOF_MAX]):
        return ""
    return _("This is not your PIN, or wrong ones were tried too often. Wait, then try again.")
