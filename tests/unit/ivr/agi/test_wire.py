"""The FastAGI wire: what Asterisk writes is read, what nobody may write is refused."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ivr.agi.wire import (
    COMMAND_BYTES_MAX,
    Reply,
    WireError,
    check_command,
    parse_headers,
    parse_reply,
    quote,
)

BLOCK = (
    b"agi_network: yes\n"
    b"agi_network_script: call\n"
    b"agi_channel: PJSIP/trunk-00000001\n"
    b"agi_callerid: 4930123456\n"
    b"agi_calleridname: Jos\xc3\xa9: the first\n"
    b"agi_dnid:\n"
    b"agi_arg_1: 30900\n"
)


def unquoted(text: str) -> str:
    """Asterisk's own reading of one quoted argument: an oracle that shares no code with ours."""
    assert text[0] == text[-1] == '"'
    found, inside = [], iter(text[1:-1])
    for character in inside:
        assert character != '"'
        found.append(next(inside) if character == "\\" else character)
    return "".join(found)


def test_the_header_block_is_read_by_name() -> None:
    headers = parse_headers(BLOCK)

    assert headers == {
        "agi_network": "yes",
        "agi_network_script": "call",
        "agi_channel": "PJSIP/trunk-00000001",
        "agi_callerid": "4930123456",
        "agi_calleridname": "José: the first",
        "agi_dnid": "",
        "agi_arg_1": "30900",
    }


def test_bytes_that_are_no_utf8_cost_a_character_and_not_the_call() -> None:
    headers = parse_headers(b"agi_channel: one\nagi_calleridname: Jos\xe9\n")

    assert headers == {"agi_channel": "one", "agi_calleridname": "Jos\N{REPLACEMENT CHARACTER}"}


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="an empty line"),
        pytest.param(b"agi_callerid: 1\nagi_channel: x\nagi_callerid: 2\n", id="a header twice"),
        pytest.param(b"agi_callerid: 1\nagi_callerid: 1\n", id="the same header twice"),
        pytest.param(b"agi_callerid: 1\r\nagi_channel: x\n", id="a carriage return"),
        pytest.param(b"agi_callerid: 1\x002\n", id="a null"),
        pytest.param(b"agi_callerid: 1\x1b[2J\n", id="an escape"),
        pytest.param(b"agi_callerid: 1\x7f\n", id="a delete"),
        pytest.param(b"callerid: 1\n", id="a foreign name"),
        pytest.param(b"AGI_CALLERID: 1\n", id="capitals"),
        pytest.param(b"agi_callerid 1\n", id="no colon"),
        pytest.param(b"agi_channel: x\n\nagi_callerid: 1\n", id="an empty line within"),
        pytest.param(b"GET / HTTP/1.1\nHost: x\n", id="a browser"),
        pytest.param(b"x agi_callerid: 1\n", id="a header behind something"),
        pytest.param(b" agi_callerid: 1\n", id="a header behind a blank"),
        pytest.param(b"agi_" + b"a" * 60 + b": 1\n", id="a long name"),
        pytest.param(b"agi_callerid: " + b"1" * 40_000 + b"\n", id="a long value"),
        pytest.param(b"".join(b"agi_arg_%d: 1\n" % n for n in range(9_000)), id="many headers"),
    ],
)
def test_a_block_that_asterisk_never_writes_is_refused(block: bytes) -> None:
    with pytest.raises(WireError):
        parse_headers(block)


@given(st.binary(max_size=400) | st.text(alphabet="agi_x: 1\n\r\0é", max_size=80).map(str.encode))
@example(b"agi_x: 1")
@example(b"\n\n")
def test_junk_for_headers_is_read_or_refused_and_nothing_else(block: bytes) -> None:
    try:
        headers = parse_headers(block)
    except WireError:
        return

    assert len(headers) == len(block.rstrip(b"\n").split(b"\n"))
    assert all(name.startswith("agi_") and "\n" not in value for name, value in headers.items())


