"""A small SIP phone for loopback: it calls, talks, presses digits, and is hung up on.

Real SIP over UDP and real audio both ways, so that a first call needs no phone and no SIPp.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Final, Self

from ivr.sandbox import sip
from ivr.sandbox.dialog import LOOPBACK, CallRefused, Dialog, new_call_id, new_tag
from ivr.sandbox.rtp import SILENCE, AudioStream

__all__ = ["CallRefused", "Phone"]

ANSWER_SECONDS: Final = 60.0
INFO_SECONDS: Final = 2.0
DIGIT_MILLISECONDS: Final = 160


class Phone(asyncio.DatagramProtocol):
    """One phone, one call. Use as an async context manager.

    Args:
        server: Where to send the call.
        from_number: The number it says it calls from.
        from_name: The name it says it has.
        sound: Mu-law bytes it speaks in a loop; silence by default.

    """

    def __init__(
        self,
        *,
        server: tuple[str, int],
        from_number: str,
        from_name: str = "caller",
        sound: bytes = SILENCE,
    ) -> None:
        self._server = server
        self._number = from_number
        self._name = from_name
        self._transport: asyncio.DatagramTransport | None = None
        self._dialog: Dialog | None = None
        self.audio = AudioStream(sound)
        self.answered = asyncio.Event()
        self.ended = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(LOOPBACK, 0))
        self._transport = transport
        here = f"{LOOPBACK}:{transport.get_extra_info('sockname')[1]}"
        self._dialog = Dialog(
            send=self._transport.sendto,
            peer=self._server,
            call_id=new_call_id(),
            local=f'"{self._name}" <sip:{self._number}@{here}>;tag={new_tag()}',
            remote="",
            contact=f"<sip:{self._number}@{here}>",
            target="",
            audio=self.audio,
        )
        self._dialog.ended = self.ended
        await self._dialog.open_audio()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        dialog = self._opened()
        try:
            await dialog.cancel()
            if self.answered.is_set():
                await dialog.bye()
        finally:
            await dialog.close()
            assert self._transport is not None
            self._transport.close()

    async def call(self, did: str, *, seconds_max: float = ANSWER_SECONDS) -> None:
        """Dial and wait for the answer.

        Raises:
            CallRefused: busy, not found, or no answer in time; the INVITE is cancelled then.

        """
        dialog = self._opened()
        host, port = self._server
        dialog.target = f"sip:{did}@{host}:{port}"
        dialog.remote = f"<{dialog.target}>"
        await dialog.invite(seconds_max)
        self.answered.set()

    async def press(self, digits: str) -> None:
        """Press digits, sent in the audio (RFC 4733)."""
        await self.audio.press(digits)

    async def press_by_info(self, digits: str) -> None:
        """Press digits, sent as SIP INFO."""
        for digit in digits:
            body = f"Signal={digit}\r\nDuration={DIGIT_MILLISECONDS}\r\n"
            await self._opened().request(
                "INFO", body, seconds_max=INFO_SECONDS, content=sip.DTMF_RELAY
            )

    async def hang_up(self) -> None:
        """End the call."""
        await self._opened().bye()

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        """Take what belongs to this call."""
        try:
            message = sip.parse(data)
        except sip.NotSip:
            return
        dialog = self._opened()
        if message.header("Call-ID") == dialog.call_id:
            dialog.receive(message)

    def _opened(self) -> Dialog:
        assert self._dialog is not None, "use it as an async context manager"
        return self._dialog
