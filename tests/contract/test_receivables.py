from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import microseconds_of
from billing.domain.invoices import BillingTerms
from billing.errors import (
    CreditExceedsInvoice,
    IdempotencyConflict,
    InvalidInput,
    UnknownAccount,
    UnknownInvoice,
)
from billing.money import parse_amount
from tests.books import open_desk
from tests.invoices import APRIL, MARCH, MAY, Office, open_office

DOLLAR = 1_000_000


@pytest.fixture
async def office(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Office]:
    """Bob owes 10 for March and 6 for April; it is the first of May."""
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("bob", credit_limit="1000")
        await desk.caller("dave", credit_limit="1000")
        office = open_office(desk)
        await office.invoicing.set_terms(
            "bob",
            BillingTerms(early_discount_bp=200, early_days=10, late_fee=5 * DOLLAR, grace_days=5),
        )
        await office.charge("bob", "10", "fee")
        office.until(2026, 4, 1)
        await office.bill("bob", MARCH)
        await office.charge("bob", "6", "adjustment")
        office.until(2026, 5, 1)
        await office.bill("bob", APRIL)
        yield office


async def pay(office: Office, amount: str, key: str = "k", invoice: str | None = None):
    return await office.receivables.pay(
        "bob", parse_amount(amount), key=key, actor="test", invoice=invoice
    )


async def unpaid(office: Office) -> list[int]:
    return [await office.unpaid(f"2026-00000{number}") for number in (1, 2)]


async def test_a_payment_pays_the_oldest_first(office: Office) -> None:
    done = await pay(office, "12")

    assert done.allocations == (("2026-000001", 10 * DOLLAR), ("2026-000002", 2 * DOLLAR))
    assert (done.credit, done.balance) == (0, -4 * DOLLAR)
    assert await unpaid(office) == [0, 4 * DOLLAR]
    assert await office.desk.proved()


async def test_a_payment_counts_once_per_key(office: Office) -> None:
    first = await pay(office, "3")
    again = await pay(office, "3")
    with pytest.raises(IdempotencyConflict):
        await pay(office, "4")

    assert again.replayed
    assert (again.transfer_id, again.allocations) == (first.transfer_id, first.allocations)
    assert await unpaid(office) == [7 * DOLLAR, 6 * DOLLAR]


async def test_payments_at_once_never_pay_an_invoice_twice(office: Office) -> None:
    await asyncio.gather(*(pay(office, "1", key=f"k{number}") for number in range(20)))

    assert await unpaid(office) == [0, 0]
    assert await office.desk.spendable("bob") == 1004 * DOLLAR + 120_000
    assert await office.desk.proved()


async def test_too_much_stays_as_credit_that_pays_the_oldest_with_the_next_invoice(
    office: Office,
) -> None:
    done = await pay(office, "11", invoice="2026-000001")
    await office.charge("bob", "0.40", "fee")
    await office.charge("bob", "2", "fee")
    office.until(2026, 6, 1)

    number = await office.bill("bob", MAY)

    assert (done.allocations, done.credit) == ((("2026-000001", 10 * DOLLAR),), DOLLAR)
    assert await unpaid(office) == [0, 5 * DOLLAR]
    assert await office.unpaid(number) == 2_400_000
    assert await office.desk.proved()


async def test_paying_in_full_in_time_earns_the_discount_once(office: Office) -> None:
    office.until(2026, 5, 11, 7)

    short = await pay(office, "5.80", key="a", invoice="2026-000002")
    rest = await pay(office, "0.08", key="b", invoice="2026-000002")

    assert (short.discounts, rest.discounts) == ((), (("2026-000002", 120_000),))
    assert await unpaid(office) == [10 * DOLLAR, 0]
    assert rest.balance == -10 * DOLLAR
    assert await office.desk.proved()


async def test_paying_the_whole_in_time_leaves_the_discount_as_credit(office: Office) -> None:
    done = await pay(office, "6", invoice="2026-000002")

    assert (done.credit, done.balance) == (120_000, -10 * DOLLAR + 120_000)


