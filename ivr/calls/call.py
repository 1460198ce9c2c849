"""One live call: who, what for, where it stands and how long they have talked.

Only the tasks of one event loop touch a call; others see frozen snapshots.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from billing.charging import Grant, SessionTerms
from billing.clock import Clock
from billing.money import Micros
from ivr.calls.states import CallEvent, CallState, EndReason, advance
from ivr.telephony import CallFacts, Wish

MICROSECONDS = 1_000_000
TIMELINE_MAX = 40
# What is noted between the steps: slices held, notices, what operators did.
MARKS_MAX = 60
LASTS_SECONDS_MAX = 24 * 3600

# The switch's clock may differ from ours; parts before this one may have lasted a day.
RECORD_SLACK_US = 60 * MICROSECONDS
PARTS_SLACK_US = 2 * LASTS_SECONDS_MAX * MICROSECONDS

log = structlog.get_logger()


def record_since(started_us: int, part: int) -> int:
    """Say from when on the switch's record of a call must be read to find all its talks."""
    return started_us - (RECORD_SLACK_US if part == 1 else PARTS_SLACK_US)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSnapshot:
    """What the web and the command line may know of a live call.

    `held` is the money held for its talk. It ends after `ends_after_seconds` of talk, as it looks
    now, by the `money` or by the `line`; from `next_tier_seconds` on a minute costs another price.
    """

    id: str
    did: str
    client: str
    topic: str
    account: str
    caller: str
    state: str
    asking: str
    started_us: int
    talk_seconds: float
    cost: Micros
    currency: str
    granted_seconds: int
    uniqueid: str = ""
    destination: str = ""
    waited_seconds: float = 0.0
    held: Micros = 0
    ends_after_seconds: int | None = None
    ends_by: str = ""
    next_tier_seconds: int | None = None
    next_price: Micros = 0
    next_per_seconds: int = 60
    covered_seconds: int = 0
    extended_minutes: int = 0
    premium: bool = False
    # The caller was told that somebody may listen.
    listen_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """More talk for a call: it may go on until `target_seconds`, and what was given for that."""

    call_id: str
    minutes: int
    target_seconds: int
    amount: Micros
    currency: str
    done: bool = False


@dataclass(slots=True, kw_only=True)
class Talk:
    """Two parties in one bridge, by the switch's clock (`…_us`) and ours (`…_at`)."""

    started_us: int | None = None
    started_at: float | None = None
    ended_us: int | None = None
    ended_at: float | None = None
    agent_channel: str = ""
    bridge: str = ""
    # Whose phone that is, as the switch says: client.agent, where a queue found it.
    agent: str = ""

    def seconds(self, monotonic: float) -> float:
        """How long they have talked by our clock."""
        if self.started_at is None:
            return 0.0
        return max(0.0, (monotonic if self.ended_at is None else self.ended_at) - self.started_at)


