"""Live calls on the web: what ticks, what an operator does, what a client sees."""

from __future__ import annotations

from ivr.web.scope import Role
from tests.site import NO_CALL, Site, browser, csrf_of, field_of, served, text_of


async def test_the_list_tells_what_is_held_and_when_the_talk_ends(site: Site):
    call_id = site.ring()
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get("/admin/live")).text()
        rows = await (await olga.get("/admin/live/rows")).text()

    text = text_of(page)
    assert "5.625 USD" in text
    assert "8:55 by the money" in text  # 600 s less the 65 s that they talked
    assert f"/admin/live/{call_id}" in rows
    assert 'hx-trigger="every 1s"' in rows


async def test_an_empty_list_says_so(site: Site):
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get("/admin/live")).text()

    assert "Nobody is on the line" in page


async def test_a_client_sees_its_own_live_calls_and_may_not_extend_them(site: Site):
    mine = site.ring()
    site.ring(client="globex", account="bob")
    async with served(site) as server, browser(server, "acme") as acme:
        page = await (await acme.get("/portal/live")).text()
        one = await (await acme.get(f"/portal/live/{mine}")).text()
        refused = await acme.post(f"/admin/live/{mine}/extend", data={"csrf": csrf_of(one)})

    assert "alice" in page
    assert "bob" not in page
    assert "Extend" not in one
    assert refused.status == 403


async def test_an_operator_extends_a_call_and_it_is_written_down(site: Site):
    call_id = site.ring()
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get(f"/admin/live/{call_id}")).text()
        form = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "minutes": "5",
            "reason": "the agent was slow",
        }  # fmt: skip
        answer = await olga.post(f"/admin/live/{call_id}/extend", data=form)
        text = text_of(await answer.text())

    assert site.control.extended == [(call_id, 5, "the agent was slow")]
    assert "extended by 5 min" in text
    assert "13:55 by the money" in text


async def test_what_cannot_be_extended_is_said_beside_the_field(site: Site):
    call_id = site.ring(ends_after_seconds=None, ends_by="")
    async with served(site) as server, browser(server, "olga") as olga:
        page = await (await olga.get(f"/admin/live/{call_id}")).text()
        form = {"csrf": csrf_of(page), "key": field_of(page, "key"), "minutes": "5", "reason": "x"}
        refused = await olga.post(f"/admin/live/{call_id}/extend", data=form)
        empty = await olga.post(f"/admin/live/{call_id}/extend", data={**form, "reason": ""})
        refused_text, empty_text = await refused.text(), await empty.text()

    assert (refused.status, empty.status) == (422, 422)
    assert "othing limits this call" in refused_text
    assert "fill this in" in empty_text


async def test_a_call_that_ended_gives_way_to_its_record(site: Site):
    call_id = await site.call()
    async with served(site) as server, browser(server, "olga") as olga:
        page = await olga.get(f"/admin/live/{call_id}", allow_redirects=False)
        tick = await olga.get(f"/admin/live/{call_id}/now", headers={"HX-Request": "true"})
        never = await olga.get(f"/admin/live/{NO_CALL}")

    assert page.headers["Location"] == f"/admin/calls/{call_id}"
    assert tick.headers["HX-Redirect"] == f"/admin/calls/{call_id}"
    assert never.status == 404


async def test_the_api_extends_a_call(site: Site):
    call_id, token = site.ring(), await site.token(Role.OPERATOR)
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "one"}
    async with served(site) as server, browser(server) as client:
        path = f"/api/v1/live/{call_id}/extend"
        answer = await client.post(path, json={"minutes": 2, "reason": "slow"}, headers=headers)
        body = await answer.json()
        gone = await client.post(
            f"/api/v1/live/{NO_CALL}/extend", json={"minutes": 2, "reason": "s"}, headers=headers
        )

    assert body["ends_after_seconds"] == 720
    assert body["amount"] == "1.00"
    assert gone.status == 404
