"""A client as the database has it now, with a mark that moves whenever somebody changes it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from billing.agreements import agreement_json, newest_agreements
from billing.storage.ledger import shares_from_json
from billing.storage.tables import clients
from ivr.directory.model import Client
from ivr.directory.rules import ClientRules
from ivr.tables import client_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """A client, when it began, and the mark of this state of it."""

    client: Client
    created_us: int

    @property
    def mark(self) -> str:
        """Tell this state from every other."""
        one = self.client
        body = (one.title, one.currency, agreement_json(one.shares, one.referrers))
        return hashlib.sha256(repr((*body, one.rules.to_json())).encode()).hexdigest()[:32]


async def client_rows(connection: AsyncConnection, codes: Collection[str]) -> dict[str, ClientRow]:
    """Read clients by code; who is not there is left out."""
    agreements = await newest_agreements(connection)
    ruled = {
        row.client: ClientRules.from_json(row.rules)
        for row in await connection.execute(
            select(client_rules).where(client_rules.c.client.in_(codes))
        )
    }
    rows = await connection.execute(select(clients).where(clients.c.code.in_(codes)))
    return {
        row.code: ClientRow(
            client=Client(
                code=row.code,
                title=row.title,
                currency=row.currency,
                shares=shares_from_json(row.shares),
                referrers=agreements[row.code].referrers if row.code in agreements else (),
                rules=ruled.get(row.code, ClientRules()),
            ),
            created_us=row.created_us,
        )
        for row in rows
    }
