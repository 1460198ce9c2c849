"""Operations that care for an account: correct, block, identify, lend, subscribe."""

from __future__ import annotations

from typing import Final

from billing.money import format_amount
from billing.subscriptions import Subscriptions
from ivr.calls.history import moment
from ivr.directory.callers import remove_phone, set_phones_and_pin
from ivr.directory.care import draw_pin, lift_lockout, read_access
from ivr.web.actions import PLAN_ACTIONS
from ivr.web.admin.account import note_movement
from ivr.web.api import account_models as models
from ivr.web.api import models as shared
from ivr.web.api import usage_models
from ivr.web.api.accounts import account_model
from ivr.web.api.gate import Answer, Ask, Operation, idempotency_key
from ivr.web.api.places import ACCOUNT
from ivr.web.api.usage import subscription_view
from ivr.web.problems import wrong_fields
from ivr.web.queries.accounts import find_account, phones_of
from ivr.web.scope import CALLERS, OPERATORS, NotYours, Right


async def code_of(ask: Ask) -> str:
    """Return the account of the path, when the asker may see it."""
    async with ask.web.reading() as connection:
        return (await find_account(connection, ask.who.scope, ask.named("account"))).code


async def adjust(ask: Ask) -> Answer:
    """Correct a balance, once per key."""
    assert isinstance(ask.body, models.Adjustment)
    body = ask.body
    done = await ask.web.deps.wallet.adjust(
        ask.named("account"),
        body.amount if body.direction == "credit" else -body.amount,
        key=idempotency_key(ask),
        actor=ask.who.login,
        memo=body.reason,
    )
    await note_movement(ask.web, ask.who, "adjust", done, reason=body.reason)
    model = models.Adjusted(
        transfer_id=done.transfer_id,
        account=done.account,
        amount=format_amount(done.amount),
        balance=format_amount(done.balance),
        currency=done.currency,
        replayed=done.replayed,
    )
    return Answer(model=model, status=200 if done.replayed else 201)


async def set_status(ask: Ask) -> Answer:
    """Block an account, or let it spend again."""
    assert isinstance(ask.body, models.NewStatus)
    wallet = ask.web.deps.wallet
    before = await wallet.account(ask.named("account"))
    after = await wallet.set_status(before.code, ask.body.status)
    await ask.web.note(ask.who, "set status", after.code, before=before.status, after=after.status)
    return Answer(model=account_model(after))


async def set_limit(ask: Ask) -> Answer:
    """Change the credit limit of a postpaid account."""
    assert isinstance(ask.body, models.NewCreditLimit)
    wallet = ask.web.deps.wallet
    before = await wallet.account(ask.named("account"))
    after = await wallet.set_credit_limit(before.code, ask.body.credit_limit)
    await ask.web.note(
        ask.who,
        "set credit limit",
        after.code,
        before=format_amount(before.credit_limit),
        after=f"{format_amount(after.credit_limit)} {after.currency}",
    )
    return Answer(model=account_model(after))


async def show_access(ask: Ask) -> Answer:
    """Show how the caller of an account gets in."""
    return await access(ask, await code_of(ask))


async def change_phone(ask: Ask) -> Answer:
    """Add a phone to an account, or remove one of its own."""
    assert isinstance(ask.body, models.PhoneChange)
    deps, number, code = ask.web.deps, ask.body.number, await code_of(ask)
    if ask.body.change == "remove":
        if not await remove_phone(deps.engine, code, number):
            raise NotYours
        await ask.web.note(ask.who, "remove phone", code, before=number)
    else:
        await set_phones_and_pin(deps.engine, code, numbers=[number], pin=None, key=deps.pin_key)
        await ask.web.note(ask.who, "add phone", code, after=number)
    return await access(ask, code)


async def set_pin(ask: Ask) -> Answer:
    """Set the PIN of an account, or draw one."""
    assert isinstance(ask.body, models.NewPin)
    deps, code = ask.web.deps, await code_of(ask)
    given = ask.body.pin.get_secret_value() if ask.body.pin else None
    pin = given or draw_pin()
    await set_phones_and_pin(deps.engine, code, numbers=(), pin=pin, key=deps.pin_key)
    await ask.web.note(ask.who, "set PIN", code, after="given" if given else "drawn")
    return Answer(
        model=models.PinSet(account=code, pin=None if given else pin),
        headers=(("Cache-Control", "no-store"),),
    )


