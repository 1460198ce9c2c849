"""Audio of the phone: mu-law every 20 ms, digits by RFC 4733, and what was heard."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from typing import Final, NoReturn, cast

from ivr.sandbox.sip import TELEPHONE_EVENT

PACKET_SECONDS: Final = 0.02
PACKET_SAMPLES: Final = 160
SILENCE: Final = b"\xff" * PACKET_SAMPLES
EVENTS: Final = "0123456789*#ABCD"
DIGIT_PACKETS: Final = 6
PAUSE_PACKETS: Final = 5
END_PACKETS: Final = 3
VOLUME: Final = 10
HEARD_BYTES_MAX: Final = 8000 * 3600


class AudioStream(asyncio.DatagramProtocol):
    """One RTP stream both ways. Sends silence unless a digit or a sound is due."""

    def __init__(self) -> None:
        self.remote: tuple[str, int] | None = None
        self.heard = bytearray()
        self.packets_heard = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._sequence = 1
        self._timestamp = 0
        self._source = 0x544D3031
        self._digits: deque[tuple[str, asyncio.Future[None]]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        # asyncio's own datagram transport is no DatagramTransport before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        """Keep what is heard."""
        if len(data) > 12 and data[1] & 0x7F == 0:
            self.packets_heard += 1
            if len(self.heard) < HEARD_BYTES_MAX:
                self.heard += data[12:]

    async def press(self, digits: str) -> None:
        """Send digits one after the other; returns when the last one is through."""
        for digit in digits:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._digits.append((digit, done))
            await done

    async def run(self) -> NoReturn:
        """Send a packet every 20 ms, paced by the monotonic clock so that no drift adds up."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            if self.remote and self._digits:
                digit, done = self._digits.popleft()
                due = await self._send_digit(digit, due)
                if not done.done():
                    done.set_result(None)
            else:
                self._send(0, SILENCE, marker=False)
                self._timestamp += PACKET_SAMPLES
                due = await _sleep_until(due + PACKET_SECONDS)

    async def _send_digit(self, digit: str, due: float) -> float:
        """An event keeps its start timestamp; its end is sent three times (RFC 4733, 2.5.1)."""
        event, start = EVENTS.index(digit), self._timestamp
        for number in range(1, DIGIT_PACKETS + 1):
            self._event(event, number * PACKET_SAMPLES, start, first=number == 1, last=False)
            due = await _sleep_until(due + PACKET_SECONDS)
        for _ in range(END_PACKETS):
            self._event(event, DIGIT_PACKETS * PACKET_SAMPLES, start, first=False, last=True)
        self._timestamp += DIGIT_PACKETS * PACKET_SAMPLES
        for _ in range(PAUSE_PACKETS):
            self._send(0, SILENCE, marker=False)
            self._timestamp += PACKET_SAMPLES
            due = await _sleep_until(due + PACKET_SECONDS)
        return due

    def _event(self, event: int, duration: int, start: int, *, first: bool, last: bool) -> None:
        payload = struct.pack("!BBH", event, (0x80 if last else 0) | VOLUME, duration)
        self._send(TELEPHONE_EVENT, payload, marker=first, timestamp=start)

    def _send(
        self, payload_type: int, payload: bytes, *, marker: bool, timestamp: int | None = None
    ) -> None:
        if self.remote is None or self._transport is None:
            return
        header = struct.pack(
            "!BBHII",
            0x80,
            (0x80 if marker else 0) | payload_type,
            self._sequence & 0xFFFF,
            (self._timestamp if timestamp is None else timestamp) & 0xFFFFFFFF,
            self._source,
        )
        self._transport.sendto(header + payload, self.remote)
        self._sequence += 1


async def _sleep_until(due: float) -> float:
    delay = due - asyncio.get_running_loop().time()
    if delay > 0:
        await asyncio.sleep(delay)
    return due
