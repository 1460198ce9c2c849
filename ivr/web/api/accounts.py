"""Operations on callers' accounts: read, open, top up, statement."""

from __future__ import annotations

from typing import Final

from billing import reports
from billing.money import format_amount
from billing.wallet import Account
from ivr.calls.history import moment
from ivr.directory.callers import set_phones_and_pin
from ivr.web.api import models
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.paging import PageQuery
from ivr.web.api.places import ACCOUNT
from ivr.web.problems import wrong_fields
from ivr.web.queries import account_search as search
from ivr.web.queries import accounts as queries
from ivr.web.scope import CALLERS, OPERATORS, Right


async def list_accounts(ask: Ask) -> Answer:
    """List accounts."""
    assert isinstance(ask.query, models.AccountsQuery)
    async with ask.web.reading() as connection:
        found = await search.list_accounts(
            connection,
            ask.who.scope,
            ask.query.wanted(),
            after=ask.query.place(str),
            limit=ask.query.reach,
        )
    items, after = ask.query.cut(found, lambda one: one.code)
    return Answer(
        model=models.Accounts(
            items=tuple(account_model(account) for account in items),
            next=after,
        )
    )


async def show_account(ask: Ask) -> Answer:
    """Show one account."""
    async with ask.web.reading() as connection:
        account = await queries.find_account(connection, ask.who.scope, ask.named("account"))
    return Answer(model=account_model(account))


async def add_account(ask: Ask) -> Answer:
    """Open an account."""
    assert isinstance(ask.body, models.NewAccount)
    body, deps = ask.body, ask.web.deps
    if body.mode == "prepaid" and body.credit_limit:
        raise wrong_fields({"credit_limit": "Only a postpaid account has a credit limit."})
    known = deps.directory()
    if any(known.account_of_phone(number) for number in body.phones):
        raise wrong_fields({"phones": "A phone belongs to another account."})
    account = await deps.wallet.open_account(
        body.account, mode=body.mode, currency=body.currency, credit_limit=body.credit_limit
    )
    if body.phones or body.pin:
        await set_phones_and_pin(
            deps.engine,
            account.code,
            numbers=body.phones,
            pin=body.pin.get_secret_value() if body.pin else None,
            key=deps.pin_key,
        )
    await ask.web.note(ask.who, "open account", account.code, after=account.mode)
    return Answer(
        model=account_model(account), headers=(("Location", f"/api/v1/accounts/{account.code}"),)
    )


async def top_up(ask: Ask) -> Answer:
    """Add money to an account, once per key."""
    assert isinstance(ask.body, models.TopUp)
    done = await ask.web.deps.wallet.top_up(
        ask.named("account"),
        ask.body.amount,
        key=idempotency_key(ask),
        actor=ask.who.login,
        memo=ask.body.reason,
    )
    if not done.replayed:
        await ask.web.note(
            ask.who,
            "top up",
            done.account,
            before=format_amount(done.balance - done.amount),
            after=f"{format_amount(done.balance)} {done.currency}",
        )
    model = models.ToppedUp(
        transfer_id=done.transfer_id,
        account=done.account,
        amount=format_amount(done.amount),
        balance=format_amount(done.balance),
        currency=done.currency,
        replayed=done.replayed,
    )
    return Answer(model=model, status=200 if done.replayed else 201)


async def statement(ask: Ask) -> Answer:
    """List the movements of an account."""
    assert isinstance(ask.query, PageQuery)
    async with ask.web.reading() as connection:
        account = await queries.find_account(connection, ask.who.scope, ask.named("account"))
        found = await reports.statement(
            connection,
            account.id,
            before=ask.query.place(int),
            limit=ask.query.reach,
        )
    items, after = ask.query.cut(found, lambda line: line.seq)
    return Answer(
        model=models.Statement(
            account=account.code,
            currency=account.currency,
            items=tuple(_line(line) for line in items),
            next=after,
        )
    )


def _line(line: reports.StatementLine) -> models.StatementLine:
    return models.StatementLine(
        seq=line.seq,
        at=moment(line.at_us) or "",
        kind=line.kind,
        reference=line.reference,
        memo=line.memo,
        actor=line.actor,
        amount=format_amount(line.amount),
        balance_after=format_amount(line.balance_after),
    )


def account_model(account: Account) -> models.Account:
    """Write an account as the API tells it."""
    return models.Account(
        account=account.code,
        number=account.number,
        mode=account.mode,
        status=account.status,
        currency=account.currency,
        balance=format_amount(account.posted),
        held=format_amount(account.held),
        credit_limit=format_amount(account.credit_limit),
        spendable=format_amount(account.spendable),
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/accounts",
        name="listAccounts",
        summary="List callers' accounts by code",
        roles=OPERATORS,
        handler=list_accounts,
        query=models.AccountsQuery,
        answer=models.Accounts,
    ),
    Operation(
        method="POST",
        path="/accounts",
        name="addAccount",
        summary="Open an account",
        roles=OPERATORS,
        handler=add_account,
        right=Right.ACCOUNTS,
        body=models.NewAccount,
        answer=models.Account,
        statuses=(201,),
        problems=("account_exists", "invalid_input"),
        located="showAccount",
    ),
    Operation(
        method="GET",
        path=f"/accounts/{ACCOUNT}",
        name="showAccount",
        summary="Show one account",
        roles=OPERATORS | CALLERS,
        handler=show_account,
        answer=models.Account,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/topups",
        name="topUp",
        summary="Add money to an account, once per key",
        roles=OPERATORS,
        handler=top_up,
        right=Right.MONEY,
        body=models.TopUp,
        answer=models.ToppedUp,
        statuses=(201, 200),
        needs_key=True,
        problems=("unknown_account", "invalid_input", "invalid_amount"),
    ),
    Operation(
        method="GET",
        path=f"/accounts/{ACCOUNT}/statement",
        name="showStatement",
        summary="List the movements of an account, newest first",
        roles=OPERATORS | CALLERS,
        handler=statement,
        query=PageQuery,
        answer=models.Statement,
        problems=("not_found",),
    ),
)
