from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.domain.invoices import BillingTerms, Month
from billing.errors import InvalidInput, UnknownAccount, UnknownInvoice
from billing.invoicing import Invoicing
from billing.refunds import Refunds
from billing.subscriptions import Subscriptions
from tests.books import flat, open_desk
from tests.invoices import APRIL, CHEAP, MARCH, TAXED, Office, open_office
from tests.plans import STARTER, Shop


@pytest.fixture
async def office(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Office]:
    async with open_desk(engine, tmp_path) as desk:
        for code in ("bob", "dave"):
            await desk.caller(code, credit_limit="1000")
        await desk.caller("alice", "20")
        yield open_office(desk)


async def test_a_month_is_billed_in_one_invoice_that_adds_up(office: Office) -> None:
    costs = [await office.call("bob", seconds) for seconds in (60, 95, 7)]
    dear = await office.call("bob", 30, flat("3.00"), shares=TAXED)
    fee = await office.charge("bob", "2.50", "fee")
    refund = await office.charge("bob", "-0.25", "refund")
    await office.call("alice", 60)
    office.until(2026, 4, 1)

    done = await office.invoicing.run(MARCH)
    invoice = await office.invoicing.invoice("2026-000001")

    assert (done.created, done.billed_before, done.nothing_to_bill) == (("2026-000001",), 0, 1)
    header = invoice.header
    assert header.total == sum(costs) + dear + fee + refund
    assert (header.account, header.currency, header.month) == ("bob", "USD", "2026-03")
    assert header.due_us - header.issued_us == 30 * 86_400_000_000
    assert header.tax == dear // 5
    assert [(line.kind, line.quantity, line.billed_seconds) for line in invoice.lines] == [
        ("settle", 3, 162), ("settle", 1, 30), ("fee", 1, 0), ("refund", 1, 0),
    ]  # fmt: skip
    assert (invoice.lines[0].service, invoice.lines[0].detail) == ("18005550100", "Billing")
    assert invoice.lines[0].tariff == CHEAP.name
    assert sum(line.total for line in invoice.lines) == header.total
    assert await office.desk.spendable("bob") == 1_000_000_000 - header.total
    assert await office.desk.proved()


async def test_running_a_month_again_changes_nothing(office: Office) -> None:
    await office.call("bob", 60)
    office.until(2026, 4, 1)
    number = await office.bill("bob")
    before = await office.invoicing.invoice(number)

    again = await office.invoicing.run(MARCH)

    assert (again.created, again.billed_before, again.nothing_to_bill) == ((), 1, 1)
    assert await office.invoicing.invoice(number) == before


async def test_runs_at_once_make_no_gap_and_no_double(office: Office) -> None:
    desk = office.desk
    callers = [f"caller-{number}" for number in range(8)]
    for code in callers:
        await desk.caller(code, credit_limit="10")
        await office.call(code, 60)
    office.until(2026, 4, 1)
    runs = [Invoicing(engine=desk.engine, clock=desk.clock) for _ in range(4)]

    done = await asyncio.gather(*(run.run(MARCH) for run in runs))

    created = sorted(number for result in done for number in result.created)
    assert created == [f"2026-{number:06d}" for number in range(1, 9)]
    found = await office.invoicing.list_invoices()
    assert sorted(header.account for header in found) == callers
    assert await desk.proved()


async def test_a_run_that_fails_gives_its_number_to_the_next(office: Office) -> None:
    await office.call("bob", 60)
    office.until(2026, 4, 1)
    async with office.desk.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE invoice_items RENAME TO items_away"))

    with pytest.raises(DBAPIError):
        await office.invoicing.run(MARCH)
    async with office.desk.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE items_away RENAME TO invoice_items"))

    assert await office.bill("bob") == "2026-000001"


async def test_a_month_bills_its_own_sessions_only(office: Office) -> None:
    march = await office.call("bob", 60)
    office.until(2026, 4, 1, 0)
    april = await office.call("bob", 90)
    office.until(2026, 5, 2)

    second = await office.bill("bob", APRIL)
    first = await office.bill("bob", MARCH)

    assert (await office.invoicing.invoice(first)).header.total == march
    assert (await office.invoicing.invoice(second)).header.total == april
    assert (first, second) == ("2026-000002", "2026-000001")


async def test_what_is_booked_late_comes_with_the_next_invoice(office: Office) -> None:
    await office.call("bob", 60)
    office.until(2026, 4, 1)
    await office.bill("bob", MARCH)
    late = await office.charge("bob", "3", "fee", at=datetime(2026, 3, 31, tzinfo=UTC))
    office.until(2026, 5, 1)

    second = await office.bill("bob", APRIL)

    assert (await office.invoicing.invoice(second)).header.total == late


async def test_a_month_that_gave_back_more_than_it_cost_waits_for_the_next(office: Office) -> None:
    await office.charge("bob", "-1", "refund")
    office.until(2026, 4, 1)
    march = await office.invoicing.run(MARCH, account="bob")
    await office.charge("bob", "3", "fee")
    office.until(2026, 5, 1)

    number = await office.bill("bob", APRIL)

    assert march.created == ()
    assert (await office.invoicing.invoice(number)).header.total == 2_000_000


