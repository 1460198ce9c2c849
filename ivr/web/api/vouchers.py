"""Vouchers: batches, new codes (in the answer and nowhere else), calling back, redeeming."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from billing.money import format_amount
from billing.voucher_batches import Batch
from billing.vouchers import Vouchers
from ivr.calls.history import moment
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.models import Moment, Money, Output, Text
from ivr.web.api.paging import PageQuery
from ivr.web.api.places import ACCOUNT, BATCH
from ivr.web.fields import Input, TopUpAmount
from ivr.web.queries.accounts import find_account
from ivr.web.queries.vouchers import find_batch, list_batches
from ivr.web.scope import CALLERS, OPERATORS, Right

# More are made on the page or by command: an answer is no file.
COUNT_MAX: Final = 1_000


class VoucherBatch(Output):
    """A batch and what became of its vouchers."""

    batch: str
    amount: Money
    currency: str
    count: int
    used: int
    expired: int
    disabled: int
    expires: Moment | None
    note: str | None
    made_by: str
    made_at: Moment


class VoucherBatches(Output):
    """A page of batches, newest first."""

    items: tuple[VoucherBatch, ...]
    next: str | None


class NewVouchers(Input):
    """A batch to be made."""

    amount: TopUpAmount
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    count: Annotated[int, Field(ge=1, le=COUNT_MAX)]
    note: Text | None = None


class VoucherCodes(Output):
    """A new batch. The same key gets the same codes for an hour; nobody sees them later."""

    batch: VoucherBatch
    codes: tuple[str, ...]
    replayed: bool


class Code(Input):
    """A voucher's code, as it is printed or without its blanks."""

    code: Text


class RedeemedVoucher(Output):
    """A voucher that became money of an account."""

    transfer_id: str
    account: str
    amount: Money
    balance: Money
    currency: str
    replayed: bool


def vouchers_of(ask: Ask) -> Vouchers:
    """Return the use-cases of vouchers."""
    deps = ask.web.deps
    return Vouchers(engine=deps.engine, clock=deps.clock, secret=deps.voucher_key)


async def batches(ask: Ask) -> Answer:
    """List batches."""
    assert isinstance(ask.query, PageQuery)
    async with ask.web.reading() as connection:
        found = await list_batches(
            connection,
            ask.who.scope,
            now_us=ask.web.now_us(),
            after=ask.query.place(str),
            limit=ask.query.reach,
        )
    items, after = ask.query.cut(found, lambda one: one.id)
    return Answer(
        model=VoucherBatches(
            items=tuple(batch_view(one) for one in items),
            next=after,
        )
    )


async def generate(ask: Ask) -> Answer:
    """Make a batch, once per key."""
    assert isinstance(ask.body, NewVouchers)
    body = ask.body
    made = await vouchers_of(ask).generate(
        amount=body.amount,
        currency=body.currency,
        count=body.count,
        actor=ask.who.login,
        note=body.note,
        key=f"api:{ask.who.login}:{idempotency_key(ask)}",
    )
    if not made.replayed:
        facts = f"{body.count} of {format_amount(body.amount)} {body.currency}"
        await ask.web.note(ask.who, "generate vouchers", made.batch.id, after=facts)
    model = VoucherCodes(batch=batch_view(made.batch), codes=made.codes, replayed=made.replayed)
    return Answer(model=model, status=200 if made.replayed else 201)


async def disable(ask: Ask) -> Answer:
    """Call back what is left of a batch; one that is called back already stays so."""
    batch = ask.named("batch")
    await vouchers_of(ask).disable_batch(batch)
    await ask.web.note(ask.who, "disable vouchers", batch)
    async with ask.web.reading() as connection:
        found = await find_batch(connection, ask.who.scope, batch, now_us=ask.web.now_us())
    return Answer(model=batch_view(found))


async def redeem(ask: Ask) -> Answer:
    """Turn a voucher into money; wrong codes count together with those keyed in by phone."""
    assert isinstance(ask.body, Code)
    text, login = ask.body.code, ask.who.login
    async with ask.web.reading() as connection:
        account = (await find_account(connection, ask.who.scope, ask.named("account"))).code
    # Keys are one's own: nobody can use up those of others.
    key = f"api:{account}:{idempotency_key(ask)}"
    vouchers = vouchers_of(ask)
    done = await ask.web.pins.redeem(
        account, lambda: vouchers.redeem(account, text, key=key, actor=login)
    )
    if not done.replayed:
        after = f"{format_amount(done.amount)} {done.currency}"
        await ask.web.note(ask.who, "redeem voucher", account, after=after)
    model = RedeemedVoucher(
        transfer_id=done.transfer_id,
        account=done.account,
        amount=format_amount(done.amount),
        balance=format_amount(done.balance),
        currency=done.currency,
        replayed=done.replayed,
    )
    return Answer(model=model, status=200 if done.replayed else 201)


def batch_view(one: Batch) -> VoucherBatch:
    """Write a batch as the API tells it."""
    return VoucherBatch(
        batch=one.id,
        amount=format_amount(one.amount),
        currency=one.currency,
        count=one.count,
        used=one.used,
        expired=one.expired,
        disabled=one.disabled,
        expires=moment(one.expires_us),
        note=one.note,
        made_by=one.actor,
        made_at=moment(one.created_us) or "",
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/vouchers",
        name="listVoucherBatches",
        summary="List batches of vouchers, newest first",
        roles=OPERATORS,
        handler=batches,
        query=PageQuery,
        answer=VoucherBatches,
        problems=("invalid_input",),
    ),
    Operation(
        method="POST",
        path="/vouchers",
        name="generateVouchers",
        summary="Make a batch of vouchers, once per key",
        description="The codes are in the answer and nowhere else.",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=generate,
        body=NewVouchers,
        answer=VoucherCodes,
        statuses=(201, 200),
        needs_key=True,
        problems=("invalid_input", "idempotency_conflict"),
    ),
    Operation(
        method="POST",
        path=f"/vouchers/{BATCH}/disable",
        name="disableVouchers",
        summary="Call back what is left of a batch",
        roles=OPERATORS,
        right=Right.MONEY,
        handler=disable,
        answer=VoucherBatch,
        problems=("unknown_batch",),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/vouchers",
        name="redeemVoucher",
        summary="Turn a voucher into money of an account, once per key",
        roles=OPERATORS | CALLERS,
        right=Right.MONEY,
        handler=redeem,
        body=Code,
        answer=RedeemedVoucher,
        statuses=(201, 200),
        needs_key=True,
        problems=(
            "not_found", "invalid_input", "unknown_voucher", "voucher_used", "voucher_expired",
            "voucher_disabled", "too_many_vouchers", "currency_mismatch", "idempotency_conflict",
        ),
    ),
)  # fmt: skip
