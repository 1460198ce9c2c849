from __future__ import annotations

from itertools import product

import pytest

from ivr.calls.states import TRANSITIONS, CallEvent, CallState, TransitionRefused, advance


@pytest.mark.parametrize(("state", "event"), list(product(CallState, CallEvent)))
def test_every_pair_is_in_the_table_or_refused(state: CallState, event: CallEvent) -> None:
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(TransitionRefused, match=f"{state} cannot take {event}"):
            advance(state, event)


@pytest.mark.parametrize("state", [state for state in CallState if state is not CallState.ENDED])
def test_a_call_may_end_in_every_state(state: CallState) -> None:
    assert advance(state, CallEvent.ENDED) is CallState.ENDED


def test_every_state_can_be_reached() -> None:
    reached = {CallState.RINGING}
    for _ in CallState:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}

    assert reached == set(CallState)


def test_talk_begins_only_where_money_is_held() -> None:
    before = {state for (state, event) in TRANSITIONS if event is CallEvent.BRIDGED}

    assert before == {CallState.WAITING}
