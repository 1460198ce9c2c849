"""Operations on calls that live."""

from __future__ import annotations

from typing import Final

from billing.money import format_amount
from ivr.web.api import live_models, places
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.board import read_board
from ivr.web.problems import Refusal
from ivr.web.scope import CLIENTS, OPERATORS, Right


async def extend(ask: Ask) -> Answer:
    """Give a live call more talk, once per key."""
    assert isinstance(ask.body, live_models.NewExtension)
    call_id, wish = ask.named("call_id"), ask.body
    done = await ask.web.deps.control.extend(
        call_id,
        minutes=wish.minutes,
        key=idempotency_key(ask),
        actor=ask.who.login,
        reason=wish.reason,
    )
    if done is None:
        raise Refusal("not_found", "The call is not live.")
    amount = format_amount(done.amount)
    if not done.done:
        after = f"{wish.minutes} min, {amount} {done.currency}: {wish.reason}"
        await ask.web.note(ask.who, "extend call", call_id, after=after)
    return Answer(
        model=live_models.Extended(
            call_id=call_id,
            minutes=done.minutes,
            ends_after_seconds=done.target_seconds,
            amount=amount,
            currency=done.currency,
        )
    )


async def listen(ask: Ask) -> Answer:
    """Let a phone ring that hears a talk."""
    assert isinstance(ask.body, live_models.NewListening)
    call_id, wish = ask.named("call_id"), ask.body
    live = ask.web.deps.live.snapshot()
    if not any(call.id == call_id and ask.who.scope.sees(call) for call in live):
        raise Refusal("not_found", "The call is not live.")
    done = await ask.web.deps.listening.listen(
        call_id, login=ask.who.login, phone=wish.phone, reason=wish.reason
    )
    if done is None:
        raise Refusal("not_found", "The call is not live.")
    await ask.web.note(ask.who, "listen to call", call_id, after=f"{wish.phone}: {wish.reason}")
    return Answer(model=live_models.ListeningAsked(id=done, call_id=call_id))


async def queues(ask: Ask) -> Answer:
    """List queues as the board shows them."""
    board = await read_board(ask.web, ask.who.scope)
    return Answer(
        model=live_models.QueueBoard(
            linked=board.linked,
            items=tuple(
                live_models.QueueNow(
                    name=queue.name,
                    client=queue.client,
                    waiting=tuple(
                        live_models.WaitingCaller(
                            position=one.position,
                            waits_seconds=one.waits_seconds,
                            call_id=one.call.id if one.call else None,
                        )
                        for one in queue.callers
                    ),
                    agents=tuple(
                        live_models.QueueAgent(code=one.code, state=one.state, calls=one.calls)
                        for one in queue.agents
                    ),
                    answered_today=queue.today.answered,
                    abandoned_today=queue.today.abandoned,
                    unanswered_today=queue.today.unanswered,
                    average_wait_seconds=queue.today.average_seconds,
                    longest_wait_seconds=queue.today.longest_seconds,
                    service_level_percent=None
                    if queue.today.service_level is None
                    else queue.today.service_level / 100,
                )
                for queue in board.queues
            ),
        )
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/live/queues",
        name="watchQueues",
        summary="List queues: who waits, who answers, how today goes",
        roles=OPERATORS | CLIENTS,
        handler=queues,
        answer=live_models.QueueBoard,
    ),
    Operation(
        method="POST",
        path=f"/live/{places.CALL}/listen",
        name="listenToCall",
        summary="Let a known phone ring and hear a talk whose caller was told; it is written down",
        roles=OPERATORS | CLIENTS,
        handler=listen,
        body=live_models.NewListening,
        answer=live_models.ListeningAsked,
        statuses=(202,),
        right=Right.CALLS,
        problems=("not_found", "invalid_input", "switch_unavailable", "ledger_unavailable"),
    ),
    Operation(
        method="POST",
        path=f"/live/{places.CALL}/extend",
        name="extendCall",
        summary="Let a live call go on for some minutes more, once per key",
        roles=OPERATORS,
        handler=extend,
        body=live_models.NewExtension,
        answer=live_models.Extended,
        needs_key=True,
        right=Right.CALLS,
        problems=(
            "missing_key", "not_found", "invalid_input", "idempotency_conflict",
            "ledger_unavailable",
        ),
    ),
)  # fmt: skip
