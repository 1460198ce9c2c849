"""Audio of the phone: mu-law every 20 ms, digits by RFC 4733, and what was heard.

Prompts are stored as the mu-law that goes over the wire, so what was heard holds a prompt byte
for byte unless somebody else spoke at the same time: `hear` waits for exactly that.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import struct
from collections import deque
from collections.abc import Iterator
from typing import Final, NoReturn, cast

from ivr.sandbox.sip import TELEPHONE_EVENT

PACKET_SECONDS: Final = 0.02
PACKET_SAMPLES: Final = 160
HEADER_BYTES: Final = 12
SILENCE: Final = b"\xff" * PACKET_SAMPLES
EVENTS: Final = "0123456789*#ABCD"
DIGIT_PACKETS: Final = 6
PAUSE_PACKETS: Final = 5
END_PACKETS: Final = 3
VOLUME: Final = 10
HEARD_BYTES_MAX: Final = 8000 * 3600
LATE_SECONDS_MAX: Final = 0.5
LOUD: Final = 0x40


class AudioStream(asyncio.DatagramProtocol):
    """One RTP stream both ways. Sends its sound in a loop, silence by default, or digits."""

    def __init__(self, sound: bytes = SILENCE) -> None:
        self.remote: tuple[str, int] | None = None
        self.heard = bytearray()
        self.packets_heard = 0
        self.loud_packets_heard = 0
        self.digits_heard = ""
        self.packets_sent = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._sequence = secrets.randbelow(0x8000)
        self._timestamp = secrets.randbelow(0x8000_0000)
        self._source = secrets.randbits(32)
        self._sound = _packets(sound)
        self._digits: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._event_heard = -1
        self._over = False
        self._arrived = asyncio.Event()

    @property
    def port(self) -> int:
        """The own port."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        # asyncio's own datagram transport is no DatagramTransport before Python 3.12.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        """Keep what is heard."""
        kind, payload = data[1] & 0x7F if len(data) > HEADER_BYTES else -1, data[HEADER_BYTES:]
        if kind == TELEPHONE_EVENT and len(payload) == 4:
            self._hear_digit(payload[0], struct.unpack("!I", data[4:8])[0])
        elif kind == 0:
            self.packets_heard += 1
            self.loud_packets_heard += is_loud(payload)
            if len(self.heard) < HEARD_BYTES_MAX:
                self.heard += payload
            self._arrived.set()

    async def hear(self, sound: bytes, *, seconds_max: float, after: int = 0) -> int:
        """Wait until this sound was heard to its end, bit by bit.

        Args:
            sound: Mu-law bytes.
            seconds_max: How long to wait.
            after: Where in what was heard to begin looking, in bytes (8,000 a second).

        Returns:
            Where the sound ended.

        Raises:
            TimeoutError: it was not heard.

        """
        async with asyncio.timeout(seconds_max):
            while True:
                self._arrived.clear()
                place = self.heard.find(sound, after)
                if place >= 0:
                    return place + len(sound)
                after = max(after, len(self.heard) - len(sound))
                await self._arrived.wait()

    async def press(self, digits: str) -> None:
        """Send digits one after the other; returns when the last one is through, or the call is."""
        for digit in digits:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._digits.append((digit, done))
            if not self._over:
                await done

    async def run(self) -> NoReturn:
        """Send a packet every 20 ms, paced by the monotonic clock so that no drift adds up."""
        due = asyncio.get_running_loop().time()
        try:
            while True:
                if self.remote and self._digits:
                    due = await self._send_digit(self._digits[0][0], due)
                    _done(self._digits.popleft()[1])
                else:
                    due = await self._send_sound(due)
        finally:
            # Nobody hears these digits any more, and nobody waits for them.
            self._over = True
            for _, done in self._digits:
                _done(done)

    async def _send_sound(self, due: float) -> float:
        if self.remote:
            self._send(0, next(self._sound), marker=self.packets_sent == 0)
        self._timestamp += PACKET_SAMPLES
        return await _sleep_until(due + PACKET_SECONDS)

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
            due = await self._send_sound(due)
        return due

    def _event(self, event: int, duration: int, start: int, *, first: bool, last: bool) -> None:
        payload = struct.pack("!BBH", event, (0x80 if last else 0) | VOLUME, duration)
        self._send(TELEPHONE_EVENT, payload, marker=first, timestamp=start)

    def _hear_digit(self, event: int, timestamp: int) -> None:
        """All packets of one event carry its start: count it once."""
        if timestamp != self._event_heard and event < len(EVENTS):
            self._event_heard = timestamp
            self.digits_heard += EVENTS[event]

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
        self.packets_sent += 1


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def is_loud(payload: bytes) -> bool:
    """Tell sound from silence: mu-law stores the complement, its magnitude in seven bits."""
    return any(~byte & 0x7F > LOUD for byte in payload)


def _packets(sound: bytes) -> Iterator[bytes]:
    """Cut a sound into packets, the last one filled up with silence, for ever."""
    cuts = [sound[start : start + PACKET_SAMPLES] for start in range(0, len(sound), PACKET_SAMPLES)]
    return itertools.cycle([cut.ljust(PACKET_SAMPLES, b"\xff") for cut in cuts])


async def _sleep_until(due: float) -> float:
    now = asyncio.get_running_loop().time()
    if now - due > LATE_SECONDS_MAX:
        return now  # after a long pause go on in time: a flood of old packets helps nobody
    # Give way even when late: who only catches up would starve everybody else.
    await asyncio.sleep(max(0.0, due - now))
    return due
