"""Parties for operators: resellers and referrers, and the money of each party, clients too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.domain.operations import AccountRef
from billing.domain.payouts import HOLD_BACK_DAYS_MAX, Payable, PayoutTerms
from billing.money import format_amount
from billing.payable import payables
from billing.payout_holds import PayoutHolds
from billing.payouts import Payouts
from billing.reports import Span
from ivr.web import sheets
from ivr.web.fields import (
    PAGE_SIZE,
    CreditLimit,
    Line,
    OptionalLine,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.forms import attempt, read_sent
from ivr.web.guard import Page, read_form, render
from ivr.web.language import gettext as _
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.party_accounts import accounts_of_party, known_accounts
from ivr.web.party_money import (
    month_span,
    months_until,
    payouts_grid,
    read_bank,
    read_money,
    read_statement,
    statement_grid,
)
from ivr.web.queries.clients import logins_of
from ivr.web.queries.parties import (
    client_titles,
    earned_by_client,
)
from ivr.web.queries.payouts import list_party_payouts
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import web_of
from ivr.web.words import typed_amount

PARTY_PATH: Final = "{party_kind:client|reseller|referrer}/{party_code:[a-z0-9][a-z0-9_.-]*}"
LISTED: Final = 20


class PartiesForm(PageInput):
    """Which parties are listed."""

    q: OptionalLine = None
    kind: Literal["", "reseller", "referrer"] = ""


class TermsForm(PageInput):
    """When and where a party is paid."""

    hold_back_days: Annotated[int, Field(ge=0, le=HOLD_BACK_DAYS_MAX)]
    minimum: CreditLimit = 0
    name: OptionalLine = None
    iban: OptionalLine = None
    bic: OptionalLine = None


class HoldForm(PageInput):
    """Why payouts are held."""

    reason: Annotated[Line, Field(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyItem:
    """One line of the list."""

    party: AccountRef
    clients: tuple[str, ...]
    payable: Payable
    held: bool


async def show_all(request: web.Request, who: Who) -> web.Response:
    """List resellers and referrers, whether they have earned anything yet or not."""
    running = web_of(request)
    form = read_filter(request, PartiesForm)
    place = read_cursor(request.query.get("after", ""), str, str, str)
    kinds = (form.value.kind,) if form.value.kind else ("reseller", "referrer")
    above = await known_accounts(running, who.scope, kinds)
    wanted = sorted(
        key
        for key in above
        if (form.value.q or "").lower() in key[1] and (not place or key > tuple(place))
    )[: PAGE_SIZE + 1]
    refs = [AccountRef(kind=kind, code=code, currency=money) for kind, code, money in wanted]
    async with running.reading() as connection:
        have = await payables(connection, refs[:PAGE_SIZE], running.now_us())
    holds = await _holds(request).all()
    items = [
        PartyItem(
            party=ref,
            clients=tuple(sorted(above[ref.kind, ref.code, ref.currency])),
            payable=have[ref],
            held=(ref.kind, ref.code) in holds,
        )
        for ref in refs[:PAGE_SIZE]
    ]
    cursor = write_cursor(*wanted[PAGE_SIZE - 1]) if len(wanted) > PAGE_SIZE else None
    values = {
        "parties": items,
        "form": form,
        "filtered": bool(form.value.q or form.value.kind),
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/parties.html", who, values)


def _holds(request: web.Request) -> PayoutHolds:
    deps = web_of(request).deps
    return PayoutHolds(engine=deps.engine, clock=deps.clock)


def _payouts(request: web.Request) -> Payouts:
    deps = web_of(request).deps
    return Payouts(engine=deps.engine, clock=deps.clock)


def _named(request: web.Request) -> tuple[str, str]:
    return request.match_info["party_kind"], request.match_info["party_code"]


async def _refs(request: web.Request, who: Who) -> list[AccountRef]:
    """Name the accounts of the party of the address."""
    return await accounts_of_party(web_of(request), who.scope, *_named(request))


async def show(request: web.Request, who: Who) -> web.Response:
    """Show a party's money."""
    return await _page(request, who, typed={}, errors={})


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    running = web_of(request)
    kind, code = _named(request)
    refs = await _refs(request, who)
    today = running.now().date()
    month = Span(first=today.replace(day=1), last=today)
    async with running.reading() as connection:
        moneys = [await read_money(connection, ref, running.now_us()) for ref in refs]
        listed = {
            ref.currency: payouts_grid(
                await list_party_payouts(connection, who.scope, ref, limit=LISTED),
                "/admin/payouts",
            )
            for ref in refs
        }
        earned = await earned_by_client(connection, who.scope, kind, code, month)
        titles = await client_titles(connection, [one.client for one in earned])
        logins = await logins_of(connection, who.scope, kind, code)
    terms = moneys[0].terms
    known = {
        "hold_back_days": str(terms.hold_back_days),
        "minimum": typed_amount(terms.minimum) if terms.minimum else "",
        "name": terms.bank.name,
        "iban": terms.bank.iban,
        "bic": terms.bank.bic,
    }
    values = {
        "kind": kind,
        "code": code,
        "moneys": moneys,
        "payouts": listed,
        "earned": earned,
        "titles": titles,
        "logins": logins,
        "months": months_until(today),
        "typed": {**known, **typed},
        "errors": errors,
        "saved": request.query.get("saved") == "yes",
    }
    return render(request, "admin/party.html", who, values, status=422 if errors else 200)


