"""Operations on calls that live."""

from __future__ import annotations

from typing import Final

from billing.money import format_amount
from ivr.web.api import live_models, places
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.problems import Refusal
from ivr.web.scope import OPERATORS, Right


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


OPERATIONS: Final = (
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
