"""Audio of the phone, packet by packet."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from ivr.sandbox.rtp import PACKET_SAMPLES, SILENCE, AudioStream, is_loud
from ivr.sandbox.sip import TELEPHONE_EVENT


@dataclass(frozen=True)
class Packet:
    marker: bool
    kind: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes
    at: float


@dataclass
class Wire(asyncio.DatagramProtocol):
    """The far end of the line: keeps each packet."""

    packets: list[Packet] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        version, kind, sequence, timestamp, source = struct.unpack("!BBHII", data[:12])
        assert version == 0x80
        at = asyncio.get_running_loop().time()
        self.packets.append(
            Packet(bool(kind & 0x80), kind & 0x7F, sequence, timestamp, source, data[12:], at)
        )
        self.arrived.set()

    async def until(self, count: int) -> list[Packet]:
        async with asyncio.timeout(10):
            while len(self.packets) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.packets[:count]


@dataclass
class Line:
    stream: AudioStream
    wire: Wire


async def open_line(stream: AudioStream) -> AsyncIterator[Line]:
    loop = asyncio.get_running_loop()
    wire_end, wire = await loop.create_datagram_endpoint(Wire, local_addr=("127.0.0.1", 0))
    own_end, _ = await loop.create_datagram_endpoint(lambda: stream, local_addr=("127.0.0.1", 0))
    stream.remote = wire_end.get_extra_info("sockname")
    task = asyncio.create_task(stream.run(), name="audio")
    yield Line(stream, wire)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    own_end.close()
    wire_end.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async for line in open_line(AudioStream(b"\x10" * PACKET_SAMPLES + b"\x20" * 80)):
        yield line


async def test_sound_goes_out_every_20_ms_without_gap_or_drift(line: Line) -> None:
    packets = await line.wire.until(50)

    first = packets[0]
    assert first.marker
    assert not any(packet.marker for packet in packets[1:])
    assert {packet.kind for packet in packets} == {0}
    assert {packet.source for packet in packets} == {first.source}
    assert [packet.sequence - first.sequence for packet in packets] == list(range(50))
    assert [packet.timestamp - first.timestamp for packet in packets] == [
        PACKET_SAMPLES * number for number in range(50)
    ]
    assert packets[-1].at - first.at == pytest.approx(49 * 0.02, abs=0.1)


async def test_a_sound_is_spoken_in_a_loop_and_filled_up_to_whole_packets(line: Line) -> None:
    packets = await line.wire.until(3)

    filled = b"\x20" * 80 + SILENCE[:80]
    assert [packet.payload for packet in packets] == [b"\x10" * 160, filled, b"\x10" * 160]


async def test_a_digit_is_one_event_with_one_start_and_three_ends(line: Line) -> None:
    await line.wire.until(2)
    await line.stream.press("7#")
    sent = list(line.wire.packets)

    events = [packet for packet in sent if packet.kind == TELEPHONE_EVENT]
    fields = [struct.unpack("!BBH", packet.payload) for packet in events]
    starts = sorted({packet.timestamp for packet in events})
    assert len(starts) == 2
    for digit, start in zip((7, 11), starts, strict=True):
        own = [
            (packet, values)
            for packet, values in zip(events, fields, strict=True)
            if packet.timestamp == start
        ]
        assert {values[0] for _, values in own} == {digit}
        assert [values[1] >> 7 for _, values in own] == [0] * 6 + [1] * 3
        assert [values[2] for _, values in own] == [160, 320, 480, 640, 800, 960, 960, 960, 960]
        assert [packet.marker for packet, _ in own] == [True] + [False] * 8
    assert [packet.sequence for packet in sent] == list(
        range(sent[0].sequence, sent[0].sequence + len(sent))
    )


async def test_time_goes_on_over_a_digit(line: Line) -> None:
    await line.wire.until(2)
    await line.stream.press("1")
    sent = list(line.wire.packets)

    start = next(packet.timestamp for packet in sent if packet.kind == TELEPHONE_EVENT)
    after = next(
        packet.timestamp for packet in sent if packet.kind == 0 and packet.timestamp > start
    )
    assert after - start == 6 * PACKET_SAMPLES


async def test_two_phones_hear_each_others_digits_and_sounds(line: Line) -> None:
    ear = AudioStream()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: ear, local_addr=("127.0.0.1", 0))
    line.stream.remote = transport.get_extra_info("sockname")

    await ear.hear(b"\x10" * 160 + b"\x20" * 80, seconds_max=5)
    await line.stream.press("42#")

    assert ear.digits_heard == "42#"
    assert ear.packets_heard > 0
    transport.close()


async def test_a_sound_that_never_comes_is_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        await AudioStream().hear(b"never", seconds_max=0.01)


def test_silence_is_not_loud_and_speech_is() -> None:
    assert not is_loud(SILENCE)
    assert not is_loud(b"\x7f\xff" * 80)
    assert is_loud(b"\x80" * 160)