@given(st.binary(min_size=1, max_size=60))
def test_a_refusal_never_repeats_what_the_peer_sent(junk: bytes) -> None:
    with pytest.raises(WireError) as refused:
        parse_headers(b"secret-in-a-name \x01" + junk)

    assert "secret-in-a-name" not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"200 result=0\n", Reply(200, "0")),
        (b"200 result=-1\n", Reply(200, "-1")),
        (b"200 result=1 (1234#)\n", Reply(200, "1", "1234#")),
        (b"200 result=1 ()\n", Reply(200, "1", "")),
        (b"200 result=1 (a (b) c)\n", Reply(200, "1", "a (b) c")),
        (b"200 result= (timeout)\n", Reply(200, "", "timeout")),
        (b"200 result=-1 (hangup) endpos=160\n", Reply(200, "-1", "hangup")),
        (b"200 result=0 endpos=4800\n", Reply(200, "0")),
        (b"200 result=1 (Jos\xe9)\n", Reply(200, "1", "Jos\N{REPLACEMENT CHARACTER}")),
        (b"100 result=0 Trying...\n", Reply(100)),
        (b"510 Invalid or unknown command\n", Reply(510)),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", Reply(511)),
        (b"520-Invalid command syntax.  Proper usage follows:\n", Reply(520, more=True)),
        (b"520 End of proper usage.\n", Reply(520)),
    ],
)
def test_a_reply_is_a_code_a_result_and_data(line: bytes, reply: Reply) -> None:
    assert parse_reply(line) == reply


def test_minus_one_is_the_only_failure() -> None:
    failed = [parse_reply(b"200 result=%s\n" % result).failed for result in (b"-1", b"0", b"11")]

    assert failed == [True, False, False]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"HANGUP\n",
        b"200\n",
        b"200 \n",
        b"200 res=0\n",
        b"2000 result=0\n",
        b"20 result=0\n",
        b"result=0\n",
        b" 200 result=0\n",
        b"200 result=0\n200 result=0\n",
        "٢٠٠ result=0\n".encode(),
        b"HTTP/1.1 200 OK\n",
    ],
)
def test_a_line_that_is_no_reply_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        parse_reply(line)


@given(st.binary(max_size=200), st.sampled_from([b"", b"200 ", b"200 result=", b"520-", b"511 "]))
def test_junk_for_a_reply_is_read_or_refused_and_nothing_else(rest: bytes, start: bytes) -> None:
    line = start + rest.replace(b"\n", b"") + b"\n"

    try:
        reply = parse_reply(line)
    except WireError:
        return

    assert 0 <= reply.code <= 999
    assert len(reply.result) + len(reply.data) <= len(line)


@given(st.text(st.characters(exclude_categories=("C", "Z")) | st.sampled_from(' "\\$&,()')))
@example('"')
@example("\\")
@example('\\"; EXEC System "id')
def test_a_quoted_argument_is_one_argument_and_reads_back_whole(argument: str) -> None:
    assert unquoted(quote(argument)) == argument


@given(
    st.text(max_size=10),
    st.sampled_from([*map(chr, range(32)), "\x7f", "\x85", "\u2028"]),
    st.text(max_size=10),
)
def test_nothing_that_could_begin_a_second_command_is_ever_sent(
    before: str, control: str, after: str
) -> None:
    text = before + control + after

    with pytest.raises(WireError):
        quote(text)
    with pytest.raises(WireError):
        check_command(f"GET VARIABLE {text}")


@given(st.text())
def test_a_command_is_one_line_within_the_buffer_or_refused(command: str) -> None:
    try:
        encoded = check_command(command)
    except WireError:
        return

    assert encoded == command.encode() + b"\n"
    assert encoded.count(b"\n") == 1
    assert len(encoded) <= COMMAND_BYTES_MAX


def test_the_buffer_of_asterisk_is_counted_in_bytes() -> None:
    fits = "é" * ((COMMAND_BYTES_MAX - 1) // 2)

    assert len(check_command(fits)) <= COMMAND_BYTES_MAX
    with pytest.raises(WireError):
        check_command(fits + "é")