@pytest.mark.parametrize(("cycle", "march"), [("beginning", 5_600_000), ("end", 600_000)])
async def test_fixed_fees_are_billed_in_advance_at_the_beginning_of_a_month(
    office: Office, cycle: str, march: int
) -> None:
    await office.invoicing.set_terms("bob", BillingTerms(cycle=cycle, terms_days=45))
    await office.call("bob", 60)
    office.until(2026, 4, 1, 1)
    await office.charge("bob", "5", "fee")
    await office.call("bob", 60)

    first = await office.bill("bob", MARCH)
    office.until(2026, 5, 1)
    second = await office.bill("bob", APRIL)

    totals = [(await office.invoicing.invoice(n)).header.total for n in (first, second)]
    assert totals == [march, 6_200_000 - march]


async def test_sessions_that_cost_nothing_are_counted(office: Office) -> None:
    await office.call("bob", 60)
    await office.call("bob", 40, flat("0"))
    office.until(2026, 4, 1)

    invoice = await office.invoicing.invoice(await office.bill("bob"))

    assert [(line.quantity, line.billed_seconds, line.net) for line in invoice.lines] == [
        (1, 40, 0), (1, 60, 600_000),
    ]  # fmt: skip


async def test_terms_are_kept_with_the_invoice_as_they_were(office: Office) -> None:
    terms = BillingTerms(terms_days=45, late_fee=5_000_000, title="Bob & Co", address="1 Road")
    await office.invoicing.set_terms("bob", terms)
    await office.call("bob", 60)
    office.until(2026, 4, 1)
    number = await office.bill("bob")

    await office.invoicing.set_terms("bob", BillingTerms())

    assert (await office.invoicing.invoice(number)).header.terms == terms
    assert await office.invoicing.terms("bob") == BillingTerms()


async def test_each_year_counts_from_one(office: Office) -> None:
    await office.call("bob", 60)
    office.until(2026, 4, 1)
    await office.bill("bob")
    office.until(2026, 12, 31)
    await office.call("bob", 60)
    office.until(2027, 1, 1)

    assert await office.bill("bob", Month(2026, 12)) == "2027-000001"


async def test_what_cannot_be_billed_is_refused(office: Office) -> None:
    with pytest.raises(InvalidInput, match="not over"):
        await office.invoicing.run(MARCH)
    office.until(2026, 4, 1)
    with pytest.raises(InvalidInput, match="prepaid"):
        await office.invoicing.run(MARCH, account="alice")
    with pytest.raises(InvalidInput, match="prepaid"):
        await office.invoicing.set_terms("alice", BillingTerms())
    with pytest.raises(UnknownAccount):
        await office.invoicing.run(MARCH, account="nobody")
    with pytest.raises(UnknownInvoice):
        await office.invoicing.invoice("2026-000001")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE invoices SET title = 'other'",
        "DELETE FROM invoices",
        "UPDATE invoice_lines SET text = 'other'",
        "DELETE FROM invoice_items",
        "UPDATE invoice_allocations SET amount = 1",
    ],
)
async def test_an_invoice_is_never_changed(office: Office, statement: str) -> None:
    await office.call("bob", 60)
    office.until(2026, 4, 1)
    number = await office.bill("bob")
    await office.receivables.pay("bob", 5, key="k", actor="test", invoice=number)

    with pytest.raises(DBAPIError, match="never changed"):
        async with office.desk.engine.begin() as connection:
            await connection.execute(text(statement))


async def test_a_refund_after_the_invoice_is_on_the_next_with_its_tax(office: Office) -> None:
    await office.call("bob", 60, shares=TAXED)
    office.until(2026, 4, 1)
    await office.bill("bob", MARCH)
    refunds = Refunds(engine=office.desk.engine, clock=office.desk.clock)
    await refunds.refund("call-1-bob", key="k", actor="test", reason="bad line", amount=100_000)
    await office.call("bob", 60, shares=TAXED)
    office.until(2026, 5, 1)

    invoice = await office.invoicing.invoice(await office.bill("bob", APRIL))

    assert [(line.text, line.net, line.tax) for line in invoice.lines] == [
        ("Calls to 18005550100, Billing", 480_000, 120_000), ("Refund: bad line", -80_000, -20_000),
    ]  # fmt: skip
    assert invoice.header.total == 500_000
    assert await office.desk.proved()


async def test_the_fee_of_a_plan_is_billed_with_its_name(office: Office) -> None:
    shop = Shop(
        desk=office.desk,
        plans=Subscriptions(engine=office.desk.engine, clock=office.desk.clock),
    )
    await shop.offer(STARTER)
    await shop.plans.subscribe("bob", "starter")
    office.until(2026, 4, 1)

    invoice = await office.invoicing.invoice(await office.bill("bob"))

    assert [(line.kind, line.text, line.total) for line in invoice.lines] == [
        ("subscription", "Plan: starter", 49_000_000)
    ]
    assert await office.desk.proved()
