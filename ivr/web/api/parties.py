"""Operations on clients, resellers and referrers as parties: money, terms, holds, statements."""

from __future__ import annotations

from typing import Final

from billing.domain.operations import AccountRef
from billing.domain.payouts import PayoutTerms
from billing.money import format_amount
from billing.payable import Held, payables
from billing.payout_holds import PayoutHolds
from billing.reports import Span
from billing.statements import PartyStatement
from ivr.calls.history import moment
from ivr.web import sheets
from ivr.web.admin.parties import described
from ivr.web.admin.payouts import payouts_of
from ivr.web.api import payout_models as models
from ivr.web.api.gate import Answer, Ask, FileAnswer, Operation, OperationHandler
from ivr.web.api.payout_files import bank_of, bank_view
from ivr.web.api.payouts import PARTIES
from ivr.web.api.places import PARTY
from ivr.web.party_accounts import accounts_of_party, known_accounts
from ivr.web.party_money import Money, read_money, read_statement, statement_grid
from ivr.web.problems import Refusal
from ivr.web.queries.parties import Earned, earned_by_client
from ivr.web.scope import OPERATORS, Right, Role


async def list_all(ask: Ask) -> Answer:
    """List resellers and referrers, whether they have earned anything yet or not."""
    assert isinstance(ask.query, models.PartiesQuery)
    query = ask.query
    kinds = (query.party,) if query.party else ("reseller", "referrer")
    above = await known_accounts(ask.web, ask.who.scope, kinds)
    place, text = query.place(str, str, str), (query.q or "").lower()
    wanted = sorted(key for key in above if text in key[1] and (place is None or key > place))
    keys, after = query.cut(wanted[: query.reach], lambda key: key)
    refs = [AccountRef(kind=kind, code=code, currency=money) for kind, code, money in keys]
    async with ask.web.reading() as connection:
        have = await payables(connection, refs, ask.web.now_us())
    holds = await _holds(ask).all()
    return Answer(
        model=models.Parties(
            items=tuple(
                models.PartyItem(
                    party=ref.kind,
                    account=ref.code,
                    currency=ref.currency,
                    clients=tuple(sorted(above[ref.kind, ref.code, ref.currency])),
                    pending=format_amount(have[ref].pending),
                    payable=format_amount(have[ref].payable),
                    held=(ref.kind, ref.code) in holds,
                )
                for ref in refs
            ),
            next=after,
        )
    )


async def show(ask: Ask) -> Answer:
    """Show a party."""
    return Answer(model=await _view(ask))


async def set_terms(ask: Ask) -> Answer:
    """Change when and where a party is paid; the same again changes nothing."""
    assert isinstance(ask.body, models.TermsEdit)
    body, (kind, code) = ask.body, await _named(ask)
    wanted = PayoutTerms(
        hold_back_days=body.hold_back_days,
        minimum=body.minimum,
        bank=bank_of(body.bank, "bank"),
    )
    before = await payouts_of(ask.web).terms(kind, code)
    if wanted != before:
        await payouts_of(ask.web).set_terms(kind, code, wanted)
        await ask.web.note(
            ask.who,
            "set payout terms",
            f"{kind}:{code}",
            before=described(before),
            after=described(wanted),
        )
    return Answer(model=await _view(ask))


async def hold(ask: Ask) -> Answer:
    """Hold a party's payouts; one that is held stays as it is."""
    assert isinstance(ask.body, models.NewHold)
    kind, code = await _named(ask)
    if await _holds(ask).of(kind, code) is None:
        done = await _holds(ask).hold(kind, code, reason=ask.body.reason, actor=ask.who.login)
        await ask.web.note(ask.who, "hold payouts", f"{kind}:{code}", after=done.reason)
    return Answer(model=await _view(ask))


async def release(ask: Ask) -> Answer:
    """Let a party's payouts go on."""
    kind, code = await _named(ask)
    before = await _holds(ask).of(kind, code)
    if await _holds(ask).release(kind, code) and before:
        await ask.web.note(ask.who, "release payouts", f"{kind}:{code}", before=before.reason)
    return Answer(model=await _view(ask))


async def statement(ask: Ask) -> Answer:
    """Show what moved on an account of a party."""
    found = await _statement(ask)
    return Answer(
        model=models.PartyStatement(
            party=found.party.kind,
            account=found.party.code,
            currency=found.party.currency,
            first=found.span.first,
            last=found.span.last,
            opening=format_amount(found.opening),
            items=tuple(
                models.DayMovements(
                    day=one.day, kind=one.kind, count=one.count, amount=format_amount(one.amount)
                )
                for one in found.movements
            ),
            closing=format_amount(found.closing),
        )
    )


async def list_earned(ask: Ask) -> Answer:
    """List what a party earned in some days, by client."""
    assert isinstance(ask.query, models.EarnedQuery)
    span = ask.query.span(ask.web.now().date())
    kind, code = await _named(ask)
    async with ask.web.reading() as connection:
        found = await earned_by_client(connection, ask.who.scope, kind, code, span)
    return Answer(
        model=models.Earned(
            party=kind,
            account=code,
            first=span.first,
            last=span.last,
            items=tuple(_earned(ask, one) for one in found),
        )
    )


def download(kind: str) -> OperationHandler:
    """Make the operation that answers a statement as a file of this kind."""

    async def answer(ask: Ask) -> FileAnswer:
        found = await _statement(ask)
        span, party = found.span, found.party
        body = await sheets.body_of(
            statement_grid(found),
            kind,
            facts=[
                ("Party", f"{party.kind} {party.code}"),
                ("Days", f"{span.first} to {span.last}"),
            ],
            issuer=ask.web.deps.issuer,
            now=ask.web.now(),
        )
        name = f"statement-{party.code}-{span.first}-{span.last}.{kind}"
        return FileAnswer(body=body, media=sheets.TYPES[kind], name=name)

    return answer


