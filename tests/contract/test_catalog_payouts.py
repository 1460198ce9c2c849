"""How clients are paid out, from the catalog to the payouts, on both databases."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock
from billing.domain.payouts import BankAccount, PayoutTerms
from billing.money import parse_amount
from billing.payouts import Payouts
from ivr.directory.catalog_apply import Applied, apply
from ivr.directory.catalog_export import export
from ivr.directory.catalog_file import load_catalog
from tests.books import START

TERMS = '{hold_back: 7d, minimum: "50.00", name: Acme Ltd, iban: DE89 3704 0044 0532 0130 00}'
TEXT = """
currency: EUR
tariffs: {flat: {tiers: [{price: 1/min}]}}
clients:
  acme:
    title: Acme
    split: {client: 100%}
    payout: PAYOUT
  plain: {title: Plain, split: {client: 100%}}
"""


async def bring(engine: AsyncEngine, folder: Path, text: str) -> Applied:
    file = folder / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return await apply(engine, load_catalog(file), clock=ManualClock(START), pin_key=b"key")


async def terms(engine: AsyncEngine, kind: str, code: str) -> PayoutTerms:
    return await Payouts(engine=engine, clock=ManualClock(START)).terms(kind, code)


async def test_payouts_go_by_the_terms_of_the_catalog(engine: AsyncEngine, tmp_path: Path) -> None:
    first = await bring(engine, tmp_path, TEXT.replace("PAYOUT", TERMS))
    again = await bring(engine, tmp_path, TEXT.replace("PAYOUT", TERMS))

    assert "payout of client acme" in first.created
    assert (again.created, again.changed) == ([], [])
    assert await terms(engine, "client", "acme") == PayoutTerms(
        hold_back_days=7,
        minimum=parse_amount("50"),
        bank=BankAccount(name="Acme Ltd", iban="DE89370400440532013000"),
    )
    assert await terms(engine, "client", "plain") == PayoutTerms()


async def test_terms_change_with_the_file_and_those_of_a_referrer_of_the_same_name_stay(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path, TEXT.replace("PAYOUT", TERMS))
    theirs = PayoutTerms(hold_back_days=1)
    await Payouts(engine=engine, clock=ManualClock(START)).set_terms("referrer", "acme", theirs)

    changed = await bring(engine, tmp_path, TEXT.replace("PAYOUT", "{minimum: 5}"))

    assert changed.changed == ["payout of client acme"]
    assert await terms(engine, "client", "acme") == PayoutTerms(minimum=parse_amount("5"))
    assert await terms(engine, "referrer", "acme") == theirs


async def test_an_export_with_payouts_applied_again_changes_nothing(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await bring(engine, tmp_path, TEXT.replace("PAYOUT", TERMS.replace("}", ", bic: deutdeff}")))
    before = await terms(engine, "client", "acme")

    applied = await bring(engine, tmp_path, await export(engine, ManualClock(START)))

    assert (applied.created, applied.changed) == ([], [])
    assert await terms(engine, "client", "acme") == before
    assert before.bank.bic == "DEUTDEFF"
