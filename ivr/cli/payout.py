"""`talkmeter payout`: what parties can be paid, requests, decisions, and the file for the bank."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from billing.money import format_amount, parse_amount
from ivr.cli import context

if TYPE_CHECKING:
    from billing.domain.operations import AccountRef
    from billing.payouts import Payout, Payouts
    from ivr.settings import Settings

T = TypeVar("T")

app = typer.Typer(help="Payouts to clients, resellers and referrers.", no_args_is_help=True)
Party = Annotated[str, typer.Argument(help="client:CODE, reseller:CODE or referrer:CODE")]
CurrencyOption = Annotated[str, typer.Option(help="Currency of the party's account.")]


@app.command()
def terms(
    party: Party,
    hold_back: Annotated[int | None, typer.Option(help="Days that shares stay pending.")] = None,
    minimum: Annotated[str | None, typer.Option(help="The least that is paid out.")] = None,
    name: Annotated[str | None, typer.Option(help="Holder of the bank account.")] = None,
    iban: Annotated[str | None, typer.Option(help="Its IBAN.")] = None,
    bic: Annotated[str | None, typer.Option(help="Its BIC, where the bank wants one.")] = None,
    json: context.JsonFlag = False,
) -> None:
    """Show or set how long a party waits, the least payout and the bank account."""
    from billing.domain.payouts import BankAccount, PayoutTerms

    kind, code = _split(party)

    async def work(payouts: Payouts) -> PayoutTerms:
        old = await payouts.terms(kind, code)
        new = PayoutTerms(
            hold_back_days=old.hold_back_days if hold_back is None else hold_back,
            minimum=old.minimum if minimum is None else parse_amount(minimum),
            bank=BankAccount(
                name=old.bank.name if name is None else name,
                iban=old.bank.iban if iban is None else iban.replace(" ", "").upper(),
                bic=old.bank.bic if bic is None else bic.upper(),
            ),
        )
        if new != old:
            await payouts.set_terms(kind, code, new)
        return new

    set_to = _with_payouts(work)
    document = {
        "party": party,
        "hold_back_days": set_to.hold_back_days,
        "minimum": format_amount(set_to.minimum),
        "name": set_to.bank.name,
        "iban": set_to.bank.iban,
        "bic": set_to.bank.bic,
    }
    if json:
        context.emit(document)
    else:
        for field, value in document.items():
            context.say(f"{field:<16} {value}")


@app.command("payable")
def show_payable(
    party: Party, currency: CurrencyOption = "USD", json: context.JsonFlag = False
) -> None:
    """Show what a party has, what of it is pending, and what can be requested now."""
    ref = _ref(party, currency)
    found = _with_payouts(lambda payouts: payouts.payable(ref))
    document = {
        "party": party,
        "currency": currency,
        "balance": format_amount(found.posted),
        "pending": format_amount(found.pending),
        "requested": format_amount(found.requested),
        "payable": format_amount(found.payable),
    }
    if json:
        context.emit(document)
    else:
        for field, value in document.items():
            context.say(f"{field:<10} {value:>16}")


@app.command()
def create(
    party: Party,
    key: Annotated[str, typer.Option(help="The same key never pays twice.")],
    amount: Annotated[str | None, typer.Option(help="All that is payable by default.")] = None,
    currency: CurrencyOption = "USD",
    json: context.JsonFlag = False,
) -> None:
    """Request a payout; its money leaves the party's balance at once."""
    ref = _ref(party, currency)
    wanted = None if amount is None else parse_amount(amount)
    _show(
        _with_payouts(lambda payouts: payouts.request(ref, key=key, actor="cli", amount=wanted)),
        json=json,
    )


