"""Operations on clients: read, open, change, preview, suspend; agreements and limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Final

from billing.agreements import Agreement, agreement_history
from billing.clock import microseconds_of
from billing.domain.agreements import Referrer
from billing.domain.operations import AccountRef
from billing.domain.splits import PROVIDER, Share, check_shares
from billing.errors import InvalidShares
from billing.ids import CODE
from billing.money import format_amount
from billing.payable import held, payables
from billing.reports import Span
from ivr.calls.history import moment
from ivr.directory.client_rows import ClientRow
from ivr.directory.clients import save_client
from ivr.directory.edit_queues import save_limits
from ivr.directory.edits import version_of
from ivr.directory.limits import limits_document
from ivr.directory.model import Client
from ivr.directory.rules import ClientRules
from ivr.web.admin.client_edit import described
from ivr.web.agreement_words import slices, versions
from ivr.web.api import client_models as models
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.lines import REFUSALS, change, editor
from ivr.web.api.places import CLIENT_CODE
from ivr.web.problems import wrong_fields
from ivr.web.queries import clients as queries
from ivr.web.scope import OPERATORS, NotYours, Right

WRITES: Final = (
    "not_found", "invalid_input", "invalid_shares", "edit_refused", "changed_meanwhile",
)  # fmt: skip


async def list_all(ask: Ask) -> Answer:
    """List clients by code."""
    assert isinstance(ask.query, models.ClientsQuery)
    query = ask.query
    async with ask.web.reading() as connection:
        found = await queries.list_clients(
            connection,
            ask.who.scope,
            queries.ClientFilter(text=query.q, state=query.state),
            _month(ask),
            now_us=ask.web.now_us(),
            after=query.place(str) or "",
            limit=query.reach,
        )
    items, after = query.cut(found, lambda one: one.code)
    return Answer(
        model=models.Clients(
            items=tuple(
                models.ClientItem(
                    client=one.code,
                    title=one.title,
                    currency=one.currency,
                    suspended=one.suspended,
                    payouts_held=one.held,
                    dids=one.dids,
                    gross=format_amount(one.gross),
                    share=format_amount(one.share),
                    pending=format_amount(one.payable.pending),
                    payable=format_amount(one.payable.payable),
                )
                for one in items
            ),
            next=after,
        )
    )


async def show(ask: Ask) -> Answer:
    """Show a client."""
    return Answer(model=await _view(ask, ask.named("client_code")))


async def put(ask: Ask) -> Answer:
    """Change a client, or open one."""
    assert isinstance(ask.body, models.ClientEdit)
    row, wanted = await _drafted(ask, ask.body)
    if row is None and ask.body.version:
        raise NotYours
    done = await _save(ask, wanted, ask.body.version)
    if done:
        await ask.web.note(
            ask.who,
            "change client" if row else "open client",
            wanted.code,
            before=described(row.client) if row else "",
            after=described(wanted),
        )
    return Answer(model=await _view(ask, wanted.code), status=200 if row else 201)


async def preview(ask: Ask) -> Answer:
    """Divide an amount by what is in force, and by what was sent."""
    assert isinstance(ask.body, models.ClientPreview)
    row, wanted = await _drafted(ask, ask.body)
    now_us = ask.web.now_us()
    start_us = row.created_us if row else now_us
    after = replace(wanted, referrers=tuple(each.starting(start_us) for each in wanted.referrers))
    before = row.client.shares_at(now_us) if row else None
    return Answer(
        model=models.AgreementPreview(
            client=wanted.code,
            currency=wanted.currency,
            amount=format_amount(ask.body.amount),
            parts=tuple(
                models.PartPreview(
                    party=one.kind,
                    account=one.account,
                    before=None if one.before is None else format_amount(one.before),
                    after=None if one.after is None else format_amount(one.after),
                )
                for one in slices(ask.body.amount, before, after.shares_at(now_us))
            ),
        )
    )


async def suspend(ask: Ask) -> Answer:
    """Let the lines of a client take no new call, or take them again; twice changes nothing."""
    assert isinstance(ask.body, models.Suspension)
    row, wanted = await _row(ask), ask.body.suspended
    if row.client.rules.suspended != wanted:
        rules = replace(row.client.rules, suspended=wanted)
        await _save(ask, replace(row.client, rules=rules), row.mark)
        action = "suspend client" if wanted else "resume client"
        await ask.web.note(ask.who, action, row.client.code, after=ask.body.reason or "")
    return Answer(model=await _view(ask, row.client.code))


async def list_agreements(ask: Ask) -> Answer:
    """List every version of an agreement."""
    assert isinstance(ask.query, models.AgreementsQuery)
    code, place = (await _row(ask)).client.code, ask.query.place(int)
    async with ask.web.reading() as connection:
        history = await agreement_history(connection, code)
    told = {one.version: one.changes for one in versions(history)}
    left = [one for one in reversed(history) if place is None or one.version < place]
    items, after = ask.query.cut(left, lambda one: one.version)
    return Answer(
        model=models.Agreements(
            items=tuple(_agreement(one, told[one.version]) for one in items), next=after
        )
    )


async def show_limits(ask: Ask) -> Answer:
    """Show what a client's own logins may change."""
    return Answer(model=_limits((await _row(ask)).client))


