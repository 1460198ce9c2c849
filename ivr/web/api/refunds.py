"""The list of what was given back."""

from __future__ import annotations

from typing import Final, Literal

from billing.money import format_amount
from ivr.calls.history import moment
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.models import Moment, Money, Output
from ivr.web.api.paging import PageQuery
from ivr.web.api.periods import PeriodQuery
from ivr.web.fields import Code
from ivr.web.queries import refunds as queries
from ivr.web.scope import CALLERS, CLIENTS, OPERATORS, Role


class RefundsQuery(PeriodQuery, PageQuery):
    """Which refunds; of any day when none is named."""

    account: Code | None = None


class RefundLine(Output):
    """Money that went back to a caller for a call; who did it is told to operators."""

    transfer_id: str
    call_id: str
    account: str
    client: str | None
    kind: Literal["refund", "goodwill"]
    amount: Money
    currency: str
    reason: str | None
    actor: str | None
    at: Moment


class RefundList(Output):
    """A page of refunds, newest first."""

    items: tuple[RefundLine, ...]
    next: str | None


async def list_refunds(ask: Ask) -> Answer:
    """List refunds."""
    assert isinstance(ask.query, RefundsQuery)
    query = ask.query
    named = query.first is not None or query.last is not None
    async with ask.web.reading() as connection:
        found = await queries.list_refunds(
            connection,
            ask.who.scope,
            span=query.span(ask.web.now().date()) if named else None,
            account=query.account,
            after=query.place(int, str),
            limit=query.reach,
        )
    items, after = query.cut(found, lambda one: (one.at_us, one.transfer_id))
    told = ask.who.role is Role.OPERATOR
    return Answer(
        model=RefundList(
            items=tuple(
                RefundLine(
                    transfer_id=one.transfer_id,
                    call_id=one.call_id,
                    account=one.account,
                    client=one.client,
                    kind="goodwill" if one.kind == "goodwill" else "refund",
                    amount=format_amount(one.amount),
                    currency=one.currency,
                    reason=one.reason,
                    actor=one.actor if told else None,
                    at=moment(one.at_us) or "",
                )
                for one in items
            ),
            next=after,
        )
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/refunds",
        name="listRefunds",
        summary="List what was given back, newest first",
        roles=OPERATORS | CLIENTS | CALLERS,
        handler=list_refunds,
        query=RefundsQuery,
        answer=RefundList,
        problems=("invalid_input",),
    ),
)