@app.command("list")
def list_all(
    status: Annotated[
        str | None, typer.Option(help="requested, approved, paid or rejected")
    ] = None,
    after: Annotated[str, typer.Option(help="Last id of the page before.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=500)] = 100,
    json: context.JsonFlag = False,
) -> None:
    """List payouts, oldest first."""
    listed = _listed(status, after=after, limit=limit)
    if json:
        context.emit([_document(payout) for payout in listed])
        return
    for payout in listed:
        _show(payout, json=False)
    if not listed:
        context.say("there are no payouts")


@app.command()
def approve(payout_id: str, json: context.JsonFlag = False) -> None:
    """Release a payout to the bank."""
    _show(_with_payouts(lambda payouts: payouts.approve(payout_id, actor="cli")), json=json)


@app.command()
def reject(
    payout_id: str,
    reason: Annotated[str, typer.Option(help="Why; the party reads it.")],
    json: context.JsonFlag = False,
) -> None:
    """Give the money of a payout back to the party."""
    _show(
        _with_payouts(lambda payouts: payouts.reject(payout_id, actor="cli", note=reason)),
        json=json,
    )


@app.command()
def pay(payout_id: str, json: context.JsonFlag = False) -> None:
    """Note that the bank paid an approved payout."""
    _show(_with_payouts(lambda payouts: payouts.pay(payout_id, actor="cli")), json=json)


@app.command("file")
def write_file(
    out: Annotated[Path, typer.Option(help="Where to write.")],
    output: Annotated[str, typer.Option("--format", help="csv or pain.001")] = "csv",
    currency: CurrencyOption = "EUR",
    debtor_name: Annotated[str, typer.Option(help="Holder of the paying account.")] = "",
    debtor_iban: Annotated[str, typer.Option(help="IBAN of the paying account.")] = "",
    debtor_bic: Annotated[str, typer.Option(help="BIC of the paying account.")] = "",
) -> None:
    """Write the approved payouts of a currency for the bank; nothing is marked as paid."""
    if output not in {"csv", "pain.001"}:
        raise typer.BadParameter("write csv or pain.001", param_hint="--format")
    from billing.clock import SystemClock
    from billing.domain.payouts import BankAccount
    from billing.ids import new_id
    from billing.payout_files import csv_file, pain_001

    debtor = BankAccount(
        name=debtor_name, iban=debtor_iban.replace(" ", "").upper(), bic=debtor_bic.upper()
    )
    listed = [
        payout
        for payout in _listed("approved", after="", limit=0)
        if payout.party.currency == currency
    ]
    if not listed:
        context.fail(f"no payout in {currency} is approved")
    clock = SystemClock()
    content = (
        csv_file(listed).encode()
        if output == "csv"
        else pain_001(
            listed, debtor=debtor, message_id=new_id(clock).replace("-", ""), at=clock.now()
        )
    )
    fresh = out.with_name(out.name + ".new")
    fresh.write_bytes(content)
    fresh.replace(out)
    total = format_amount(sum(payout.amount for payout in listed))
    context.say(f"{out}: {len(listed)} payouts, {total} {currency}")


def _listed(status: str | None, *, after: str, limit: int) -> list[Payout]:
    """List payouts; a limit of 0 reads page after page to the end."""
    from billing.domain.payouts import PayoutStatus
    from billing.payouts import PAGE_MAX

    if status is not None and status not in set(PayoutStatus):
        raise typer.BadParameter(f"write one of {', '.join(PayoutStatus)}", param_hint="--status")
    wanted = None if status is None else PayoutStatus(status)

    async def work(payouts: Payouts) -> list[Payout]:
        found = await payouts.list_payouts(status=wanted, after=after, limit=limit or PAGE_MAX)
        page = found
        while not limit and len(page) == PAGE_MAX:
            page = await payouts.list_payouts(status=wanted, after=page[-1].id, limit=PAGE_MAX)
            found += page
        return found

    return _with_payouts(work)


def _with_payouts(work: Callable[[Payouts], Awaitable[T]]) -> T:
    async def opened(settings: Settings) -> T:
        from billing.clock import SystemClock
        from billing.payouts import Payouts
        from ivr.cli.database import database

        async with database(settings) as engine:
            return await work(Payouts(engine=engine, clock=SystemClock()))

    return context.run(opened(context.settings()))


def _split(party: str) -> tuple[str, str]:
    kind, colon, code = party.partition(":")
    if not colon or not code:
        raise typer.BadParameter("write client:CODE, reseller:CODE or referrer:CODE")
    return kind, code


def _ref(party: str, currency: str) -> AccountRef:
    from billing.domain.operations import AccountRef

    kind, code = _split(party)
    return AccountRef(kind=kind, code=code, currency=currency)


def _document(payout: Payout) -> dict[str, object]:
    return {
        "id": payout.id,
        "party": f"{payout.party.kind}:{payout.party.code}",
        "amount": format_amount(payout.amount),
        "currency": payout.party.currency,
        "status": payout.status,
        "name": payout.bank.name,
        "iban": payout.bank.iban,
        "note": payout.note,
    }


def _show(payout: Payout, *, json: bool) -> None:
    document = _document(payout)
    if json:
        context.emit(document)
    else:
        context.say(
            f"{document['id']}  {document['party']:<24} {document['amount']:>14} "
            f"{document['currency']} {document['status']:<10} {document['iban']}"
        )
