"""The manager's stream of bytes, however the network cuts it and whatever a peer makes of it."""

from __future__ import annotations

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from ivr.ami.events import Headers, headers_of
from ivr.ami.link import GREETING, MESSAGE_CHARACTERS_MAX, AmiProtocol

HELLO = f"{GREETING}9.0.0\r\n".encode()
STEP_BYTES = 8 * 1024
LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=20)
MESSAGES = st.lists(
    st.lists(st.tuples(LINES, LINES).map(": ".join), min_size=1, max_size=5).map("\r\n".join),
    max_size=6,
)


class Cable(asyncio.Transport):
    """A transport that only notes that it was cut."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = False

    def abort(self) -> None:
        self.cut = True


async def heard(chunks: list[bytes]) -> tuple[list[Headers], AmiProtocol, bool]:
    """What comes out, the protocol, and whether it hung up."""
    protocol, cable = AmiProtocol(), Cable()
    protocol.connection_made(cable)
    messages: list[Headers] = []
    protocol.on_message = messages.append
    for chunk in chunks:
        if not cable.cut:
            protocol.data_received(chunk)
    return messages, protocol, cable.cut


@given(messages=MESSAGES, cuts=st.lists(st.integers(0, 400), max_size=20))
def test_messages_are_the_same_wherever_the_network_cuts_them(
    messages: list[str], cuts: list[int]
) -> None:
    stream = HELLO + "".join(f"{text}\r\n\r\n" for text in messages).encode()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[start:end] for start, end in itertools.pairwise(edges)]

    found, _, cut = asyncio.run(heard(chunks))

    assert not cut
    assert found == [headers_of(text) for text in messages]


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_bytes_are_read_or_cut_off_and_raise_nothing(chunks: list[bytes]) -> None:
    asyncio.run(heard([HELLO, *chunks]))
    asyncio.run(heard(chunks))


@given(st.sampled_from([b"x", b"\r\n", b"A: b\r\n", b"\xff", b"\r\n\r\n", b"\r", b"\n\n"]))
def test_what_is_kept_of_an_endless_stream_is_bounded(piece: bytes) -> None:
    chunk = piece * (STEP_BYTES // len(piece))
    endless = [HELLO, *[chunk] * (2 * MESSAGE_CHARACTERS_MAX // STEP_BYTES)]

    _, protocol, _ = asyncio.run(heard(endless))

    assert len(protocol._text) <= MESSAGE_CHARACTERS_MAX + STEP_BYTES


async def test_after_it_hung_up_nothing_more_of_the_same_bytes_is_heard() -> None:
    messages: list[Headers] = []
    protocol, cable = AmiProtocol(), Cable()
    protocol.connection_made(cable)

    def take(headers: Headers) -> None:
        messages.append(headers)
        protocol.abort()

    protocol.on_message = take
    protocol.data_received(HELLO + b"A: 1\r\n\r\nB: 2\r\n\r\n")

    assert cable.cut
    assert messages == [[("A", "1")]]
