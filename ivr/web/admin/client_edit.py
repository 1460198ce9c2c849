"""A client is opened and changed: title, split, who brought it, rules; with a preview."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from aiohttp import web

from billing.ids import CODE
from billing.money import MICROS_PER_UNIT
from ivr.directory.client_rows import ClientRow
from ivr.directory.clients import save_client
from ivr.directory.model import Client
from ivr.web.admin.client_form import ROWS, Reading, fits, read_client, typed_of
from ivr.web.agreement_words import referrer_words, share_words, slices
from ivr.web.forms import attempt
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.queries.clients import find_client
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of

CLIENT_PATH: Final = "{client_code:[a-z0-9][a-z0-9_.-]*}"
PREVIEW: Final = 10 * MICROS_PER_UNIT
NEW: Final[dict[str, str]] = {"currency": "USD", "provider": "30", "client": "70"}


async def show_new(request: web.Request, who: Who) -> web.Response:
    """Show the form of a new client."""
    return _page(request, who, None, Reading(typed=NEW))


async def open_new(request: web.Request, who: Who) -> web.StreamResponse:
    """Open a client."""
    return await _save(request, who, None)


async def show(request: web.Request, who: Who) -> web.Response:
    """Show the form of a client."""
    row = await _row(request, who)
    return _page(request, who, row, Reading(typed=typed_of(row.client)))


async def save(request: web.Request, who: Who) -> web.StreamResponse:
    """Show what a change would do, or do it."""
    return await _save(request, who, await _row(request, who))


async def _row(request: web.Request, who: Who) -> ClientRow:
    async with web_of(request).reading() as connection:
        return await find_client(connection, who.scope, request.match_info["client_code"])


async def _save(request: web.Request, who: Who, row: ClientRow | None) -> web.StreamResponse:
    reading = Reading(typed=await read_form(request))
    code = row.client.code if row else reading.text("code")
    if row is None and not CODE.fullmatch(code):
        reading.errors["code"] = _("use a-z, 0-9, dot, dash and underscore, at most 64")
    wanted = read_client(reading, code, row.client if row else None)
    if wanted is None or reading.text("do") == "preview":
        return _page(request, who, row, reading, wanted)
    running = web_of(request)
    done, refused = await attempt(
        save_client(
            running.deps.engine,
            wanted,
            seen=reading.text("mark") if row else "",
            actor=who.login,
            clock=running.deps.clock,
            pin_key=running.deps.pin_key,
        )
    )
    if done is None:
        reading.errors["body"] = refused
        return _page(request, who, row, reading, wanted)
    if done.created or done.changed:
        await running.note(
            who,
            "change client" if row else "open client",
            code,
            before=described(row.client) if row else "",
            after=described(wanted),
        )
    raise web.HTTPSeeOther(f"/admin/clients/{code}?saved={'new' if row is None else 'yes'}")


async def set_suspended(request: web.Request, who: Who) -> web.StreamResponse:
    """Suspend a client or let its lines take calls again; doing it twice changes nothing."""
    row = await _row(request, who)
    form = await read_form(request)
    wanted = form.get("suspended") == "yes"
    running = web_of(request)
    if row.client.rules.suspended != wanted:
        changed = replace(row.client, rules=replace(row.client.rules, suspended=wanted))
        await save_client(
            running.deps.engine,
            changed,
            seen=row.mark,
            actor=who.login,
            clock=running.deps.clock,
            pin_key=running.deps.pin_key,
        )
        action = "suspend client" if wanted else "resume client"
        await running.note(who, action, row.client.code, after=form.get("reason", "").strip())
    raise web.HTTPSeeOther(f"/admin/clients/{row.client.code}")


def described(client: Client) -> str:
    """Write a client on one line, for the audit log."""
    rules = client.rules
    parts = [
        client.title,
        ", ".join(share_words(share) for share in client.shares),
        *(referrer_words(each) for each in client.referrers),
        f"calls at once {rules.calls_max}" if rules.calls_max else "",
        f"countries {', '.join(rules.countries)}" if rules.countries else "",
    ]
    return "; ".join(part for part in parts if part)


def _page(
    request: web.Request,
    who: Who,
    row: ClientRow | None,
    reading: Reading,
    wanted: Client | None = None,
) -> web.Response:
    now_us = web_of(request).now_us()
    before = row.client.shares_at(now_us) if row else None
    after = _started(wanted, row, now_us).shares_at(now_us) if wanted else before
    values = {
        "row": row,
        "fits": row is None or fits(row.client),
        "typed": reading.typed,
        "errors": reading.errors,
        "rows": range(ROWS),
        "parts": slices(PREVIEW, before, after),
        "previewed": wanted is not None,
        "preview": PREVIEW,
    }
    status = 422 if reading.errors else 200
    return render(request, "admin/client_edit.html", who, values, status=status)


def _started(client: Client, row: ClientRow | None, now_us: int) -> Client:
    """Let commissions without a beginning begin as they will when it is saved."""
    start_us = row.created_us if row else now_us
    return replace(client, referrers=tuple(each.starting(start_us) for each in client.referrers))


PAGES: Final = (
    Page(method="GET", path="/admin/new-client", roles=OPERATORS, handler=show_new),
    Page(
        method="POST",
        path="/admin/new-client",
        roles=OPERATORS,
        right=Right.LINES,
        handler=open_new,
    ),
    Page(method="GET", path=f"/admin/clients/{CLIENT_PATH}/edit", roles=OPERATORS, handler=show),
    Page(
        method="POST",
        path=f"/admin/clients/{CLIENT_PATH}/edit",
        roles=OPERATORS,
        right=Right.LINES,
        handler=save,
    ),
    Page(
        method="POST",
        path=f"/admin/clients/{CLIENT_PATH}/suspended",
        roles=OPERATORS,
        right=Right.LINES,
        handler=set_suspended,
    ),
)
