"""A small SIP phone for loopback: it calls, talks, presses digits, and is hung up on.

Real SIP over UDP and real audio both ways, so that a first call needs no phone and no SIPp.

    INVITE (again until answered) -> 1xx -> 200 -> ACK -> audio -> BYE from either side
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from types import TracebackType
from typing import Any, Final, Self

from ivr.sandbox import sip
from ivr.sandbox.rtp import AudioStream

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
ANSWER_SECONDS: Final = 60.0
BYE_SECONDS: Final = 2.0
LOOPBACK: Final = "127.0.0.1"


class CallRefused(OSError):
    """The other side did not take the call; the code is SIP's."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"the call was refused with SIP code {code}" if code else "no answer")


class Phone(asyncio.DatagramProtocol):
    """One phone, one call. Use as an async context manager."""

    def __init__(self, *, server: tuple[str, int], from_number: str) -> None:
        self._server = server
        self._number = from_number
        self._transport: asyncio.DatagramTransport | None = None
        self._task: asyncio.Task[Any] | None = None
        self._tag = secrets.token_hex(6)
        self._call_id = f"{secrets.token_hex(10)}@{LOOPBACK}"
        self._sequence = 0
        self._branch = ""
        self._route: list[str] = []
        self._target = ""
        self._to = ""
        self._ack = b""
        self._responses: asyncio.Queue[sip.SipMessage] = asyncio.Queue()
        self._media_port = 0
        self.audio = AudioStream()
        self.answered = asyncio.Event()
        self.ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(LOOPBACK, 0)
        )
        media, _ = await loop.create_datagram_endpoint(lambda: self.audio, local_addr=(LOOPBACK, 0))
        self._media_port = media.get_extra_info("sockname")[1]
        self._media = media
        self._task = asyncio.create_task(self.audio.run(), name="phone-audio")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.answered.is_set() and not self.ended.is_set():
            await self.hang_up()
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._media.close()
        assert self._transport is not None
        self._transport.close()

    async def call(self, did: str) -> None:
        """Dial and wait for the answer.

        Raises:
            CallRefused: busy, not found, or no answer at all.

        """
        host, port = self._server
        self._target = f"sip:{did}@{host}:{port}"
        self._to = f"<{self._target}>"
        body = sip.offer(LOOPBACK, self._media_port)
        response = await self._request("INVITE", body, ANSWER_SECONDS)
        if response.code >= 300:
            self._send_ack(response)
            raise CallRefused(response.code)
        self._to = response.header("To")
        self._route = list(reversed(response.all("Record-Route")))
        if contact := response.header("Contact"):
            self._target = sip.uri_in(contact)
        self._send_ack(response)
        self.audio.remote = sip.media_address(response.body)
        self.answered.set()

    async def press(self, digits: str) -> None:
        """Press digits."""
        await self.audio.press(digits)

    async def hang_up(self) -> None:
        """End the call."""
        if self.ended.is_set():
            return
        self.ended.set()
        with contextlib.suppress(CallRefused):
            await self._request("BYE", "", BYE_SECONDS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the own port."""
        self._port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Answer requests, hand responses to who waits."""
        try:
            message = sip.parse(data)
        except sip.NotSip:
            return
        if message.header("Call-ID") != self._call_id:
            return
        if message.code:
            if message.header("CSeq").endswith("INVITE") and self.answered.is_set():
                self._send(self._ack)  # our ACK was lost
            else:
                self._responses.put_nowait(message)
        elif message.method != "ACK":
            self._answer(message, address)
            if message.method == "BYE":
                self.ended.set()

    async def _request(self, method: str, body: str, seconds_max: float) -> sip.SipMessage:
        """Send a request until it is answered; returns the final response."""
        self._sequence += 1
        branch = self._branch = f"z9hG4bK{secrets.token_hex(8)}"
        data = sip.build(
            f"{method} {self._target} SIP/2.0",
            self._headers(f"{self._sequence} {method}", branch),
            body,
        )
        retries = iter(RETRY_SECONDS)
        wait: float | None = 0.0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds_max):
                while True:
                    if wait is not None:
                        self._send(data)
                        wait = next(retries, None)
                    try:
                        response = await asyncio.wait_for(self._responses.get(), wait)
                    except TimeoutError:
                        continue
                    if not response.header("CSeq").endswith(method):
                        continue
                    if response.code >= 200:
                        return response
                    wait = None  # it was heard: no need to send it again
        raise CallRefused(0)

    def _headers(self, sequence: str, branch: str) -> list[tuple[str, str]]:
        local = f"{LOOPBACK}:{self._port}"
        return [
            ("Via", f"SIP/2.0/UDP {local};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", f'"caller" <sip:{self._number}@{local}>;tag={self._tag}'),
            ("To", self._to),
            ("Call-ID", self._call_id),
            ("CSeq", sequence),
            ("Contact", f"<sip:{self._number}@{local}>"),
            *(("Route", route) for route in self._route),
        ]

    def _send_ack(self, response: sip.SipMessage) -> None:
        number = response.header("CSeq").split(" ")[0]
        # The ACK of a refusal belongs to the INVITE's own transaction (RFC 3261, 17.1.1.3).
        branch = self._branch if response.code >= 300 else f"z9hG4bK{secrets.token_hex(8)}"
        headers = self._headers(f"{number} ACK", branch)
        headers[3] = ("To", response.header("To"))
        self._ack = sip.build(f"ACK {self._target} SIP/2.0", headers)
        self._send(self._ack)

    def _answer(self, request: sip.SipMessage, address: tuple[str, int]) -> None:
        copied = {"via", "from", "to", "call-id", "cseq"}
        headers = [(name, value) for name, value in request.headers if name.lower() in copied]
        assert self._transport is not None
        self._transport.sendto(sip.build("SIP/2.0 200 OK", headers), address)

    def _send(self, data: bytes) -> None:
        assert self._transport is not None
        self._transport.sendto(data, self._server)
