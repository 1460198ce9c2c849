"""The money of clients, resellers and referrers: what they have, ask for and got; statements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from billing.domain.operations import AccountRef
from billing.money import format_amount
from ivr.web import grid, sheets
from ivr.web.admin.payouts import payouts_of
from ivr.web.fields import PAGE_SIZE, PageInput, TopUpAmount, read_cursor, write_cursor
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.grid import Grid
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link
from ivr.web.party_money import (
    month_span,
    months_until,
    payouts_grid,
    read_money,
    read_statement,
    statement_grid,
)
from ivr.web.queries.parties import KIND_OF_ROLE, currencies_of
from ivr.web.queries.payouts import find_payout, list_party_payouts, moved_before
from ivr.web.scope import CLIENTS, REFERRERS, RESELLERS, NotYours, Right, Who
from ivr.web.state import web_of

PARTIES: Final = CLIENTS | RESELLERS | REFERRERS
PAYOUT_PATH: Final = "{payout_id:[0-9a-f-]{36}}"
PATH: Final = "/portal/payouts"


class RequestForm(PageInput):
    """A request; without an amount it is for all that is payable."""

    amount: TopUpAmount | None = None
    key: FormKey


async def show(request: web.Request, who: Who) -> web.Response:
    """Show what the visitor's party has and asked for."""
    return await _page(request, who, typed={}, errors={})


async def accounts_of(request: web.Request, who: Who) -> list[AccountRef]:
    """Name the visitor's own accounts, one per currency; nothing that is sent says whose."""
    kind, code = KIND_OF_ROLE.get(who.role), who.scope.subject
    if kind is None or not code:
        raise NotYours
    running = web_of(request)
    known = running.deps.directory().clients
    under = {code} if kind == "client" else who.scope.under
    found = {known[name].currency for name in under if name in known}
    async with running.reading() as connection:
        found |= set(await currencies_of(connection, who.scope, kind, code))
    if not found:
        raise NotYours
    return [AccountRef(kind=kind, code=code, currency=currency) for currency in sorted(found)]