async def _statement(ask: Ask) -> PartyStatement:
    assert isinstance(ask.query, models.StatementQuery)
    refs = await _refs(ask)
    span = ask.query.span(ask.web.now().date())
    known = {ref.currency: ref for ref in refs}
    ref = known.get(ask.query.currency or refs[0].currency)
    if ref is None:
        raise Refusal("not_found", f"The party is paid in {', '.join(known)}.")
    async with ask.web.reading() as connection:
        return await read_statement(connection, ref, span)


async def _refs(ask: Ask) -> list[AccountRef]:
    kind, code = ask.named("party_kind"), ask.named("party_code")
    return await accounts_of_party(ask.web, ask.who.scope, kind, code)


async def _named(ask: Ask) -> tuple[str, str]:
    """Return kind and code of a party that is there."""
    refs = await _refs(ask)
    return refs[0].kind, refs[0].code


async def _view(ask: Ask) -> models.PartyView:
    refs = await _refs(ask)
    kind, code = refs[0].kind, refs[0].code
    today = ask.web.now().date()
    month = Span(first=today.replace(day=1), last=today)
    async with ask.web.reading() as connection:
        moneys = [await read_money(connection, ref, ask.web.now_us()) for ref in refs]
        earned = await earned_by_client(connection, ask.who.scope, kind, code, month)
    terms, held = moneys[0].terms, moneys[0].held
    return models.PartyView(
        party=kind,
        account=code,
        held=_hold(ask, held) if held else None,
        terms=models.PartyTerms(
            hold_back_days=terms.hold_back_days,
            minimum=format_amount(terms.minimum),
            bank=bank_view(terms.bank),
        ),
        money=tuple(map(_money, moneys)),
        earned=tuple(_earned(ask, one) for one in earned),
    )


def _hold(ask: Ask, held: Held) -> models.PartyHold:
    return models.PartyHold(
        reason=held.reason if ask.who.role is Role.OPERATOR else None,
        since=moment(held.held_us) or "",
        by=held.held_by if ask.who.role is Role.OPERATOR else None,
    )


def _money(one: Money) -> models.PartyMoney:
    return models.PartyMoney(
        currency=one.party.currency,
        posted=format_amount(one.payable.posted),
        pending=format_amount(one.payable.pending),
        requested=format_amount(one.payable.requested),
        payable=format_amount(one.payable.payable),
        soon=tuple(models.Soon(day=day, amount=format_amount(amount)) for day, amount in one.soon),
    )


def _earned(ask: Ask, one: Earned) -> models.EarnedItem:
    """A referrer sees its commissions alone, not what its clients sold."""
    told = ask.who.role is not Role.REFERRER
    return models.EarnedItem(
        client=one.client,
        currency=one.currency,
        calls=one.calls if told else None,
        gross=format_amount(one.gross) if told else None,
        amount=format_amount(one.amount),
    )


def _holds(ask: Ask) -> PayoutHolds:
    return PayoutHolds(engine=ask.web.deps.engine, clock=ask.web.deps.clock)


ONE: Final = f"/parties/{PARTY}"
OPERATIONS: Final = (
    Operation(
        method="GET", path="/parties", name="listParties",
        summary="List resellers and referrers with what they have", roles=OPERATORS,
        handler=list_all, query=models.PartiesQuery, answer=models.Parties,
    ),
    Operation(
        method="GET", path=ONE, name="showParty",
        summary="Show what a party has, its terms, and from whom it earns",
        roles=OPERATORS | PARTIES, handler=show, answer=models.PartyView, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"{ONE}/terms", name="setPayoutTerms",
        summary="Change when and where a party is paid, from its next payout on", roles=OPERATORS,
        right=Right.MONEY, handler=set_terms, body=models.TermsEdit, answer=models.PartyView,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="POST", path=f"{ONE}/hold", name="holdPayouts",
        summary="Hold the payouts of a party, with a reason", roles=OPERATORS, right=Right.MONEY,
        handler=hold, body=models.NewHold, answer=models.PartyView,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="POST", path=f"{ONE}/release", name="releasePayouts",
        summary="Let the payouts of a party go on", roles=OPERATORS, right=Right.MONEY,
        handler=release, answer=models.PartyView, problems=("not_found",),
    ),
    Operation(
        method="GET", path=f"{ONE}/earned", name="listEarned",
        summary="List what a party earned in some days, by client", roles=OPERATORS | PARTIES,
        handler=list_earned, query=models.EarnedQuery, answer=models.Earned,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET", path=f"{ONE}/statement", name="showPartyStatement",
        summary="Show what moved on an account of a party, by day and kind",
        roles=OPERATORS | PARTIES, handler=statement, query=models.StatementQuery,
        answer=models.PartyStatement, problems=("not_found", "invalid_input"),
    ),
    *(
        Operation(
            method="GET", path=f"{ONE}/statement/{kind}",
            name=f"downloadPartyStatement{kind.title()}",
            summary=f"Download the statement of a party as {kind.upper()}",
            roles=OPERATORS | PARTIES, handler=download(kind), query=models.StatementQuery,
            answer=None, media=sheets.TYPES[kind], problems=("not_found", "invalid_input"),
        )
        for kind in sheets.KINDS.split("|")
    ),
)  # fmt: skip
