"""The two phones call each other, and a peer that loses, repeats and crosses messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ivr.sandbox import sip
from ivr.sandbox.agent import AgentPhone, Manners
from ivr.sandbox.phone import CallRefused, Phone

TONE = b"\x90\x10" * 80


def phone(port: int, *, sound: bytes = TONE) -> Phone:
    return Phone(server=("127.0.0.1", port), from_number="15551230001", sound=sound)


async def test_both_hear_each_other_and_the_caller_hangs_up() -> None:
    async with AgentPhone(manners=Manners(sound=b"\x20" * 160)) as agent, phone(agent.port) as one:
        await one.call("agent")
        call = await agent.next_call()
        await one.audio.hear(b"\x20" * 800, seconds_max=5)
        await call.audio.hear(TONE * 3, seconds_max=5)
        await one.press("5")
        await one.hang_up()
        async with asyncio.timeout(5):
            await call.ended.wait()

    assert call.caller.startswith("sip:15551230001@")
    assert call.audio.digits_heard == "5"


async def test_the_agent_hangs_up_after_its_talk() -> None:
    async with (
        AgentPhone(manners=Manners(ring_seconds=0.1, talk_seconds=0.1)) as agent,
        phone(agent.port) as one,
    ):
        await one.call("agent")
        async with asyncio.timeout(5):
            await one.ended.wait()

        call = await agent.next_call()
        assert call.answered.is_set()


async def test_a_refusal_tells_its_code() -> None:
    async with (
        AgentPhone(manners=Manners(refuse_with="486 Busy Here")) as agent,
        phone(agent.port) as one,
    ):
        with pytest.raises(CallRefused) as caught:
            await one.call("agent")

    assert caught.value.code == 486


async def test_a_caller_that_gives_up_cancels_and_the_agent_stops_ringing() -> None:
    async with AgentPhone(manners=Manners(ring_seconds=30)) as agent, phone(agent.port) as one:
        with pytest.raises(CallRefused):
            await one.call("agent", seconds_max=0.2)

        call = await agent.next_call()
        async with asyncio.timeout(5):
            await call.ended.wait()
        assert not call.answered.is_set()


async def test_leaving_the_phone_while_it_rings_cancels_the_call() -> None:
    async with AgentPhone(manners=Manners(ring_seconds=30)) as agent:
        async with phone(agent.port) as one:
            calling = asyncio.create_task(one.call("agent"), name="calling")
            call = await agent.next_call()
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)

        async with asyncio.timeout(5):
            await call.ended.wait()
        assert not call.answered.is_set()


async def test_two_calls_at_once_stay_apart() -> None:
    async with AgentPhone() as agent, phone(agent.port) as one, phone(agent.port) as two:
        await asyncio.gather(one.call("agent"), two.call("agent"))
        first, second = await agent.next_call(), await agent.next_call()
        await one.hang_up()
        async with asyncio.timeout(5):
            await asyncio.wait(
                [asyncio.create_task(call.ended.wait(), name="end") for call in (first, second)],
                return_when=asyncio.FIRST_COMPLETED,
            )

        assert first.ended.is_set() != second.ended.is_set()


Answer = Callable[[sip.SipMessage, int], list[bytes]]


class Peer(asyncio.DatagramProtocol):
    """A SIP peer whose answers a test decides, message by message."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.got: list[str] = []
        self.arrived = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        message = sip.parse(data)
        self.got.append(message.method or str(message.code))
        self.arrived.set()
        self.address, self.last = address, message
        for reply in self.answer(message, self.got.count(message.method)):
            self.send(reply)

    def send(self, data: bytes) -> None:
        self.transport.sendto(data, self.address)  # type: ignore[attr-defined]  # a datagram one

    async def until(self, *wanted: str) -> None:
        async with asyncio.timeout(5):
            while any(self.got.count(name) < wanted.count(name) for name in wanted):
                self.arrived.clear()
                await self.arrived.wait()


