"""What the pages of a caller share: whose account it is, and what was just done."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from billing.wallet import Account
from ivr.web.queries.accounts import find_account
from ivr.web.scope import Who
from ivr.web.state import web_of

TRANSFER_ID: Final = re.compile(r"[0-9a-f-]{36}", re.ASCII)


def code_of(who: Who) -> str:
    """Return the code of the visitor's own account."""
    return who.scope.subject or ""


async def own_account(request: web.Request, who: Who) -> Account:
    """Read the visitor's own account.

    Raises:
        NotYours: it is gone.

    """
    async with web_of(request).reading() as connection:
        return await find_account(connection, who.scope, code_of(who))
