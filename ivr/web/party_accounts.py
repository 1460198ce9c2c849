"""The accounts of a party: one per currency, also before it earned anything."""

from __future__ import annotations

from collections.abc import Sequence

from billing.domain.operations import AccountRef
from ivr.web.queries.parties import check_party, currencies_of, known_parties
from ivr.web.scope import NotYours, Scope
from ivr.web.state import Web


async def accounts_of_party(running: Web, scope: Scope, kind: str, code: str) -> list[AccountRef]:
    """Name the accounts of a client, reseller or referrer, by currency.

    Raises:
        NotYours: nobody knows such a party, or it is somebody else's.

    """
    check_party(scope, kind, code)
    async with running.reading() as connection:
        found = set(await currencies_of(connection, scope, kind, code))
    for client in running.deps.directory().clients.values():
        ours = kind == "client" and client.code == code
        named = any((share.kind, share.account) == (kind, code) for share in client.shares)
        brought = kind == "referrer" and any(each.account == code for each in client.referrers)
        if ours or named or brought:
            found.add(client.currency)
    if not found:
        raise NotYours
    return [AccountRef(kind=kind, code=code, currency=currency) for currency in sorted(found)]


async def known_accounts(
    running: Web, scope: Scope, kinds: Sequence[str]
) -> dict[tuple[str, str, str], set[str]]:
    """List all parties (kind, code, currency) with the clients that they have a part of.

    Raises:
        NotYours: the visitor is no operator.

    """
    async with running.reading() as connection:
        found: dict[tuple[str, str, str], set[str]] = {
            key: set() for key in await known_parties(connection, scope, kinds)
        }
    for client in running.deps.directory().clients.values():
        named = [(share.kind, share.account) for share in client.shares]
        named += [("referrer", each.account) for each in client.referrers]
        for kind, code in named:
            if kind in kinds:
                found.setdefault((kind, code, client.currency), set()).add(client.code)
    return found
