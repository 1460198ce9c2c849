"""A catalog becomes values, or a list of all its mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.domain.splits import Share
from billing.money import parse_amount
from ivr.directory.catalog_file import Catalog, load_catalog
from ivr.directory.destinations import Destination
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.model import Access

ROOT = Path(__file__).parents[4]
DEMO = ROOT / "ivr" / "sandbox" / "demo-catalog.yaml"
BROKEN = Path(__file__).parent / "broken-catalog.yaml"
SMALL = """
currency: EUR
tariffs: {flat: {tiers: [{price: 1/min}]}}
"""

# Line and field of each mistake of broken-catalog.yaml, in order.
MISTAKES = [
    (2, "currency"),
    (3, "tarifs"),
    (6, "tariffs.standard.setup_fee"),
    (7, "tariffs.standard.minimum"),
    (8, "tariffs.standard.maximum_cost"),
    (12, "tariffs.standard.tiers[1].price"),
    (13, "tariffs.standard.tiers[2].from"),
    (13, "tariffs.standard.tiers[2].increment"),
    (14, "tariffs.Loud"),
    (14, "tariffs.Loud.tiers[0].price"),
    (15, "tariffs.empty.tiers"),
    (17, "tariffs.nights.rounding.decimals"),
    (17, "tariffs.nights.rounding.method"),
    (18, "tariffs.nights.tiers[0].from"),
    (19, "tariffs.nights.periods[0].days"),
    (19, "tariffs.nights.periods[0].to"),
    (22, "clients.acme.title"),
    (23, "clients.acme.split.landlord"),
    (26, "clients.acme.dids.18005550100.kind"),
    (27, "clients.acme.dids.18005550100.monthly_fee"),
    (28, "clients.acme.dids.18005550100.timezone"),
    (29, "clients.acme.dids.18005550100.tariff"),
    (30, "clients.acme.dids.18005550100.access.pin"),
    (30, "clients.acme.dids.18005550100.access.trust_caller_id"),
    (32, "clients.acme.dids.18005550100.topics.1.destination"),
    (33, "clients.acme.dids.18005550100.topics.12"),
    (34, "clients.acme.dids.18005550100.topics.2.destination"),
    (34, "clients.acme.dids.18005550100.topics.2.name"),
    (35, "clients.acme.dids.+18005550100"),
    (35, "clients.acme.dids.+18005550100.access"),
    (35, "clients.acme.dids.+18005550100.topics"),
    (36, "clients.acme.dids.call-me"),
    (38, "clients.beta.split"),
    (40, "accounts.alice.credit_limit"),
    (40, "accounts.alice.phones[1]"),
    (40, "accounts.alice.pin"),
    (41, "accounts.bob.mode"),
    (41, "accounts.bob.opening_balance"),
    (41, "accounts.bob.phones[0]"),
    (42, "accounts.bob"),
    (43, "accounts.carol.number"),
    (43, "accounts.carol.phones"),
    (44, "accounts.dave"),
]


def load(tmp_path: Path, text: str) -> Catalog:
    file = tmp_path / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return load_catalog(file)


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(CatalogInvalid) as refused:
        load(tmp_path, text)
    return [f"{item.field}: {item.message}" for item in refused.value.mistakes]


def test_every_mistake_of_a_file_is_named_in_one_run() -> None:
    with pytest.raises(CatalogInvalid) as refused:
        load_catalog(BROKEN)

    assert [(item.line, item.field) for item in refused.value.mistakes] == MISTAKES


def test_a_mistake_is_printed_as_file_line_field_message() -> None:
    with pytest.raises(CatalogInvalid) as refused:
        load_catalog(BROKEN)

    assert str(refused.value).splitlines()[0] == (
        f"{BROKEN}:2: currency: write a currency such as USD"
    )


def test_the_demo_catalog_has_what_the_demo_dials() -> None:
    catalog = load_catalog(DEMO)

    line = next(did for did in catalog.dids if did.number == "18005550100")
    destinations = {topic.digit: str(topic.destination) for topic in line.topics}
    assert destinations[1] == "sip:agent@127.0.0.1:5090"
    assert destinations[0] == destinations[3] == "demo:agent"
    assert line.access == Access(trust_caller_id=True, pin="optional")
    assert [account.code for account in catalog.accounts] == ["alice", "bob", "tourist"]
    assert catalog.accounts[0].opening_balance == parse_amount("20")
    assert catalog.accounts[1].credit_limit == parse_amount("100")


def test_a_tariff_may_leave_out_all_but_a_price(tmp_path: Path) -> None:
    (tariff,) = load(tmp_path, SMALL).tariffs

    assert (tariff.currency, tariff.setup_fee, tariff.maximum_cost) == ("EUR", 0, None)
    assert (tariff.tiers[0].price, tariff.tiers[0].increment_seconds) == (1_000_000, 1)


def test_the_increment_of_a_tariff_is_that_of_tiers_without_one(tmp_path: Path) -> None:
    (tariff,) = load(
        tmp_path,
        "currency: EUR\n"
        "tariffs: {x: {increment: 6s, tiers: [{price: 1/s, increment: 1m},"
        " {from: 1m, price: 1/s}]}}\n",
    ).tariffs

    assert [tier.increment_seconds for tier in tariff.tiers] == [60, 6]


def test_a_reseller_is_the_clients_own_unless_accounts_are_named(tmp_path: Path) -> None:
    catalog = load(
        tmp_path,
        SMALL
        + "clients:\n"
        + "  acme: {split: {client: 60%, provider: 30%, reseller: 10%}}\n"
        + "  beta: {split: {client: 60%, provider: 30%, referrer: {ann: 7.5%, joe: 2.5%}}}\n",
    )

    acme, beta = (client.shares for client in catalog.clients)
    assert acme == (
        Share(kind="provider", account="provider", basis_points=3000),
        Share(kind="client", account="acme", basis_points=6000),
        Share(kind="reseller", account="acme", basis_points=1000),
    )
    assert beta[2:] == (
        Share(kind="referrer", account="ann", basis_points=750),
        Share(kind="referrer", account="joe", basis_points=250),
    )


def test_an_unreadable_share_is_not_also_a_wrong_sum(tmp_path: Path) -> None:
    found = mistakes(tmp_path, SMALL + "clients: {acme: {split: {provider: 30%, client: lots}}}\n")

    assert found == ["clients.acme.split.client: write a percentage such as 30% or 33.33%"]


def test_an_empty_file_misses_what_every_catalog_has(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "") == ["currency: is missing", "tariffs: is missing"]


def test_plans_are_read_and_nothing_is_no_plan(tmp_path: Path) -> None:
    plans = load(tmp_path, SMALL + "plans: {pro: {price: 29.99}}\n").plans

    assert [(plan.name, plan.price) for plan in plans] == [("pro", 29_990_000)]
    assert load(tmp_path, SMALL + "plans:\n").plans == ()


@pytest.mark.parametrize(
    "text",
    [
        "sip:agent@127.0.0.1:5090",
        "sip:a.b+c@pbx.example",
        "demo:agent",
        "queue:network",
        "phone:+15551230009",
        "voicemail:acme",
    ],
)
def test_a_destination_is_written_as_it_is_read(text: str) -> None:
    assert str(Destination.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "agent",
        "demo:other",
        "sip:agent",
        "sip:a@b,c",
        "sip:a@b&SIP/c",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:${EXTEN}@b",
        "sip:a@b\n",
        "sip:a b@c",
        "queue:Net|work",
        "phone:15551230009",
        "local:s@default",
    ],
)
def test_a_destination_that_could_do_harm_is_a_mistake(tmp_path: Path, text: str) -> None:
    quoted = text.replace("\n", "\\n")
    clients = f"""
clients:
  a:
    split: {{client: 100%}}
    dids:
      "99":
        tariff: flat
        topics: {{1: {{name: A, destination: "{quoted}"}}}}
"""

    (found,) = mistakes(tmp_path, SMALL + clients)

    assert found.startswith("clients.a.dids.99.topics.1.destination: ")
