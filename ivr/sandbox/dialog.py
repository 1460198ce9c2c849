"""One SIP call of a phone: requests sent until answered, responses matched, audio both ways.

caller  INVITE -> 1xx -> 200 -> ACK -> audio -> BYE from either side
agent   INVITE <- 180 -> 200 until ACK -> audio -> BYE from either side
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any, Final

from ivr.sandbox import sip
from ivr.sandbox.rtp import AudioStream

LOOPBACK: Final = "127.0.0.1"
RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
BYE_SECONDS: Final = 2.0
MESSAGES_MAX: Final = 64
COPIED: Final = ("via", "from", "to", "call-id", "cseq", "record-route")

Address = tuple[str, int]


class CallRefused(OSError):
    """The other side did not take the call; the code is SIP's, 0 when nothing came."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"the call was refused with SIP code {code}" if code else "no answer")


class Dialog:
    """A call as one party keeps it. `local` and `remote` are From and To of its own requests."""

    def __init__(
        self,
        *,
        send: Callable[[bytes, Address], None],
        peer: Address,
        call_id: str,
        local: str,
        remote: str,
        contact: str,
        target: str,
        audio: AudioStream,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.contact = contact
        self.target = target
        self.route: list[str] = []
        self.audio = audio
        self.ended = asyncio.Event()
        self.inviting = False
        self._send_to = send
        self._peer = peer
        self._number = 0
        self._branch = ""
        self._ack = b""
        self._responses: asyncio.Queue[sip.SipMessage] = asyncio.Queue(MESSAGES_MAX)
        self._media: asyncio.BaseTransport | None = None
        self._pace: asyncio.Task[Any] | None = None

    @property
    def sdp(self) -> str:
        """What this side wants to hear, and where."""
        return sip.offer(LOOPBACK, self.audio.port)

    async def open_audio(self) -> None:
        """Open the audio socket and begin to pace; nothing is sent before there is a remote."""
        loop = asyncio.get_running_loop()
        self._media, _ = await loop.create_datagram_endpoint(
            lambda: self.audio, local_addr=(LOOPBACK, 0)
        )
        self._pace = asyncio.create_task(self.audio.run(), name=f"phone-audio:{self.audio.port}")

    async def close(self) -> None:
        """Stop the audio; say BYE before if you are polite."""
        if self._pace is not None:
            self._pace.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pace
        if self._media is not None:
            self._media.close()

    def receive(self, message: sip.SipMessage) -> None:
        """Take a message that belongs to this call."""
        if message.code:
            if message.sequence[1] == "INVITE" and message.code >= 200 and self._ack:
                self.send(self._ack)  # it comes again, so our ACK was lost
                return
            with contextlib.suppress(asyncio.QueueFull):
                self._responses.put_nowait(message)
        elif message.method == "BYE":
            self.respond(message, "200 OK")
            self.ended.set()
        elif message.method in {"INVITE", "UPDATE"} and message.body:
            self.audio.remote = sip.media_address(message.body) or self.audio.remote
            self.respond(message, "200 OK", self.sdp)
        elif message.method != "ACK":
            self.respond(message, "200 OK")

    async def request(
        self, method: str, body: str = "", *, seconds_max: float, content: str = sip.SDP
    ) -> sip.SipMessage:
        """Send a request until it is answered; returns the final response.

        Raises:
            CallRefused: with code 0: no final answer came in time.

        """
        self._number += 1
        self._branch = _branch()
        data = self._message(method, body, content=content)
        retries = iter(RETRY_SECONDS)
        wait: float | None = 0.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while True:
                    if wait is not None:
                        self.send(data)
                        wait = next(retries, None)
                    try:
                        response = await asyncio.wait_for(self._responses.get(), wait)
                    except TimeoutError:
                        continue
                    if response.sequence != (str(self._number), method):
                        continue
                    if response.code >= 200:
                        return response
                    wait = None  # it was heard: no need to send it again
        raise CallRefused(0)

    async def invite(self, seconds_max: float) -> None:
        """Offer the call and wait for the answer.

        Raises:
            CallRefused: busy, not found, or no answer in time.

        """
        self.inviting = True
        try:
            response = await self.request("INVITE", self.sdp, seconds_max=seconds_max)
        except CallRefused:
            await self.cancel()
            raise
        self._take_answer(response)
        if response.code >= 300:
            raise CallRefused(response.code)

    async def cancel(self) -> None:
        """Give up an INVITE that nobody has answered; an answer that crosses it is hung up."""
        if not self.inviting:
            return
        self.send(self._message("CANCEL"))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BYE_SECONDS):
                while self.inviting:
                    response = await self._responses.get()
                    if response.sequence[1] == "INVITE" and response.code >= 200:
                        self._take_answer(response)
                        if response.code < 300:
                            await self.bye()
        self.inviting = False

    async def bye(self) -> None:
        """End the call."""
        if self.ended.is_set():
            return
        self.ended.set()
        with contextlib.suppress(CallRefused):
            await self.request("BYE", seconds_max=BYE_SECONDS)

    def respond(self, request: sip.SipMessage, status: str, body: str = "") -> bytes:
        """Answer a request where it came from; the own tag marks this side's To."""
        headers = [(name, value) for name, value in request.headers if self._is_copied(name)]
        tag = sip.tag_in(self.local)
        headers = [
            (name, f"{value};tag={tag}" if self._is_to(name) and not sip.tag_in(value) else value)
            for name, value in headers
        ]
        data = sip.build(f"SIP/2.0 {status}", [*headers, ("Contact", self.contact)], body)
        self.send(data)
        return data

    def send(self, data: bytes) -> None:
        """Send as it is."""
        self._send_to(data, self._peer)

    def _take_answer(self, response: sip.SipMessage) -> None:
        """Acknowledge a final response; a 2xx also tells where to send what follows."""
        self.inviting = False
        remote = response.header("To")
        if response.code < 300:
            self.remote = remote
            self.route = response.route[::-1]
            if contact := response.header("Contact"):
                self.target = sip.uri_in(contact)
            self.audio.remote = sip.media_address(response.body)
            # The ACK of a 2xx is a transaction of its own (RFC 3261, 13.2.2.4).
            self._branch = _branch()
        self._ack = self._message("ACK", remote=remote)
        self.send(self._ack)

    def _message(
        self, method: str, body: str = "", *, content: str = sip.SDP, remote: str = ""
    ) -> bytes:
        here = self.contact.strip("<>").rpartition("@")[2]
        headers = [
            ("Via", f"SIP/2.0/UDP {here};branch={self._branch};rport"),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", remote or self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._number} {method}"),
            ("Contact", self.contact),
            *(("Route", route) for route in self.route),
        ]
        return sip.build(f"{method} {self.target} SIP/2.0", headers, body, content=content)

    @staticmethod
    def _is_copied(name: str) -> bool:
        return sip.COMPACT.get(name.lower(), name.lower()) in COPIED

    @staticmethod
    def _is_to(name: str) -> bool:
        return name.lower() in {"to", "t"}


def new_call_id() -> str:
    """A Call-ID that no other call has."""
    return f"{secrets.token_hex(10)}@{LOOPBACK}"


def new_tag() -> str:
    """A tag for this side's From or To."""
    return secrets.token_hex(6)


def _branch() -> str:
    return f"z9hG4bK{secrets.token_hex(8)}"
