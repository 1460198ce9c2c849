"""What is wrong with agreements or payouts in a catalog is named with its line and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.domain.splits import Share
from ivr.directory.catalog_file import load_catalog
from ivr.directory.mistakes import CatalogInvalid

PAYOUT_FIELDS = "bic, hold_back, iban, minimum, name"
PARTNER_A = "    referrers:\n      partner-a: "
HEAD = """currency: USD
tariffs: {flat: {tiers: [{price: 1/min}]}}
clients:
  acme:
    title: Acme
    split: {provider: 30%, client: 65%, referrer: {partner-z: 5%}}
"""


@pytest.mark.parametrize(
    ("lines", "line", "field", "message"),
    [
        ('    fixed_fee: "-1"', 7, "fixed_fee", "cannot be negative"),
        ("    referrers: 5%", 7, "referrers", "a map is needed here"),
        ("    referrers:\n      partner-a: {}", 8, "referrers.partner-a.commission", "is missing"),
        (
            "    referrers:\n      partner-a:\n        commission: 10%\n        of: client",
            10,
            "referrers.partner-a.of",
            "write one of provider",
        ),
        (
            "    referrers:\n      partner-a: {commission: 10%, from: 2026-13-01}",
            8,
            "referrers.partner-a.from",
            "write a date such as 2026-01-01",
        ),
        (
            "    referrers:\n      partner-a: {commission: 10%, until: 9999-01-01}",
            8,
            "referrers.partner-a.until",
            "write a date of the years 2000 to 2999",
        ),
        (
            PARTNER_A + "{commission: 10%, from: 2026-02-01, until: 2026-02-01}",
            8,
            "referrers.partner-a.until",
            "the commission of partner-a ends before it begins",
        ),
        (
            PARTNER_A + "{commission: 60%}\n      partner-b: {commission: 41%}",
            7,
            "referrers",
            "the commissions are more than 100 % of the provider's share",
        ),
        (
            "    referrers: {partner-z: {commission: 10%}}",
            7,
            "referrers",
            "a party stands there twice",
        ),
        (
            "    referrers: {partner-a: {commission: 10%, bonus: -1}}",
            7,
            "referrers.partner-a.bonus",
            "cannot be negative",
        ),
        ("    payout: monthly", 7, "payout", "a map is needed here"),
        ("    payout: {bank: x}", 7, "payout.bank", "unknown; known here: " + PAYOUT_FIELDS),
        ("    payout: {hold_back: 30}", 7, "payout.hold_back", "write days such as 30d"),
        ("    payout: {hold_back: 367d}", 7, "payout.hold_back", "a hold-back is 0 to 366 days"),
        (
            "    payout:\n      iban: DE89370400440532013001",
            8,
            "payout.iban",
            "'DE89370400440532013001' is no IBAN: its check digits do not fit",
        ),
        ("    payout:\n      minimum: -5", 8, "payout.minimum", "cannot be negative"),
        ("    payout: {bic: X}", 7, "payout.bic", "'X' is no BIC"),
    ],
)
def test_a_mistake_of_an_agreement_is_named(
    tmp_path: Path, lines: str, line: int, field: str, message: str
) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(f"{HEAD}{lines}\n", encoding="utf-8")

    with pytest.raises(CatalogInvalid) as refused:
        load_catalog(file)

    assert [(item.line, item.field, item.message) for item in refused.value.mistakes] == [
        (line, f"clients.acme.{field}", message)
    ]


def test_a_fixed_fee_goes_to_a_provider_who_has_no_percentage(tmp_path: Path) -> None:
    file = tmp_path / "catalog.yaml"
    text = HEAD.replace("provider: 30%, client: 65%", "client: 95%")
    file.write_text(text + '    fixed_fee: "0.05"\n', encoding="utf-8")

    (client,) = load_catalog(file).clients

    assert client.shares[0] == Share(
        kind="provider", account="provider", basis_points=0, fixed_fee=50_000
    )
