"""Parties by API: money, terms, holds, statements; payouts of all kinds of parties, bank files."""

from __future__ import annotations

import re
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from billing.domain.payouts import BankAccount, PayoutTerms
from billing.payouts import Payouts
from ivr.web.api.gate import BASE
from ivr.web.scope import Role
from tests.integration.web.test_lines_api import Caller
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

BANK = {"name": "Talkmeter Ltd", "iban": "LT12 1000 0111 0100 1000", "bic": ""}
ACME = "/parties/client/acme"
TOPCO = "/parties/reseller/topco"


class Keyed(Caller):
    """Calls the API with a token, and a key for each movement of money."""

    def __init__(self, client: Browser, token: str) -> None:
        super().__init__(client, token)
        self.client, self.token = client, token

    async def move(self, path: str, key: str, **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        answer = await self.client.post(BASE + path, headers=headers, json=body)
        document: dict[str, Any] = await answer.json()
        return answer.status, document

    async def file(self, path: str) -> tuple[int, str, bytes]:
        answer = await self.client.get(
            BASE + path, headers={"Authorization": f"Bearer {self.token}"}
        )
        return answer.status, answer.content_type, await answer.read()


@pytest.fixture
async def earned(site: Site) -> Site:
    """Acme has earned by a call, topco and rolf get a part of the next one; nothing is pending."""
    await site.parties()
    await site.call()
    use = Payouts(engine=site.desk.engine, clock=site.desk.clock)
    bank = BankAccount(name="Acme", iban="LT121000011101001000")
    for kind, code in (("client", "acme"), ("reseller", "topco"), ("referrer", "rolf")):
        await use.set_terms(kind, code, PayoutTerms(hold_back_days=0, bank=bank))
    site.desk.clock.advance(1)
    return site


async def test_a_payout_goes_from_request_to_bank_file(earned: Site, server: TestServer):
    async with browser(server) as client:
        ours = Keyed(client, await earned.token(Role.OPERATOR))
        acme = Keyed(client, await earned.token(Role.CLIENT, "acme"))
        _, terms = await ours(
            "PUT", f"{ACME}/terms", hold_back_days=0, bank={**BANK, "name": "Acme Ltd"}
        )
        _, due = await ours("GET", "/payouts/due")
        first = await acme.move("/payouts", "k1", amount="1.00")
        again = await acme.move("/payouts", "k1", amount="1.00")
        place = f"/payouts/{first[1]['id']}"
        _, shown = await acme("GET", place)
        await ours("POST", f"{place}/approve")
        _, waiting = await ours("GET", "/payout-files")
        made, file = await ours("POST", "/payout-files", currency="USD", debtor=BANK)
        twice, nothing = await ours("POST", "/payout-files", currency="USD", debtor=BANK)
        wrong, named = await ours(
            "POST", "/payout-files", currency="USD", debtor={**BANK, "iban": "LT00"}
        )
        _, listed = await ours("GET", "/payout-files")
        as_csv = await ours.file(f"/payout-files/{file['id']}/csv")
        as_pain = await ours.file(f"/payout-files/{file['id']}/pain.001")
        foreign, _ = await acme("GET", "/payout-files")

    assert terms["terms"]["bank"]["iban"] == "LT121000011101001000"
    assert [(one["account"], one["held"]) for one in due["items"]] == [("acme", False)]
    assert first == again
    assert (shown["amount"], shown["moved"][-1]["amount"]) == ("1.00", "-1.00")
    assert waiting["waiting"] == [{"currency": "USD", "payouts": 1, "total": "1.00"}]
    assert (made, twice, wrong, foreign) == (201, 422, 422, 403)
    assert nothing["code"] == "invalid_input"
    assert named["errors"][0]["field"] == "debtor.iban"
    assert (listed["items"], listed["waiting"]) == ([file], [])
    assert as_csv[:2] == (200, "text/csv")
    assert b"LT121000011101001000" in as_csv[2]
    assert as_pain[:2] == (200, "application/xml")


async def test_a_hold_stops_requests_and_approvals_until_it_is_released(
    earned: Site, server: TestServer
):
    async with browser(server) as client:
        ours = Keyed(client, await earned.token(Role.OPERATOR))
        acme = Keyed(client, await earned.token(Role.CLIENT, "acme"))
        _, asked = await acme.move("/payouts", "k1", amount="1.00")
        _, held = await ours("POST", f"{ACME}/hold", reason="Odd traffic")
        _, same = await ours("POST", f"{ACME}/hold", reason="Another")
        refused, why = await acme.move("/payouts", "k2", amount="1.00")
        stopped, _ = await ours("POST", f"/payouts/{asked['id']}/approve")
        _, own = await acme("GET", ACME)
        _, free = await ours("POST", f"{ACME}/release")
        done, _ = await ours("POST", f"/payouts/{asked['id']}/approve")

    assert (held["held"]["reason"], held["held"]["by"]) == ("Odd traffic", "operator None")
    assert same["held"] == held["held"]
    assert (refused, why["code"], stopped, done) == (409, "payouts_held", 409, 200)
    # Why, and who says so, is the provider's business.
    assert own["held"]["since"]
    assert (own["held"]["reason"], own["held"]["by"]) == (None, None)
    assert free["held"] is None


async def test_a_request_is_taken_back_by_who_made_it(earned: Site, server: TestServer):
    async with browser(server) as client:
        ours = Keyed(client, await earned.token(Role.OPERATOR))
        acme = Keyed(client, await earned.token(Role.CLIENT, "acme"))
        globex = Keyed(client, await earned.token(Role.CLIENT, "globex"))
        _, before = await acme("GET", "/payouts/payable")
        _, asked = await acme.move("/payouts", "k1", amount="1.00")
        place = f"/payouts/{asked['id']}"
        others = [(await one("POST", f"{place}/withdraw"))[0] for one in (globex, ours)]
        done, gone = await acme("POST", f"{place}/withdraw")
        again, _ = await acme("POST", f"{place}/withdraw")
        _, after = await acme("GET", "/payouts/payable")
        _, second = await acme.move("/payouts", "k2", amount="1.00")
        await ours("POST", f"/payouts/{second['id']}/approve")
        late, why = await acme("POST", f"/payouts/{second['id']}/withdraw")

    assert (others, done, again) == ([404, 403], 200, 200)
    assert (gone["status"], gone["note"]) == ("rejected", "withdrawn by its party")
    assert after == before
    assert (late, why["code"]) == (409, "payout_not_movable")
    told = (await earned.rows("audit_log"))["audit_log"]
    assert sum("withdraw payout" in row for row in told) == 1


async def test_a_party_withdraws_a_request_on_its_page(earned: Site, server: TestServer):
    async with browser(server, "acme") as client:
        page = await (await client.get("/portal/payouts")).text()
        form = {"csrf": csrf_of(page), "key": field_of(page, "key"), "amount": "1.00"}
        asked = await (await client.post("/portal/payouts", data=form)).text()
        place = next(iter(re.findall(r"/portal/payouts/[0-9a-f-]{36}", asked)))
        shown = await (await client.get(place)).text()
        done = await client.post(f"{place}/withdraw", data={"csrf": form["csrf"]})
        said = await done.text()
        listed = text_of(await (await client.get("/portal/payouts")).text())

    assert "Withdraw the request" in shown
    assert "The request is withdrawn: 1.00 USD are in your balance again." in text_of(said)
    assert "Withdraw the request" not in said
    assert "Withdrawn" in listed


async def test_resellers_and_referrers_have_the_same_of_their_own(earned: Site, server: TestServer):
    async with browser(server) as client:
        ours = Keyed(client, await earned.token(Role.OPERATOR))
        topco = Keyed(client, await earned.token(Role.RESELLER, "topco"))
        rolf = Keyed(client, await earned.token(Role.REFERRER, "rolf"))
        _, parties = await ours("GET", "/parties?limit=1")
        _, rest = await ours("GET", f"/parties?after={parties['next']}")
        _, mine = await topco("GET", TOPCO)
        _, have = await rolf("GET", "/payouts/payable")
        nothing, why = await topco.move("/payouts", "k1")
        listed, page = await topco("GET", "/payouts")
        foreign = [
            (await topco("GET", ACME))[0],
            (await rolf("GET", TOPCO))[0],
            (await rolf("GET", "/payouts/payable?client=acme"))[0],
            (await topco("GET", "/payouts?party=client&account=acme"))[0],
            (await topco.move("/payouts", "k2", client="acme"))[0],
            (await topco("PUT", f"{TOPCO}/terms", hold_back_days=0))[0],
        ]

    found = [(one["party"], one["account"]) for one in parties["items"] + rest["items"]]
    assert found == [("referrer", "rolf"), ("reseller", "elseco"), ("reseller", "topco")]
    assert (mine["party"], mine["money"][0]["payable"]) == ("reseller", "0.00")
    assert (have["party"], have["account"], have["client"]) == ("referrer", "rolf", None)
    assert (nothing, why["code"]) == (409, "nothing_payable")
    assert (listed, page["items"]) == (200, [])
    assert foreign == [404, 404, 404, 404, 404, 403]


async def test_a_statement_is_read_and_downloaded_in_each_form(earned: Site, server: TestServer):
    async with browser(server) as client:
        acme = Keyed(client, await earned.token(Role.CLIENT, "acme"))
        _, found = await acme("GET", f"{ACME}/statement")
        others = (await acme("GET", f"{ACME}/earned"))[1]["items"]
        _, earlier = await acme("GET", f"{ACME}/earned?from=2026-01-01&to=2026-01-31")
        other, _ = await acme("GET", f"{ACME}/statement?currency=EUR")
        files = [await acme.file(f"{ACME}/statement/{kind}") for kind in ("csv", "xlsx", "pdf")]
        foreign, _, _ = await acme.file("/parties/client/globex/statement/csv")

    assert (others[0]["client"], others[0]["calls"], earlier["items"]) == ("acme", 1, [])
    assert (found["opening"], found["items"][0]["kind"]) == ("0.00", "settle")
    assert found["closing"] == found["items"][0]["amount"]
    assert [(status, body[:4]) for status, _, body in files] == [
        (200, b"day,"), (200, b"PK\x03\x04"), (200, b"%PDF"),
    ]  # fmt: skip
    assert (other, foreign) == (404, 404)
