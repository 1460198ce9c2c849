"""Change one client, as a catalog file does: so that both keep the same rules and history."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock
from billing.domain.splits import check_shares
from ivr.directory.catalog_apply import Applied, CatalogConflict, apply
from ivr.directory.client_rows import client_rows
from ivr.directory.edits import ChangedMeanwhile, EditRefused, fragment
from ivr.directory.model import Client


async def save_client(
    engine: AsyncEngine, client: Client, *, seen: str, actor: str, clock: Clock, pin_key: bytes
) -> Applied:
    """Bring a client to what is wanted; its lines, queues and payout terms stay as they are.

    Args:
        engine: The database.
        client: What is wanted; a new agreement version is written where the old one differs.
        seen: The mark of the client that the change is based on; empty for a new one.
        actor: Who changes it: stands beside the version.
        clock: The moment of the change.
        pin_key: As for a catalog.

    Raises:
        InvalidShares: the shares are not a whole.
        ChangedMeanwhile: somebody changed it since it was read.
        EditRefused: there is such a client already, or an agreement cannot be as wanted.

    """
    check_shares(client.shares)
    check_shares((*client.shares, *(each.share for each in client.referrers)))

    async def still_as_seen(connection: AsyncConnection) -> None:
        found = (await client_rows(connection, [client.code])).get(client.code)
        if found is not None and not seen:
            raise EditRefused(reason=f"there is a client {client.code} already")
        if (found.mark if found else "") != seen:
            raise ChangedMeanwhile(what=f"client {client.code}", now="")

    try:
        return await apply(
            engine,
            fragment(currency=client.currency, clients=(client,)),
            clock=clock,
            pin_key=pin_key,
            along=still_as_seen,
            actor=actor,
        )
    except CatalogConflict as error:
        raise EditRefused(reason=str(error)) from None
