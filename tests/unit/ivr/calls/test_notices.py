"""When a caller is told that the talk will end or get dearer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.clock import ManualClock
from billing.domain.operations import Grant
from billing.domain.rating import RateTable
from billing.domain.sessions import SessionTerms
from billing.domain.tariffs import Tariff, Tier
from billing.money import parse_amount
from ivr.calls.call import Call
from ivr.calls.notices import Notices
from ivr.telephony import CallFacts

CENT_A_SECOND = Tariff(
    name="cent", currency="USD", tiers=(Tier(from_seconds=0, price=10_000, per_seconds=1),)
)
DEARER = Tariff(
    name="dearer",
    currency="USD",
    tiers=(
        Tier(from_seconds=0, price=10_000, per_seconds=1),
        Tier(from_seconds=100, price=5_000, per_seconds=1),
        Tier(from_seconds=300, price=20_000, per_seconds=1),
    ),
)


def call_of(tariff: Tariff = CENT_A_SECOND, *, ceiling: int | None = None) -> Call:
    facts = CallFacts(
        node="n", channel="c", uniqueid="u", did="1", caller_number="2", caller_name=""
    )
    terms = SessionTerms(
        session_id="s", account="alice", client="acme", service="1", detail=None,
        tariff_version_id=1, table=RateTable.compile(tariff), timezone="UTC", shares=(),
        currency="USD", priced_us=0,
    )  # fmt: skip
    clock = ManualClock(datetime(2026, 3, 4, tzinfo=UTC))
    return Call(
        id="s", facts=facts, boot="", started_us=0, clock=clock, terms=terms,
        ceiling_seconds=ceiling,
    )  # fmt: skip


def grant(
    call: Call, *, seconds: int, spendable: str | None, covered: int = 0, more: int = 0
) -> None:
    assert call.terms
    call.take_grant(
        Grant(
            hold_id="s", step=1, seconds=seconds, covered_seconds=covered, final=False,
            amount=call.terms.table.cost(seconds - covered), coverable_seconds=more,
            spendable=None if spendable is None else parse_amount(spendable),
        )
    )  # fmt: skip


def end(notices: Notices, call: Call, talked: float = 0) -> tuple[int, int] | None:
    notice = notices.next(call, talked)
    return (notice.at_seconds, notice.left_seconds) if notice else None


def test_the_end_of_the_money_is_told_a_minute_before() -> None:
    call = call_of()
    grant(call, seconds=15, spendable="1.85")  # 200 s in all

    assert end(Notices(), call) == (140, 60)


def test_a_plan_that_covers_more_moves_the_end() -> None:
    call = call_of()
    grant(call, seconds=15, spendable="1.00", covered=15, more=300)

    assert call.ends_after_seconds == 15 + 300 + 100


@pytest.mark.parametrize("spendable", ["0.40", None])
def test_nothing_is_told_where_the_talk_began_so_short_or_has_no_end(
    spendable: str | None,
) -> None:
    call = call_of()
    grant(call, seconds=15, spendable=spendable)

    assert end(Notices(), call) is None


def test_the_longest_talk_is_told_like_the_end_of_the_money() -> None:
    call = call_of(ceiling=300)
    grant(call, seconds=15, spendable="100")

    assert end(Notices(), call) == (240, 60)


def test_a_second_call_that_takes_the_money_is_told_late_but_true() -> None:
    call, notices = call_of(), Notices()
    grant(call, seconds=15, spendable="100")
    grant(call, seconds=90, spendable="0.20")  # 110 s in all

    assert end(notices, call, talked=80) == (80, 30)


def test_it_is_told_once_and_again_after_a_top_up() -> None:
    call, notices = call_of(), Notices()
    grant(call, seconds=15, spendable="1.85")
    first = notices.next(call, 140)
    assert first
    notices.told(call, first)
    again = end(notices, call, talked=150)
    grant(call, seconds=165, spendable="1.35")  # 300 s in all

    assert again is None
    assert end(notices, call, talked=150) == (240, 60)


def test_a_dearer_tier_is_told_before_it_begins_and_a_cheaper_one_is_not() -> None:
    call, notices = call_of(DEARER), Notices()
    grant(call, seconds=15, spendable=None)

    notice = notices.next(call, 0)
    assert notice
    notices.told(call, notice)

    assert notice.at_seconds == 285
    assert notice.tier == DEARER.tiers[2]
    assert notices.next(call, 290) is None
