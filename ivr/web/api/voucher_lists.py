"""Operations on single vouchers: what became of each of a batch, and calling one back."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from ivr.calls.history import moment
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.models import Moment, Output
from ivr.web.api.paging import PageQuery
from ivr.web.api.places import BATCH, SERIAL
from ivr.web.api.vouchers import Code, VoucherBatch, batch_view, vouchers_of
from ivr.web.queries.vouchers import Voucher, find_batch, list_vouchers
from ivr.web.scope import OPERATORS, Right

State = Literal["used", "open", "disabled", "expired"]


class VouchersQuery(PageQuery):
    """Which vouchers of a batch."""

    state: State | None = None


class VoucherView(Output):
    """A voucher by its number on the card; nobody sees its code again."""

    serial: int
    state: State
    redeemed_at: Moment | None
    account: str | None
    transfer_id: str | None


class VoucherList(Output):
    """A page of vouchers by number."""

    items: tuple[VoucherView, ...]
    next: str | None


class VoucherOff(Output):
    """A voucher that is worth nothing any more; `serial` is null where its code was sent."""

    serial: Annotated[int | None, Field(examples=[17])]
    disabled: bool = True


async def show_batch(ask: Ask) -> Answer:
    """Show a batch."""
    async with ask.web.reading() as connection:
        found = await find_batch(
            connection, ask.who.scope, ask.named("batch"), now_us=ask.web.now_us()
        )
    return Answer(model=batch_view(found))


async def list_all(ask: Ask) -> Answer:
    """List the vouchers of a batch by number."""
    assert isinstance(ask.query, VouchersQuery)
    query, now_us = ask.query, ask.web.now_us()
    async with ask.web.reading() as connection:
        batch = await find_batch(connection, ask.who.scope, ask.named("batch"), now_us=now_us)
        found = await list_vouchers(
            connection,
            ask.who.scope,
            batch,
            now_us=now_us,
            state=query.state,
            after=query.place(int) or 0,
            limit=query.reach,
        )
    items, after = query.cut(found, lambda one: one.serial)
    return Answer(model=VoucherList(items=tuple(map(_voucher, items)), next=after))


async def disable_serial(ask: Ask) -> Answer:
    """Call back one voucher by its number."""
    batch, serial = ask.named("batch"), int(ask.named("serial"))
    await vouchers_of(ask).disable_serial(batch, serial)
    await ask.web.note(ask.who, "disable voucher", f"{batch} {serial}")
    return Answer(model=VoucherOff(serial=serial))


async def disable_code(ask: Ask) -> Answer:
    """Call back one voucher by its code, which is never written down."""
    assert isinstance(ask.body, Code)
    await vouchers_of(ask).disable_code(ask.body.code)
    await ask.web.note(ask.who, "disable voucher", "one code")
    return Answer(model=VoucherOff(serial=None))


def _voucher(one: Voucher) -> VoucherView:
    return VoucherView(
        serial=one.serial,
        state=one.state,
        redeemed_at=moment(one.used_us),
        account=one.account,
        transfer_id=one.transfer_id,
    )


OFF: Final = ("unknown_voucher", "voucher_used", "invalid_input")
OPERATIONS: Final = (
    Operation(
        method="GET", path=f"/vouchers/{BATCH}", name="showVoucherBatch",
        summary="Show a batch and what became of its vouchers", roles=OPERATORS,
        handler=show_batch, answer=VoucherBatch, problems=("not_found",),
    ),
    Operation(
        method="GET", path=f"/vouchers/{BATCH}/vouchers", name="listVouchers",
        summary="List the vouchers of a batch by number", roles=OPERATORS, handler=list_all,
        query=VouchersQuery, answer=VoucherList, problems=("not_found",),
    ),
    Operation(
        method="POST", path=f"/vouchers/{BATCH}/vouchers/{SERIAL}/disable", name="disableSerial",
        summary="Call back one voucher by its number", roles=OPERATORS, right=Right.MONEY,
        handler=disable_serial, answer=VoucherOff, problems=OFF,
    ),
    Operation(
        method="POST", path="/vouchers/disable", name="disableCode",
        summary="Call back one voucher by its code", roles=OPERATORS, right=Right.MONEY,
        handler=disable_code, body=Code, answer=VoucherOff, problems=OFF,
    ),
)  # fmt: skip