async def test_paying_later_costs_the_whole(office: Office) -> None:
    office.until(2026, 5, 11, 9)

    done = await pay(office, "5.88", invoice="2026-000002")

    assert done.discounts == ()
    assert await unpaid(office) == [10 * DOLLAR, 120_000]


async def test_a_late_fee_is_charged_once_and_billed_next(office: Office) -> None:
    office.until(2026, 5, 6, 7)
    at_us = microseconds_of(office.desk.clock.now())
    early = await office.receivables.late_fees(at_us=at_us)
    office.until(2026, 5, 6, 9)
    at_us = microseconds_of(office.desk.clock.now())

    fees = await asyncio.gather(*(office.receivables.late_fees(at_us=at_us) for _ in range(3)))
    office.until(2026, 6, 1)
    number = await office.bill("bob", MAY)

    assert early == []
    assert [(fee.invoice, fee.amount, fee.refused) for some in fees for fee in some] == [
        ("2026-000001", 5 * DOLLAR, None)
    ]
    invoice = await office.invoicing.invoice(number)
    assert [(line.text, line.net) for line in invoice.lines] == [
        ("late fee of invoice 2026-000001", 5 * DOLLAR)
    ]
    assert await office.desk.proved()


async def test_a_late_fee_may_be_a_part_of_what_is_unpaid(office: Office) -> None:
    await office.invoicing.set_terms("dave", BillingTerms(terms_days=1, late_fee_bp=150))
    await office.charge("dave", "100", "fee")
    office.until(2026, 6, 1)
    number = await office.bill("dave", MAY)
    await office.receivables.pay("dave", 20 * DOLLAR, key="k", actor="test", invoice=number)
    office.until(2026, 6, 3)

    [fee] = await office.receivables.late_fees(
        at_us=microseconds_of(office.desk.clock.now()), account="dave"
    )

    assert fee.amount == 1_200_000


async def test_a_late_fee_beyond_the_credit_limit_is_named_and_the_others_go_on(
    office: Office,
) -> None:
    await office.invoicing.set_terms("dave", BillingTerms(terms_days=1, late_fee=DOLLAR))
    await office.charge("dave", "1", "fee")
    office.until(2026, 6, 1)
    await office.bill("dave", MAY)
    await office.desk.wallet.set_credit_limit("bob", 16 * DOLLAR)
    office.until(2026, 7, 1)

    fees = await office.receivables.late_fees(at_us=microseconds_of(office.desk.clock.now()))

    assert [(fee.invoice, fee.account, fee.refused is None) for fee in fees] == [
        ("2026-000001", "bob", False), ("2026-000002", "bob", False),
        ("2026-000003", "dave", True),
    ]  # fmt: skip
    assert "has 0 micro-units to spend" in (fees[0].refused or "")


async def test_a_credit_note_has_its_own_number_and_lowers_what_is_owed(office: Office) -> None:
    part = await office.receivables.credit(
        "2026-000001", amount=4 * DOLLAR, reason="a mistake", actor="test"
    )
    again = await office.receivables.credit(
        "2026-000001", amount=4 * DOLLAR, reason="a mistake", actor="test"
    )
    rest = await office.receivables.credit("2026-000001", reason="all of it", actor="test")

    assert again == part
    assert [(note.number, note.total) for note in (part, rest)] == [
        ("CN-2026-000001", 4 * DOLLAR), ("CN-2026-000002", 6 * DOLLAR),
    ]  # fmt: skip
    assert await unpaid(office) == [0, 6 * DOLLAR]
    assert (await office.desk.wallet.account("bob")).posted == -6 * DOLLAR
    with pytest.raises(CreditExceedsInvoice):
        await office.receivables.credit("2026-000001", amount=1, reason="more", actor="test")
    invoice = await office.invoicing.invoice("2026-000001")
    assert invoice.credit_notes == (part, rest)
    assert await office.desk.proved()