async def set_terms(request: web.Request, who: Who) -> web.StreamResponse:
    """Change when and where a party is paid, from its next payout on."""
    kind, code = _named(request)
    await _refs(request, who)
    sent = await read_sent(request, TermsForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    bank, errors = read_bank(form.name, form.iban, form.bic)
    if bank is None:
        return await _page(request, who, typed=sent.typed, errors=errors)
    wanted = PayoutTerms(hold_back_days=form.hold_back_days, minimum=form.minimum, bank=bank)
    before = await _payouts(request).terms(kind, code)
    if wanted != before:
        await _payouts(request).set_terms(kind, code, wanted)
        await web_of(request).note(
            who,
            "set payout terms",
            f"{kind}:{code}",
            before=described(before),
            after=described(wanted),
        )
    raise web.HTTPSeeOther(f"/admin/parties/{kind}/{code}?saved=yes")


def described(terms: PayoutTerms) -> str:
    """Write terms on one line, for the audit log."""
    bank = terms.bank
    return (
        f"after {terms.hold_back_days} days, at least {format_amount(terms.minimum)}, "
        f"to {bank.name or 'nobody'} {bank.iban} {bank.bic}"
    ).strip()


async def hold(request: web.Request, who: Who) -> web.StreamResponse:
    """Hold a party's payouts; one that is held stays as it is."""
    kind, code = _named(request)
    await _refs(request, who)
    sent = await read_sent(request, HoldForm)
    if sent.value is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    reason = sent.value.reason
    if await _holds(request).of(kind, code) is None:
        done, refused = await attempt(
            _holds(request).hold(kind, code, reason=reason, actor=who.login)
        )
        if done is None:
            return await _page(request, who, typed=sent.typed, errors={"reason": refused})
        await web_of(request).note(who, "hold payouts", f"{kind}:{code}", after=done.reason)
    raise web.HTTPSeeOther(f"/admin/parties/{kind}/{code}")


async def release(request: web.Request, who: Who) -> web.StreamResponse:
    """Let a party's payouts go on."""
    kind, code = _named(request)
    await _refs(request, who)
    await read_form(request)
    before = await _holds(request).of(kind, code)
    if await _holds(request).release(kind, code) and before:
        await web_of(request).note(
            who, "release payouts", f"{kind}:{code}", before=before.reason, after=""
        )
    raise web.HTTPSeeOther(f"/admin/parties/{kind}/{code}")


async def show_statement(request: web.Request, who: Who) -> web.Response:
    """Show a party's statement of a month."""
    running = web_of(request)
    today = running.now().date()
    span = month_span(request.query.get("month", ""), today)
    refs = await _refs(request, who)
    async with running.reading() as connection:
        tables = [
            (ref.currency, statement_grid(await read_statement(connection, ref, span)))
            for ref in refs
        ]
    values = {
        "kind": refs[0].kind,
        "code": refs[0].code,
        "tables": tables,
        "month": f"{span.first:%Y-%m}",
        "months": months_until(today),
        "back": f"/admin/parties/{refs[0].kind}/{refs[0].code}",
    }
    return render(request, "admin/party_statement.html", who, values)


async def download_statement(request: web.Request, who: Who) -> web.Response:
    """Answer a statement as a file, in one currency."""
    running = web_of(request)
    span = month_span(request.query.get("month", ""), running.now().date())
    refs = await _refs(request, who)
    wanted = request.query.get("currency", refs[0].currency)
    ref = next((one for one in refs if one.currency == wanted), refs[0])
    async with running.reading() as connection:
        table = statement_grid(await read_statement(connection, ref, span))
    return await sheets.file_of(
        table,
        request.match_info["file"],
        name=f"statement-{ref.code}-{span.first:%Y-%m}",
        facts=[(_("Party"), f"{ref.kind} {ref.code}"), (_("Month"), f"{span.first:%Y-%m}")],
        issuer=running.deps.issuer,
        now=running.now(),
    )


PAGES: Final = (
    Page(method="GET", path="/admin/parties", roles=OPERATORS, handler=show_all),
    Page(method="GET", path=f"/admin/parties/{PARTY_PATH}", roles=OPERATORS, handler=show),
    Page(
        method="GET",
        path=f"/admin/parties/{PARTY_PATH}/statement",
        roles=OPERATORS,
        handler=show_statement,
    ),
    Page(
        method="GET",
        path=f"/admin/parties/{PARTY_PATH}/statement.{{file:{sheets.KINDS}}}",
        roles=OPERATORS,
        handler=download_statement,
    ),
    Page(
        method="POST",
        path=f"/admin/parties/{PARTY_PATH}/terms",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=set_terms,
    ),
    Page(
        method="POST",
        path=f"/admin/parties/{PARTY_PATH}/hold",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=hold,
    ),
    Page(
        method="POST",
        path=f"/admin/parties/{PARTY_PATH}/release",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=release,
    ),
)
