"""Payouts for operators: who could be paid, what waits for a decision, and files for the bank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import Field

from billing.domain.operations import AccountRef
from billing.domain.payouts import PARTIES
from billing.money import format_amount
from billing.payout_batches import PayoutBatches
from billing.payouts import Payouts
from ivr.web.actions import PAYOUT_ACTIONS
from ivr.web.fields import (
    PAGE_SIZE,
    Code,
    Line,
    OptionalLine,
    PageInput,
    read_cursor,
    write_cursor,
)
from ivr.web.forms import FormKey, attempt, new_key, read_sent
from ivr.web.guard import Page, render
from ivr.web.lists import first_link, next_link, read_filter
from ivr.web.party_money import read_bank
from ivr.web.queries.payouts import (
    PayoutFilter,
    due_parties,
    find_payout,
    list_all_payouts,
    moved_before,
    payout_sums,
)
from ivr.web.scope import OPERATORS, Right, Who
from ivr.web.state import Web, web_of

PAYOUT_PATH: Final = "{payout_id:[0-9a-f-]{36}}"
FILE_PATH: Final = "{file_id:[0-9a-f-]{36}}"
PATH: Final = "/admin/payouts"
DUE_LOOKED_AT: Final = 50
FILES_SHOWN: Final = 12
FORMS: Final = {"csv": "text/csv", "xml": "application/xml"}
Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class PayoutsForm(PageInput):
    """Which payouts are listed; a party is written kind:code."""

    status: Literal["", "requested", "approved", "paid", "rejected"] = ""
    party: OptionalLine = None

    def wanted(self) -> PayoutFilter:
        """Return the filter; a party without a kind is any of that code."""
        kind, colon, code = (self.party or "").partition(":")
        if not colon:
            kind, code = "", kind
        return PayoutFilter(status=self.status or None, kind=kind or None, code=code or None)


class DecisionForm(PageInput):
    """What becomes of a payout; a rejection needs a note."""

    payout: Id
    move: Literal["approve", "reject", "pay"]
    note: OptionalLine = None


class CreateForm(PageInput):
    """A payout of all that a party can be paid, requested for it."""

    kind: Literal["client", "reseller", "referrer"]
    code: Code
    currency: Currency
    key: FormKey


class FileForm(PageInput):
    """A file for the bank: the currency, and the account that pays."""

    currency: Currency
    name: Annotated[Line, Field(min_length=1)]
    iban: Annotated[Line, Field(min_length=1)]
    bic: OptionalLine = None


def payouts_of(running: Web) -> Payouts:
    """Return the use-cases of payouts."""
    return Payouts(engine=running.deps.engine, clock=running.deps.clock)


def batches_of(running: Web) -> PayoutBatches:
    """Return the use-cases of files."""
    return PayoutBatches(engine=running.deps.engine, clock=running.deps.clock)


async def show(request: web.Request, who: Who) -> web.Response:
    """List payouts: what waits oldest first, all others newest first."""
    return await _page(request, who, typed={}, errors={})


async def _page(
    request: web.Request, who: Who, *, typed: Mapping[str, str], errors: Mapping[str, str]
) -> web.Response:
    running = web_of(request)
    form = read_filter(request, PayoutsForm)
    wanted = form.value.wanted()
    place = read_cursor(request.query.get("after", ""), str)
    async with running.reading() as connection:
        found = await list_all_payouts(
            connection, who.scope, wanted, after=place[0] if place else "", limit=PAGE_SIZE + 1
        )
        sums = await payout_sums(connection, who.scope, wanted)
        due = await due_parties(connection, who.scope, now_us=running.now_us(), limit=DUE_LOOKED_AT)
    files = await batches_of(running).files(limit=FILES_SHOWN)
    cursor = write_cursor(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None
    last = files[0].debtor if files else None
    known = {"name": last.name, "iban": last.iban, "bic": last.bic} if last else {}
    values = {
        "payouts": found[:PAGE_SIZE],
        "sums": sums,
        "due": due,
        "waiting": await batches_of(running).waiting(),
        "files": files,
        "form": form,
        "typed": {**known, **typed},
        "errors": errors,
        "kinds": PARTIES,
        "key": new_key(),
        "next": next_link(request, cursor),
        "first": first_link(request),
    }
    return render(request, "admin/payouts.html", who, values, status=422 if errors else 200)


async def decide(request: web.Request, who: Who) -> web.StreamResponse:
    """Approve, reject or note the payment of a payout; doing it again changes nothing."""
    sent = await read_sent(request, DecisionForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed={}, errors=sent.errors)
    use = payouts_of(web_of(request))
    if form.move == "approve":
        work = use.approve(form.payout, actor=who.login)
    elif form.move == "pay":
        work = use.pay(form.payout, actor=who.login)
    else:
        work = use.reject(form.payout, actor=who.login, note=form.note or "")
    done, refused = await attempt(work)
    if done is None:
        return await _page(request, who, typed={}, errors={"payout": refused})
    facts = f"{format_amount(done.amount)} {done.party.currency} to {done.party.code}"
    note = f", {done.note}" if form.move == "reject" else ""
    await web_of(request).note(who, PAYOUT_ACTIONS[form.move], done.id, after=facts + note)
    raise web.HTTPSeeOther(PATH)


async def create(request: web.Request, who: Who) -> web.StreamResponse:
    """Request for a party all that it can be paid, once per form."""
    sent = await read_sent(request, CreateForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed={}, errors=sent.errors)
    party = AccountRef(kind=form.kind, code=form.code, currency=form.currency)
    key = f"admin:{form.kind}:{form.code}:{form.key}"
    running = web_of(request)
    done, refused = await attempt(payouts_of(running).request(party, key=key, actor=who.login))
    if done is None:
        return await _page(request, who, typed={}, errors={"payout": refused})
    facts = f"{format_amount(done.amount)} {party.currency} to {party.code}"
    await running.note(who, "request payout", done.id, after=facts)
    raise web.HTTPSeeOther(f"{PATH}/{done.id}")


async def make_file(request: web.Request, who: Who) -> web.StreamResponse:
    """Put what is approved into a file for the bank; each payout is in one file."""
    sent = await read_sent(request, FileForm)
    form = sent.value
    if form is None:
        return await _page(request, who, typed=sent.typed, errors=sent.errors)
    debtor, errors = read_bank(form.name, form.iban, form.bic)
    if debtor is None:
        return await _page(request, who, typed=sent.typed, errors=errors)
    running = web_of(request)
    done, refused = await attempt(
        batches_of(running).make(form.currency, debtor=debtor, actor=who.login)
    )
    if done is None:
        return await _page(request, who, typed=sent.typed, errors={"file": refused})
    facts = f"{done.count} payouts, {format_amount(done.total)} {done.currency}"
    await running.note(who, "make payout file", done.id, after=facts)
    raise web.HTTPSeeOther(f"{PATH}#files")


async def download(request: web.Request, who: Who) -> web.Response:
    """Answer a file as it was made."""
    del who  # every operator may have it
    kind = request.match_info["form"]
    form = "csv" if kind == "csv" else "pain.001"
    file_id = request.match_info["file_id"]
    body = await batches_of(web_of(request)).write(file_id, form)
    return web.Response(
        body=body,
        content_type=FORMS[kind],
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="payouts-{file_id}.{kind}"'},
    )


async def show_one(request: web.Request, who: Who) -> web.Response:
    """Show one payout: where it stands, and what it was taken from."""
    async with web_of(request).reading() as connection:
        one = await find_payout(connection, who.scope, request.match_info["payout_id"])
        opening, moved, closing = await moved_before(connection, who.scope, one)
    values = {
        "one": one,
        "opening": opening,
        "moved": moved,
        "closing": closing,
    }
    return render(request, "admin/payout.html", who, values)


PAGES: Final = (
    Page(method="GET", path=PATH, roles=OPERATORS, handler=show),
    Page(method="POST", path=PATH, roles=OPERATORS, right=Right.MONEY, handler=decide),
    Page(method="POST", path=f"{PATH}/new", roles=OPERATORS, right=Right.MONEY, handler=create),
    Page(
        method="POST", path=f"{PATH}/files", roles=OPERATORS, right=Right.MONEY, handler=make_file
    ),
    Page(
        method="GET",
        path=f"{PATH}/files/{FILE_PATH}.{{form:csv|xml}}",
        roles=OPERATORS,
        handler=download,
    ),
    Page(method="GET", path=f"{PATH}/{PAYOUT_PATH}", roles=OPERATORS, handler=show_one),
)
