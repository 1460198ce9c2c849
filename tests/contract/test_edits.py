"""Lines, topics, queues, prices changed one at a time, on both databases."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from billing.clock import ManualClock, microseconds_of
from billing.money import parse_amount
from ivr.directory.catalog_export import export
from ivr.directory.edit_lines import (
    add_line,
    change_line,
    line_of,
    order_topics,
    retire_line,
)
from ivr.directory.edit_queues import (
    delete_queue,
    new_pin,
    queue_of,
    save_limits,
    save_queue,
)
from ivr.directory.edit_tariffs import drop_planned, read_prices, save_tariff, tariff_of
from ivr.directory.edits import ChangedMeanwhile, Editor, EditRefused, node_of, version_of
from ivr.directory.fees import monthly_fees
from ivr.directory.limits import limits_document
from ivr.directory.mistakes import CatalogInvalid
from ivr.directory.pins import verify_pin
from ivr.directory.store import load_directory, load_planned
from ivr.tables import agents_away, own_prompts, prompt_uses
from tests.books import open_desk
from tests.contract.test_catalog import CLOCK, KEY, TEXT, bring, directory, version

LINE = "18005550100"
LIMITS = {
    "edit": ["topics", "hours", "agents", "queues", "tariffs"],
    "destinations": ["queue", "voicemail"],
    "price": {"from": "0.10/min", "to": "2.00/min"},
    "setup_fee": "1.00",
}
NIGHT = {"tiers": [{"price": "0.40/min"}]}


@pytest.fixture
async def editor(engine: AsyncEngine, tmp_path: Path) -> Editor:
    # The demo's client has limits already; here each test says which.
    without = re.sub(r"\n    limits: \{.*?setup_fee[^}]*\}", "", TEXT, count=1, flags=re.DOTALL)
    await bring(engine, tmp_path, without)
    return Editor(engine=engine, clock=ManualClock(CLOCK.now()), pin_key=KEY)


def of_client(editor: Editor, client: str = "acme") -> Editor:
    return Editor(engine=editor.engine, clock=editor.clock, pin_key=KEY, client=client)


async def stored(editor: Editor, number: str = LINE) -> tuple[dict[str, Any], str]:
    """A line as a form has it, and its version."""
    document = line_of((await editor.lines()).dids.get(number))
    found = version_of(document)
    document = dict(document or {})
    document.pop("client", None)
    return document, found


async def allow(editor: Editor, **changes: Any) -> None:
    rules = (await editor.lines()).clients["acme"].rules
    expected = version_of(limits_document(rules.limits))
    await save_limits(editor, "acme", LIMITS | changes, expected=expected)


def places(error: pytest.ExceptionInfo[CatalogInvalid]) -> set[str]:
    return {mistake.field for mistake in error.value.mistakes}


async def test_a_changed_line_is_what_calls_read_next(editor: Editor):
    document, found = await stored(editor)
    document["topics"][4] = {"name": "Sales", "destination": "queue:helpdesk", "tariff": "hourly"}
    before = await version(editor.engine)

    change = await change_line(editor, LINE, document, expected=found)

    line = (await directory(editor.engine)).did(LINE)
    assert line is not None
    assert [topic.digit for topic in line.topics] == [0, 1, 2, 3, 4]
    assert await version(editor.engine) == before + 1
    assert change.lines()[0] == ""
    assert "Sales" in change.lines()[1]


async def test_a_removed_topic_is_gone_with_its_sound(editor: Editor):
    async with editor.engine.begin() as connection:
        await connection.execute(
            insert(prompt_uses),
            [{"did": LINE, "digit": digit, "prompt": "mine"} for digit in (-1, 2)],
        )
    document, found = await stored(editor)
    del document["topics"][2]

    await change_line(editor, LINE, document, expected=found)

    line = (await directory(editor.engine)).did(LINE)
    assert line is not None
    assert line.topic(2) is None
    async with editor.engine.connect() as connection:
        left = (await connection.execute(select(prompt_uses.c.digit))).scalars().all()
    assert left == [-1]


async def test_topics_change_places_and_their_sounds_go_along(editor: Editor):
    async with editor.engine.begin() as connection:
        await connection.execute(
            insert(own_prompts),
            {"client": "acme", "name": "mine", "language": "en", "sound": b"x", "changed_us": 0},
        )
        await connection.execute(insert(prompt_uses), {"did": LINE, "digit": 3, "prompt": "mine"})
    _, found = await stored(editor)

    await order_topics(editor, LINE, [3, 1, 2, 0], expected=found)

    lines = await directory(editor.engine)
    line = lines.did(LINE)
    assert line is not None
    assert {topic.digit: topic.name for topic in line.topics} == {
        1: "Software", 2: "Billing", 3: "Network", 0: "Operator",
    }  # fmt: skip
    assert dict(lines.prompt_uses) == {(LINE, 1): "mine"}


async def test_an_order_that_is_not_that_of_the_line_is_refused(editor: Editor):
    _, found = await stored(editor)
    for order in ([1, 2, 3], [1, 1, 2, 3], [1, 2, 3, 0, 4], []):
        with pytest.raises(EditRefused):
            await order_topics(editor, LINE, order, expected=found)


async def test_of_two_who_change_the_same_line_the_second_is_told(editor: Editor):
    document, found = await stored(editor)
    one = document | {"monthly_fee": "20"}
    two = document | {"timezone": "UTC"}

    results = await asyncio.gather(
        change_line(editor, LINE, one, expected=found),
        change_line(editor, LINE, two, expected=found),
        return_exceptions=True,
    )

    refused = [each for each in results if isinstance(each, ChangedMeanwhile)]
    assert len(refused) == 1
    assert "monthly_fee" in str(refused[0].facts["now"])
    line = (await directory(editor.engine)).did(LINE)
    assert line is not None
    assert (line.monthly_fee == parse_amount("20")) != (line.timezone == "UTC")


async def test_mistakes_are_named_by_their_places(editor: Editor):
    document, found = await stored(editor)
    document["topics"][1] |= {"destination": "nowhere", "hours": [{"days": "x", "from": "25:00"}]}
    document["timezone"] = "Nowhere/Land"

    with pytest.raises(CatalogInvalid) as error:
        await change_line(editor, LINE, document, expected=found)

    assert {
        "timezone", "topics.1.destination", "topics.1.hours[0].days", "topics.1.hours[0].from",
        "topics.1.hours[0].to",
    } <= places(error)  # fmt: skip


async def test_a_version_of_a_tariff_that_is_not_there_is_refused(editor: Editor):
    document, found = await stored(editor)

    with pytest.raises(EditRefused, match="standard@9"):
        await change_line(editor, LINE, document | {"tariff": "standard@9"}, expected=found)


async def test_a_retired_line_takes_no_calls_costs_nothing_and_comes_back_when_added(
    editor: Editor,
):
    document, found = await stored(editor)

    await retire_line(editor, LINE, expected=found)

    lines = await directory(editor.engine)
    line = lines.did(LINE)
    assert line is not None
    assert not line.is_open(CLOCK.now())
    assert LINE not in {fee.service for fee in monthly_fees(lines)}
    assert "retired: true" in await export(editor.engine, editor.clock)
    with pytest.raises(EditRefused):
        await change_line(editor, LINE, document, expected=found)
    await add_line(editor, LINE, "acme", document)
    with pytest.raises(EditRefused, match="in use"):
        await add_line(editor, LINE, "acme", document)
    assert (await stored(editor))[1] == found


async def test_limits_survive_export_and_apply(editor: Editor, tmp_path: Path):
    await allow(editor)
    text = await export(editor.engine, editor.clock)

    applied = await bring(editor.engine, tmp_path, text)

    assert (applied.created, applied.changed) == ([], [])
    limits = (await editor.lines()).clients["acme"].rules.limits
    assert limits_document(limits) == LIMITS


async def test_limits_that_cannot_be_are_named(editor: Editor):
    for wrong, place in (
        ({"price": {}}, "price.to"),
        ({"price": {"from": "3/min", "to": "2/min"}}, "price.from"),
        ({"price": {"to": "1/7s"}}, "price.to"),
        ({"edit": ["money"]}, "edit[0]"),
        ({"destinations": ["moon"]}, "destinations[0]"),
    ):
        with pytest.raises(CatalogInvalid) as error:
            await allow(editor, **wrong)
        assert place in places(error)


async def test_a_client_without_limits_changes_nothing(editor: Editor):
    document, found = await stored(editor)
    mine = of_client(editor)
    document["topics"][1]["name"] = "Mine"
    with pytest.raises(CatalogInvalid):
        await change_line(mine, LINE, document, expected=found)
    tariff = read_prices("acme.late", node_of(NIGHT), "USD")
    with pytest.raises(EditRefused):
        await save_tariff(mine, tariff, expected="")
    with pytest.raises(EditRefused):
        await retire_line(mine, LINE, expected=found)
    with pytest.raises(EditRefused):
        await save_limits(mine, "acme", LIMITS, expected="")


BEYOND: list[tuple[dict[str, Any], str]] = [
    ({"monthly_fee": "0"}, "kind"),
    ({"tariff": "hourly"}, "kind"),
    ({"access": {"trust_caller_id": False, "pin": "required"}}, "kind"),
    ({"topics": {1: {"name": "A", "destination": "sip:me@127.0.0.1:9"}}}, "topics.1.destination"),
    ({"topics": {1: {"name": "A", "destination": "phone:+12025550143"}}}, "topics.1.destination"),
    ({"topics": {1: {"name": "A", "destination": "queue:globex-vip"}}}, "topics.1.destination"),
    # The tariff of the line has a setup fee of 5.00, which the limits do not allow.
    ({"topics": {1: {"name": "A", "destination": "voicemail:a"}}}, "topics.1.tariff"),
    # Nor is a tariff taken that stands on no line of this client.
    ({"topics": {1: {"name": "A", "destination": "voicemail:a", "tariff": "spare"}}},
     "topics.1.tariff"),
]  # fmt: skip


async def test_what_is_beyond_the_limits_of_a_client_is_refused(editor: Editor):
    await allow(editor)
    spare = read_prices("spare", node_of(NIGHT), "USD")
    await save_tariff(editor, spare, expected="")
    document, found = await stored(editor)

    for change, place in BEYOND:
        with pytest.raises(CatalogInvalid) as error:
            await change_line(of_client(editor), LINE, document | change, expected=found)
        assert place in places(error)


async def test_a_client_changes_within_its_limits(editor: Editor):
    await allow(editor)
    mine = of_client(editor)
    tariff = read_prices("acme.late", node_of(NIGHT), "USD")
    await save_tariff(mine, tariff, expected="")
    document, found = await stored(editor)
    document["hours"] = [{"days": "mon-fri", "from": "08:00", "to": "18:00"}]
    document["topics"][5] = {
        "name": "Night", "destination": "queue:helpdesk", "tariff": "acme.late",
    }  # fmt: skip

    await change_line(mine, LINE, document, expected=found)
    _, found = await stored(editor)
    await order_topics(mine, LINE, [5, 1, 2, 3, 0], expected=found)

    line = (await directory(editor.engine)).did(LINE)
    assert line is not None
    assert (line.topics[1].name, line.topics[1].tariff) == ("Night", "acme.late")


async def test_a_client_reaches_no_line_of_another(editor: Editor):
    document, found = await stored(editor)
    stranger = of_client(editor, "globex")

    with pytest.raises(EditRefused, match="there is no line"):
        await change_line(stranger, LINE, document, expected=found)
    with pytest.raises(EditRefused):
        await order_topics(stranger, LINE, [3, 1, 2, 0], expected=found)


async def test_a_client_makes_only_tariffs_of_its_own(editor: Editor):
    await allow(editor)

    for name in ("standard", "globex.night", "acme.de.night"):
        with pytest.raises(CatalogInvalid) as error:
            await save_tariff(
                of_client(editor), read_prices(name, node_of(NIGHT), "USD"), expected=""
            )
        assert places(error) == {"name"}
    dear = read_prices("acme.dear", node_of({"tiers": [{"price": "2.01/min"}]}), "USD")
    with pytest.raises(CatalogInvalid) as error:
        await save_tariff(of_client(editor), dear, expected="")
    assert places(error) == {"tiers[0].price"}


async def test_limits_that_were_lowered_meanwhile_hold(editor: Editor):
    await allow(editor)
    tariff = read_prices("acme.late", node_of({"tiers": [{"price": "1.50/min"}]}), "USD")
    await save_tariff(of_client(editor), tariff, expected="")

    await allow(editor, price={"to": "1.00/min"})
    document, found = await stored(editor)
    document["topics"][6] = {
        "name": "N", "destination": "queue:helpdesk", "tariff": "acme.late"
    }  # fmt: skip

    with pytest.raises(CatalogInvalid) as error:
        await change_line(of_client(editor), LINE, document, expected=found)
    assert places(error) == {"topics.6.tariff"}


async def test_a_tariff_is_planned_changed_and_dropped(editor: Editor):
    now_us = microseconds_of(CLOCK.now())

    async def state() -> str:
        async with editor.engine.connect() as connection:
            planned = (await load_planned(connection, now_us)).get("hourly")
        return version_of(tariff_of((await editor.lines()).tariffs["hourly"], planned))

    first = await state()
    dear = read_prices("hourly", node_of({"tiers": [{"price": "60/h"}]}), "USD")
    later_us = now_us + 86_400_000_000
    await save_tariff(editor, dear, expected=first, from_us=later_us)
    with pytest.raises(ChangedMeanwhile):
        await save_tariff(editor, dear, expected=first)
    dearer = read_prices("hourly", node_of({"tiers": [{"price": "70/h"}]}), "USD")
    await save_tariff(editor, dearer, expected=await state(), from_us=later_us)

    async with editor.engine.connect() as connection:
        before = await load_directory(connection, now_us)
        after = await load_directory(connection, later_us)
    assert before.tariff("hourly").tariff.tiers[0].price == parse_amount("50")
    assert after.tariff("hourly").tariff.tiers[0].price == parse_amount("70")
    await drop_planned(editor, "hourly", expected=await state())
    assert await state() == first


class Planned:
    """The tariff `hourly` of a day later, as version 2, and a line that may stay with it."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.now_us = microseconds_of(CLOCK.now())

    async def state(self) -> str:
        async with self.editor.engine.connect() as connection:
            then = (await load_planned(connection, self.now_us)).get("hourly")
        return version_of(tariff_of((await self.editor.lines()).tariffs["hourly"], then))

    async def plan(self, price: str = "60/h") -> None:
        later_us = self.now_us + 86_400_000_000
        await self.save(price, from_us=later_us)

    async def save(self, price: str, from_us: int | None = None) -> None:
        tariff = read_prices("hourly", node_of({"tiers": [{"price": price}]}), "USD")
        await save_tariff(self.editor, tariff, expected=await self.state(), from_us=from_us)

    async def drop(self) -> None:
        await drop_planned(self.editor, "hourly", expected=await self.state())

    async def stay_with(self, tariff: str) -> None:
        document, found = await stored(self.editor)
        document["topics"][2]["tariff"] = tariff
        await change_line(self.editor, LINE, document, expected=found)