async def unlock(ask: Ask) -> Answer:
    """Let the caller try the PIN again now."""
    code = await code_of(ask)
    await lift_lockout(ask.web.deps.engine, code)
    await ask.web.note(ask.who, "lift lockout", code)
    return await access(ask, code)


async def change_plan(ask: Ask) -> Answer:
    """Begin, change or end the subscription of an account."""
    assert isinstance(ask.body, models.PlanChange)
    deps, body, code = ask.web.deps, ask.body, await code_of(ask)
    if body.what in {"subscribe", "change"} and body.plan is None:
        raise wrong_fields({"plan": "Name the plan."})
    use = Subscriptions(engine=deps.engine, clock=deps.clock)
    match body.what:
        case "subscribe":
            done = await use.subscribe(code, body.plan or "", payment=body.payment)
        case "change":
            done = await use.change(code, body.plan or "")
        case _:
            done = await use.cancel(code, at_once=body.what == "end_now")
    facts = f"{done.plan.name}@{done.version}, {done.state}"
    await ask.web.note(ask.who, PLAN_ACTIONS[body.what], code, after=facts)
    return Answer(model=subscription_view(*await use.show(done.id)))


async def access(ask: Ask, code: str) -> Answer:
    """Answer how a caller gets in."""
    async with ask.web.reading() as connection:
        found = await read_access(connection, code, ask.web.now_us())
        known = await phones_of(connection, code)
    return Answer(
        model=models.Access(
            account=code,
            phones=tuple(known),
            has_pin=found.has_pin,
            wrong_pins=found.failures,
            locked_until=moment(found.locked_until_us or None),
            language=found.language,
        )
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/adjustments",
        name="adjust",
        summary="Correct a balance with a reason, once per key; never below what may be spent",
        roles=OPERATORS,
        handler=adjust,
        right=Right.MONEY,
        body=models.Adjustment,
        answer=models.Adjusted,
        statuses=(201, 200),
        needs_key=True,
        problems=(
            "missing_key",
            "unknown_account",
            "idempotency_conflict",
            "insufficient_funds",
        ),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/status",
        name="setStatus",
        summary="Block an account, or let it spend again",
        roles=OPERATORS,
        handler=set_status,
        right=Right.ACCOUNTS,
        body=models.NewStatus,
        answer=shared.Account,
        problems=("unknown_account",),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/credit-limit",
        name="setCreditLimit",
        summary="Change the credit limit of a postpaid account",
        roles=OPERATORS,
        handler=set_limit,
        right=Right.MONEY,
        body=models.NewCreditLimit,
        answer=shared.Account,
        problems=("unknown_account", "insufficient_funds", "invalid_input"),
    ),
    Operation(
        method="GET",
        path=f"/accounts/{ACCOUNT}/access",
        name="showAccess",
        summary="Show phones, PIN and lockout of an account",
        roles=OPERATORS | CALLERS,
        handler=show_access,
        answer=models.Access,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/phones",
        name="changePhone",
        summary="Add a phone to an account, or remove one",
        roles=OPERATORS,
        handler=change_phone,
        right=Right.ACCOUNTS,
        body=models.PhoneChange,
        answer=models.Access,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/pin",
        name="setPin",
        summary="Set the PIN of an account, or draw one that is answered this once",
        roles=OPERATORS,
        handler=set_pin,
        right=Right.ACCOUNTS,
        body=models.NewPin,
        answer=models.PinSet,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/unlock",
        name="unlock",
        summary="Let the caller try the PIN again now",
        roles=OPERATORS,
        handler=unlock,
        right=Right.ACCOUNTS,
        answer=models.Access,
        problems=("not_found",),
    ),
    Operation(
        method="POST",
        path=f"/accounts/{ACCOUNT}/plan",
        name="changePlan",
        summary="Begin, change or end the subscription of an account",
        roles=OPERATORS,
        handler=change_plan,
        right=Right.ACCOUNTS,
        body=models.PlanChange,
        answer=usage_models.SubscriptionView,
        problems=(
            "not_found",
            "unknown_account",
            "unknown_plan",
            "unknown_subscription",
            "subscription_exists",
            "insufficient_funds",
            "currency_mismatch",
            "invalid_input",
        ),
    ),
)
