"""The link to Asterisk's manager: panoramisk's `Manager` and `AMIProtocol`, faults contained.

    connect -> greeting -> login -> boot id -> LinkUp -> events in order, pings -> lost -> LinkDown
       ^                                                                             |
       └──────────────── backoff with jitter; long after a refused login ────────────┘

Actions carry a deadline; those under way fail when the link is lost and are never sent again. A
peer that stops answering pings is cut off. Values with line breaks are refused before the wire.
"""

from __future__ import annotations

import asyncio
import codecs
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from billing.clock import Clock
from ivr.ami.events import MICROSECONDS, EventNotBelieved, Headers, event_of, headers_of
from ivr.telephony import (
    BridgeEntered,
    BridgeLeft,
    LinkDown,
    LinkUp,
    SwitchEvent,
    SwitchUnavailable,
)

GREETING: Final = "Asterisk Call Manager/"
GREETING_CHARACTERS_MAX: Final = 100
MESSAGE_CHARACTERS_MAX: Final = 64 * 1024
LIST_MAX: Final = 100_000
PENDING_MAX: Final = 10_000
BACKOFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
# A link that held so long starts the backoff anew.
STEADY_SECONDS: Final = 10.0
EVENTS_PER_TURN: Final = 500
# Of events that are not believed, each so-many-th is logged.
DISBELIEF_LOGGED: Final = 1_000
VERSION_MAX: Final = 60
# Rows of a list that name their action in their last line, as only app_queue does.
NAMED_LAST: Final = frozenset({"QueueParams", "QueueMember", "QueueEntry"})
LAST: Final = -1

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """How long each wait of the link may be, and how much it may keep."""

    connect_seconds: float = 5.0
    action_seconds: float = 5.0
    ping_seconds: float = 5.0
    refused_seconds: float = 30.0
    events_max: int = 20_000


class AmiLoginRefused(SwitchUnavailable):
    """Asterisk does not accept this user name and secret."""