def reply(request: sip.SipMessage, status: str, body: str = "") -> bytes:
    names = ("via", "from", "call-id", "cseq")
    headers = [(name, value) for name, value in request.headers if name.lower() in names]
    headers += [("To", f"{request.header('To')};tag=peer"), ("Contact", "<sip:peer@127.0.0.1>")]
    return sip.build(f"SIP/2.0 {status}", headers, body)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(
        lambda: Peer(lambda _message, _count: []), local_addr=("127.0.0.1", 0)
    )
    yield peer
    transport.close()


async def test_an_invite_that_got_lost_is_sent_again(peer: Peer) -> None:
    def answer(message: sip.SipMessage, count: int) -> list[bytes]:
        if message.method == "INVITE" and count == 1:
            return []
        return (
            [] if message.method == "ACK" else [reply(message, "200 OK", sip.offer("127.0.0.1", 9))]
        )

    peer.answer = answer
    async with phone(peer.port) as one:
        await one.call("peer")
        await peer.until("ACK")

        assert peer.got.count("INVITE") == 2


async def test_an_answer_that_comes_twice_is_acknowledged_twice(peer: Peer) -> None:
    ok: list[bytes] = []

    def answer(message: sip.SipMessage, _count: int) -> list[bytes]:
        if message.method == "INVITE":
            ok.append(reply(message, "200 OK", sip.offer("127.0.0.1", 9)))
        return [] if message.method == "ACK" else ok[:1]

    peer.answer = answer
    async with phone(peer.port) as one:
        await one.call("peer")
        await peer.until("ACK")
        peer.send(ok[0])
        await peer.until("ACK", "ACK")
        peer.answer = lambda message, _count: [reply(message, "200 OK")]


async def test_a_hangup_from_afar_is_answered_however_often_it_comes(peer: Peer) -> None:
    peer.answer = lambda message, _count: (
        [reply(message, "200 OK", sip.offer("127.0.0.1", 9))] if message.method == "INVITE" else []
    )
    async with phone(peer.port) as one:
        await one.call("peer")
        await peer.until("ACK")
        invite = peer.last
        bye = sip.build(
            "BYE sip:caller SIP/2.0",
            [
                ("Via", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKbye"),
                ("From", invite.header("To")),
                ("To", invite.header("From")),
                ("Call-ID", invite.header("Call-ID")),
                ("CSeq", "1 BYE"),
            ],
        )
        peer.send(bye)
        await peer.until("200")
        peer.send(bye)
        await peer.until("200", "200")

        assert one.ended.is_set()
        assert sip.tag_in(peer.last.header("To")) == sip.tag_in(invite.header("From"))


async def test_an_answer_that_crosses_a_cancel_is_hung_up(peer: Peer) -> None:
    invites: list[sip.SipMessage] = []

    def answer(message: sip.SipMessage, _count: int) -> list[bytes]:
        if message.method == "INVITE":
            invites.append(message)
            return [reply(message, "180 Ringing")]
        if message.method == "CANCEL":
            late = reply(invites[0], "200 OK", sip.offer("127.0.0.1", 9))
            return [reply(message, "200 OK"), late]
        return [] if message.method == "ACK" else [reply(message, "200 OK")]

    peer.answer = answer
    async with phone(peer.port) as one:
        with pytest.raises(CallRefused):
            await one.call("peer", seconds_max=0.1)

    assert peer.got == ["INVITE", "CANCEL", "ACK", "BYE"]


async def test_junk_and_other_peoples_messages_change_nothing(peer: Peer) -> None:
    peer.answer = lambda message, _count: (
        [b"\x00junk", reply(message, "200 OK").replace(b"@127.0.0.1", b"@elsewhere")]
        if message.method == "INVITE"
        else []
    )
    async with phone(peer.port) as one:
        with pytest.raises(CallRefused) as caught:
            await one.call("peer", seconds_max=0.1)

    assert caught.value.code == 0
