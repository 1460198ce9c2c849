from __future__ import annotations

from ivr.calls.evidence import estimated, from_record, weigh
from ivr.telephony import TalkRecord

SECOND = 1_000_000
START = 1_700_000_000 * SECOND


def test_the_switch_is_believed_where_both_clocks_agree() -> None:
    evidence = weigh(
        started_us=START,
        ended_us=START + 5_004_321,
        own_us=5_010_000,
        own_stalled=False,
        source="ami",
    )

    assert (evidence.talk_us, evidence.source, evidence.review) == (5_004_321, "ami", False)


def test_a_stepped_wall_clock_is_overruled_by_ours_and_marked() -> None:
    evidence = weigh(
        started_us=START,
        ended_us=START + 36 * SECOND,
        own_us=6 * SECOND,
        own_stalled=False,
        source="ami",
    )

    assert (evidence.talk_us, evidence.source, evidence.review) == (6 * SECOND, "monotonic", True)


def test_a_wall_clock_that_went_back_never_makes_a_negative_talk() -> None:
    evidence = weigh(
        started_us=START,
        ended_us=START - 3_577 * SECOND,
        own_us=None,
        own_stalled=False,
        source="cel",
    )

    assert evidence.talk_us == 0
    assert evidence.review


def test_a_process_that_stood_still_believes_the_switch() -> None:
    evidence = weigh(
        started_us=START,
        ended_us=START + 5 * SECOND,
        own_us=60 * SECOND,
        own_stalled=True,
        source="ami",
    )

    assert (evidence.talk_us, evidence.review) == (5 * SECOND, False)


def test_a_record_without_an_end_is_no_evidence() -> None:
    assert from_record(TalkRecord(started_us=START, ended_us=None, over=True)) is None
    assert from_record(TalkRecord(started_us=None, ended_us=None, over=True)) is None


def test_without_any_witness_only_proven_talk_is_charged() -> None:
    evidence = estimated(started_us=START, proven_us=23 * SECOND, opened_us=START - SECOND)

    assert (evidence.talk_us, evidence.started_us) == (23 * SECOND, START)
    assert evidence.review
