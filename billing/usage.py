"""Metering events: recorded once each, thousands in one transaction; quotes and reports.

    load     subscriptions (locked), events that are known, allowances and balances (locked)
    decide   each event in order, in pure code
    write    events, sums per hour, alerts; one transfer per subscription for units, one for money

An event is known by its account and key. The same again changes nothing and gets the same answer;
the same key with other content is a conflict of that event alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from billing.clock import Clock, microseconds_of
from billing.cycles import provider_of
from billing.domain.cover import issuer_of
from billing.domain.metering import MeterState, Stop, decide, take, units_of
from billing.domain.operations import AccountRef, Post, PostedEntry
from billing.domain.usage import (
    ANSWER,
    UsageAnswer,
    UsageEvent,
    UsageQuote,
    UsageRow,
    accepted,
    again,
    check,
    refused,
)
from billing.errors import InvalidInput, LedgerUnavailable, UnknownSubscription, UsageStopped
from billing.ids import new_id
from billing.money import Micros
from billing.renewal import renew_due
from billing.reports import Span
from billing.storage.drivers import DatabaseFailed, run_in
from billing.storage.engine import for_writing
from billing.storage.plan_rows import (
    Balance,
    Bucket,
    Subscription,
    buckets_of,
    live_subscriptions,
    lock_accounts,
    moved,
    post_all,
)
from billing.storage.plan_tables import (
    subscription_meters,
    usage_alerts,
    usage_events,
    usage_hours,
)
from billing.storage.statements import Add, Find, Insert, Rows, Steps
from billing.usage_reports import usage_rows

HOUR_US: Final = 3_600_000_000
_EVENT: Final = (
    "account", "key", "input_hash", "subscription", "meter", "type", "project", "request_id",
    "segment", "key_type", "status", "at_us", "recorded_us", *ANSWER,
)  # fmt: skip
_FIND_EVENTS: Final = Find(
    source="usage_events",
    columns=("account", "key", "input_hash", "meter", *ANSWER),
    keys=("account", "key"),
)
_INSERT_EVENTS: Final = Insert(usage_events, columns=_EVENT)
_INSERT_ALERTS: Final = Insert(
    usage_alerts, columns=("subscription", "meter", "cycle", "percent", "at_us"), ignore=True
)
_ADD_HOURS: Final = Add(
    usage_hours,
    keys=("account", "meter", "type", "hour_us"),
    sums=("events", "units", "overage_units", "overage"),
)
_ADD_OVERAGE: Final = Add(
    subscription_meters, keys=("subscription", "meter"), sums=("overage_units", "overage")
)


@dataclass(slots=True, kw_only=True)
class _Desk:
    """One subscription while its events are decided."""

    subscription: Subscription
    buckets: dict[str, list[Bucket]]
    states: dict[str, MeterState]
    before: dict[str, MeterState]
    money: Micros | None
    alerts: set[tuple[str, int]] = field(default_factory=set)


class Metering:
    """The use-cases of usage."""

    def __init__(self, *, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def record(self, events: Sequence[UsageEvent]) -> list[UsageAnswer]:
        """Record events in one transaction; each gets its own answer, in order.

        Raises:
            InvalidInput: none, too many, or one that no event can be; its number is named.
            LedgerUnavailable: the outcome is unknown; send the same again.

        """
        now_us = microseconds_of(self._clock.now())
        check(events, now_us)
        await renew_due(self._engine, self._clock, {event.account for event in events})
        connection = await for_writing(self._engine)
        try:
            async with connection.begin():
                return await self._record(connection, events, now_us)
        except DatabaseFailed as error:
            raise LedgerUnavailable(reason=type(error).__name__) from error
        finally:
            await connection.close()

    async def _record(
        self, connection: AsyncConnection, events: Sequence[UsageEvent], now_us: int
    ) -> list[UsageAnswer]:
        desks = await _open(connection, {event.account for event in events})
        digests = [event.digest() for event in events]
        known = await run_in(connection, _known(events))
        answers: list[UsageAnswer] = []
        rows: list[tuple[object, ...]] = []
        hours: dict[tuple[str, str, str, int], list[int]] = {}
        for event, digest in zip(events, digests, strict=True):
            stored = known.get((event.account, event.key))
            if stored is not None:
                answers.append(again(event, digest, stored))
                continue
            answer, meter = _decide(event, desks.get(event.account))
            answers.append(answer)
            if answer.outcome != "accepted" or meter is None:
                continue
            result = tuple(getattr(answer, name) for name in ANSWER)
            known[event.account, event.key] = (digest, meter, *result)
            subscription = desks[event.account].subscription.id
            rows.append(
                (
                    event.account,
                    event.key,
                    digest,
                    subscription,
                    meter,
                    event.type,
                    event.project,
                    event.request_id,
                    event.segment,
                    event.key_type,
                    event.status,
                    event.at_us,
                    now_us,
                    *result,
                )
            )
            place = (event.account, meter, event.type, event.at_us - event.at_us % HOUR_US)
            sums = hours.setdefault(place, [0, 0, 0, 0])
            for number, amount in enumerate(
                (1, answer.units, answer.overage_units, answer.overage)
            ):
                sums[number] += amount
        if rows:
            hour_rows = [(*place, *sums) for place, sums in sorted(hours.items())]
            await self._post(connection, desks.values(), now_us)
            await run_in(connection, _write(rows, hour_rows, list(desks.values()), now_us))
        return answers

    async def _post(self, connection: AsyncConnection, desks: Iterable[_Desk], now_us: int) -> None:
        """Move what was drawn: one transfer per subscription and unit, one for its overage."""
        batch = new_id(self._clock)
        posts: list[Post] = []
        for desk in desks:
            for kind, entries in _movements(desk):
                posts.append(
                    Post(
                        key=f"{kind}:{batch}:{desk.subscription.id}:{len(posts)}",
                        transfer_id=new_id(self._clock),
                        kind=kind,
                        entries=entries,
                        at_us=now_us,
                        memo=desk.subscription.plan.name,
                        actor="metering",
                    )
                )
        await post_all(connection, posts)

    async def quote(
        self,
        account: str,
        *,
        type: str,  # noqa: A002 - the field's own name
        units: int | None = None,
        segment: str | None = None,
        byok: bool = False,
    ) -> UsageQuote:
        """Tell what something would take of the plan, and what it would cost beyond it.

        Raises:
            UnknownSubscription: the account has no plan that is active.
            UsageStopped: it would be refused, and why.
            InvalidInput: the plan does not know such a type.

        """
        await renew_due(self._engine, self._clock, [account])
        async with self._engine.connect() as connection:
            desks = await _open(connection, {account}, lock=False)
        desk = desks.get(account)
        if desk is None:
            raise UnknownSubscription(subscription=account)
        meter = desk.subscription.plan.meter_of(type)
        taken = units_of(meter, type, units, segment) if meter else None
        if meter is None or taken is None:
            raise InvalidInput(reason=f"the plan {desk.subscription.plan.name} has no {type}")
        state = desk.states[meter.unit]
        use = decide(meter, state, taken, byok=byok, money=desk.money)
        if isinstance(use, Stop):
            raise UsageStopped(account=account, reason=use.reason)
        return UsageQuote(
            account=account,
            plan=desk.subscription.plan.name,
            meter=meter,
            units=use.units,
            covered=sum(use.drawn),
            overage_units=use.overage_units,
            overage=use.overage,
            currency=desk.subscription.plan.currency,
            remaining=sum(state.left) - sum(use.drawn),
            warning=use.warning,
        )

    async def report(
        self,
        span: Span,
        *,
        account: str | None = None,
        after: tuple[str, str, str] | None = None,
        limit: int | None = None,
    ) -> list[UsageRow]:
        """Sum usage by account, meter and type from the sums per hour; after a place, so many."""
        return await usage_rows(self._engine, span, account=account, after=after, limit=limit)


async def _open(
    connection: AsyncConnection, names: set[str], *, lock: bool = True
) -> dict[str, _Desk]:
    """Read where the active subscriptions of accounts stand, and let them stand still."""
    found = await live_subscriptions(connection, names, lock=lock)
    live = {name: each for name, each in found.items() if each.state == "active"}
    if not live:
        return {}
    buckets = await buckets_of(connection, [each.id for each in live.values()])
    refs = {bucket.ref for bucket in buckets} | {each.caller for each in live.values()}
    if lock:
        # All at once and by id, as the writer does: no circle of waiting.
        refs |= {issuer_of(bucket.ref) for bucket in buckets}
        refs |= {provider_of(each.plan.currency) for each in live.values()}
    balances = await lock_accounts(connection, refs)
    rows = await connection.execute(
        select(subscription_meters).where(
            subscription_meters.c.subscription.in_([each.id for each in live.values()])
        )
    )
    overage = {(row.subscription, row.meter): (row.overage_units, row.overage) for row in rows}
    by_meter: dict[tuple[str, str], list[Bucket]] = {}
    for bucket in buckets:
        by_meter.setdefault((bucket.subscription, bucket.meter), []).append(bucket)
    return {name: _desk(each, by_meter, balances, overage) for name, each in sorted(live.items())}


def _desk(
    subscription: Subscription,
    by_meter: dict[tuple[str, str], list[Bucket]],
    balances: dict[AccountRef, Balance],
    overage: dict[tuple[str, str], tuple[int, Micros]],
) -> _Desk:
    buckets: dict[str, list[Bucket]] = {}
    states: dict[str, MeterState] = {}
    before: dict[str, MeterState] = {}
    for meter in subscription.plan.meters:
        mine = by_meter.get((subscription.id, meter.unit), [])
        units, amount = overage.get((subscription.id, meter.unit), (0, 0))
        left = [balances[bucket.ref].spendable for bucket in mine]
        buckets[meter.unit] = mine
        for states_of in (states, before):
            states_of[meter.unit] = MeterState(
                granted=sum(bucket.granted for bucket in mine),
                left=list(left),
                overage_units=units,
                overage=amount,
            )
    caller = balances.get(subscription.caller)
    spendable = caller.spendable if caller and caller.status == "active" else 0
    return _Desk(
        subscription=subscription, buckets=buckets, states=states, before=before, money=spendable
    )


def _known(
    events: Sequence[UsageEvent],
) -> Steps[dict[tuple[str, str], tuple[object, ...]]]:
    keys = sorted({(event.account, event.key) for event in events})
    rows = yield _FIND_EVENTS, keys
    return {(account, key): tuple(rest) for account, key, *rest in rows}


def _write(rows: Rows, hours: Rows, desks: Sequence[_Desk], now_us: int) -> Steps[None]:
    yield _INSERT_EVENTS, rows
    yield _ADD_HOURS, hours
    overage: list[tuple[object, ...]] = []
    alerts: list[tuple[object, ...]] = []
    for desk in desks:
        subscription = desk.subscription
        for unit, state in sorted(desk.states.items()):
            units = state.overage_units - desk.before[unit].overage_units
            if units:
                amount = state.overage - desk.before[unit].overage
                overage.append((subscription.id, unit, units, amount))
        alerts += [
            (subscription.id, unit, subscription.cycle, percent, now_us)
            for unit, percent in sorted(desk.alerts)
        ]
    if overage:
        yield _ADD_OVERAGE, overage
    if alerts:
        yield _INSERT_ALERTS, alerts


def _decide(event: UsageEvent, desk: _Desk | None) -> tuple[UsageAnswer, str | None]:
    """Decide one event; returns its answer and the meter that counted it."""
    if desk is None:
        return refused(event, "no_subscription", "the account has no plan that is active"), None
    meter = desk.subscription.plan.meter_of(event.type)
    units = units_of(meter, event.type, event.units, event.segment) if meter else None
    if meter is None or units is None:
        reason = f"the plan {desk.subscription.plan.name} has no {event.type}"
        return refused(event, "unknown_type", reason), None
    state = desk.states[meter.unit]
    use = decide(meter, state, units, byok=event.byok, money=desk.money)
    if isinstance(use, Stop):
        return refused(event, use.code, use.reason), None
    take(state, use)
    if desk.money is not None:
        desk.money -= use.overage
    desk.alerts |= {(meter.unit, percent) for percent in use.alerts}
    return accepted(event, use, sum(state.left), meter.unit), meter.unit


def _movements(desk: _Desk) -> list[tuple[str, tuple[PostedEntry, ...]]]:
    found: list[tuple[str, tuple[PostedEntry, ...]]] = []
    for unit, state in sorted(desk.states.items()):
        before = desk.before[unit]
        entries: list[PostedEntry] = []
        for bucket, had, has in zip(desk.buckets[unit], before.left, state.left, strict=True):
            if had != has:
                entries.append(PostedEntry(account=bucket.ref, amount=has - had))
        if entries:
            issuer = issuer_of(entries[0].account)
            used = -sum(entry.amount for entry in entries)
            found.append(("usage", (*entries, PostedEntry(account=issuer, amount=used))))
        if overage := state.overage - before.overage:
            provider = provider_of(desk.subscription.plan.currency)
            found.append(("overage", moved(desk.subscription.caller, provider, overage)))
    return found
