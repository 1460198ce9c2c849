"""One client for operators: where it stands, its agreement and every version of it, its lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from billing.agreements import agreement_history
from billing.domain.operations import AccountRef
from billing.money import MICROS_PER_UNIT
from billing.payable import held, payables
from billing.reports import Span
from ivr.directory.model import Did
from ivr.web import grid
from ivr.web.admin.client_edit import CLIENT_PATH
from ivr.web.agreement_words import referrer_words, slices, versions
from ivr.web.grid import Grid
from ivr.web.guard import Page, render
from ivr.web.language import gettext as _
from ivr.web.queries.clients import (
    count_webhooks,
    find_client,
    logins_of,
    sold_in,
)
from ivr.web.scope import OPERATORS, Who
from ivr.web.state import web_of

PREVIEW: Final = 10 * MICROS_PER_UNIT


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a client."""
    running = web_of(request)
    code = request.match_info["client_code"]
    today = running.now().date()
    month = Span(first=today.replace(day=1), last=today)
    async with running.reading() as connection:
        row = await find_client(connection, who.scope, code)
        client = row.client
        party = AccountRef(kind="client", code=code, currency=client.currency)
        payable = (await payables(connection, [party], running.now_us()))[party]
        values = {
            "row": row,
            "client": client,
            "payable": payable,
            "held": await held(connection, "client", code),
            "history": versions(await agreement_history(connection, code)),
            "sold": await sold_in(connection, who.scope, code, month),
            "logins": await logins_of(connection, who.scope, "client", code),
            "webhooks": await count_webhooks(connection, who.scope, code),
        }
    dids = [did for did in running.deps.directory().dids.values() if did.client == code]
    shares = client.shares_at(running.now_us())
    values |= {
        "month": month,
        "shares": shares,
        "commissions": [referrer_words(each) for each in client.referrers],
        "parts": slices(PREVIEW, None, shares),
        "preview": PREVIEW,
        "lines": _lines(sorted(dids, key=lambda did: did.number), client.currency),
        "saved": request.query.get("saved") in {"yes", "new"},
    }
    return render(request, "admin/client.html", who, values)


def _lines(dids: Sequence[Did], currency: str) -> Grid:
    return Grid(
        caption=_("Lines"),
        titles=(_("DID"), _("Kind"), _("Topics"), _("Tariff"), _("Time zone"), _("Monthly fee")),
        rows=tuple(
            (
                grid.text(did.number),
                grid.text(did.kind),
                grid.text(", ".join(f"{one.digit} {one.name}" for one in did.topics)),
                grid.text(did.tariff),
                grid.text(did.timezone),
                grid.money(did.monthly_fee, currency),
            )
            for did in dids
        ),
        empty=_("The client has no DID."),
    )


PAGES: Final = (
    Page(method="GET", path=f"/admin/clients/{CLIENT_PATH}", roles=OPERATORS, handler=show),
)
