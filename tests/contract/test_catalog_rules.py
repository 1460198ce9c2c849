"""Rules of lines and topics, from the catalog to the directory and back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock
from billing.money import parse_amount
from ivr.directory.catalog_apply import Applied, apply
from ivr.directory.catalog_export import export
from ivr.directory.catalog_file import load_catalog
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.queues import pin_name
from ivr.directory.rules import ClientRules
from ivr.directory.store import load_directory

CLOCK = ManualClock(datetime(2026, 3, 4, 12, tzinfo=UTC))
TEXT = """
currency: EUR
tariffs: {flat: {tiers: [{price: 1/min}]}}
clients:
  acme:
    split: {client: 100%}
    calls_max: 9
    countries: [LT, DE]
    queues:
      help:
        agents:
          anna: {phone: "sip:anna@127.0.0.1:5090", number: "4711", pin: "250811"}
          john: "sip:john@127.0.0.1:5091"
    dids:
      "37052000001":
        tariff: flat
        timezone: Europe/Vilnius
        hours:
          - {days: mon-fri, from: "08:00", to: "18:00"}
          - {days: holiday, from: "10:00", to: "12:00"}
        holidays: ["12-25", "2026-06-24"]
        maximum_talk: 60m
        calls_max: 4
        confirm_price: true
        transfers: true
        record: 90d
        access: {trust_caller_id: true, pin: optional, spend_limit: "10.00", daily_limit: "25.00"}
        topics:
          1: {name: Billing, destination: "demo:agent", hidden: true, accept: true}
          3: {name: Phone, destination: "phone:+37052190000", otherwise: callback}
          4: {name: Box, destination: "voicemail:help"}
          2:
            name: Sales
            otherwise: voicemail
            destination: "demo:agent"
            enabled: false
            hours: [{from: "09:00", to: "12:00"}]
      "37052000003": {kind: agents}
      "37052000002":
        kind: premium
        carrier: telco
        announced: flat
        tariff: flat
        topics: {1: {name: Billing, destination: "demo:agent"}}
accounts:
  telco: {mode: postpaid, credit_limit: 1000}
"""


async def bring(engine: AsyncEngine, folder: Path, text: str) -> Applied:
    file = folder / "catalog.yaml"
    file.write_text(text, encoding="utf-8")
    return await apply(engine, load_catalog(file), clock=CLOCK, pin_key=b"key")


async def test_rules_are_read_kept_and_written_back(engine: AsyncEngine, tmp_path: Path) -> None:
    await bring(engine, tmp_path, TEXT)
    async with engine.connect() as connection:
        found = await load_directory(connection, 2**60)

    again = await bring(engine, tmp_path, await export(engine, CLOCK))

    line, premium = found.did("37052000001"), found.did("37052000002")
    assert line
    assert premium
    assert (line.rules.maximum_talk_seconds, line.rules.calls_max) == (3_600, 4)
    assert (line.rules.confirm_price, line.rules.spend_limit) == (True, parse_amount("10"))
    assert line.is_open(datetime(2026, 3, 4, 6, 30, tzinfo=UTC))  # 08:30 in Vilnius
    assert not line.is_open(datetime(2026, 12, 25, 12, tzinfo=UTC))
    assert line.is_open(datetime(2026, 12, 25, 9, tzinfo=UTC))
    assert [topic.digit for topic in line.topics if topic.rules.accept] == [1]
    assert [topic.digit for topic in line.topics if not topic.rules.enabled] == [2]
    assert [topic.rules.otherwise for topic in line.topics] == ["", "voicemail", "callback", ""]
    assert (line.rules.transfers, line.rules.record_days) == (True, 90)
    assert line.rules.daily_limit == parse_amount("25")
    assert found.clients["acme"].rules == ClientRules(calls_max=9, countries=("LT", "DE"))
    anna = found.agent_of_number("acme", "4711")
    assert anna
    assert anna.code == "anna"
    assert found.pin_hash(pin_name("acme", "anna"))
    assert found.agent_of_number("acme", "") is None
    assert (premium.rules.carrier, premium.rules.announced) == ("telco", "flat")
    assert (again.created, again.changed) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("maximum_talk: 60m", "maximum_talk: 0s", "maximum_talk"),
        ("calls_max: 4", "calls_max: none", "calls_max"),
        ("countries: [LT", "countries: [lt", "countries[0]"),
        ("record: 90d", "record: 90", "record"),
        ("otherwise: callback", "otherwise: fax", "otherwise"),
        ("phone:+37052190000", "phone:+19005550123", "destination"),
        ('number: "4711", ', "", "agents.anna"),
        ("{kind: agents}", "{kind: agents, tariff: none}", "tariff"),
        ("mon-fri", "never", "hours[0].days"),
        ('"12-25", ', '"25.12.", ', "holidays[0]"),
        ("carrier: telco", "monthly_fee: 1", "kind"),
        ("announced: flat", "announced: round", "announced"),
    ],
)
def test_rules_that_cannot_be_are_named(tmp_path: Path, old: str, new: str, place: str) -> None:
    file = tmp_path / "catalog.yaml"
    file.write_text(TEXT.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(CatalogInvalid) as caught:
        load_catalog(file)

    assert any(place in str(each) for each in caught.value.mistakes)
