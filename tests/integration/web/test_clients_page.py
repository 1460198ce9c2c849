"""Clients for operators: found, opened, changed with their history, suspended."""

from __future__ import annotations

from aiohttp import ClientResponse
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from billing.agreements import agreement_history
from ivr.tables import audit_log
from ivr.web.scope import Role
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

EDIT = "/admin/clients/acme/edit"
WANTED = {"title": "Acme IT", "provider": "25", "client": "70", "fee": "0.05"}
RESELLER = {"other_kind_0": "reseller", "other_code_0": "topco", "other_share_0": "5"}
REFERRER = {
    "ref_code_0": "rolf", "ref_share_0": "10", "ref_until_0": "2030-01-01", "ref_bonus_0": "25",
}  # fmt: skip


async def _send(operator: Browser, page: str, **fields: str) -> ClientResponse:
    data = {"csrf": csrf_of(page), "mark": field_of(page, "mark"), "do": "save", **fields}
    return await operator.post(EDIT, data=data, allow_redirects=False)


async def test_a_client_is_found_and_shows_what_it_sold_and_has(site: Site, server: TestServer):
    await site.call(talk_seconds=62.4)
    async with browser(server, "olga") as operator:
        found = text_of(await (await operator.get("/admin/clients?q=legal")).text())
        everybody = text_of(await (await operator.get("/admin/clients")).text())
        page = text_of(await (await operator.get("/admin/clients/acme")).text())
        missing = await operator.get("/admin/clients/nobody")

    assert "Globex Legal" in found
    assert "Acme" not in found
    assert "Acme IT Support acme Active 1 5.525 USD 3.8675 USD 3.8675 USD 0.00 USD" in everybody
    assert "Pending 3.8675 USD" in page
    assert missing.status == 404


async def test_a_change_is_previewed_saved_once_and_stands_in_the_history(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as operator:
        page = await (await operator.get(EDIT)).text()
        preview = await _send(operator, page, **WANTED, **RESELLER, **REFERRER, do="preview")
        shown = text_of(await preview.text())
        saved = await _send(operator, page, **WANTED, **RESELLER, **REFERRER)
        again = await _send(operator, page, **WANTED | {"provider": "30"})
        after = await (await operator.get(saved.headers["Location"])).text()
    async with site.desk.engine.connect() as connection:
        (newest,) = await agreement_history(connection, "acme")
        noted = (await connection.execute(select(audit_log).order_by(audit_log.c.id))).all()

    # 0.05 first, then 25, 70 and 5 % of 9.95, and a tenth of the provider's part to the referrer.
    assert "Provider 3.00 USD 2.28875 USD" in shown
    assert "Reseller topco \N{EN DASH} 0.4975 USD" in shown
    assert "Referrer rolf \N{EN DASH} 0.24875 USD" in shown
    assert (preview.status, saved.status, again.status) == (200, 303, 422)
    assert "changed client acme meanwhile" in text_of(await again.text())
    assert "Version 1" in text_of(after)
    assert (newest.actor, newest.referrers[0].account) == ("olga", "rolf")
    (change,) = [row for row in noted if row.action == "change client"]
    assert "Provider 25%" in change.after
    assert await site.desk.proved()


async def test_what_cannot_be_a_split_is_said_and_nothing_is_saved(site: Site, server: TestServer):
    async with browser(server, "olga") as operator:
        page = await (await operator.get(EDIT)).text()
        short = await _send(operator, page, **WANTED | {"client": "60"})
        odd = await _send(operator, page, **WANTED, ref_code_0="No Code", ref_share_0="x")
        texts = [text_of(await answer.text()) for answer in (short, odd)]
    async with site.desk.engine.connect() as connection:
        history = await agreement_history(connection, "acme")

    assert (short.status, odd.status) == (422, 422)
    assert "the shares add up to 85 % instead of 100 %" in texts[0]
    assert "use a-z, 0-9" in texts[1]
    assert history == []


async def test_a_new_client_is_opened_once(site: Site, server: TestServer):
    async with browser(server, "olga") as operator:
        page = await (await operator.get("/admin/new-client")).text()
        data = {"csrf": csrf_of(page), "code": "initech", "currency": "EUR"}
        data |= WANTED | {"provider": "30"}
        opened = await operator.post("/admin/new-client", data=data, allow_redirects=False)
        twice = await operator.post("/admin/new-client", data=data, allow_redirects=False)
        shown = text_of(await (await operator.get(opened.headers["Location"])).text())

    assert (opened.status, twice.status) == (303, 422)
    assert "here is a client initech already" in text_of(await twice.text())
    assert "Acme IT initech, EUR Active" in shown


async def test_a_client_is_suspended_and_takes_calls_again(site: Site, server: TestServer):
    await site.login("viola", Role.OPERATOR)
    async with browser(server, "olga") as operator:
        page = await (await operator.get("/admin/clients/acme")).text()
        data = {"csrf": csrf_of(page), "suspended": "yes", "reason": "unpaid"}
        path = "/admin/clients/acme/suspended"
        for _ in range(2):
            await operator.post(path, data=data)
        await site.directory.load()
        suspended = site.directory.current().client("acme").rules.suspended
        listed = text_of(await (await operator.get("/admin/clients?state=suspended")).text())
        await operator.post(path, data=data | {"suspended": "no"})
        none = text_of(await (await operator.get("/admin/clients?state=suspended")).text())

    assert suspended
    assert "Acme IT Support acme Suspended" in listed
    assert "No client matches." in none