async def _party(request: web.Request, who: Who) -> tuple[AccountRef, list[AccountRef]]:
    """Choose the account that a page is about: the first, or the one of a currency."""
    refs = await accounts_of(request, who)
    wanted = request.query.get("currency", "")
    return next((ref for ref in refs if ref.currency == wanted), refs[0]), refs


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    running = web_of(request)
    party, refs = await _party(request, who)
    place = read_cursor(request.query.get("after", ""), str)
    async with running.reading() as connection:
        money = await read_money(connection, party, running.now_us())
        found = await list_party_payouts(
            connection, who.scope, party, before=place[0] if place else "", limit=PAGE_SIZE + 1
        )
    cursor = write_cursor(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None
    values = {
        "money": money,
        "party": party,
        "currencies": [ref.currency for ref in refs],
        "payouts": payouts_grid(found[:PAGE_SIZE], PATH),
        "fees": _fees(request, party) if party.kind == "client" else None,
        "asked": request.query.get("asked") == "yes" and bool(found),
        "newest": found[0] if found else None,
        "next": next_link(request, cursor),
        "first": first_link(request),
        "typed": typed,
        "errors": errors,
        "key": new_key(),
    }
    return render(request, "portal/payouts.html", who, values, status=422 if errors else 200)


def _fees(request: web.Request, party: AccountRef) -> Grid:
    """List what a client pays the provider for its lines each month."""
    dids = web_of(request).deps.directory().dids.values()
    mine = sorted((did for did in dids if did.client == party.code), key=lambda did: did.number)
    return Grid(
        caption=_("Monthly fees"),
        titles=(_("DID"), _("A month")),
        rows=tuple(
            (grid.text(did.number), grid.money(did.monthly_fee, party.currency))
            for did in mine
            if did.monthly_fee
        ),
        empty=_("Your lines cost no monthly fee."),
    )


async def ask(request: web.Request, who: Who) -> web.StreamResponse:
    """Request a payout, once per form."""
    party, _refs = await _party(request, who)
    sent = await read_sent(request, RequestForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    running = web_of(request)
    done, refused = await attempt(
        payouts_of(running).request(
            party,
            key=f"web:{party.kind}:{party.code}:{form.key}",
            actor=who.login,
            amount=form.amount,
        )
    )
    if done is None:
        return await _page(request, who, typed=sent.typed, errors={"amount": refused})
    facts = f"{format_amount(done.amount)} {party.currency} to {party.code}"
    await running.note(who, "request payout", done.id, after=facts)
    raise web.HTTPSeeOther(f"{PATH}?currency={party.currency}&asked=yes")


async def show_one(request: web.Request, who: Who) -> web.Response:
    """Show one payout: where it stands, and what it was taken from."""
    return await _payout_page(request, who)


async def _payout_page(request: web.Request, who: Who, *, refused: str = "") -> web.Response:
    async with web_of(request).reading() as connection:
        one = await find_payout(connection, who.scope, request.match_info["payout_id"])
        opening, moved, closing = await moved_before(connection, who.scope, one)
    values = {
        "one": one,
        "opening": opening,
        "moved": moved,
        "closing": closing,
        "refused": refused,
    }
    status = 409 if refused else 200
    return render(request, "portal/payout.html", who, values, status=status)


async def withdraw(request: web.Request, who: Who) -> web.StreamResponse:
    """Take back a request of the visitor's own party; again changes nothing."""
    running = web_of(request)
    async with running.reading() as connection:
        one = await find_payout(connection, who.scope, request.match_info["payout_id"])
    await read_form(request)
    done, refused = await attempt(payouts_of(running).withdraw(one.id, actor=who.login))
    if done is None:
        return await _payout_page(request, who, refused=refused)
    if one.status != done.status:
        facts = f"{format_amount(done.amount)} {done.party.currency} to {done.party.code}"
        await running.note(who, "withdraw payout", done.id, after=facts)
    raise web.HTTPSeeOther(f"{PATH}/{done.id}")


async def show_statement(request: web.Request, who: Who) -> web.Response:
    """Show the statement of a month."""
    running = web_of(request)
    today = running.now().date()
    party, refs = await _party(request, who)
    span = month_span(request.query.get("month", ""), today)
    async with running.reading() as connection:
        table = statement_grid(await read_statement(connection, party, span))
    values = {
        "party": party,
        "currencies": [ref.currency for ref in refs],
        "table": table,
        "month": f"{span.first:%Y-%m}",
        "months": months_until(today),
    }
    return render(request, "portal/statement.html", who, values)


async def download_statement(request: web.Request, who: Who) -> web.Response:
    """Answer the statement of a month as a file."""
    running = web_of(request)
    party, _refs = await _party(request, who)
    span = month_span(request.query.get("month", ""), running.now().date())
    async with running.reading() as connection:
        table = statement_grid(await read_statement(connection, party, span))
    return await sheets.file_of(
        table,
        request.match_info["file"],
        name=f"statement-{party.code}-{span.first:%Y-%m}",
        facts=[(_("Party"), f"{party.kind} {party.code}"), (_("Month"), f"{span.first:%Y-%m}")],
        issuer=running.deps.issuer,
        now=running.now(),
    )


PAGES: Final = (
    Page(method="GET", path=PATH, roles=PARTIES, handler=show),
    Page(method="POST", path=PATH, roles=PARTIES, right=Right.MONEY, handler=ask),
    Page(method="GET", path=f"{PATH}/{PAYOUT_PATH}", roles=PARTIES, handler=show_one),
    Page(
        method="POST",
        path=f"{PATH}/{PAYOUT_PATH}/withdraw",
        roles=PARTIES,
        right=Right.MONEY,
        handler=withdraw,
    ),
    Page(method="GET", path="/portal/statement", roles=PARTIES, handler=show_statement),
    Page(
        method="GET",
        path=f"/portal/statement.{{file:{sheets.KINDS}}}",
        roles=PARTIES,
        handler=download_statement,
    ),
)