async def put_limits(ask: Ask) -> Answer:
    """Set what a client's own logins may change."""
    assert isinstance(ask.body, models.LimitsEdit)
    code = (await _row(ask)).client.code
    work = save_limits(editor(ask), code, ask.body.notation, expected=ask.body.version)
    await change(ask, work, action="set limits", subject=f"limits {code}")
    return await show_limits(ask)


async def _row(ask: Ask) -> ClientRow:
    async with ask.web.reading() as connection:
        return await queries.find_client(connection, ask.who.scope, ask.named("client_code"))


async def _drafted(ask: Ask, body: models.ClientDraft) -> tuple[ClientRow | None, Client]:
    """Read what was sent as a client; the currency of one that is there stays.

    Raises:
        Refusal, InvalidShares: it cannot be.

    """
    code = ask.named("client_code")
    if not CODE.fullmatch(code):
        raise NotYours
    try:
        row: ClientRow | None = await _row(ask)
    except NotYours:
        row = None
    if row is not None and body.currency != row.client.currency:
        raise wrong_fields({"currency": f"The client is kept in {row.client.currency}."})
    old = {each.account: each for each in row.client.referrers} if row else {}
    wanted = Client(
        code=code,
        title=body.title,
        currency=body.currency,
        shares=tuple(_share(number, one, code) for number, one in enumerate(body.shares)),
        referrers=tuple(_referrer(one, old.get(one.account)) for one in body.referrers),
        rules=replace(
            row.client.rules if row else ClientRules(),
            calls_max=body.calls_max,
            countries=tuple(dict.fromkeys(body.countries)),
        ),
    )
    if len({each.account for each in wanted.referrers}) != len(wanted.referrers):
        raise InvalidShares(reason="a referrer stands there twice")
    check_shares((*wanted.shares, *(each.share for each in wanted.referrers)))
    return row, wanted


def _share(number: int, one: models.ShareTerms, code: str) -> Share:
    must = {"provider": PROVIDER, "client": code}.get(one.party)
    if must is not None and one.account != must:
        raise wrong_fields({f"shares.{number}.account": f"The {one.party} here is {must}."})
    if one.fixed_fee and one.party != PROVIDER:
        raise wrong_fields(
            {f"shares.{number}.fixed_fee": "Only the provider has a fee before the split."}
        )
    return Share(
        kind=one.party,
        account=one.account,
        basis_points=one.basis_points,
        fixed_fee=one.fixed_fee,
    )


def _referrer(one: models.ReferrerTerms, old: Referrer | None) -> Referrer:
    found = Referrer(
        account=one.account,
        basis_points=one.basis_points,
        from_us=_began(one.starts, old.from_us if old else None),
        until_us=_began(one.until, old.until_us if old else None),
        bonus=one.bonus,
    )
    if found.from_us is not None:
        found.starting(found.from_us)
    return found


def _began(day: date | None, before: int | None) -> int | None:
    """Read a day; the one that stood there keeps its exact moment."""
    if day is None:
        return None
    if before is not None and (moment(before) or "").startswith(day.isoformat()):
        return before
    return microseconds_of(datetime(day.year, day.month, day.day, tzinfo=UTC))


async def _save(ask: Ask, wanted: Client, seen: str) -> bool:
    deps = ask.web.deps
    done = await save_client(
        deps.engine,
        wanted,
        seen=seen,
        actor=ask.who.login,
        clock=deps.clock,
        pin_key=deps.pin_key,
    )
    return bool(done.created or done.changed)


