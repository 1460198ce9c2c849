"""Operations on calls: ended and live ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import structlog

from billing.clock import MICROSECONDS
from billing.money import Micros, format_amount
from billing.refunds import Refunds
from ivr.calls.history import moment
from ivr.web.api import models
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.places import CALL
from ivr.web.explain import Line, explain
from ivr.web.problems import Refusal
from ivr.web.queries import calls as queries
from ivr.web.scope import EVERYBODY, OPERATORS, Right, Scope

log = structlog.get_logger()


async def list_calls(ask: Ask) -> Answer:
    """List calls."""
    assert isinstance(ask.query, models.CallsQuery)
    wanted = queries.CallFilter(
        did=ask.query.did,
        account=ask.query.account,
        client=ask.query.client,
        outcome=ask.query.outcome,
        first=ask.query.first,
        last=ask.query.last,
    )
    async with ask.web.reading() as connection:
        found = await queries.list_calls(
            connection,
            ask.who.scope,
            wanted,
            after=ask.query.place(int, str),
            limit=ask.query.reach,
        )
    items, after = ask.query.cut(found, lambda one: (one.started_us, one.id))
    return Answer(
        model=models.Calls(
            items=tuple(models.Call(**_call(item, ask.who.scope)) for item in items),
            next=after,
        )
    )


async def show_call(ask: Ask) -> Answer:
    """Show one call with the lines of its cost."""
    scope = ask.who.scope
    async with ask.web.reading() as connection:
        detail = await queries.find_call(connection, scope, ask.named("call_id"))
    explanation = explain(detail)
    lines = None if explanation is None else charge_lines(explanation.lines)
    split = tuple(
        models.Share(party=party.kind, account=party.account, amount=format_amount(party.amount))
        for party in detail.parties
    )
    return Answer(
        model=models.CallDetail(
            **_call(detail.item, scope), lines=lines, split=split if scope.sees_split else None
        )
    )


def charge_lines(lines: Sequence[Line]) -> tuple[models.ChargeLine, ...]:
    """Write the summands of a cost."""
    return tuple(
        models.ChargeLine(
            label=line.label,
            seconds=line.seconds,
            price=_amount(line.price),
            per_seconds=line.per_seconds or None,
            amount=format_amount(line.amount),
        )
        for line in lines
    )


async def list_live(ask: Ask) -> Answer:
    """List live calls."""
    return Answer(
        model=models.LiveCalls(
            items=tuple(
                models.LiveCall(
                    id=call.id,
                    did=call.did,
                    client=call.client,
                    topic=call.topic,
                    account=call.account,
                    caller=call.caller,
                    state=call.state,
                    asking=call.asking,
                    started_at=moment(call.started_us) or "",
                    talk_seconds=round(call.talk_seconds, 3),
                    granted_seconds=call.granted_seconds,
                    cost=format_amount(call.cost),
                    currency=call.currency,
                )
                for call in ask.web.deps.live.snapshot()
                if ask.who.scope.sees(call)
            )
        )
    )


async def hang_up(ask: Ask) -> Answer:
    """End a live call."""
    call_id = ask.named("call_id")
    if not await ask.web.deps.live.hang_up(call_id):
        raise Refusal("not_found", "The call is not live.")
    log.info("call ended by operator", call_id=call_id, actor=ask.who.login)
    await ask.web.note(ask.who, "hang up", call_id)
    return Answer(model=models.HangUpAsked(call_id=call_id))


async def refund(ask: Ask) -> Answer:
    """Give money back for a call, once per key."""
    assert isinstance(ask.body, models.NewRefund)
    deps = ask.web.deps
    done = await Refunds(engine=deps.engine, clock=deps.clock).refund(
        ask.named("call_id"),
        key=idempotency_key(ask),
        actor=ask.who.login,
        reason=ask.body.reason,
        amount=ask.body.amount,
        goodwill=ask.body.goodwill,
    )
    if not done.replayed:
        after = f"{format_amount(done.amount)} {done.currency}"
        await ask.web.note(ask.who, done.kind, done.session_id, after=after)
    model = models.Refund(
        transfer_id=done.transfer_id,
        call_id=done.session_id,
        account=done.account,
        kind="goodwill" if done.kind == "goodwill" else "refund",
        amount=format_amount(done.amount),
        currency=done.currency,
        reason=done.reason,
        parts=tuple(
            models.Share(party=party.kind, account=party.code, amount=format_amount(part))
            for party, part in done.parts
        ),
        at=moment(done.at_us) or "",
        replayed=done.replayed,
    )
    return Answer(model=model, status=200 if done.replayed else 201)


def _call(
    item: queries.CallItem, scope: Scope
) -> dict[str, Any]:  # Any: values of many types; the model checks each
    return {
        "call_id": item.id,
        "did": item.did,
        "client": item.client,
        "topic": item.topic,
        "account": item.account,
        "caller": item.caller,
        "state": item.state,
        "end_reason": item.end_reason,
        "started_at": moment(item.started_us),
        "answered_at": moment(item.answered_us),
        "ended_at": moment(item.ended_us),
        "talk_seconds": item.talk_us / MICROSECONDS,
        "billed_seconds": item.billed_seconds,
        "cost": format_amount(item.cost),
        "currency": item.currency,
        "balance_before": _amount(item.balance_before) if scope.sees_balances else None,
        "balance_after": _amount(item.balance_after) if scope.sees_balances else None,
        "tariff": item.tariff,
        "tariff_version": item.tariff_version,
        "review": item.review,
    }


def _amount(amount: Micros | None) -> str | None:
    return None if amount is None else format_amount(amount)


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/calls",
        name="listCalls",
        summary="List calls, newest first",
        roles=EVERYBODY,
        handler=list_calls,
        query=models.CallsQuery,
        answer=models.Calls,
    ),
    Operation(
        method="GET",
        path=f"/calls/{CALL}",
        name="showCall",
        summary="Show one call with every line of its cost and its split",
        roles=EVERYBODY,
        handler=show_call,
        answer=models.CallDetail,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path=f"/calls/{CALL}/refunds",
        name="refund",
        summary="Give money back for a call, once per key: by all parties, or by goodwill",
        roles=OPERATORS,
        handler=refund,
        right=Right.MONEY,
        body=models.NewRefund,
        answer=models.Refund,
        statuses=(201, 200),
        needs_key=True,
        problems=("unknown_session", "nothing_to_refund", "invalid_input"),
    ),
    Operation(
        method="GET",
        path="/live",
        name="listLiveCalls",
        summary="List the calls of this moment",
        roles=EVERYBODY,
        handler=list_live,
        answer=models.LiveCalls,
    ),
    Operation(
        method="POST",
        path=f"/live/{CALL}/hangup",
        name="hangUp",
        summary="End a live call",
        roles=OPERATORS,
        handler=hang_up,
        right=Right.CALLS,
        answer=models.HangUpAsked,
        statuses=(202,),
        problems=("not_found", "switch_unavailable"),
    ),
)
