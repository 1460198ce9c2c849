"""How accounts are billed, from a catalog file and back, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock
from billing.domain.invoices import BillingTerms
from billing.invoicing import Invoicing
from ivr.directory.catalog_apply import Applied, apply
from ivr.directory.catalog_export import export
from ivr.directory.catalog_file import load_catalog
from ivr.directory.mistakes import CatalogInvalid

CLOCK = ManualClock(datetime(2026, 3, 4, 12, tzinfo=UTC))
TEXT = """\
currency: USD
tariffs:
  standard: {tiers: [{price: 0.50/min}]}
accounts:
  alice: {mode: prepaid}
  bob:
    mode: postpaid
    credit_limit: "100.00"
    billing:
      cycle: beginning
      terms: 45d
      late_fee: "5.00"
      late_percent: 1.5%
      grace: 5d
      early_discount: 2%
      early_days: 10
      title: Bob & Sons
      address: |
        1 Harbour Road

        Vilnius
"""
TERMS = BillingTerms(
    cycle="beginning",
    terms_days=45,
    late_fee=5_000_000,
    late_fee_bp=150,
    grace_days=5,
    early_discount_bp=200,
    early_days=10,
    title="Bob & Sons",
    address="1 Harbour Road\nVilnius",
)


async def bring(engine: AsyncEngine, folder: Path, text: str = TEXT) -> Applied:
    file = folder / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return await apply(engine, load_catalog(file), clock=CLOCK, pin_key=b"key")


async def test_terms_are_applied_kept_and_changed(engine: AsyncEngine, tmp_path: Path) -> None:
    invoicing = Invoicing(engine=engine, clock=CLOCK)

    first = await bring(engine, tmp_path)
    applied = await invoicing.terms("bob")
    again = await bring(engine, tmp_path)
    unnamed = await bring(engine, tmp_path, TEXT[: TEXT.index("    billing:")])
    kept = await invoicing.terms("bob")
    changed = await bring(engine, tmp_path, TEXT.replace("45d", "30d"))

    assert "billing of account bob" in first.created
    assert applied == kept == TERMS
    assert (again.created, again.changed) == ([], [])
    assert (unnamed.created, unnamed.changed) == ([], [])
    assert changed.changed == ["billing of account bob"]
    assert (await invoicing.terms("bob")).terms_days == 30
    assert await invoicing.terms("alice") == BillingTerms()


@pytest.mark.parametrize("terms", [TERMS, BillingTerms(), BillingTerms(terms_days=0, title="B")])
async def test_an_export_applied_again_changes_nothing(
    engine: AsyncEngine, tmp_path: Path, terms: BillingTerms
) -> None:
    await bring(engine, tmp_path)
    await Invoicing(engine=engine, clock=CLOCK).set_terms("bob", terms)

    written = await export(engine, CLOCK)
    again = await bring(engine, tmp_path, written)

    assert (again.created, again.changed) == ([], [])
    assert await Invoicing(engine=engine, clock=CLOCK).terms("bob") == terms


@pytest.mark.parametrize(
    ("before", "after", "line", "field", "message"),
    [
        ("cycle: beginning", "cycle: middle", 10, "cycle", "write one of beginning, end"),
        ("terms: 45d", "terms: 400d", 11, "terms", "at most 366d"),
        ("terms: 45d", "terms: soon", 11, "terms", "write days such as 30d"),
        ('late_fee: "5.00"', 'late_fee: "-5"', 12, "late_fee", "cannot be negative"),
        ("late_percent: 1.5%", "late_percent: 101%", 13, "late_percent", "at most 100%"),
        ("early_discount: 2%", "early_discount: 2", 15, "early_discount", "write a percentage"),
        ("early_discount: 2%", "early_discount: 100%", 15, "early_discount", "at most 99.99%"),
        ("      early_days: 10\n", "", 9, "early_days", "is missing"),
        ("      early_discount: 2%\n", "", 15, "early_days", "no early_discount"),
        ("title: Bob & Sons", 'title: " "', 17, "title", "write a text"),
        ("grace: 5d", "graze: 5d", 14, "graze", "unknown; known here"),
        ('mode: postpaid\n    credit_limit: "100.00"', "mode: prepaid\n", 9, "",
         "only a postpaid account is billed"),
    ],
)  # fmt: skip
def test_mistakes_name_line_and_field(
    tmp_path: Path, before: str, after: str, line: int, field: str, message: str
) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(TEXT.replace(before, after), encoding="utf-8")

    with pytest.raises(CatalogInvalid) as caught:
        load_catalog(file)

    [mistake] = caught.value.mistakes
    assert mistake.field == ".".join(filter(None, ("accounts.bob.billing", field)))
    assert message in mistake.message
    assert mistake.line == line