async def _view(ask: Ask, code: str) -> models.ClientView:
    scope = ask.who.scope
    async with ask.web.reading() as connection:
        row = await queries.find_client(connection, scope, code)
        client = row.client
        party = AccountRef(kind="client", code=code, currency=client.currency)
        payable = (await payables(connection, [party], ask.web.now_us()))[party]
        kept = await held(connection, "client", code)
        sold = await queries.sold_in(connection, scope, code, _month(ask))
        webhooks = await queries.count_webhooks(connection, scope, code)
    return models.ClientView(
        client=code,
        title=client.title,
        currency=client.currency,
        suspended=client.rules.suspended,
        shares=tuple(map(_share_view, client.shares)),
        referrers=tuple(map(_referrer_view, client.referrers)),
        calls_max=client.rules.calls_max,
        countries=client.rules.countries,
        version=row.mark,
        created_at=moment(row.created_us) or "",
        calls=sold.calls,
        gross=format_amount(sold.gross),
        share=format_amount(sold.share),
        pending=format_amount(payable.pending),
        payable=format_amount(payable.payable),
        payouts_held=kept is not None,
        webhooks=webhooks,
        dids=tuple(
            sorted(
                did.number
                for did in ask.web.deps.directory().dids.values()
                if did.client == code and not did.rules.retired
            )
        ),
    )


def _agreement(one: Agreement, changes: tuple[str, ...]) -> models.Agreement:
    return models.Agreement(
        number=one.version,
        in_force_from=moment(one.in_force_us) or "",
        actor=one.actor,
        shares=tuple(map(_share_view, one.shares)),
        referrers=tuple(map(_referrer_view, one.referrers)),
        changes=changes,
    )


def _share_view(share: Share) -> models.ShareView:
    return models.ShareView(
        party=share.kind,
        account=share.account,
        basis_points=share.basis_points,
        fixed_fee=format_amount(share.fixed_fee),
    )


def _referrer_view(each: Referrer) -> models.ReferrerView:
    return models.ReferrerView(
        account=each.account,
        basis_points=each.basis_points,
        starts=moment(each.from_us),
        until=moment(each.until_us),
        bonus=format_amount(each.bonus),
    )


def _limits(client: Client) -> models.LimitsView:
    document = limits_document(client.rules.limits)
    return models.LimitsView(client=client.code, version=version_of(document), notation=document)


def _month(ask: Ask) -> Span:
    today = ask.web.now().date()
    return Span(first=today.replace(day=1), last=today)


ONE: Final = f"/clients/{CLIENT_CODE}"
OPERATIONS: Final = (
    Operation(
        method="GET", path="/clients", name="listClients", summary="List clients by code",
        roles=OPERATORS, handler=list_all, query=models.ClientsQuery, answer=models.Clients,
    ),
    Operation(
        method="GET", path=ONE, name="showClient",
        summary="Show a client, what is agreed with it, and where it stands", roles=OPERATORS,
        handler=show, answer=models.ClientView, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=ONE, name="putClient",
        summary="Change what is agreed with a client, or open one", roles=OPERATORS,
        right=Right.LINES, handler=put, body=models.ClientEdit, answer=models.ClientView,
        statuses=(200, 201), problems=WRITES,
        description="A split that differs becomes a new version of the agreement.",
    ),
    Operation(
        method="POST", path=f"{ONE}/preview", name="previewAgreement",
        summary="Divide an amount by what is agreed and by what might be", roles=OPERATORS,
        right=Right.LINES, handler=preview, body=models.ClientPreview,
        answer=models.AgreementPreview, problems=("not_found", "invalid_input", "invalid_shares"),
    ),
    Operation(
        method="POST", path=f"{ONE}/suspension", name="suspendClient",
        summary="Let the lines of a client take no new call, or take them again",
        roles=OPERATORS, right=Right.LINES, handler=suspend, body=models.Suspension,
        answer=models.ClientView, problems=WRITES,
    ),
    Operation(
        method="GET", path=f"{ONE}/agreements", name="listAgreements",
        summary="List the versions of what was agreed, newest first", roles=OPERATORS,
        handler=list_agreements, query=models.AgreementsQuery, answer=models.Agreements,
        problems=("not_found",),
    ),
    Operation(
        method="GET", path=f"{ONE}/limits", name="showClientLimits",
        summary="Show what a client's own logins may change", roles=OPERATORS,
        handler=show_limits, answer=models.LimitsView, problems=("not_found",),
    ),
    Operation(
        method="PUT", path=f"{ONE}/limits", name="putClientLimits",
        summary="Set what a client's own logins may change", roles=OPERATORS, right=Right.LINES,
        handler=put_limits, body=models.LimitsEdit, answer=models.LimitsView, problems=REFUSALS,
        versioned=show_limits,
    ),
)  # fmt: skip
