"""Lines on the web: added, changed, put in order, heard, retired; within limits for clients."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from sqlalchemy import insert, select

from ivr.directory.edit_queues import save_limits
from ivr.directory.edits import Editor, version_of
from ivr.directory.limits import limits_document
from ivr.tables import audit_log, calls, prompt_uses
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

LINE = "18005550100"
ADMIN = f"/admin/dids/{LINE}"
PORTAL = f"/portal/lines/{LINE}"
DASH = "\N{EN DASH}"
LIMITS = {"edit": ["topics", "hours"], "destinations": ["voicemail"]}


@pytest.fixture(autouse=True)
async def _priced(site: Site) -> None:
    await site.tariff()
    await site.topic("Billing")
    await site.topic("Network", digit=2)
    await site.topic("Operator", digit=0)


def editor(site: Site) -> Editor:
    return Editor(engine=site.desk.engine, clock=site.desk.clock, pin_key=b"p" * 32)


async def allow(site: Site, **changes: Any) -> None:
    before = (await editor(site).lines()).clients["acme"].rules.limits
    expected = version_of(limits_document(before))
    await save_limits(editor(site), "acme", LIMITS | changes, expected=expected)


async def send(
    client: Browser, page: str, path: str, data: dict[str, str], *, version: str | None = None
) -> ClientResponse:
    text = await (await client.get(page)).text()
    known = version if version is not None else re.search(r'name="version" value="(\w*)"', text)
    sent = known if isinstance(known, str) else known[1] if known else ""
    return await client.post(
        path, data={"csrf": csrf_of(text), "version": sent, **data}, allow_redirects=False
    )


async def topics_of(site: Site, number: str = LINE) -> dict[int, str]:
    return {t.digit: t.name for t in (await editor(site).lines()).dids[number].topics}


async def test_an_operator_adds_a_line_and_sees_its_menu_as_a_picture(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as client:
        data = {
            "number": "+1 800 555-0300", "client": "globex", "tariff": "standard", "name": "Legal",
            "timezone": "Europe/Vilnius", "access.pin": "required", "destination": "voicemail:a",
        }  # fmt: skip
        added = await send(client, "/admin/dids/new", "/admin/dids", data)
        page = await (await client.get(added.headers["Location"])).text()
        listed = text_of(await (await client.get("/admin/dids?q=legal")).text())
        again = await send(client, "/admin/dids/new", "/admin/dids", data)

    assert added.status == 303
    assert "1: Legal, 5.00 + 0.50/min, then 0.25/min USD, always open, Voicemail" in page
    assert "The line was added" in page
    assert "18005550300 Globex Legal Open always open 1 Legal standard 0" in listed
    assert again.status == 422
    async with site.desk.engine.connect() as connection:
        rows = (await connection.execute(select(audit_log.c.action, audit_log.c.subject))).all()
    assert ("add line", "18005550300") in [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("timezone", "Nowhere/Land", "Write a time zone such as Europe/Vilnius."),
        ("tariff", "nope", "There is no tariff"),
        ("monthly_fee", "-1", "Cannot be negative."),
        ("maximum_talk", "long", "Write a duration"),
        ("calls_max", "0", "Write a number from 1"),
        ("record", "x", "Write for how many days"),
        ("access.spend_limit", "1,5", "Not an amount"),
        ("access.pin", "never", "nobody could get in"),
    ],
)
async def test_what_is_wrong_with_a_line_is_told_at_its_field(
    server: TestServer, field: str, value: str, message: str
):
    data = {"kind": "local", "tariff": "standard", "timezone": "UTC", "access.pin": "required"}
    async with browser(server, "olga") as client:
        answer = await send(client, ADMIN, f"{ADMIN}/facts", data | {field: value})
        page = await answer.text()

    assert answer.status == 422
    told = re.search(r'<p class="mistake"[^>]*>([^<]*)', page)
    assert told
    assert message.lower() in told[1].lower().replace("&#39;", "'")


async def test_facts_are_saved_and_topics_and_hours_stay(site: Site, server: TestServer):
    data = {
        "kind": "local", "tariff": "standard", "timezone": "Europe/Vilnius", "monthly_fee": "12",
        "access.pin": "optional", "access.daily_limit": "30", "maximum_talk": "60m",
        "language": "de", "language_en": "1", "confirm_price": "1", "record": "30d",
    }  # fmt: skip
    async with browser(server, "olga") as client:
        done = await send(client, ADMIN, f"{ADMIN}/facts", data)
        page = await (await client.get(ADMIN)).text()

    assert done.status == 303
    line = (await editor(site).lines()).dids[LINE]
    assert line.rules.languages == ("de", "en")
    assert (line.rules.record_days, line.rules.confirm_price) == (30, True)
    assert len(line.topics) == 3
    assert field_of(page.replace('type="text" ', ""), "monthly_fee") == "12.00"


async def test_of_two_operators_the_second_is_told_and_sees_what_is_stored(
    site: Site, server: TestServer
):
    data = {"kind": "local", "tariff": "standard", "timezone": "UTC", "access.pin": "required"}
    async with browser(server, "olga") as client:
        text = await (await client.get(ADMIN)).text()
        version = field_of(text, "version")
        first = await send(client, ADMIN, f"{ADMIN}/facts", data | {"monthly_fee": "11"})
        second = await send(
            client, ADMIN, f"{ADMIN}/facts", data | {"monthly_fee": "99"}, version=version
        )
        page = await second.text()
        third = await send(
            client, ADMIN, f"{ADMIN}/facts", data | {"monthly_fee": "99"},
            version=field_of(page, "version"),
        )  # fmt: skip

    assert (first.status, second.status, third.status) == (303, 409, 303)
    assert "monthly_fee: &#39;11.00&#39;" in page
    assert 'value="99"' in page
    assert (await editor(site).lines()).dids[LINE].monthly_fee == 99_000_000


async def test_topics_move_by_arrow_and_by_list(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        await send(client, ADMIN, f"{ADMIN}/order", {"down": "1"})
        after_arrow = await topics_of(site)
        await send(client, ADMIN, f"{ADMIN}/order", {"order": "0,1,2"})
        after_list = await topics_of(site)
        wrong = [
            (await send(client, ADMIN, f"{ADMIN}/order", {"order": order})).status
            for order in ("1,2", "1,1,2", "9,8,7", "x")
        ]

    assert after_arrow == {1: "Network", 2: "Billing", 0: "Operator"}
    assert after_list == {1: "Operator", 2: "Network", 0: "Billing"}
    assert wrong == [422] * 4


async def test_hours_are_filled_in_as_a_grid_and_seen_as_a_week(site: Site, server: TestServer):
    fields = {
        "mon_1_from": "08:00",
        "mon_1_to": "12:00",
        "sun_1_from": "22:00",
        "sun_1_to": "02:00",
    }
    async with browser(server, "olga") as client:
        wrong = await send(client, ADMIN, f"{ADMIN}/hours", {"mon_1_from": "08:00"})
        half = await wrong.text()
        none = await send(client, ADMIN, f"{ADMIN}/hours", {})
        bad_day = await send(client, ADMIN, f"{ADMIN}/hours", fields | {"holidays": "12-25\n13-40"})
        day_page = await bad_day.text()
        done = await send(client, ADMIN, f"{ADMIN}/hours", fields | {"holidays": "12-25"})
        page = await (await client.get(ADMIN)).text()

    assert (wrong.status, none.status, bad_day.status, done.status) == (422, 422, 422, 303)
    assert "The other time is missing." in half
    assert "Write a day such as" in day_page
    # It is a Wednesday in March.
    assert f"Monday 08:00{DASH}12:00; Monday 00:00{DASH}02:00; Sunday 22:00{DASH}00:00" in page
    assert "closed, opens Sunday 22:00" in page


async def test_a_topic_is_added_changed_moved_and_removed(site: Site, server: TestServer):
    topic = {
        "digit": "4", "name": "Night", "goal": "voicemail", "to_voicemail": "night", "enabled": "1",
        "otherwise": "callback", "fri_1_from": "20:00", "fri_1_to": "23:00",
    }  # fmt: skip
    async with browser(server, "olga") as client:
        new = await send(client, f"{ADMIN}/topics/new", f"{ADMIN}/topics", topic)
        taken = await send(client, f"{ADMIN}/topics/new", f"{ADMIN}/topics", topic)
        form = f"{ADMIN}/topics/4"
        wrong = await send(
            client, form, form, topic | {"goal": "phone", "to_phone": "112", "always": "1"}
        )
        wrong_page = await wrong.text()
        moved = await send(client, form, form, topic | {"digit": "7", "always": "1"})
        after = await topics_of(site)
        gone = await send(client, f"{ADMIN}/topics/7", f"{ADMIN}/topics/7/remove", {})

    assert [each.status for each in (new, taken, wrong, moved, gone)] == [303, 422, 422, 303, 303]
    assert 'id="d-destination"' in wrong_page
    assert after == {1: "Billing", 2: "Network", 7: "Night", 0: "Operator"}
    assert await topics_of(site) == {1: "Billing", 2: "Network", 0: "Operator"}


async def test_every_step_of_what_a_caller_hears_can_be_played(site: Site, server: TestServer):
    await site.own_prompt("acme", "hello")
    async with site.desk.engine.begin() as connection:
        await connection.execute(insert(prompt_uses), {"did": LINE, "digit": -1, "prompt": "hello"})
    async with browser(server, "olga") as client:
        page = await (await client.get(ADMIN)).text()
        sources = re.findall(r'<audio[^>]* src="([^"]+)"', page)
        sounds = {path: await (await client.get(path)).read() for path in sources}
        unknown = [(await client.get(f"{ADMIN}/hear/{place}")).status
                   for place in ("de/greeting", "en/nothing", "en/price-9")]  # fmt: skip

    assert len(sources) == 8
    assert all(sound[:4] == b"RIFF" and len(sound) > 2_000 for sound in sounds.values())
    assert "(your sound hello)" in page
    assert "For billing press one" in text_of(page)
    assert len(sounds[f"{ADMIN}/hear/en/greeting"]) == 44 + 2 * 4_000
    assert unknown == [404, 404, 404]


async def test_a_line_is_retired_when_its_number_is_typed(site: Site, server: TestServer):
    call_id = await site.call()
    async with browser(server, "olga") as client:
        unsure = await send(client, ADMIN, f"{ADMIN}/retire", {"confirm": "yes"})
        done = await send(client, ADMIN, f"{ADMIN}/retire", {"confirm": LINE})
        gone = await client.get(ADMIN)
        listed = await (await client.get("/admin/dids")).text()

    assert (unsure.status, done.status, gone.status) == (422, 303, 404)
    assert LINE not in listed.replace(f"retired={LINE}", "")
    async with site.desk.engine.connect() as connection:
        assert await connection.scalar(select(calls.c.did).where(calls.c.id == call_id)) == LINE


async def test_a_client_changes_nothing_without_limits_and_its_hours_within(
    site: Site, server: TestServer
):
    hours = {"mon_1_from": "08:00", "mon_1_to": "12:00"}
    async with browser(server, "acme") as client:
        refused = await send(client, PORTAL, f"{PORTAL}/hours", hours)
        reader = await (await client.get(PORTAL)).text()
        await allow(site)
        done = await send(client, PORTAL, f"{PORTAL}/hours", hours)
        page = await (await client.get(PORTAL)).text()
        facts = await client.post(f"{ADMIN}/facts", data={"csrf": csrf_of(page)})

    assert (refused.status, done.status, facts.status) == (403, 303, 403)
    assert "Save the hours" not in reader
    assert "closed, opens Monday 08:00" in page
    assert "Save the line" not in page


async def test_a_client_sends_callers_only_where_it_may(site: Site, server: TestServer):
    await allow(site)
    topic = {"digit": "5", "name": "Mine", "goal": "sip", "to_sip": "me@10.0.0.1", "enabled": "1",
             "always": "1"}  # fmt: skip
    async with browser(server, "acme") as client:
        wrong = await send(client, f"{PORTAL}/topics/new", f"{PORTAL}/topics", topic)
        page = await wrong.text()
        dear = await send(
            client, f"{PORTAL}/topics/new", f"{PORTAL}/topics",
            topic | {"goal": "voicemail", "to_voicemail": "me", "tariff": "standard"},
        )  # fmt: skip
        dear_page = await dear.text()
        done = await send(
            client, f"{PORTAL}/topics/new", f"{PORTAL}/topics",
            topic | {"goal": "voicemail", "to_voicemail": "me"},
        )  # fmt: skip

    assert (wrong.status, dear.status, done.status) == (422, 422, 303)
    assert "Your provider allows voicemail here." in page
    assert "Your provider sets the prices of your topics." in dear_page


async def test_a_client_sees_what_its_own_logins_changed_and_no_more(
    site: Site, server: TestServer
):
    await allow(site)
    async with browser(server, "olga") as client:
        await send(client, ADMIN, f"{ADMIN}/order", {"down": "1"})
    async with browser(server, "acme") as client:
        await send(client, PORTAL, f"{PORTAL}/hours", {"mon_1_from": "08:00", "mon_1_to": "12:00"})
        mine = text_of(await (await client.get(PORTAL)).text())
    async with browser(server, "olga") as client:
        all_of_it = text_of(await (await client.get(ADMIN)).text())

    assert "acme change hours of line" in mine
    assert "reorder topics" not in mine
    assert "olga reorder topics" in all_of_it
    assert "acme change hours of line" in all_of_it


async def test_a_client_without_lines_is_told_who_has_them(site: Site, server: TestServer):
    async with browser(server, "globex") as client:
        page = text_of(await (await client.get("/portal/lines?q=nothing")).text())

    assert "No line fits." in page
