"""What a client's own logins may change, and how much callers may be charged: set by operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from billing.domain.notation import format_price
from billing.money import format_amount
from ivr.directory.destinations import DESTINATION_KINDS
from ivr.directory.edit_queues import save_limits
from ivr.directory.edits import version_of
from ivr.directory.limits import (
    EDITS,
    MINUTE,
    ClientLimits,
    beyond_limits,
    limits_document,
)
from ivr.directory.model import Client, Directory
from ivr.directory.own_lines import owner_of_tariff
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lines.desk import NOT_TRIED, Tried, editor_of, placed, read_lines, try_edit
from ivr.web.problems import Refusal
from ivr.web.queries.lines import changes_of
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

OWNER_PATH: Final = "{owner:[a-z0-9][a-z0-9_.-]{0,63}}"
FIELDS: Final = ("edit", "destinations", "price.from", "price.to", "setup_fee")


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the limits of a client."""
    return await _page(request, who)


def _client(request: web.Request, lines: Directory) -> Client:
    found = lines.clients.get(request.match_info["owner"])
    if found is None:
        raise Refusal("not_found", _("There is no such client."))
    return found


async def _page(
    request: web.Request,
    who: Who,
    *,
    tried: Tried = NOT_TRIED,
    typed: Mapping[str, str] | None = None,
) -> web.Response:
    lines = await read_lines(request, who)
    client = _client(request, lines)
    limits = client.rules.limits
    async with web_of(request).reading() as connection:
        changes = await changes_of(connection, who.scope, f"limits {client.code}")
    values = {
        "client": client,
        "version": version_of(limits_document(limits)),
        "fields": typed if typed is not None else _fields(limits),
        "edits": _edits(),
        "kinds": [(kind, words) for kind, words in _kinds()],
        "beyond": _beyond(client, lines),
        "errors": placed(tried.errors, FIELDS),
        "conflict": tried.conflict,
        "changes": changes,
        "done": "done" in request.query,
    }
    return render(request, "lines/limits.html", who, values, status=tried.status)


def _edits() -> list[tuple[str, str, str]]:
    words = {
        "topics": (_("Topics"), _("Names, digits, destinations, what happens otherwise.")),
        "hours": (_("Opening hours"), _("Of its lines and topics.")),
        "prompts": (_("Sounds"), _("Greetings and names of topics.")),
        "agents": (_("Agents"), _("Who stands in its queues, phones, numbers, PINs.")),
        "queues": (_("Queues"), _("Strategy, times, overflow; new ones.")),
        "tariffs": (_("Prices"), _("Tariffs of its own, and which topic has which.")),
    }
    return [(name, *words[name]) for name in EDITS]


def _kinds() -> list[tuple[str, str]]:
    words = {
        "queue": _("its queues"), "voicemail": _("voicemail"), "sip": _("any SIP phone"),
        "phone": _("phones in its countries"), "demo": _("the demo agent"),
    }  # fmt: skip
    return [(kind, words[kind]) for kind in DESTINATION_KINDS]


def _beyond(client: Client, lines: Directory) -> list[tuple[str, str]]:
    """List the client's own tariffs that do not fit its limits any more."""
    if client.rules.limits.price_to is None:
        return []
    return [
        (name, f"{place}: {reason}")
        for name, version in sorted(lines.tariffs.items())
        if owner_of_tariff(name) == client.code and "@" not in name
        for place, reason in list(beyond_limits(version.tariff, client.rules.limits))[:1]
    ]


def _fields(limits: ClientLimits) -> dict[str, str]:
    fields = {f"edit_{name}": "1" for name in limits.edit}
    fields |= {f"kind_{name}": "1" for name in limits.kinds}
    for name, price in (("from", limits.price_from), ("to", limits.price_to)):
        if price is not None:
            fields[f"price.{name}"] = format_price(price, MINUTE)
    return fields | {"setup_fee": format_amount(limits.setup_fee_max)}


async def save(request: web.Request, who: Who) -> web.StreamResponse:
    """Set the limits."""
    client = _client(request, await read_lines(request, who))
    typed = await read_form(request)
    prices = {
        name: typed[f"price.{name}"].strip()
        for name in ("from", "to")
        if typed.get(f"price.{name}", "").strip()
    }
    document: dict[str, Any] = {
        "edit": [name for name in EDITS if f"edit_{name}" in typed],
        "destinations": [kind for kind in DESTINATION_KINDS if f"kind_{kind}" in typed],
        **({"price": prices} if prices else {}),
        "setup_fee": typed.get("setup_fee", "").strip() or None,
    }
    tried = await try_edit(
        save_limits(
            editor_of(request, who), client.code, document, expected=typed.get("version", "")
        )
    )
    if tried.change is None:
        return await _page(request, who, tried=tried, typed=typed)
    before, after = tried.change.lines()
    subject = f"limits {client.code}"
    await web_of(request).note(who, "set limits", subject, before=before, after=after)
    raise web.HTTPSeeOther(f"/admin/limits/{client.code}?done=1")


PAGES: Final = (
    Page(method="GET", path=f"/admin/limits/{OWNER_PATH}", roles=OPERATORS, handler=show),
    Page(
        method="POST",
        path=f"/admin/limits/{OWNER_PATH}",
        roles=OPERATORS,
        handler=save,
        right=Right.LINES,
    ),
)