class ActionFailed(SwitchUnavailable):
    """Asterisk understood an action and said no; `reason` is its own message."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class AmiProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """Bytes in, whole messages out; bounded, and tolerant of cuts inside a character."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with an empty buffer."""
        super().connection_made(transport)
        loop = asyncio.get_running_loop()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self.greeted: asyncio.Future[bool] = loop.create_future()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.on_message: Callable[[Headers], None] = _ignore
        self.on_lost: Callable[[], None] = _nothing

    def data_received(self, data: bytes) -> None:
        """Cut the stream into messages."""
        self._text += self._decoder.decode(data)
        if not self.greeted.done() and not self._greet():
            return
        *messages, self._text = self._text.split("\r\n\r\n")
        for message in messages:
            self.on_message(headers_of(message))
        if len(self._text) > MESSAGE_CHARACTERS_MAX:
            log.error("ami message too large")
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; who waits on `greeted` or `lost` does the rest."""
        del exc
        self.closed = True
        if not self.greeted.done():
            self.greeted.set_result(False)
        if not self.lost.done():
            self.lost.set_result(None)
        self.on_lost()

    def abort(self) -> None:
        """Cut the connection off; nothing of it is heard any more."""
        self.on_message = _ignore
        self.transport.abort()

    def _greet(self) -> bool:
        greeting, found, rest = self._text.partition("\r\n")
        if found and greeting.startswith(GREETING):
            self._text = rest
            self.greeted.set_result(True)
            return True
        if found or len(greeting) > GREETING_CHARACTERS_MAX:
            self.abort()
        return False


class AmiLink(Manager):  # type: ignore[misc]  # panoramisk has no types
    """One login, kept alive. Handlers get each event in order; `request` sends actions."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str,
        secret: str,
        clock: Clock,
        limits: LinkLimits | None = None,
    ) -> None:
        super().__init__(host=host, port=port, loop=asyncio.get_running_loop())
        self._login = {"Action": "Login", "Username": username, "Secret": secret}
        self._clock = clock
        self._limits = limits or LinkLimits()
        self._pending: dict[str, _Pending] = {}
        self._handlers: list[Callable[[SwitchEvent], None]] = []
        self._events: deque[SwitchEvent] = deque()
        self._arrived = asyncio.Event()
        # Nobody who can write into an event can guess what an answer to us must carry.
        self._name = secrets.token_hex(6)
        self._counter = 0
        self._disbelieved = 0
        self.boot = ""
        self.refused = False
        # How far Asterisk's clock is from ours, by its last event.
        self.drift_seconds: float | None = None
        self._heard_at: float | None = None
        self._down_at: float | None = clock.monotonic()

    @property
    def heard_seconds(self) -> float | None:
        """How long ago Asterisk said anything; None where it never did."""
        return None if self._heard_at is None else self._clock.monotonic() - self._heard_at

    @property
    def down_seconds(self) -> float | None:
        """How long there has been no link; None while there is one."""
        return None if self._down_at is None else self._clock.monotonic() - self._down_at

    async def about(self) -> dict[str, str]:
        """Ask Asterisk for its version and how many calls it carries; nothing without an answer."""
        try:
            told = dict((await self.request({"Action": "CoreSettings"}))[0])
            status = dict((await self.request({"Action": "CoreStatus"}))[0])
        except SwitchUnavailable:
            return {}
        calls = status.get("CoreCurrentCalls", "")
        return {
            "AsteriskVersion": told.get("AsteriskVersion", "")[:VERSION_MAX],
            "channels": calls if calls.isdecimal() else "",
        }

    @property
    def pending(self) -> int:
        """How many actions wait for their answer."""
        return len(self._pending)

    def subscribe(self, handler: Callable[[SwitchEvent], None]) -> None:
        """Hand each event to `handler`, one at a time and in order."""
        self._handlers.append(handler)

    async def run(self) -> NoReturn:
        """Keep the link up for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver(), name="ami-events")
            await self._keep()

    async def request(
        self, fields: Mapping[str, str], *, until: str | None = None
    ) -> list[Headers]:
        """Send an action; returns its response, and the list up to the event `until`.

        Raises:
            ActionFailed: Asterisk said no.
            SwitchUnavailable: no link, no answer in time, or a list without an end.

        """
        if not self.boot:
            raise SwitchUnavailable("no link to the switch")
        return await self._exchange(fields, until=until)

    async def _keep(self) -> NoReturn:
        attempt = 0
        while True:
            began = self._clock.monotonic()
            refused = False
            try:
                await self._session()
                log.warning("ami link lost")
            except AmiLoginRefused:
                refused = self.refused = True
                log.warning("ami login refused", username=self._login["Username"])
            except (SwitchUnavailable, OSError) as error:
                log.warning("ami not reached", reason=type(error).__name__)
            if self._clock.monotonic() - began > STEADY_SECONDS:
                attempt = 0
            backoff = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
            attempt += 1
            delay = self._limits.refused_seconds if refused else backoff
            # The clock's fraction is jitter enough: services do not start in step.
            await asyncio.sleep(delay * (0.75 + self._clock.monotonic() % 0.5))

    async def _session(self) -> None:
        """Connect, log in, and stay until the link is lost."""
        protocol: AmiProtocol | None = None
        try:
            async with asyncio.timeout(self._limits.connect_seconds):
                _, protocol = await self.loop.create_connection(
                    AmiProtocol, self.config["host"], self.config["port"]
                )
                protocol.on_message = self._receive
                protocol.on_lost = self._fail_pending
                if not await protocol.greeted:
                    raise SwitchUnavailable("whoever listens there is no manager")
            self.protocol = protocol
            self.boot = await self._log_in()
            self._down_at = None
            self._queue(LinkUp(boot=self.boot))
            await self._watch(protocol)
        finally:
            if protocol is not None:
                protocol.abort()
            self._let_go()

    async def _log_in(self) -> str:
        """Log in; returns what tells this boot of the switch from all others."""
        try:
            await self._exchange(self._login)
        except ActionFailed as error:
            raise AmiLoginRefused(error.reason) from None
        self.refused = False
        status = dict((await self._exchange({"Action": "CoreStatus"}))[0])
        day, time = status.get("CoreStartupDate"), status.get("CoreStartupTime")
        if not day or not time:
            raise SwitchUnavailable("the switch does not tell when it started")
        return f"{day}T{time}"

    async def _watch(self, protocol: AmiProtocol) -> None:
        """Ping until the link is lost or silent."""
        while True:
            done, _ = await asyncio.wait([protocol.lost], timeout=self._limits.ping_seconds)
            if done:
                return
            await self._exchange({"Action": "Ping"})

    def _let_go(self) -> None:
        self.protocol = None
        was_up, self.boot = bool(self.boot), ""
        self._fail_pending()
        if was_up:
            self._down_at = self._clock.monotonic()
            self._queue(LinkDown())

    def _fail_pending(self) -> None:
        """Fail what is under way at once: sent again later, one call would become two."""
        for pending in self._pending.values():
            pending.fail(SwitchUnavailable("the link was lost"))

    async def _exchange(
        self, fields: Mapping[str, str], *, until: str | None = None
    ) -> list[Headers]:
        for name, value in fields.items():
            if not (name.isprintable() and value.isprintable()):
                raise SwitchUnavailable("a control character in an action")
        protocol = self.protocol
        if protocol is None or protocol.closed or len(self._pending) >= PENDING_MAX:
            raise SwitchUnavailable("no link to the switch")
        self._counter += 1
        action_id = f"{self._name}-{self._counter}"
        pending = self._pending[action_id] = _Pending(until)
        try:
            protocol.transport.write(str(Action({**fields, "ActionID": action_id})).encode())
            async with asyncio.timeout(self._limits.action_seconds):
                return await pending.answer
        except TimeoutError:
            raise SwitchUnavailable("the switch did not answer in time") from None
        finally:
            self._pending.pop(action_id, None)

    def _receive(self, headers: Headers) -> None:
        """Take one message; an answer names its action before any value that is not ours."""
        self._heard_at = self._clock.monotonic()
        place = LAST if headers and headers[0][1] in NAMED_LAST else 1
        if len(headers) > 1 and headers[place][0] == "ActionID":
            pending = self._pending.get(headers[place][1])
            if pending is not None:
                pending.add(headers)
            return
        try:
            event = event_of(headers, received=self._clock.monotonic())
        except EventNotBelieved as why:
            if self._disbelieved % DISBELIEF_LOGGED == 0:
                log.warning("ami event not believed", reason=str(why), before=self._disbelieved)
            self._disbelieved += 1
            return
        if event is None:
            return
        if len(self._events) >= self._limits.events_max:
            # Events would be lost, as in an outage: end the link, so that all is looked at anew.
            log.error("ami events overflow", waiting=len(self._events))
            self.protocol.abort()
            return
        if isinstance(event, BridgeEntered | BridgeLeft):
            self.drift_seconds = event.at_us / MICROSECONDS - self._clock.now().timestamp()
        self._queue(event)

    def _queue(self, event: SwitchEvent) -> None:
        self._events.append(event)
        self._arrived.set()

    async def _deliver(self) -> NoReturn:
        while True:
            await self._arrived.wait()
            for _ in range(min(len(self._events), EVENTS_PER_TURN)):
                self._hand_over(self._events.popleft())
            if not self._events:
                self._arrived.clear()
            await asyncio.sleep(0)

    def _hand_over(self, event: SwitchEvent) -> None:
        for handler in self._handlers:
            try:
                handler(event)
            except Exception:  # one bad event may not cost the link
                log.exception("event handler failed", event_kind=type(event).__name__)


class _Pending:
    """An action under way and what has been answered so far."""

    def __init__(self, until: str | None) -> None:
        self._until = until
        self._messages: list[Headers] = []
        self.answer: asyncio.Future[list[Headers]] = asyncio.get_running_loop().create_future()

    def add(self, headers: Headers) -> None:
        """Take one message of the answer."""
        if self.answer.done():
            return
        kind, value = headers[0]
        if kind == "Response" and value != "Success":
            self.fail(ActionFailed(dict(headers).get("Message", "")))
            return
        self._messages.append(headers)
        if self._until is None or headers[0] == ("Event", self._until):
            self.answer.set_result(self._messages)
        elif len(self._messages) > LIST_MAX:
            self.fail(SwitchUnavailable("a list without an end"))

    def fail(self, error: SwitchUnavailable) -> None:
        """End it with an error, unless it is answered."""
        if not self.answer.done():
            self.answer.set_exception(error)


def _ignore(headers: Headers) -> None:
    del headers


def _nothing() -> None:
    pass
