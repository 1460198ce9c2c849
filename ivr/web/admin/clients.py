"""Clients for operators: how revenue is shared, every agreement there was, DIDs and topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from billing.agreements import Agreement, agreement_history
from billing.domain.notation import format_percent
from billing.domain.splits import Share
from billing.money import format_amount
from ivr.directory.model import Client, Did
from ivr.web import grid
from ivr.web.grid import Grid
from ivr.web.guard import Page, render
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import web_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A client as the page shows it."""

    client: Client
    shares: tuple[Share, ...]
    agreements: Grid
    lines: Grid


async def show(request: web.Request, who: Who) -> web.Response:
    """List the clients."""
    running = web_of(request)
    directory = running.deps.directory()
    found = []
    async with running.reading() as connection:
        for code in sorted(directory.clients):
            client = directory.clients[code]
            history = await agreement_history(connection, code)
            dids = [did for did in directory.dids.values() if did.client == code]
            found.append(
                Shown(
                    client=client,
                    shares=client.shares_at(running.now_us()),
                    agreements=_agreements(history),
                    lines=_lines(sorted(dids, key=lambda did: did.number)),
                )
            )
    return render(request, "admin/clients.html", who, {"clients": found})


def _agreements(history: Sequence[Agreement]) -> Grid:
    return Grid(
        caption="Agreements",
        titles=("Version", "In force from", "Split", "Referrers"),
        rows=tuple(
            (
                grid.text(str(one.version)),
                grid.moment(one.in_force_us),
                grid.text(", ".join(_share(share) for share in one.shares)),
                grid.text(
                    ", ".join(
                        f"{each.account} {format_percent(each.basis_points)} of the {each.of}"
                        for each in one.referrers
                    )
                ),
            )
            for one in reversed(history)
        ),
        empty="The agreement has not changed since it was made.",
    )


def _share(share: Share) -> str:
    fee = f" after {format_amount(share.fixed_fee)} a call" if share.fixed_fee else ""
    return f"{share.kind} {format_percent(share.basis_points)}{fee}"


def _lines(dids: Sequence[Did]) -> Grid:
    rows = []
    for did in dids:
        topics = [(f"{topic.digit} {topic.name}", topic.tariff) for topic in did.topics]
        for name, tariff in topics or [("none", None)]:
            rows.append(
                (
                    grid.text(did.number),
                    grid.text(name),
                    grid.text(tariff or did.tariff),
                    grid.text(did.timezone),
                )
            )
    return Grid(
        caption="DIDs and topics",
        titles=("DID", "Topic", "Tariff", "Time zone"),
        rows=tuple(rows),
        empty="The client has no DID.",
    )


PAGES: Final = (Page(method="GET", path="/admin/clients", roles=OPERATORS, handler=show),)