async def test_the_credit_of_a_paid_invoice_pays_another(office: Office) -> None:
    await pay(office, "10", invoice="2026-000001")
    await office.receivables.credit("2026-000001", reason="service was down", actor="test")
    await office.charge("bob", "3", "fee")
    office.until(2026, 6, 1)

    number = await office.bill("bob", MAY)

    assert await unpaid(office) == [0, 0]
    assert await office.unpaid(number) == 0
    assert await office.desk.proved()


async def test_a_top_up_pays_before_a_late_fee_is_charged(office: Office) -> None:
    await office.desk.wallet.top_up("bob", 11 * DOLLAR, key="k", actor="test")
    office.until(2026, 5, 20)

    fees = await office.receivables.late_fees(at_us=microseconds_of(office.desk.clock.now()))

    assert fees == []
    assert await unpaid(office) == [0, 5 * DOLLAR]
    assert await office.desk.proved()


async def test_credit_notes_at_once_make_no_gap_and_take_back_no_more_than_all(
    office: Office,
) -> None:
    outcomes = await asyncio.gather(
        *(
            office.receivables.credit(
                "2026-000001", amount=3 * DOLLAR, reason=f"mistake {number}", actor="test"
            )
            for number in range(8)
        ),
        return_exceptions=True,
    )

    numbers = sorted(each.number for each in outcomes if not isinstance(each, BaseException))
    assert numbers == [f"CN-2026-00000{number}" for number in (1, 2, 3)]
    assert sum(isinstance(each, CreditExceedsInvoice) for each in outcomes) == 5
    assert await office.desk.proved()


async def test_runs_payments_and_credits_at_once_do_not_stop_each_other(office: Office) -> None:
    await office.charge("bob", "1", "fee")
    office.until(2026, 6, 1)

    await asyncio.gather(
        office.invoicing.run(MAY),
        *(pay(office, "0.50", key=f"p{number}") for number in range(6)),
        *(
            office.receivables.credit("2026-000002", amount=100 + n, reason="odd", actor="test")
            for n in range(4)
        ),
        *(office.charge("bob", "0.01", "fee") for _ in range(10)),
        *(
            office.receivables.late_fees(at_us=microseconds_of(office.desk.clock.now()))
            for _ in "ab"
        ),
    )

    assert await office.desk.proved()


async def test_a_spare_credit_pays_once_whoever_finds_it(office: Office) -> None:
    office.until(2026, 5, 20)
    at_us = microseconds_of(office.desk.clock.now())
    await office.desk.wallet.top_up("bob", 4 * DOLLAR, key="k", actor="test")
    await office.desk.wallet.top_up("bob", 7 * DOLLAR, key="l", actor="test")

    done = await asyncio.gather(
        *(office.receivables.late_fees(at_us=at_us) for _ in range(6)),
        *(pay(office, "1", key=f"p{number}") for number in range(6)),
        return_exceptions=True,
    )

    assert [each for each in done if isinstance(each, BaseException)] == []
    assert sum(await unpaid(office)) in {0, DOLLAR}
    assert await office.desk.proved()


async def test_what_makes_no_sense_is_refused(office: Office) -> None:
    for attempt, error in (
        (pay(office, "0"), InvalidInput),
        (pay(office, "1", key=""), InvalidInput),
        (pay(office, "1", invoice="2026-000009"), UnknownInvoice),
        (office.receivables.pay("nobody", 1, key="k", actor="t"), UnknownAccount),
        (office.receivables.pay("dave", 1, key="k", actor="t", invoice="2026-000001"),
         UnknownInvoice),
        (office.receivables.credit("2026-000001", reason=" ", actor="t"), InvalidInput),
        (office.receivables.credit("2026-000001", reason="r", amount=0, actor="t"), InvalidInput),
        (office.receivables.credit("2026-000009", reason="r", actor="t"), UnknownInvoice),
    ):  # fmt: skip
        with pytest.raises(error):
            await attempt

    assert await unpaid(office) == [10 * DOLLAR, 6 * DOLLAR]
