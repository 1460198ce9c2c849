"""An agent's phone for loopback: it rings, answers, talks and hangs up by a plan."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from ivr.sandbox import sip
from ivr.sandbox.dialog import LOOPBACK, RETRY_SECONDS, Dialog, new_tag
from ivr.sandbox.rtp import SILENCE, AudioStream

CALLS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How the agent takes calls.

    `refuse_with` is a SIP status such as "486 Busy Here"; `talk_seconds` None waits for the caller
    to hang up; `sound` is mu-law spoken in a loop.
    """

    ring_seconds: float = 0.0
    refuse_with: str = ""
    talk_seconds: float | None = None
    sound: bytes = SILENCE


class AgentCall:
    """One call that came in."""

    def __init__(self, invite: sip.SipMessage, dialog: Dialog, manners: Manners) -> None:
        self.dialog = dialog
        self.caller = sip.uri_in(invite.header("From"))
        self.dialled = sip.uri_in(invite.header("To"))
        self.answered = asyncio.Event()
        self._acknowledged = asyncio.Event()
        self._invite = invite
        self._manners = manners
        self._last = b""

    @property
    def audio(self) -> AudioStream:
        """What the agent hears and says."""
        return self.dialog.audio

    @property
    def ended(self) -> asyncio.Event:
        """Set when either side hung up, or the caller gave up."""
        return self.dialog.ended

    async def serve(self) -> None:
        """Ring, answer, talk, hang up."""
        try:
            if self._manners.refuse_with:
                self._last = self.dialog.respond(self._invite, self._manners.refuse_with)
                self.ended.set()
                return
            await self.dialog.open_audio()
            self._last = self.dialog.respond(self._invite, "180 Ringing")
            if await _happened(self.ended, self._manners.ring_seconds):
                return
            await self._answer()
            if not await _happened(self.ended, self._manners.talk_seconds):
                await self.dialog.bye()
        finally:
            await self.dialog.close()

    def receive(self, message: sip.SipMessage) -> None:
        """Take a message of this call: the INVITE again, CANCEL, ACK, or what any dialog gets."""
        if message.method == "INVITE" and message.sequence == self._invite.sequence:
            if self._last:
                self.dialog.send(self._last)
        elif message.method == "ACK":
            self._acknowledged.set()
        elif message.method == "CANCEL":
            self.dialog.respond(message, "200 OK")
            if not self.answered.is_set():
                self._last = self.dialog.respond(self._invite, "487 Request Terminated")
                self.ended.set()
        else:
            self.dialog.receive(message)

    async def _answer(self) -> None:
        """Send the 200 until it is acknowledged (RFC 3261, 13.3.1.4)."""
        self.audio.remote = sip.media_address(self._invite.body)
        self.answered.set()
        self._last = self.dialog.respond(self._invite, "200 OK", self.dialog.sdp)
        for wait in RETRY_SECONDS:
            if await _happened(self._acknowledged, wait):
                return
            self.dialog.send(self._last)


class AgentPhone(asyncio.DatagramProtocol):
    """A phone that others call; takes any number of calls at once. An async context manager."""

    def __init__(self, *, port: int = 0, manners: Manners | None = None) -> None:
        self.manners = manners or Manners()
        self.calls: asyncio.Queue[AgentCall] = asyncio.Queue(CALLS_MAX)
        self._wanted_port = port
        self._transport: asyncio.DatagramTransport | None = None
        self._by_id: dict[str, AgentCall] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(LOOPBACK, self._wanted_port)
        )
        self._transport = transport
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for call in self._by_id.values():
            if call.answered.is_set():
                await call.dialog.bye()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._transport is not None
        self._transport.close()

    async def next_call(self, *, seconds_max: float = 10.0) -> AgentCall:
        """Wait for the next call to come in.

        Raises:
            TimeoutError: none came.

        """
        async with asyncio.timeout(seconds_max):
            return await self.calls.get()

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Begin a call or hand the message to the one it belongs to."""
        try:
            message = sip.parse(data)
        except sip.NotSip:
            return
        call = self._by_id.get(message.header("Call-ID"))
        if call is not None:
            call.receive(message)
        elif message.method == "INVITE":
            self._begin(message, address)

    def _begin(self, invite: sip.SipMessage, address: tuple[str, int]) -> None:
        assert self._transport is not None
        tag = new_tag()
        dialog = Dialog(
            send=self._transport.sendto,
            peer=address,
            call_id=invite.header("Call-ID"),
            local=f"{invite.header('To')};tag={tag}",
            remote=invite.header("From"),
            contact=f"<sip:agent@{LOOPBACK}:{self.port}>",
            target=sip.uri_in(invite.header("Contact")),
            audio=AudioStream(self.manners.sound),
        )
        dialog.route = invite.route
        call = self._by_id[dialog.call_id] = AgentCall(invite, dialog, self.manners)
        if len(self._by_id) > CALLS_MAX:  # the oldest is over, and nobody asks for it again
            del self._by_id[next(iter(self._by_id))]
        task = asyncio.create_task(call.serve(), name=f"agent-call:{tag}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(asyncio.QueueFull):
            self.calls.put_nowait(call)


async def _happened(event: asyncio.Event, seconds_max: float | None) -> bool:
    """Wait for an event, None for ever; tells whether it came."""
    try:
        async with asyncio.timeout(seconds_max):
            await event.wait()
    except TimeoutError:
        return False
    return True