@dataclass(slots=True, kw_only=True)
class Granted:
    """What is held so far: `step` counts the grants, `final` means no money for more.

    Of `seconds`, a plan covers `covered_seconds`.
    """

    step: int = 0
    seconds: int = 0
    covered_seconds: int = 0
    final: bool = False
    # What a plan covers of the whole talk, held or not.
    plan_seconds: int = 0
    # How much talk money and plan allow in all; None: more than anybody talks.
    lasts_seconds: int | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """A live call. An `adopted` one was found on the switch after a restart: no flow serves it."""

    id: str
    facts: CallFacts
    boot: str
    started_us: int
    clock: Clock
    state: CallState = CallState.RINGING
    asking: str = ""
    client: str = ""
    account: str = ""
    digit: int | None = None
    topic: str = ""
    destination: str = ""
    # Who is rung, where no queue decides it: an agent's code, or a destination.
    rung: str = ""
    tariff: str = ""
    tariff_version: int | None = None
    terms: SessionTerms | None = None
    granted: Granted = field(default_factory=Granted)
    # The line ends every talk after so many seconds; None: it does not.
    ceiling_seconds: int | None = None
    # A PIN proved who it is; without, a caller id was believed.
    proved: bool = False
    # The carrier pays for it, and the caller pays the carrier.
    premium: bool = False
    language: str = "en"
    # A call that an agent put through goes on as another part; `follows` is the part before.
    part: int = 1
    follows: str = ""
    # The call that all parts belong to; empty for the first, which is it.
    began_as: str = ""
    # The agent was rung first, so the caller is the other party of the talk.
    called_back: bool = False
    # The talk is recorded, and kept for so many days.
    record_days: int | None = None
    wish: Wish | None = None
    talk: Talk = field(default_factory=Talk)
    adopted: bool = False
    caller_gone: bool = False
    # The switch's own word, with the caller still there: nobody talked.
    dial_ended_without_talk: bool = False
    # The registry's count of lost links when this call began to wait for an agent.
    outages_before: int = 0
    hang_up_by: EndReason | None = None
    # Why the last wish for more talk was refused: what the call ends with, should it end by that.
    refused: EndReason | None = None
    end_reason: EndReason | None = None
    ended_us: int | None = None
    timeline: list[tuple[int, str]] = field(default_factory=list)
    # Moments between the steps: when, what, how much.
    marks: list[tuple[int, str, int]] = field(default_factory=list)
    # What operators gave, by the key of their wish.
    extensions: dict[str, Extension] = field(default_factory=dict)
    # When it began to wait for an agent, by our clock.
    waiting_at: float | None = None
    # The caller was told that somebody may listen.
    listen_told: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    concluded: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, event: CallEvent) -> None:
        """Move on by the table of `states`; every step is kept with its moment."""
        before, self.state = self.state, advance(self.state, event)
        log.info("call moved", call_id=self.id, before=before, event_kind=event, after=self.state)
        if len(self.timeline) < TIMELINE_MAX:
            self.timeline.append((self.now_us(), self.state.value))
        if self.state is CallState.WAITING:
            self.waiting_at = self.clock.monotonic()

    def mark(self, what: str, number: int) -> None:
        """Note a moment for the picture of the call; slices leave room for what is rarer."""
        if len(self.marks) < (MARKS_MAX // 2 if what == "held" else MARKS_MAX):
            self.marks.append((self.now_us(), what, number))

    @property
    def waited_seconds(self) -> float:
        """How long it waited for an agent."""
        if self.waiting_at is None:
            return 0.0
        end = self.talk.started_at
        return max(0.0, (self.clock.monotonic() if end is None else end) - self.waiting_at)

    def ask(self, what: str) -> None:
        """Note what the caller is being asked for: `account`, `pin`, `topic`, or nothing."""
        self.asking = what
        if what:
            log.info("asked", call_id=self.id, asking=what)

    def take_grant(self, grant: Grant) -> None:
        """Note what is held now, and how long it can go on like that."""
        assert self.terms is not None
        self.mark("held", grant.seconds)
        self.granted.step = grant.step
        self.granted.seconds = grant.seconds
        self.granted.covered_seconds = grant.covered_seconds
        self.granted.final = grant.final
        self.granted.lasts_seconds = None
        self.granted.plan_seconds = grant.covered_seconds + grant.coverable_seconds
        if grant.spendable is not None:
            paid = self.terms.table.affordable_seconds(
                grant.amount + grant.spendable, seconds_max=LASTS_SECONDS_MAX
            )
            if paid < LASTS_SECONDS_MAX:
                self.granted.lasts_seconds = self.granted.plan_seconds + paid

    @property
    def first_id(self) -> str:
        """The id of the first part."""
        return self.began_as or self.id

    @property
    def caller_channel(self) -> str:
        """The caller's end of the talk."""
        return self.talk.agent_channel if self.called_back else self.facts.channel

    @property
    def agent(self) -> str:
        """Who served it: an agent's code, or where the phone is that was rung."""
        named, _, code = self.talk.agent.partition(".")
        return code if code and named == self.client else self.rung

    def next_part(self, call_id: str) -> Call:
        """Make what follows when an agent puts the caller through; the old part is over."""
        return Call(
            id=call_id,
            facts=self.facts,
            boot=self.boot,
            started_us=self.now_us(),
            clock=self.clock,
            state=CallState.CHOOSING,
            client=self.client,
            account=self.account,
            proved=self.proved,
            premium=self.premium,
            language=self.language,
            part=self.part + 1,
            follows=self.id,
            began_as=self.first_id,
            record_days=self.record_days,
            listen_told=self.listen_told,
        )

    @property
    def ends_after_seconds(self) -> int | None:
        """How much talk there can be, as it looks now; None: as much as they like."""
        known = [
            seconds
            for seconds in (self.granted.lasts_seconds, self.ceiling_seconds)
            if seconds is not None
        ]
        return min(known, default=None)

    @property
    def limit_seconds(self) -> int:
        """After how much talk the switch ends it, as it stands; a grant may reach beyond."""
        return min(self.granted.seconds, self.ceiling_seconds or self.granted.seconds)

    def capped(self, seconds: int) -> int:
        """Return what to hold of so many seconds: nobody pays for talk that the line cuts off."""
        return seconds if self.ceiling_seconds is None else min(seconds, self.ceiling_seconds)

    @property
    def wishes_more(self) -> bool:
        """Tell whether the line lets them talk longer than is held."""
        return self.ceiling_seconds is None or self.granted.seconds < self.ceiling_seconds

    def now_us(self) -> int:
        """Wall time in microseconds, for records."""
        return int(self.clock.now().timestamp() * MICROSECONDS)

    @property
    def told(self) -> bool:
        """Tell whether events said all: both ends of the talk, or that there can be none."""
        if self.state is CallState.TALKING:
            return self.talk.ended_us is not None
        return self.caller_gone or self.dial_ended_without_talk

    def heard_throughout(self, outages: int) -> bool:
        """Tell whether no event of this call can have been missed, given all lost links."""
        return not self.adopted and self.outages_before == outages and self.told

    def snapshot(self) -> CallSnapshot:
        """Freeze what others may see, with the cost of the talk so far."""
        talk_seconds = self.talk.seconds(self.clock.monotonic())
        charged = min(-int(-talk_seconds // 1), self.granted.seconds)
        covered = self.granted.covered_seconds
        charged -= min(charged, covered)
        table = self.terms.table if self.terms else None
        paid_from = self.granted.plan_seconds
        change = table.next_change(max(0, int(talk_seconds) - paid_from)) if table else None
        end = self.ends_after_seconds
        return CallSnapshot(
            id=self.id,
            did=self.facts.did,
            client=self.client,
            topic=self.topic,
            account=self.account,
            caller=self.facts.caller_number,
            state=self.state.value,
            asking=self.asking,
            started_us=self.started_us,
            talk_seconds=talk_seconds,
            cost=table.cost(charged) if table and charged else 0,
            currency=self.terms.currency if self.terms else "",
            granted_seconds=self.granted.seconds,
            uniqueid=self.facts.uniqueid,
            destination=self.destination,
            waited_seconds=self.waited_seconds,
            held=table.cost(self.granted.seconds - min(self.granted.seconds, covered))
            if table and self.granted.step
            else 0,
            ends_after_seconds=end,
            ends_by="" if end is None else "line" if end == self.ceiling_seconds else "money",
            next_tier_seconds=paid_from + change.from_seconds if change else None,
            next_price=change.tier.price if change else 0,
            next_per_seconds=change.tier.per_seconds if change else 60,
            covered_seconds=covered,
            extended_minutes=sum(one.minutes for one in self.extensions.values() if one.done),
            premium=self.premium,
            listen_told=self.listen_told,
        )
