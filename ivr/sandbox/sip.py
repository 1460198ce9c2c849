"""As much of SIP (RFC 3261) and SDP as a loopback phone needs: messages in and out, no I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

MESSAGE_BYTES_MAX: Final = 16_384
TELEPHONE_EVENT: Final = 101
SDP: Final = "application/sdp"
DTMF_RELAY: Final = "application/dtmf-relay"
COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "length"}

_START = re.compile(r"(?:SIP/2\.0 (\d{3}) ?(.*)|([A-Z]+) (\S+) SIP/2\.0)")
_AUDIO = re.compile(r"^m=audio (\d+) ", re.MULTILINE)
_ADDRESS = re.compile(r"^c=IN IP4 ([0-9.]+)", re.MULTILINE)
_URI = re.compile(r"<([^>]+)>")
_ROUTE = re.compile(r"<[^>]+>[^,]*")
_TAG = re.compile(r";\s*tag=([^;\s]+)", re.IGNORECASE)


class NotSip(Exception):
    """A datagram that is no SIP message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipMessage:
    """A request (`method`) or a response (`code`); headers keep their order and may repeat."""

    method: str = ""
    uri: str = ""
    code: int = 0
    headers: tuple[tuple[str, str], ...] = field(default=())
    body: str = ""

    def header(self, name: str) -> str:
        """Return the first header of this name, empty when there is none."""
        return next(iter(self.all(name)), "")

    def all(self, name: str) -> list[str]:
        """Return all headers of this name, in order."""
        wanted = name.lower()
        return [
            value for key, value in self.headers if COMPACT.get(key.lower(), key.lower()) == wanted
        ]

    @property
    def sequence(self) -> tuple[str, str]:
        """The number and the method of CSeq: which request this is, or answers."""
        number, _, method = self.header("CSeq").partition(" ")
        return number, method.strip()

    @property
    def route(self) -> list[str]:
        """The Record-Route set, in the order of the message."""
        return [
            part.strip() for value in self.all("Record-Route") for part in _ROUTE.findall(value)
        ]


def parse(data: bytes) -> SipMessage:
    """Read one datagram.

    Raises:
        NotSip: it is none.

    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise NotSip
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    # A line that begins with a blank goes on where the one before ended (RFC 3261, 7.3.1).
    start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    match = _START.fullmatch(start)
    if match is None:
        raise NotSip
    headers = tuple(
        (name.strip(), value.strip())
        for line in lines
        for name, colon, value in [line.partition(":")]
        if colon
    )
    return SipMessage(
        method=match[3] or "",
        uri=match[4] or "",
        code=int(match[1] or 0),
        headers=headers,
        body=body,
    )


def build(
    start: str, headers: list[tuple[str, str]], body: str = "", *, content: str = SDP
) -> bytes:
    """Write one datagram."""
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Type: {content}")
    lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def offer(address: str, port: int) -> str:
    """Offer (or answer with) mu-law audio and RFC 4733 digits."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0 {TELEPHONE_EVENT}\r\na=rtpmap:0 PCMU/8000\r\n"
        f"a=rtpmap:{TELEPHONE_EVENT} telephone-event/8000\r\n"
        f"a=fmtp:{TELEPHONE_EVENT} 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )


def media_address(body: str) -> tuple[str, int] | None:
    """Read where the other side wants its audio."""
    audio, address = _AUDIO.search(body), _ADDRESS.search(body)
    return (address[1], int(audio[1])) if audio and address else None


def uri_in(value: str) -> str:
    """Return the URI of a Contact, From, To or Route header."""
    match = _URI.search(value)
    return match[1] if match else value.split(";", maxsplit=1)[0].strip()


def tag_in(value: str) -> str:
    """Return the tag of a From or To header, empty when it has none."""
    match = _TAG.search(value)
    return match[1] if match else ""
