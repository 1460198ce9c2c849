"""Operations on webhooks: who is told, trying it, a new secret, what became of each delivery."""

from __future__ import annotations

import json
from typing import Any, Final

from billing.errors import InvalidInput
from billing.money import format_amount
from ivr.calls.history import moment
from ivr.web.api import webhook_models as models
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.places import DELIVERY, WEBHOOK
from ivr.web.problems import Refusal
from ivr.web.scope import CALLERS, CLIENTS, OPERATORS, Right, Role
from ivr.web.webhooks import endpoints, outbox
from ivr.web.webhooks.endpoints import Endpoint, Whose
from ivr.web.webhooks.events import EVENTS, TEST
from ivr.web.webhooks.pages import whose_of

TOLD: Final = OPERATORS | CLIENTS | CALLERS


async def list_webhooks(ask: Ask) -> Answer:
    """List webhooks."""
    found = await endpoints.list_endpoints(ask.web.deps.engine, whose_of(ask.who))
    items = tuple(models.Webhook(**_facts(one)) for one in found)
    return Answer(model=models.Webhooks(items=items))


async def add_webhook(ask: Ask) -> Answer:
    """Add a webhook, once per key."""
    assert isinstance(ask.body, models.NewWebhook)
    deps, body, whose = ask.web.deps, ask.body, whose_of(ask.who)
    if ask.who.role is Role.OPERATOR:
        whose = Whose(client=body.client)
    elif body.client not in {None, whose.client}:
        raise Refusal("not_found", "There is no such client.")
    made, replayed = await endpoints.add_endpoint(
        deps.engine,
        whose,
        body.url,
        clock=deps.clock,
        events=body.events,
        low_balance=body.low_balance,
        allow_plain=deps.webhooks_plain,
        key=f"api:{idempotency_key(ask)}",
    )
    if not replayed:
        facts = f"{made.url} {' '.join(made.events)}"
        await ask.web.note(ask.who, "add webhook", made.id, after=facts)
    return Answer(
        model=models.MadeWebhook(
            **_facts(made), secret=None if replayed else made.secret, replayed=replayed
        ),
        status=200 if replayed else 201,
        headers=(("Location", f"/api/v1/webhooks/{made.id}"),),
    )


async def show_webhook(ask: Ask) -> Answer:
    """Show one webhook."""
    return Answer(model=models.Webhook(**_facts(await _mine(ask))))


async def change_webhook(ask: Ask) -> Answer:
    """Change a webhook."""
    assert isinstance(ask.body, models.WebhookChange)
    before, deps, body = await _mine(ask), ask.web.deps, ask.body
    await endpoints.change_endpoint(
        deps.engine,
        before,
        clock=deps.clock,
        events=body.events,
        low_balance=body.low_balance,
        url=body.url,
        allow_plain=deps.webhooks_plain,
    )
    if body.enabled is not None:
        await endpoints.set_enabled(deps.engine, before.id, enabled=body.enabled)
    after = await _mine(ask)
    await ask.web.note(
        ask.who, "change webhook", before.id, before=_said(before), after=_said(after)
    )
    return Answer(model=models.Webhook(**_facts(after)))


async def rotate_secret(ask: Ask) -> Answer:
    """Make a new secret."""
    found, deps = await _mine(ask), ask.web.deps
    rotated = await endpoints.rotate_secret(deps.engine, found, clock=deps.clock)
    await ask.web.note(ask.who, "rotate webhook", found.id, before=found.url)
    return Answer(
        model=models.MadeWebhook(**_facts(rotated), secret=rotated.secret, replayed=False)
    )


async def test_webhook(ask: Ask) -> Answer:
    """Send a test."""
    assert isinstance(ask.body, models.WebhookTest)
    found, deps, event = await _mine(ask), ask.web.deps, ask.body.event
    if event != TEST and found.owner not in EVENTS[event].owners:
        raise InvalidInput(reason=f"a webhook of this owner is not told of {event}")
    delivery = await outbox.send_test(deps.engine, found.id, clock=deps.clock, event=event)
    await ask.web.note(ask.who, "test webhook", found.id, after=event)
    return Answer(model=models.Asked(delivery=delivery))


async def list_deliveries(ask: Ask) -> Answer:
    """List deliveries."""
    assert isinstance(ask.query, models.DeliveryQuery)
    found = await _mine(ask)
    listed = await outbox.list_deliveries(
        ask.web.deps.engine,
        found.id,
        limit=ask.query.reach,
        state=ask.query.state,
        after=ask.query.place(int, str),
    )
    items, after = ask.query.cut(listed, lambda each: (each["created_us"], each["id"]))
    return Answer(
        model=models.Deliveries(
            items=tuple(_delivery(each) for each in items),
            next=after,
        )
    )


