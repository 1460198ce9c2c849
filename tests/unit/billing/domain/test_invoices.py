from __future__ import annotations

from datetime import UTC, datetime

import pytest

from billing.clock import microseconds_of
from billing.domain.invoices import (
    BillingTerms,
    Line,
    Month,
    Movement,
    billable,
    lines_of,
    number_of,
)
from billing.errors import InvalidInput

OCTOBER = Month(2026, 10)


def at(month: int, day: int) -> int:
    return microseconds_of(datetime(2026, month, day, 12, tzinfo=UTC))


def fee(name: str, month: int, day: int, *, amount: int = -5, kind: str = "fee") -> Movement:
    return Movement(transfer_id=name, kind=kind, at_us=at(month, day), amount=amount)


def names(movements: list[Movement]) -> list[str | None]:
    return [movement.transfer_id for movement in movements]


@pytest.mark.parametrize("text", ["", "2026", "2026-13", "2026-1", "0001-01", "october"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no month"):
        Month.parse(text)


def test_a_month_ends_where_the_next_begins() -> None:
    assert Month.parse("2026-12").until_us == Month(2027, 1).from_us
    assert Month.of(Month(2026, 12).until_us - 1) == Month(2026, 12)
    assert str(Month(2026, 2)) == "2026-02"


def test_numbers_have_six_digits_and_more_when_needed() -> None:
    assert number_of("", 2026, 1) == "2026-000001"
    assert number_of("CN", 2026, 1_234_567) == "CN-2026-1234567"


def test_only_charges_of_the_month_are_billed() -> None:
    movements = [
        fee("september", 9, 30), fee("b", 10, 31), fee("a", 10, 1), fee("november", 11, 1),
        fee("paid", 10, 5, kind="payment", amount=9),
    ]  # fmt: skip

    assert names(billable(movements, OCTOBER, invoiced=(), cycle="end")) == ["a", "b"]
    assert names(billable(movements, OCTOBER, invoiced=(), cycle="beginning")) == [
        "a", "b", "november",
    ]  # fmt: skip


def test_late_charges_of_a_billed_month_come_along() -> None:
    movements = [fee("august", 8, 1), fee("september", 9, 1), fee("a", 10, 1)]

    picked = billable(movements, OCTOBER, invoiced=[Month(2026, 8)], cycle="end")

    assert names(picked) == ["august", "a"]


def test_a_month_that_gave_back_more_than_it_cost_comes_along() -> None:
    movements = [fee("cost", 9, 1), fee("back", 9, 2, amount=7, kind="refund"), fee("a", 10, 1)]

    assert names(billable(movements, OCTOBER, invoiced=(), cycle="end")) == ["cost", "back", "a"]


def test_sessions_are_summed_and_the_rest_stands_alone() -> None:
    def session(cost: int, tax: int, topic: str | None) -> Movement:
        return Movement(
            transfer_id="s", kind="settle", at_us=1, amount=-cost, tax=tax, service="1800",
            detail=topic, tariff="standard", billed_seconds=60,
        )  # fmt: skip

    lines = lines_of([session(10, 2, "Sales"), session(5, 1, "Sales"), session(1, 0, None),
                      fee("f", 10, 1)])  # fmt: skip

    assert lines == (
        Line(kind="settle", text="Calls to 1800", service="1800", tariff="standard",
             quantity=1, billed_seconds=60, net=1),
        Line(kind="settle", text="Calls to 1800, Sales", service="1800", detail="Sales",
             tariff="standard", quantity=2, billed_seconds=120, net=12, tax=3),
        Line(kind="fee", text="fee", net=5),
    )  # fmt: skip


def test_what_has_the_same_words_shares_a_line() -> None:
    def refund(memo: str | None, kind: str = "refund") -> Movement:
        return Movement(transfer_id="r", kind=kind, at_us=1, amount=3, tax=-1, memo=memo)

    lines = lines_of([refund("bad line"), refund("bad line"), refund(None),
                      refund("rated again: may", kind="rerate")])  # fmt: skip

    assert lines == (
        Line(kind="refund", text="Refund: bad line", quantity=2, net=-4, tax=-2),
        Line(kind="refund", text="Refund", net=-2, tax=-1),
        Line(kind="rerate", text="rated again: may", net=-2, tax=-1),
    )


def test_terms_say_when_and_how_much() -> None:
    terms = BillingTerms(
        terms_days=45, late_fee=100, late_fee_bp=150, early_discount_bp=200, early_days=10
    )

    assert terms.due_us(0) == 45 * 86_400_000_000
    assert terms.early_until_us(0) == 10 * 86_400_000_000
    assert BillingTerms(early_days=10).early_until_us(0) is None
    assert terms.discount_of(10_025) == 201
    assert terms.late_fee_of(10_000) == 250


@pytest.mark.parametrize(
    "wrong",
    [
        {"cycle": "middle"},
        {"terms_days": -1},
        {"terms_days": 367},
        {"grace_days": 400},
        {"early_days": -1},
        {"late_fee": -1},
        {"late_fee_bp": 10_001},
        {"early_discount_bp": 10_000},
        {"early_discount_bp": -1},
    ],
)
def test_terms_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(InvalidInput):
        BillingTerms(**wrong)
