"""The life of a call as a table: state x event -> state. What is not in the table is refused.

    ringing -> identified -> choosing <-> quoted -> waiting -> talking -> ended

Any state may end. Only `waiting` may become `talking`, and a hold is open from `waiting` on, so
that nobody talks without money held for it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class CallState(StrEnum):
    """Where a call stands."""

    RINGING = "ringing"
    AUTHENTICATED = "authenticated"
    CHOOSING = "choosing"
    QUOTED = "quoted"
    WAITING = "waiting"
    TALKING = "talking"
    ENDED = "ended"


class CallEvent(StrEnum):
    """What moves a call on."""

    IDENTIFIED = "identified"
    MENU_OPENED = "menu_opened"
    TOPIC_CHOSEN = "topic_chosen"
    HELD = "held"
    BRIDGED = "bridged"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a call ended. The words of reports, logs and the API."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    BALANCE_SPENT = "balance_spent"
    BALANCE_TOO_SMALL = "balance_too_small"
    ACCOUNT_BLOCKED = "account_blocked"
    UNKNOWN_CALLER = "unknown_caller"
    LOGIN_FAILED = "login_failed"
    NO_CHOICE = "no_choice"
    NO_AGENT = "no_agent"
    TIME_LIMIT = "time_limit"
    PRICE_DECLINED = "price_declined"
    DAILY_LIMIT = "daily_limit"
    TOPIC_CLOSED = "topic_closed"
    MESSAGE_LEFT = "message_left"
    CALLBACK_ASKED = "callback_asked"
    NO_ANSWER = "no_answer"
    TRANSFERRED = "transferred"
    AGENT_DESK = "agent_desk"
    OTHER_CURRENCY = "other_currency"
    TOPIC_UNAVAILABLE = "topic_unavailable"
    LINE_CLOSED = "line_closed"
    LINE_SUSPENDED = "line_suspended"
    LINE_BUSY = "line_busy"
    OPERATOR_HUNG_UP = "operator_hung_up"
    TECHNICAL_PROBLEM = "technical_problem"
    SERVICE_LOST = "service_lost"


TRANSITIONS: Final = {
    (CallState.RINGING, CallEvent.IDENTIFIED): CallState.AUTHENTICATED,
    (CallState.AUTHENTICATED, CallEvent.MENU_OPENED): CallState.CHOOSING,
    (CallState.CHOOSING, CallEvent.TOPIC_CHOSEN): CallState.QUOTED,
    (CallState.QUOTED, CallEvent.MENU_OPENED): CallState.CHOOSING,
    (CallState.QUOTED, CallEvent.HELD): CallState.WAITING,
    (CallState.WAITING, CallEvent.BRIDGED): CallState.TALKING,
} | {
    (state, CallEvent.ENDED): CallState.ENDED for state in CallState if state is not CallState.ENDED
}


class TransitionRefused(Exception):
    """The table has no such step."""

    def __init__(self, state: CallState, event: CallEvent) -> None:
        self.state = state
        self.event = event
        super().__init__(f"a call that is {state} cannot take {event}")


def advance(state: CallState, event: CallEvent) -> CallState:
    """Take one step.

    Raises:
        TransitionRefused: the table has no such step.

    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise TransitionRefused(state, event) from None
