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
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, NoReturn

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from billing.clock import Clock
from ivr.ami.events import event_of, headers_of
from ivr.telephony import LinkDown, LinkUp, SwitchEvent, SwitchUnavailable

MESSAGE_BYTES_MAX: Final = 64 * 1024
EVENTS_MAX: Final = 20_000
LIST_MAX: Final = 100_000
PENDING_MAX: Final = 10_000
ACTION_SECONDS: Final = 5.0
PING_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 5.0
BACKOFF_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
REFUSED_SECONDS: Final = 30.0

_UNSAFE = re.compile(r"[\x00-\x1f\x7f]")

log = structlog.get_logger()

Headers = list[tuple[str, str]]


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
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self.lost = asyncio.get_running_loop().create_future()
        self.greeted = asyncio.get_running_loop().create_future()
        self.on_message: Callable[[Headers], None] = lambda _headers: None

    def data_received(self, data: bytes) -> None:
        """Cut the stream into messages."""
        self._text += self._decoder.decode(data)
        if not self.greeted.done():
            greeting, found, rest = self._text.partition("\r\n")
            if not found:
                self._guard()
                return
            if not greeting.startswith("Asterisk Call Manager/"):
                self.transport.abort()
                return
            self._text = rest
            self.greeted.set_result(greeting)
        *messages, self._text = self._text.split("\r\n\r\n")
        for message in messages:
            self.on_message(headers_of(message))
        self._guard()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; who waits on `lost` does the rest."""
        self.closed = True
        if not self.lost.done():
            self.lost.set_result(exc)
        if not self.greeted.done():
            self.greeted.cancel()

    def _guard(self) -> None:
        if len(self._text) > MESSAGE_BYTES_MAX:
            log.error("ami message too large")
            self.transport.abort()


class AmiLink(Manager):  # type: ignore[misc]  # panoramisk has no types
    """One login, kept alive. Handlers get each event in order; `request` sends actions."""

    def __init__(self, host: str, port: int, *, username: str, secret: str, clock: Clock) -> None:
        super().__init__(host=host, port=port, loop=asyncio.get_running_loop())
        self._username = username
        self._secret = secret
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._handlers: list[Callable[[SwitchEvent], None]] = []
        self._events: asyncio.Queue[SwitchEvent] = asyncio.Queue(EVENTS_MAX)
        self._counter = 0
        self.boot = ""
        self.refused = False

    def subscribe(self, handler: Callable[[SwitchEvent], None]) -> None:
        """Hand each event to `handler`, one at a time and in order."""
        self._handlers.append(handler)

    async def run(self) -> NoReturn:
        """Keep the link up for ever."""
        attempt = 0
        async with asyncio.TaskGroup() as group:
            group.create_task(self._deliver(), name="ami-events")
            while True:
                try:
                    await self._session()
                    attempt = 0
                except AmiLoginRefused:
                    self.refused = True
                    log.warning("ami login refused", username=self._username)
                    await asyncio.sleep(REFUSED_SECONDS)
                except (SwitchUnavailable, OSError, TimeoutError, asyncio.CancelledError) as error:
                    task = asyncio.current_task()
                    if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                        raise
                    log.warning("ami not reached", reason=type(error).__name__)
                delay = BACKOFF_SECONDS[min(attempt, len(BACKOFF_SECONDS) - 1)]
                attempt += 1
                # The clock's fraction is jitter enough: services do not start in step.
                await asyncio.sleep(delay * (0.75 + self._clock.monotonic() % 0.5))

    async def request(
        self, fields: Mapping[str, str], *, until: str | None = None
    ) -> list[Headers]:
        """Send an action; returns its response, and the list up to the event `until`.

        Raises:
            ActionFailed: Asterisk said no.
            SwitchUnavailable: no link, no answer in time, or an incomplete list.

        """
        for name, value in fields.items():
            if _UNSAFE.search(name) or _UNSAFE.search(value):
                raise SwitchUnavailable("a control character in an action")
        protocol = self.protocol
        if protocol is None or protocol.closed or len(self._pending) >= PENDING_MAX:
            raise SwitchUnavailable("no link to the switch")
        self._counter += 1
        action_id = f"talkmeter-{self._counter}"
        pending = self._pending[action_id] = _Pending(until)
        try:
            action = Action({**fields, "ActionID": action_id})
            protocol.transport.write(str(action).encode())
            async with asyncio.timeout(ACTION_SECONDS):
                return await pending.answer
        except TimeoutError:
            raise SwitchUnavailable("the switch did not answer in time") from None
        finally:
            self._pending.pop(action_id, None)

    async def _session(self) -> None:
        """Connect, log in, and stay until the link is lost."""
        async with asyncio.timeout(CONNECT_SECONDS):
            _, protocol = await self.loop.create_connection(
                AmiProtocol, self.config["host"], self.config["port"]
            )
            protocol.on_message = self._receive
            self.protocol = protocol
            await protocol.greeted
        try:
            await self._log_in()
            self._push(LinkUp(boot=self.boot))
            await self._watch(protocol)
        finally:
            protocol.transport.abort()
            self.protocol = None
            was_up, self.boot = bool(self.boot), ""
            self._fail_pending()
            if was_up:
                self._push(LinkDown())

    async def _log_in(self) -> None:
        try:
            await self.request(
                {"Action": "Login", "Username": self._username, "Secret": self._secret}
            )
        except ActionFailed as error:
            raise AmiLoginRefused(error.reason) from None
        self.refused = False
        status = dict((await self.request({"Action": "CoreStatus"}))[0])
        self.boot = f"{status.get('CoreStartupDate', '')}T{status.get('CoreStartupTime', '')}"

    async def _watch(self, protocol: AmiProtocol) -> None:
        """Ping until the link is lost or silent."""
        while True:
            done, _ = await asyncio.wait([protocol.lost], timeout=PING_SECONDS)
            if done:
                return
            await self.request({"Action": "Ping"})

    def _receive(self, headers: Headers) -> None:
        values = dict(headers)
        pending = self._pending.get(values.get("ActionID", ""))
        if pending is not None:
            pending.add(headers, values)
        elif "Event" in values:
            event = event_of(headers, received=self._clock.monotonic())
            if event is not None:
                self._push(event)

    def _push(self, event: SwitchEvent) -> None:
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            # Events were lost, as in an outage: end the link, so that all is looked at anew.
            log.warning("ami events overflow")
            if self.protocol is not None:
                self.protocol.transport.abort()

    async def _deliver(self) -> NoReturn:
        while True:
            event = await self._events.get()
            for handler in self._handlers:
                try:
                    handler(event)
                except Exception:  # one bad event may not cost the link
                    log.exception("event handler failed", event_kind=type(event).__name__)

    def _fail_pending(self) -> None:
        for pending in self._pending.values():
            if not pending.answer.done():
                pending.answer.set_exception(SwitchUnavailable("the link was lost"))


class _Pending:
    """An action under way and what has been answered so far."""

    def __init__(self, until: str | None) -> None:
        self._until = until
        self._messages: list[Headers] = []
        self.answer: asyncio.Future[list[Headers]] = asyncio.get_running_loop().create_future()

    def add(self, headers: Headers, values: Mapping[str, Any]) -> None:  # Any: str, by nature
        if self.answer.done():
            return
        if values.get("Response") in {"Error", "Failure"}:
            self.answer.set_exception(ActionFailed(values.get("Message", "")))
            return
        self._messages.append(headers)
        if self._until is None or values.get("Event") == self._until:
            with suppress(asyncio.InvalidStateError):
                self.answer.set_result(self._messages)
        elif len(self._messages) > LIST_MAX:
            self.answer.set_exception(SwitchUnavailable("a list without an end"))
