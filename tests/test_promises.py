"""The call as the caller lives it: each promise of the product, and the tests that keep it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
PROMISES: dict[str, tuple[str, ...]] = {
    "a line that is closed, full or unknown refuses politely": (
        "test_a_number_that_is_nobodys_line_is_refused_politely",
        "test_a_line_is_open_by_its_hours",
        "test_a_full_line_is_told_and_leaves_no_trace_in_the_ledger",
    ),
    "a trusted caller id, or account number and PIN, open the line": (
        "test_a_normal_call_is_billed_by_the_bridge_and_nothing_else",
        "test_account_number_and_pin_open_the_line_to_any_phone",
        "test_a_known_phone_on_an_untrusted_line_still_needs_its_pin",
    ),
    "three tries, and a lockout that holds across calls": (
        "test_three_wrong_pins_end_the_call",
        "test_five_wrong_pins_lock_the_account_across_calls",
        "test_a_phone_that_tries_many_accounts_is_locked",
        "test_the_whole_line_pauses_when_it_is_under_attack",
    ),
    "an unknown account and a wrong PIN sound alike": (
        "test_an_unknown_account_and_a_wrong_pin_sound_alike",
    ),
    "after a PIN the caller may register its phone": (
        "test_a_phone_is_registered_after_a_pin_when_its_caller_wishes",
    ),
    "one digit chooses a topic; silence and wrong keys are told, the operator takes the rest": (
        "test_silence_leads_to_the_operator",
        "test_wrong_keys_are_told_and_end_the_call_where_there_is_no_operator",
        "test_a_closed_topic_is_not_offered_and_says_so_when_pressed",
        "test_a_hidden_topic_is_not_offered_but_can_be_chosen",
    ),
    "the price comes before anything is charged, and may have to be accepted": (
        "test_the_price_is_told_before_anything_rings",
        "test_a_price_that_is_not_accepted_costs_nothing",
    ),
    "too little money: a voucher by keypad, or a clear goodbye": (
        "test_a_voucher_pays_for_a_call_that_the_balance_cannot",
        "test_too_small_a_balance_is_told_before_anything_rings",
    ),
    "waiting in a queue is free and does not count": (
        "test_a_second_caller_waits_until_the_agent_is_free_and_pays_nothing_for_it",
        "test_who_hangs_up_while_waiting_pays_nothing",
        "test_who_waited_too_long_is_taken_by_the_overflow",
        "test_an_agent_who_pauses_gets_no_calls",
    ),
    "who pays for a better plan comes first in queues": (
        "test_a_plan_gives_its_priority_while_it_runs",
    ),
    "the meter starts at the bridge; a voicemail that answers costs nothing": (
        "test_a_queue_finds_the_agent_and_only_the_talk_is_charged",
        "test_an_agent_on_a_mobile_phone_presses_1_first_and_a_voicemail_costs_nothing",
    ),
    "several calls on one account never spend the same money twice": (
        "test_two_calls_on_one_account_never_spend_more_than_it_has",
    ),
    "a warning before the money ends and before a dearer tier, recomputed after a top-up": (
        "test_a_dearer_tier_is_whispered_and_the_longest_talk_ends_to_the_second",
        "test_the_end_of_the_money_is_told_a_minute_before",
        "test_it_is_told_once_and_again_after_a_top_up",
        "test_a_second_call_that_takes_the_money_is_told_late_but_true",
        "test_a_top_up_in_mid_call_makes_it_go_on",
    ),
    "a closed topic, or one where nobody answers, takes a message or a request to be called back": (
        "test_a_caller_leaves_a_message_for_nothing",
        "test_a_message_that_ends_with_a_hangup_is_kept",
        "test_a_caller_is_called_back_and_pays_the_talk_only",
        "test_a_callback_goes_on_over_a_crash_and_is_charged_once",
    ),
    "an agent puts the caller through: one call, each part at its own tariff": (
        "test_an_agent_puts_the_caller_through_and_each_part_has_its_price",
        "test_an_agent_asks_another_first_and_the_caller_waits_for_nothing",
        "test_an_agent_of_a_queue_that_put_a_caller_through_gets_the_next_one",
        "test_an_agent_who_keys_in_nothing_keeps_the_caller",
        "test_a_crash_after_a_transfer_charges_each_part_once",
    ),
    "recordings are announced, kept as long as the line says, and who listens is known": (
        "test_a_recorded_talk_is_announced_kept_and_found",
        "test_what_is_out_of_date_is_gone_with_its_row",
        "test_a_message_is_heard_by_its_client_and_that_is_written_down",
    ),
    "limits: by account, client, line and day; dear, short and foreign numbers are never dialled": (
        "test_an_account_has_so_many_calls_at_once",
        "test_a_client_has_so_many_calls_at_once",
        "test_what_may_be_spent_on_a_day_ends_the_talk_and_refuses_the_next_call",
        "test_premium_satellite_short_and_emergency_numbers_are_refused",
        "test_a_phone_in_another_country_is_never_dialled",
    ),
    "agents come and go by phone, by command and on the web": (
        "test_agents_come_and_go_by_phone",
        "test_an_agent_who_pauses_gets_no_calls",
        "test_an_agent_pauses_and_comes_back",
    ),
    "a client's own voice greets and names the topics": (
        "test_a_line_speaks_with_its_clients_own_voice",
        "test_an_uploaded_sound_is_kept_heard_and_said",
    ),
    "what is promised to be heard is heard, sample by sample": (
        "test_a_whole_call_is_heard_word_by_word",
        "test_what_callers_are_told",
        "test_a_notice_is_whispered_to_the_caller_and_not_to_the_agent",
    ),
    "when the money is gone the call ends, to the second": (
        "test_the_call_is_cut_to_the_second_when_the_money_ends",
        "test_a_queued_talk_is_cut_when_the_money_ends",
    ),
    "afterwards the caller hears what it cost and what is left": (
        "test_the_agent_hangs_up_first_and_the_caller_hears_what_it_cost",
        "test_a_talk_is_charged_split_and_told",
        "test_a_caller_may_rate_the_agent_after_the_talk",
    ),
    "a premium line debits nobody and splits what the carrier pays out": (
        "test_a_premium_line_takes_anybody_and_the_carrier_owes_the_payout",
    ),
    "a plan pays first": ("test_a_plan_pays_the_first_seconds_and_the_balance_the_rest",),
    "money is never taken twice, nor lost, whatever dies": (
        "test_restarted_while_talking_the_call_is_adopted_and_goes_on",
        "test_killed_for_good_asterisk_cuts_at_the_held_limit",
        "test_a_call_whose_database_stops_is_cut_as_granted_and_booked_when_it_is_back",
        "test_a_call_that_ends_while_the_manager_link_is_cut_is_settled_from_the_record",
        "test_after_a_day_of_anything_every_charge_is_right",
    ),
}


@pytest.fixture(scope="module")
def written() -> set[str]:
    found: set[str] = set()
    for file in ROOT.rglob("test_*.py"):
        found |= set(
            re.findall(r"^(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE)
        )
    return found


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_has_tests_that_exist(promise: str, written: set[str]) -> None:
    assert set(PROMISES[promise]) - written == set()
