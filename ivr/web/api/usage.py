"""Operations on usage: record, quote, report, and the subscription it is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from billing.clock import microseconds_of
from billing.domain.usage import UsageAnswer, UsageEvent
from billing.errors import UnknownSubscription
from billing.money import format_amount
from billing.storage.plan_rows import Subscription
from billing.subscriptions import Left, Subscriptions
from billing.usage import Metering
from ivr.calls.history import moment
from ivr.web.api import usage_models as models
from ivr.web.api.gate import Answer, Ask, Operation
from ivr.web.api.places import SUBSCRIPTION
from ivr.web.api.usage_models import units_text
from ivr.web.problems import wrong_fields
from ivr.web.scope import CALLERS, OPERATORS, NotYours, Right, Role


async def record(ask: Ask) -> Answer:
    """Record metering events, each once."""
    assert isinstance(ask.body, models.UsageBatch)
    now_us = ask.web.now_us()
    events = [
        UsageEvent(
            key=event.key,
            account=own_account(ask, event.account),
            type=event.type,
            units=event.units,
            at_us=now_us if event.at is None else microseconds_of(event.at),
            project=event.project,
            request_id=event.request_id,
            segment=event.segment,
            key_type=event.key_type,
            status=event.status,
        )
        for event in ask.body.events
    ]
    answers = await _metering(ask).record(events)
    outcomes = [answer.outcome for answer in answers]
    return Answer(
        model=models.UsageAnswers(
            accepted=outcomes.count("accepted"),
            replayed=outcomes.count("replayed"),
            refused=outcomes.count("refused"),
            conflicts=outcomes.count("conflict"),
            events=tuple(_answer(answer) for answer in answers),
        )
    )


async def quote(ask: Ask) -> Answer:
    """Tell what something would take before it is spent."""
    assert isinstance(ask.query, models.UsageQuoteQuery)
    found = await _metering(ask).quote(
        own_account(ask, ask.query.account),
        type=ask.query.type,
        units=ask.query.units,
        segment=ask.query.segment,
        byok=ask.query.key_type == "byok",
    )
    unit = found.meter.unit
    return Answer(
        model=models.UsageQuote(
            account=found.account,
            plan=found.plan,
            meter=unit,
            units=units_text(found.units, unit),
            covered=units_text(found.covered, unit),
            overage_units=units_text(found.overage_units, unit),
            overage=format_amount(found.overage),
            currency=found.currency,
            remaining=units_text(found.remaining, unit),
            warning=found.warning,
            says=found.says(),
        )
    )


async def report(ask: Ask) -> Answer:
    """Report usage by account and type."""
    assert isinstance(ask.query, models.UsageQuery)
    account = ask.query.account
    if ask.who.role is Role.CALLER:
        account = own_account(ask, account)
    found = await _metering(ask).report(
        ask.query.span(ask.web.now().date()),
        account=account,
        after=ask.query.place(str, str, str),
        limit=ask.query.reach,
    )
    rows, after = ask.query.cut(found, lambda row: (row.account, row.meter, row.type))
    return Answer(
        model=models.UsageReport(
            next=after,
            rows=tuple(
                models.UsageRow(
                    account=row.account,
                    meter=row.meter,
                    type=row.type,
                    events=row.events,
                    units=units_text(row.units, row.meter),
                    overage_units=units_text(row.overage_units, row.meter),
                    overage=format_amount(row.overage),
                )
                for row in rows
            ),
        )
    )


async def show_subscription(ask: Ask) -> Answer:
    """Show a subscription by its id, or the live one of an account."""
    deps = ask.web.deps
    try:
        found, left = await Subscriptions(engine=deps.engine, clock=deps.clock).show(
            ask.named("subscription")
        )
    except UnknownSubscription:
        raise NotYours from None
    if ask.who.role is Role.CALLER and found.account != ask.who.scope.subject:
        raise NotYours
    return Answer(model=subscription_view(found, left))


def subscription_view(found: Subscription, left: Sequence[Left]) -> models.SubscriptionView:
    """Write a subscription and what it still has as the API tells it."""
    return models.SubscriptionView(
        id=found.id,
        account=found.account,
        plan=found.plan.name,
        version=found.version,
        state=found.state,  # type: ignore[arg-type]  # the table knows no other
        cycle_start=moment(found.cycle_start_us) or "",
        cycle_end=moment(found.cycle_end_us) or "",
        ends=found.ends,
        allowances=tuple(
            models.Allowance(
                meter=each.bucket.meter,
                bucket=each.bucket.name,
                granted=units_text(each.bucket.granted, each.bucket.meter),
                remaining=units_text(each.units, each.bucket.meter),
                expires_at=moment(each.bucket.expires_us),
            )
            for each in left
        ),
    )


def own_account(ask: Ask, account: str | None) -> str:
    """Return the account that is meant: a caller's own, whatever else it names."""
    if ask.who.role is Role.CALLER:
        subject = ask.who.scope.subject
        if subject is None or account not in {None, subject}:
            raise NotYours
        return subject
    if account is None:
        raise wrong_fields({"account": "Please fill this in."})
    return account


def _metering(ask: Ask) -> Metering:
    return Metering(engine=ask.web.deps.engine, clock=ask.web.deps.clock)


def _answer(answer: UsageAnswer) -> models.UsageAnswer:
    return models.UsageAnswer(
        key=answer.key,
        account=answer.account,
        outcome=answer.outcome,  # type: ignore[arg-type]  # the library knows no other
        code=answer.code,
        reason=answer.reason,
        meter=answer.meter or None,
        units=units_text(answer.units, answer.meter),
        overage_units=units_text(answer.overage_units, answer.meter),
        overage=format_amount(answer.overage),
        remaining=units_text(answer.remaining, answer.meter),
        warning=answer.warning,
    )


OPERATIONS: Final = (
    Operation(
        method="POST",
        path="/usage",
        name="recordUsage",
        summary="Record one or many metering events, each once",
        roles=OPERATORS | CALLERS,
        handler=record,
        right=Right.ACCOUNTS,
        body=models.UsageBatch,
        answer=models.UsageAnswers,
        bytes_max=8 * 1024 * 1024,
        problems=("not_found", "invalid_input", "ledger_unavailable"),
    ),
    Operation(
        method="GET",
        path="/usage/quote",
        name="quoteUsage",
        summary="Tell what something would take of a plan, before it is spent",
        roles=OPERATORS | CALLERS,
        handler=quote,
        query=models.UsageQuoteQuery,
        answer=models.UsageQuote,
        problems=("not_found", "invalid_input", "unknown_subscription", "usage_stopped"),
    ),
    Operation(
        method="GET",
        path="/usage",
        name="reportUsage",
        summary="Report usage by account and type",
        roles=OPERATORS | CALLERS,
        handler=report,
        query=models.UsageQuery,
        answer=models.UsageReport,
        problems=("not_found", "invalid_input"),
    ),
    Operation(
        method="GET",
        path=f"/subscriptions/{SUBSCRIPTION}",
        name="showSubscription",
        summary="Show a subscription and what it still has, by its id or its account",
        roles=OPERATORS | CALLERS,
        handler=show_subscription,
        answer=models.SubscriptionView,
        problems=("not_found",),
    ),
)
