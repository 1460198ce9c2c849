"""SIP messages and SDP bodies of the phone."""

from __future__ import annotations

import pytest

from ivr.sandbox import sip

OK = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK1;rport=5071\r\n"
    b"Record-Route: <sip:a;lr>, <sip:b;lr>\r\n"
    b"Record-Route: <sip:c;lr>\r\n"
    b'f: "Eve" <sip:eve@127.0.0.1>;tag=from1\r\n'
    b"t: <sip:100@127.0.0.1>;x=1;Tag=to1\r\n"
    b"CSeq: 7 INVITE\r\n"
    b"Contact: <sip:127.0.0.1:5060;transport=udp>\r\n"
    b"Subject: folded\r\n  over two lines\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def test_a_response_tells_its_code_sequence_and_tags() -> None:
    message = sip.parse(OK)

    assert (message.code, message.method) == (200, "")
    assert message.sequence == ("7", "INVITE")
    assert sip.tag_in(message.header("From")) == "from1"
    assert sip.tag_in(message.header("To")) == "to1"
    assert sip.uri_in(message.header("contact")) == "sip:127.0.0.1:5060;transport=udp"
    assert message.header("Subject") == "folded over two lines"


def test_a_route_set_keeps_its_order_over_commas_and_lines() -> None:
    assert sip.parse(OK).route == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"]


def test_what_is_built_is_read_back() -> None:
    body = sip.offer("127.0.0.1", 4000)

    message = sip.parse(sip.build("INVITE sip:1@h SIP/2.0", [("CSeq", "1 INVITE")], body))

    assert (message.method, message.uri, message.body) == ("INVITE", "sip:1@h", body)
    assert message.header("Content-Length") == str(len(body))
    assert sip.media_address(message.body) == ("127.0.0.1", 4000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"SIP/2.0 abc\r\n\r\n",
        b"\xff" * 20,
        b"x" * 20_000,
    ],
)
def test_junk_is_named_as_such(data: bytes) -> None:
    with pytest.raises(sip.NotSip):
        sip.parse(data)


def test_a_body_without_audio_has_no_address() -> None:
    assert sip.media_address("v=0\r\nc=IN IP4 127.0.0.1\r\n") is None


def test_an_address_without_brackets_is_a_uri_too() -> None:
    assert sip.uri_in("sip:eve@127.0.0.1;tag=1") == "sip:eve@127.0.0.1"
