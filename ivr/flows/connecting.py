"""From a chosen topic to a talk: fix the price, hold the money, ring somebody.

    quote -> hold -> limits inside the switch -> ring, or wait in a queue -> overflow -> otherwise

No agent rings before money is held and a limit is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from billing.charging import Grant, SessionTerms
from billing.domain.cover import ALLOWANCES_MAX, Allowance
from billing.domain.rating import RateTable
from ivr.calls.call import Call
from ivr.calls.meter import FAREWELL_SECONDS
from ivr.calls.states import CallEvent, EndReason
from ivr.directory.destinations import Destination, country_of
from ivr.directory.model import Client, Did, Topic, rung_at
from ivr.directory.queues import WAIT_SECONDS
from ivr.flows.desk import CallEnds, Desk
from ivr.flows.otherwise import otherwise
from ivr.flows.prompts import Prompt
from ivr.telephony import (
    CallLeg,
    ChannelGone,
    DialResult,
    Gate,
    LegFailed,
    Manner,
    SwitchUnavailable,
)

# Answering, ringing and the first slice fit into it many times over.
HOLD_SLACK_SECONDS: Final = 300


def quote(
    call: Call, did: Did, topic: Topic, allowances: Sequence[Allowance], desk: Desk
) -> SessionTerms:
    """Fix the version of the price, what a plan pays first, and who gets which share.

    Raises:
        CallEnds: the topic leads nowhere that can be reached.

    """
    directory = desk.directory()
    client = directory.client(did.client)
    if not is_connectable(topic.destination, did.client, desk):
        raise CallEnds(EndReason.TOPIC_UNAVAILABLE)
    version = directory.tariff(topic.tariff or did.tariff)
    call.digit = topic.digit
    call.topic = topic.name
    call.destination = str(topic.destination)
    call.tariff = version.name
    call.tariff_version = version.version
    priced_us = call.now_us()
    return SessionTerms(
        session_id=call.id,
        account=call.account,
        client=did.client,
        service=did.number,
        detail=topic.name,
        tariff_version_id=version.id,
        table=RateTable.compile(version.tariff, started_at=desk.clock.now(), timezone=did.timezone),
        timezone=did.timezone,
        shares=client.shares_at(priced_us),
        currency=client.currency,
        priced_us=priced_us,
        cover=tuple(allowance.account for allowance in allowances[:ALLOWANCES_MAX]),
    )


async def hold(
    leg: CallLeg, call: Call, terms: SessionTerms, destination: Destination, desk: Desk
) -> None:
    """Hold the first slice, and let the switch end even a call that we forget."""
    call.terms = terms
    wait_seconds = _waits(destination, desk)
    # Both are queued before the writer wakes, so that one commit carries them.
    grant, began = await asyncio.gather(
        desk.charging.open(
            terms,
            slice_seconds=call.capped(desk.slice_seconds),
            expires_seconds=HOLD_SLACK_SECONDS + wait_seconds,
        ),
        desk.store.begin(call),
        return_exceptions=True,
    )
    for outcome in (grant, began):
        if isinstance(outcome, BaseException):
            raise outcome
    assert isinstance(grant, Grant)
    call.take_grant(grant)
    call.outages_before = desk.registry.outages
    call.take(CallEvent.HELD)
    await leg.set_limit(wait_seconds + call.limit_seconds + FAREWELL_SECONDS)


async def connect(leg: CallLeg, call: Call, did: Did, topic: Topic, desk: Desk) -> EndReason:
    """Ring until somebody talks; returns why the talk ended, or what came instead of one."""
    await _record(leg, call, did, desk)
    if did.rules.listen and not call.listen_told:
        await leg.play(Prompt.LISTENED)
        call.listen_told = True
    manner = await _manner(call, did, topic, desk)
    result = await _ring(leg, call, topic.destination, manner, desk)
    if result is not DialResult.TALKED and (other := _overflow(topic.destination, desk)):
        await leg.set_limit(_waits(other, desk) + call.limit_seconds + FAREWELL_SECONDS)
        result = await _ring(leg, call, other, manner, desk)
    if result is not DialResult.TALKED:
        call.dial_ended_without_talk = True
        return await otherwise(leg, call, topic, desk, because=EndReason.NO_AGENT)
    return await _whats_next(leg, call, did)


async def _whats_next(leg: CallLeg, call: Call, did: Did) -> EndReason:
    """Tell whether the agent hung up, or wants the caller to go somewhere else."""
    if did.rules.transfers and call.wish is None:
        call.wish = await leg.wish()
    return EndReason.TRANSFERRED if call.wish else EndReason.AGENT_HUNG_UP


async def join(
    leg: CallLeg, call: Call, did: Did, topic: Topic, channel: str, desk: Desk
) -> EndReason:
    """Let the caller talk to an agent who is on the line already."""
    call.talk.agent_channel = channel
    call.rung = rung_at(str(topic.destination), call.client, desk.directory())
    try:
        await desk.registry.limit(channel, call.limit_seconds)
        await leg.join(channel)
    except (ChannelGone, LegFailed, SwitchUnavailable):
        if call.talk.started_us is not None:
            raise
        call.dial_ended_without_talk = True
        return await otherwise(leg, call, topic, desk, because=EndReason.NO_AGENT)
    return await _whats_next(leg, call, did)


async def _record(leg: CallLeg, call: Call, did: Did, desk: Desk) -> None:
    """Announce and start the recording that the line demands; it goes on through all parts."""
    if did.rules.record_days is None or desk.mailbox is None or call.record_days is not None:
        return
    await leg.play(Prompt.RECORDED)
    await leg.record_talk(str(desk.mailbox.file(call.id, "talk")))
    call.record_days = did.rules.record_days


async def _manner(call: Call, did: Did, topic: Topic, desk: Desk) -> Manner:
    waits_in_line = topic.destination.kind == "queue" and not call.premium
    return Manner(
        gate=Gate.ACCEPT if topic.rules.accept else Gate.OPEN,
        transfers=did.rules.transfers,
        priority=await desk.people.priority(call.account) if waits_in_line else 0,
        caller_id=did.number if topic.destination.kind == "phone" else "",
    )


async def _ring(
    leg: CallLeg, call: Call, destination: Destination, manner: Manner, desk: Desk
) -> DialResult:
    call.rung = rung_at(str(destination), call.client, desk.directory())
    return await leg.connect(
        str(destination),
        limit_seconds=call.limit_seconds,
        ring_seconds=_waits(destination, desk),
        manner=manner,
    )


def is_connectable(destination: Destination, client: str, desk: Desk) -> bool:
    """Tell whether somebody can be rung there, now and for this client."""
    match destination.kind:
        case "sip" | "demo":
            return True
        case "queue":
            return desk.has_queues and destination.target in desk.directory().queues
        case "phone":
            return may_dial(destination.target, desk.directory().client(client), desk)
        case _:
            return False


def may_dial(number: str, client: Client, desk: Desk) -> bool:
    """Tell whether a phone may be dialled for a client: the installation's countries, and its."""
    country = country_of(number)
    return country in desk.countries and (
        not client.rules.countries or country in client.rules.countries
    )


def _waits(destination: Destination, desk: Desk) -> int:
    """Tell how long a caller may wait for an agent; nothing is charged for it."""
    if destination.kind == "queue":
        queue = desk.directory().queues.get(destination.target)
        return queue.wait_seconds if queue else WAIT_SECONDS
    return desk.ring_seconds


def _overflow(destination: Destination, desk: Desk) -> Destination | None:
    if destination.kind != "queue":
        return None
    # A queue may be deleted while somebody waits in it.
    queue = desk.directory().queues.get(destination.target)
    return queue.overflow if queue else None