async def test_a_planned_version_that_a_line_stays_with_is_neither_dropped_nor_changed(
    editor: Editor,
):
    planned = Planned(editor)
    await planned.plan()
    await planned.stay_with("hourly@2")
    before = await planned.state()

    for work in (planned.drop(), planned.plan("70/h"), planned.save("40/h")):
        with pytest.raises(EditRefused, match=f"hourly@2 .* the line {LINE} stays with it"):
            await work
    kept = await planned.state()
    await planned.stay_with("hourly")
    await planned.drop()

    assert kept == before
    assert "hourly@2" not in (await editor.lines()).tariffs


async def test_a_planned_version_that_calls_were_charged_by_is_kept_for_them(
    editor: Editor, tmp_path: Path
):
    planned = Planned(editor)
    await planned.plan()
    await planned.stay_with("hourly@2")
    version = (await editor.lines()).tariffs["hourly@2"]
    async with open_desk(editor.engine, tmp_path) as desk:
        terms = replace(await desk.terms("one", "alice"), tariff_version_id=version.id)
        await desk.charging.open(terms, slice_seconds=60, expires_seconds=60)
        await desk.settle(terms, 30, 60)
    await planned.stay_with("hourly")

    with pytest.raises(EditRefused, match="calls of a line that stayed with it were charged"):
        await planned.drop()


