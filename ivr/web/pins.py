"""PINs typed on the web: compared with what is stored now, behind the gate of the phones."""

from __future__ import annotations

from aiohttp import web

from ivr.directory.gate import PinGate
from ivr.web.limits import network
from ivr.web.security import address_of
from ivr.web.state import web_of


async def check_pin(
    request: web.Request, account: str | None, stored: str | None, pin: str
) -> bool:
    """Tell whether a PIN is the stored one; `account` is None where there is no such account."""
    deps = web_of(request).deps
    gate = PinGate(deps.engine, deps.clock, key=deps.pin_key, hash_of=lambda _account: stored)
    return await gate.check(account, pin, caller=f"web:{network(address_of(request))}", place="web")