async def replay(ask: Ask) -> Answer:
    """Send a delivery once more."""
    found, deps, delivery = await _mine(ask), ask.web.deps, ask.named("delivery")
    if not await outbox.list_deliveries(deps.engine, found.id, limit=1, delivery=delivery):
        raise Refusal("not_found", "There is no such delivery.")
    await outbox.replay(deps.engine, delivery, clock=deps.clock)
    await ask.web.note(ask.who, "replay delivery", delivery)
    return Answer(model=models.Asked(delivery=delivery))


async def delete_webhook(ask: Ask) -> Answer:
    """Delete a webhook."""
    found = await _mine(ask)
    await endpoints.delete_endpoint(ask.web.deps.engine, found.id)
    await ask.web.note(ask.who, "delete webhook", found.id, before=found.url)
    return Answer(model=models.DeletedWebhook(id=found.id))


async def _mine(ask: Ask) -> Endpoint:
    for one in await endpoints.list_endpoints(ask.web.deps.engine, whose_of(ask.who)):
        if one.id == ask.named("webhook"):
            return one
    raise Refusal("not_found", "There is no such webhook.")


def _said(one: Endpoint) -> str:
    return f"{one.url} {' '.join(one.events)} {'on' if one.enabled else 'off'}"


def _facts(one: Endpoint) -> dict[str, Any]:  # Any: values of many types; the model checks each
    return {
        "id": one.id,
        "client": one.client,
        "account": one.account,
        "url": one.url,
        "events": one.events,
        "low_balance": format_amount(one.low_balance),
        "enabled": one.enabled,
        "off_reason": one.off_reason,
        "failing_since": moment(one.failing_us),
        "old_secret_until": moment(one.old_until_us),
        "created_at": moment(one.created_us),
    }


def _delivery(row: dict[str, Any]) -> models.Delivery:  # Any: columns of many types
    return models.Delivery(
        id=row["id"],
        event_id=row["event_id"],
        event=row["event"],
        state=row["state"],
        attempts=row["attempts"],
        reason=row["reason"],
        status=row["status"],
        answer=row["answer"],
        took_ms=row["took_ms"],
        next_try_at=moment(row["next_us"]) if row["state"] == "pending" else None,
        tried_at=moment(row["tried_us"]),
        created_at=moment(row["created_us"]) or "",
        sent=json.loads(row["body"]),
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/webhooks",
        name="listWebhooks",
        summary="List webhooks",
        roles=TOLD,
        handler=list_webhooks,
        answer=models.Webhooks,
    ),
    Operation(
        method="POST",
        path="/webhooks",
        name="addWebhook",
        summary="Tell a server of what happens from now on, once per key",
        roles=TOLD,
        handler=add_webhook,
        body=models.NewWebhook,
        answer=models.MadeWebhook,
        statuses=(201, 200),
        needs_key=True,
        right=Right.LINES,
        problems=("invalid_input", "not_found"),
        located="showWebhook",
    ),
    Operation(
        method="GET",
        path=f"/webhooks/{WEBHOOK}",
        name="showWebhook",
        summary="Show one webhook",
        roles=TOLD,
        handler=show_webhook,
        answer=models.Webhook,
    ),
    Operation(
        method="PATCH",
        path=f"/webhooks/{WEBHOOK}",
        name="changeWebhook",
        summary="Change what a webhook is told, and where; switch it on or off",
        roles=TOLD,
        handler=change_webhook,
        body=models.WebhookChange,
        answer=models.Webhook,
        right=Right.LINES,
        problems=("invalid_input",),
    ),
    Operation(
        method="POST",
        path=f"/webhooks/{WEBHOOK}/secret",
        name="rotateWebhookSecret",
        summary="Make a new secret; the one before signs as well for a day",
        roles=TOLD,
        handler=rotate_secret,
        answer=models.MadeWebhook,
        right=Right.LINES,
    ),
    Operation(
        method="POST",
        path=f"/webhooks/{WEBHOOK}/tests",
        name="testWebhook",
        summary="Send a test, or the sample of an event",
        roles=TOLD,
        handler=test_webhook,
        body=models.WebhookTest,
        answer=models.Asked,
        statuses=(202,),
        right=Right.LINES,
        problems=("invalid_input",),
    ),
    Operation(
        method="GET",
        path=f"/webhooks/{WEBHOOK}/deliveries",
        name="listDeliveries",
        summary="List what was sent to a webhook and what came of it, newest first",
        roles=TOLD,
        handler=list_deliveries,
        query=models.DeliveryQuery,
        answer=models.Deliveries,
    ),
    Operation(
        method="POST",
        path=f"/webhooks/{WEBHOOK}/deliveries/{DELIVERY}/replay",
        name="replayDelivery",
        summary="Send a delivery once more",
        roles=TOLD,
        handler=replay,
        answer=models.Asked,
        statuses=(202,),
        right=Right.LINES,
    ),
    Operation(
        method="DELETE",
        path=f"/webhooks/{WEBHOOK}",
        name="deleteWebhook",
        summary="Delete a webhook and its deliveries",
        roles=TOLD,
        handler=delete_webhook,
        answer=models.DeletedWebhook,
        right=Right.LINES,
    ),
)