async def test_a_queue_is_made_changed_and_deleted_and_its_agents_keep_no_pin(editor: Editor):
    zoe = {"agents": {"zoe": {"phone": "demo:agent", "number": "88"}}}
    await save_queue(editor, "acme", "night", zoe, expected="")
    pin = await new_pin(editor, "acme", "zoe")
    stored_pin = (await directory(editor.engine)).pins["agent:acme.zoe"]
    assert verify_pin(stored_pin, pin, key=KEY)
    async with editor.engine.begin() as connection:
        away = {"client": "acme", "agent": "zoe", "state": "paused", "at_us": 0}
        await connection.execute(insert(agents_away), away)
    now = queue_of((await editor.lines()).queues["night"])
    ann = {"agents": {"ann": {"phone": "demo:agent", "number": "77"}}}

    with pytest.raises(CatalogInvalid) as error:
        await save_queue(editor, "acme", "night", ann, expected=version_of(now))
    assert places(error) == {"agents.ann"}
    await delete_queue(editor, "night", expected=version_of(now))

    lines = await directory(editor.engine)
    assert "night" not in lines.queues
    assert "agent:acme.zoe" not in lines.pins
    assert not lines.away


async def test_a_queue_in_use_or_of_another_client_stays(editor: Editor):
    await allow(editor)
    helpdesk = queue_of((await editor.lines()).queues["helpdesk"])
    agents = {"agents": {"zoe": "demo:agent"}}

    with pytest.raises(EditRefused, match="18005550300 1 Network"):
        await delete_queue(editor, "helpdesk", expected=version_of(helpdesk))
    with pytest.raises(EditRefused):
        await save_queue(of_client(editor, "globex"), "acme", "helpdesk", agents, expected="")
    with pytest.raises(CatalogInvalid):
        await save_queue(of_client(editor), "acme", "other", {"agents": {}}, expected="")
    with pytest.raises(EditRefused):
        await new_pin(of_client(editor, "globex"), "acme", "anna")
