"""Messages of the manager: Asterisk's own are believed, what a caller could have forged is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.ami.events import KEY_HEADERS, KINDS, EventNotBelieved, event_of, headers_of
from ivr.telephony import AgentAnswered, BridgeEntered, BridgeLeft, ChannelHungUp, SwitchEvent

RECEIVED = 12.5
AT = "1700000000.123456"
AT_US = 1_700_000_000_123_456


def message(event: str, *lines: str) -> str:
    """A message as Asterisk writes it: its own three lines come before any caller's."""
    return "\r\n".join(
        (f"Event: {event}", "Privilege: call,all", f"Timestamp: {AT}", *lines),
    )


BRIDGE_ENTER = message(
    "BridgeEnter",
    "BridgeUniqueid: 6d1c",
    "BridgeNumChannels: 2",
    "Channel: PJSIP/trunk-00000001",
    "CallerIDName: José: the first",
    "Uniqueid: 1700000000.7",
    "Linkedid: 1700000000.7",
)
HANGUP = message(
    "Hangup",
    "Channel: PJSIP/trunk-00000001",
    "CallerIDName: Eve",
    "Uniqueid: 1700000000.7",
    "Linkedid: 1700000000.7",
    "Cause: 16",
)


def read(text: str) -> SwitchEvent | None:
    return event_of(headers_of(text), received=RECEIVED)


def believed(text: str) -> bool:
    try:
        read(text)
    except EventNotBelieved:
        return False
    return True


@pytest.mark.parametrize(("name", "kind"), [("Enter", BridgeEntered), ("Leave", BridgeLeft)])
def test_a_move_at_a_bridge_carries_both_clocks(
    name: str, kind: type[BridgeEntered | BridgeLeft]
) -> None:
    event = read(BRIDGE_ENTER.replace("BridgeEnter", f"Bridge{name}"))

    assert event == kind(
        bridge="6d1c",
        channel="PJSIP/trunk-00000001",
        uniqueid="1700000000.7",
        linkedid="1700000000.7",
        members=2,
        at_us=AT_US,
        received=RECEIVED,
    )


def test_an_agent_answered_only_where_dial_says_answer() -> None:
    lines = ["Channel: a", "Uniqueid: 1.1", "DestChannel: b", "DestUniqueid: 1.2"]
    found = {
        status: read(message("DialEnd", *lines, f"DialStatus: {status}"))
        for status in ("ANSWER", "BUSY", "NOANSWER", "CANCEL", "answer", "")
    }

    assert found.pop("ANSWER") == AgentAnswered(
        uniqueid="1.1", channel="a", agent_channel="b", at_us=AT_US, agent_uniqueid="1.2"
    )
    assert set(found.values()) == {None}


def test_a_hangup_names_its_channel_for_good() -> None:
    assert read(HANGUP) == ChannelHungUp(
        channel="PJSIP/trunk-00000001",
        uniqueid="1700000000.7",
        linkedid="1700000000.7",
        at_us=AT_US,
    )


@pytest.mark.parametrize("kind", ["Newstate", "HangupRequest", "BridgeCreate", "hangup", ""])
def test_events_that_nobody_needs_are_none(kind: str) -> None:
    assert read(HANGUP.replace("Hangup", kind, 1)) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Privilege: call,all\r\n", id="no privilege"),
        pytest.param(f"Timestamp: {AT}\r\n", id="no timestamp"),
        pytest.param(f"Privilege: call,all\r\nTimestamp: {AT}\r\n", id="neither"),
    ],
)
def test_an_event_without_asterisks_own_first_lines_is_not_believed(text: str) -> None:
    assert text in HANGUP

    assert not believed(HANGUP.replace(text, ""))


def test_asterisks_own_lines_in_another_order_are_not_believed() -> None:
    privilege, stamp = "Privilege: call,all", f"Timestamp: {AT}"
    forged = HANGUP.replace(f"{privilege}\r\n{stamp}", f"{stamp}\r\n{privilege}")

    assert not believed(forged)
    assert read("Channel: x\r\n" + HANGUP) is None


@pytest.mark.parametrize("stamp", ["0", "", "1700000000", "-1.000000", "1700000000.1", "1" * 400])
def test_a_time_that_asterisk_never_writes_is_not_believed(stamp: str) -> None:
    assert not believed(HANGUP.replace(AT, stamp))


@pytest.mark.parametrize("name", sorted(KEY_HEADERS))
def test_a_key_header_that_stands_twice_is_not_believed(name: str) -> None:
    text = BRIDGE_ENTER if f"{name}: " in BRIDGE_ENTER else f"{HANGUP}\r\n{name}: 1"
    assert believed(text)

    assert not believed(f"{text}\r\n{name}: forged")


@pytest.mark.parametrize("name", ["BridgeUniqueid", "BridgeNumChannels", "Channel", "Uniqueid"])
def test_an_event_that_lacks_a_key_header_is_not_believed(name: str) -> None:
    assert not believed(BRIDGE_ENTER.replace(f"\r\n{name}: ", "\r\nX: "))


@pytest.mark.parametrize("control", ["\n", "\r", "\0", "\x1b", "\x85"])
def test_a_control_character_in_a_key_header_is_not_believed(control: str) -> None:
    assert not believed(HANGUP.replace("trunk-", f"trunk{control}-"))


def test_a_name_with_a_line_break_cannot_move_the_event_to_another_call() -> None:
    forged = BRIDGE_ENTER.replace("José", "Eve\r\nLinkedid: 1700000000.99")

    assert not believed(forged)


def test_a_name_with_a_line_break_may_cost_its_caller_the_event_but_invents_none() -> None:
    forged = message("Newchannel", "Channel: a", "CallerIDName: x\r\nEvent: Hangup", "Uniqueid: 1")

    assert read(forged) is None


@pytest.mark.parametrize("members", ["", "two", "-1", "2.0", "²", "1" * 5_000])
def test_a_bridge_that_counts_nonsense_is_not_believed(members: str) -> None:
    assert not believed(BRIDGE_ENTER.replace("Channels: 2", f"Channels: {members}"))


def test_only_lines_with_a_name_and_a_value_are_headers() -> None:
    found = headers_of("Event: A\r\njunk\r\nName: b: c\r\nEmpty: \r\nTight:x\r\n")

    assert found == [("Event", "A"), ("Name", "b: c"), ("Empty", "")]


@given(st.text(alphabet=[*"Event: Hangup", "\r", "\n", "\0", "é", "1"], max_size=60))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert read(text) is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*sorted(KEY_HEADERS), "CallerIDName"]),
            st.sampled_from(["", "2", "BridgeEnter", "Hangup", "DialEnd", "ANSWER", AT]),
        ),
        max_size=12,
    )
)
def test_what_is_believed_always_begins_with_asterisks_own_lines(
    headers: list[tuple[str, str]],
) -> None:
    try:
        event = event_of(headers, received=RECEIVED)
    except EventNotBelieved:
        assert headers[0][1] in KINDS
        return

    if event is not None:
        assert [name for name, _ in headers[:3]] == ["Event", "Privilege", "Timestamp"]


@given(st.text(st.characters(exclude_characters="\r\n"), max_size=30))
def test_no_name_without_a_line_break_changes_an_event(name: str) -> None:
    event = read(BRIDGE_ENTER.replace("José: the first", name))

    assert event == read(BRIDGE_ENTER)
