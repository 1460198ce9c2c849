"""Each promise of invoices and vouchers is broken by hand, and the proof names the rows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.audit import verify
from billing.storage.guards import drop_statements
from billing.storage.invoice_tables import INVOICE_GUARD, INVOICE_TABLES
from billing.vouchers import Vouchers
from tests.books import open_desk
from tests.invoices import MARCH, Office, open_office


@pytest.fixture
async def office(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Office]:
    """Bob's invoice of 7 was paid with 3 and credited with 1; dave redeemed one of two vouchers."""
    async with open_desk(engine, tmp_path) as desk:
        await desk.caller("bob", credit_limit="1000")
        await desk.caller("dave")
        office = open_office(desk)
        await office.charge("bob", "7", "fee")
        office.until(2026, 4, 1)
        number = await office.bill("bob", MARCH)
        await office.receivables.pay("bob", 3_000_000, key="k", actor="test", invoice=number)
        await office.receivables.credit(number, amount=1_000_000, reason="r", actor="test")
        shop = Vouchers(engine=engine, clock=desk.clock, secret=b"s" * 32)
        made = await shop.generate(amount=5_000_000, currency="USD", count=2, actor="test")
        await shop.redeem("dave", made.codes[0])
        yield office


ADDS_UP = "the lines of each invoice add up to its totals"
ASKS = "each invoice asks for the transfers that it bills"
NO_GAP = "the numbers of invoices and credit notes have no gap"
PAYS = "no transfer pays more than it brought"
OWN = "each transfer pays invoices of its own account"
PAID = "no invoice is paid more than it asks"
NOTE = "each credit note was booked to the account of its invoice"
CREDITED = "no more is credited than was billed"
USED = "each used voucher became one transfer of its worth"
BELONGS = "each transfer of a voucher belongs to one that is used"


@pytest.mark.parametrize(
    ("statements", "broken"),
    [
        (["UPDATE invoice_lines SET net = net + 1"], {ADDS_UP}),
        (["UPDATE invoice_lines SET tax = tax + 1"], {ADDS_UP}),
        (["UPDATE invoices SET total = total + 1, net = net + 1"], {ADDS_UP, ASKS}),
        (["DELETE FROM invoice_items"], {ASKS}),
        (["UPDATE invoices SET sequence = 2"], {NO_GAP}),
        (["UPDATE invoice_counters SET last = 7 WHERE series = 'CN'"], {NO_GAP}),
        (["INSERT INTO invoice_counters (series, year, last) VALUES ('', 2020, 1)"], {NO_GAP}),
        (["DELETE FROM invoice_counters"], {NO_GAP}),
        (["UPDATE invoice_allocations SET amount = 3000001 WHERE amount = 3000000"], {PAYS}),
        (["UPDATE invoice_allocations SET amount = 6000001 WHERE amount = 3000000"], {PAYS, PAID}),
        (["UPDATE invoices SET account = 'dave'"], {ASKS, OWN, NOTE}),
        (["UPDATE credit_notes SET total = 2, net = 2"], {NOTE}),
        (["UPDATE credit_notes SET total = 7000001, net = 7000001"], {NOTE, CREDITED}),
        (["UPDATE voucher_batches SET amount = 4"], {USED}),
        (["UPDATE vouchers SET account = 'bob' WHERE account = 'dave'"], {USED}),
        (
            ["UPDATE vouchers SET used_us = NULL, transfer_id = NULL, account = NULL, key = NULL"],
            {BELONGS},
        ),
    ],
)
async def test_every_broken_promise_is_named(
    office: Office, statements: list[str], broken: set[str]
) -> None:
    dialect = office.desk.engine.dialect.name
    async with office.desk.engine.begin() as connection:
        for statement in (
            *drop_statements(dialect, INVOICE_TABLES, function=INVOICE_GUARD),
            *statements,
        ):
            await connection.execute(text(statement))

    found = [check for check in await verify(office.desk.engine) if not check.ok]

    assert {check.name for check in found} == broken
    assert all(check.rows for check in found)


async def test_sound_books_prove_everything(office: Office) -> None:
    assert await office.desk.proved()
