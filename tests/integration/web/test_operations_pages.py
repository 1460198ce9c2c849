"""Alarms, limits and health on the web: what an operator reads, changes, and takes over."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select

from ivr.alarms.findings import Finding
from ivr.alarms.store import Alarm, keep
from ivr.directory.fraud_limits import load_limits
from ivr.tables import audit_log
from ivr.web.scope import Role
from tests.site import NO_CALL, Site, browser, csrf_of, served, text_of

HOT = Finding(
    kind="pumping_number", subject="15550001111>18005550100", severity="bad", client="acme",
    facts={"caller": "15550001111", "did": "18005550100", "calls": 20, "minutes": 9},
)  # fmt: skip


async def alarm(site: Site) -> Alarm:
    (opened,) = await keep(site.desk.engine, [HOT], mine={HOT.kind}, clock=site.desk.clock)
    return opened


async def noted(site: Site, action: str) -> list[tuple[str | None, str | None, str | None]]:
    query = select(audit_log).where(audit_log.c.action == action)
    async with site.desk.engine.connect() as connection:
        rows = await connection.execute(query)
        return [(row.subject, row.before, row.after) for row in rows]


async def test_an_alarm_says_what_was_seen_and_what_to_do(site: Site):
    await alarm(site)
    async with served(site) as server, browser(server, "olga") as olga:
        text = text_of(await (await olga.get("/admin/alarms")).text())

    assert "15550001111 rang 18005550100 20 times within an hour" in text
    assert "block the account" in text
    assert "Hold the payouts of the client" in text


async def test_an_operator_takes_an_alarm_over_and_it_is_written_down(site: Site):
    opened = await alarm(site)
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get("/admin/alarms")).text()
        path = f"/admin/alarms/{opened.id}/acknowledge"
        answer = await olga.post(path, data={"csrf": csrf_of(page), "note": "I ring them"})
        text = text_of(await answer.text())
        nothing = await olga.post(
            f"/admin/alarms/{NO_CALL}/acknowledge", data={"csrf": csrf_of(page)}
        )

    assert "Nothing needs you" in text
    assert "olga I ring them" in text
    assert nothing.status == 404
    assert await noted(site, "acknowledge alarm") == [
        ("pumping_number 15550001111>18005550100", None, "I ring them")
    ]


async def test_an_unknown_kind_of_another_version_is_shown_all_the_same(site: Site):
    odd = Finding(kind="new_kind", subject="x", facts={"calls": 3})
    await keep(site.desk.engine, [odd], mine=set(), clock=site.desk.clock)
    async with served(site) as server, browser(server, "olga") as olga:
        text = text_of(await (await olga.get("/admin/alarms")).text())

    assert "New kind calls 3" in text


async def test_limits_are_changed_at_once_and_each_change_is_written_down(site: Site):
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get("/admin/limits")).text()
        form = {"csrf": csrf_of(page), "caller_calls": "12", "account_spend": "50", "calls_max": ""}
        answer = await olga.post("/admin/limits", data=form)
        text = await answer.text()
    async with site.desk.engine.connect() as connection:
        stored = await load_limits(connection)
    await site.directory.load()

    assert "Saved" in text
    assert 'value="50.00"' in text
    assert (stored.caller_calls, stored.account_spend, stored.pin_locks) == (12, 50_000_000, None)
    assert site.directory.current().limits == stored
    assert ("caller_calls", None, "12") in await noted(site, "set limit")


async def test_a_limit_out_of_bounds_is_named_beside_its_field_and_nothing_is_saved(site: Site):
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get("/admin/limits")).text()
        form = {"csrf": csrf_of(page), "caller_calls": "0", "disk_percent": "often"}
        answer = await olga.post("/admin/limits", data=form)
        text = text_of(await answer.text())

    assert answer.status == 422
    assert "Write 1 to 10000, or nothing." in text
    assert "Write 1 to 99, or nothing." in text
    assert not await noted(site, "set limit")


async def test_health_tells_each_part_with_a_sentence(site: Site):
    async with served(site) as server, browser(server, "olga") as olga:
        text = text_of(await (await olga.get("/admin/health")).text())

    assert "All parts work." in text
    assert "Asterisk of node-1 Good Linked" in text
    assert "22.10.1" in text


async def test_health_says_what_is_wrong(site: Site):
    facts = site.machine.facts
    down = replace(facts.asterisk, linked=False, boot="", down_seconds=65, channels=None)
    site.machine.facts = replace(
        facts, asterisk=down, journal_waiting=3, journal_seconds=90, late_slices=2,
        disk_percent=93, jobs=(("meter", True), ("fees", False)), accepting=False,
    )  # fmt: skip
    async with served(site) as server, browser(server, "olga") as olga:
        text = text_of(await (await olga.get("/admin/health")).text())

    assert "Something does not work." in text
    assert "No link for 1:05" in text
    assert "Settlements wait" in text
    assert "Free some space" in text
    assert "Ended: fees." in text


async def test_clients_have_no_business_here(site: Site):
    async with served(site) as server, browser(server, "acme") as acme:
        statuses = [
            (await acme.get(path)).status
            for path in ("/admin/alarms", "/admin/limits", "/admin/health")
        ]

    assert statuses == [403, 403, 403]


async def test_the_api_does_what_the_pages_do(site: Site):
    opened = await alarm(site)
    headers = {"Authorization": f"Bearer {await site.token(Role.OPERATOR)}"}
    async with served(site) as server, browser(server) as client:
        listed = await (await client.get("/api/v1/alarms?state=open", headers=headers)).json()
        taken = await client.post(
            f"/api/v1/alarms/{opened.id}/acknowledge", json={"note": "mine"}, headers=headers
        )
        limits = await (await client.get("/api/v1/limits", headers=headers)).json()
        saved = await client.put("/api/v1/limits", json={**limits, "calls_max": 7}, headers=headers)
        wrong = await client.put("/api/v1/limits", json={**limits, "calls_max": 0}, headers=headers)
        health = await (await client.get("/api/v1/health", headers=headers)).json()
        state = (await taken.json())["state"]
        stored = (await saved.json())["calls_max"]

    assert [one["id"] for one in listed["items"]] == [opened.id]
    assert state == "acknowledged"
    assert (stored, wrong.status) == (7, 422)
    assert health["state"] == "good"


async def test_alarms_are_counted_in_the_figures(site: Site):
    site.machine.on = {("disk", "warn"): 1}
    async with served(site) as server, browser(server) as client:
        text = await (await client.get("/metrics")).text()

    assert 'talkmeter_alarms{kind="disk",severity="warn"} 1.0' in text
