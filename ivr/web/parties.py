"""Whether a reseller or referrer stands in an agreement, or has been paid anything ever."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.agreements import newest_agreements
from billing.storage.ledger import shares_from_json
from billing.storage.tables import accounts, clients
from ivr.web.scope import Role


async def party_exists(connection: AsyncConnection, role: Role, code: str) -> bool:
    """Tell whether somebody knows the party: the ledger, a split, or an agreement."""
    kept = select(accounts.c.id).where(accounts.c.kind == role.value, accounts.c.code == code)
    if (await connection.execute(kept.limit(1))).first() is not None:
        return True
    for text in await connection.scalars(select(clients.c.shares)):
        shares = shares_from_json(text)
        if any(share.kind == role.value and share.account == code for share in shares):
            return True
    if role is not Role.REFERRER:
        return False
    agreements = await newest_agreements(connection)
    return any(
        referrer.account == code for each in agreements.values() for referrer in each.referrers
    )
