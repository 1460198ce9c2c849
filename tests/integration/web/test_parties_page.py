"""The money of parties on the web: terms, holds, files for the bank, earnings, drill-down."""

from __future__ import annotations

from dataclasses import replace

from aiohttp.test_utils import TestServer

from billing.domain.agreements import Referrer
from billing.domain.operations import AccountRef
from billing.domain.payouts import BankAccount, PayoutTerms
from billing.domain.splits import Share
from billing.money import parse_amount
from billing.payouts import Payouts
from ivr.directory.client_rows import client_rows
from ivr.directory.clients import save_client
from ivr.web.scope import Role
from tests.site import Site, browser, csrf_of, field_of, text_of

IBAN = "LT12 1000 0111 0100 1000"
BANK = BankAccount(name="Acme IT Support", iban="LT121000011101001000")
OURS = {"currency": "USD", "name": "Provider", "iban": "DE89 3704 0044 0532 0130 00"}


async def _agree(site: Site) -> None:
    """Let topco have 5 % of acme's calls, and rolf a tenth of the provider's share."""
    shares = (
        Share(kind="provider", account="provider", basis_points=3_000),
        Share(kind="client", account="acme", basis_points=6_500),
        Share(kind="reseller", account="topco", basis_points=500),
    )
    async with site.desk.engine.connect() as connection:
        row = (await client_rows(connection, ["acme"]))["acme"]
    now_us = site.now_us()
    wanted = replace(
        row.client,
        shares=shares,
        referrers=(Referrer(account="rolf", basis_points=1_000, from_us=now_us),),
    )
    await save_client(
        site.desk.engine, wanted, seen=row.mark, actor="test", clock=site.desk.clock, pin_key=b"p"
    )
    await site.directory.load()
    for role, code in ((Role.RESELLER, "topco"), (Role.REFERRER, "rolf")):
        await site.login(code, role, code)


async def _earned(site: Site) -> Payouts:
    payouts = Payouts(engine=site.desk.engine, clock=site.desk.clock)
    await payouts.set_terms("client", "acme", PayoutTerms(hold_back_days=0, bank=BANK))
    await site.call(talk_seconds=60)
    site.desk.clock.advance(60)
    return payouts


async def test_terms_are_checked_beside_their_fields(site: Site, server: TestServer):
    async with browser(server, "olga") as operator:
        page = await (await operator.get("/admin/parties/client/acme")).text()
        data = {"csrf": csrf_of(page), "hold_back_days": "14", "minimum": "5", "name": "Acme"}
        path = "/admin/parties/client/acme/terms"
        wrong = await operator.post(path, data={**data, "iban": "LT121000011101001001"})
        saved = await operator.post(path, data={**data, "iban": IBAN})
    terms = await Payouts(engine=site.desk.engine, clock=site.desk.clock).terms("client", "acme")

    assert wrong.status == 422
    assert "its check digits do not fit" in text_of(await wrong.text())
    assert "Saved: paid after 14 days." in text_of(await saved.text())
    assert (terms.hold_back_days, terms.bank.iban) == (14, "LT121000011101001000")


async def test_a_held_party_requests_nothing_until_it_is_released(site: Site, server: TestServer):
    await _earned(site)
    path = "/admin/parties/client/acme"
    async with browser(server, "olga") as operator, browser(server, "acme") as client:
        before = await (await client.get("/portal/payouts")).text()
        page = await (await operator.get(path)).text()
        silent = await operator.post(f"{path}/hold", data={"csrf": csrf_of(page)})
        held = await operator.post(
            f"{path}/hold", data={"csrf": csrf_of(page), "reason": "Pumped traffic"}
        )
        data = {"csrf": csrf_of(before), "key": field_of(before, "key")}
        refused = await client.post("/portal/payouts", data=data)
        shown = text_of(await (await client.get("/portal/payouts")).text())
        await operator.post(f"{path}/release", data={"csrf": csrf_of(page)})
        asked = await client.post("/portal/payouts", data=data)

    assert (silent.status, refused.status) == (422, 422)
    assert "by olga: Pumped traffic" in text_of(await held.text())
    assert "Your payouts are being checked" in shown
    assert "Pumped" not in shown
    assert "Requested: 3.85 USD" in text_of(await asked.text())


async def test_what_is_approved_goes_to_the_bank_in_a_file(site: Site, server: TestServer):
    payouts = await _earned(site)
    party = AccountRef(kind="client", code="acme", currency="USD")
    async with browser(server, "olga") as operator:
        due = await (await operator.get("/admin/payouts")).text()
        data = {"csrf": csrf_of(due), "key": field_of(due, "key")}
        data |= {"kind": "client", "code": "acme", "currency": "USD"}
        one = await operator.post("/admin/payouts/new", data=data)
        (payout,) = await payouts.list_payouts(party=party)
        await payouts.approve(payout.id, actor="olga")
        wrong = await operator.post(
            "/admin/payouts/files", data={**OURS, "csrf": csrf_of(due), "iban": "DE00"}
        )
        made = await (
            await operator.post("/admin/payouts/files", data={**OURS, "csrf": csrf_of(due)})
        ).text()
        (file,) = {
            part.split('"')[0] for part in made.split('href="/admin/payouts/files/')[1:]
            if part.split('"')[0].endswith(".xml")
        }  # fmt: skip
        bank = await (await operator.get(f"/admin/payouts/files/{file}")).text()

    assert "acme client 3.85 USD 0.00 USD 3.85 USD Request for it" in text_of(due)
    assert "Call 1 +3.85 USD Payout 1 \N{MINUS SIGN}3.85 USD" in text_of(await one.text())
    assert wrong.status == 422
    assert payout.id.replace("-", "") in bank
    assert '<InstdAmt Ccy="USD">3.85</InstdAmt>' in bank


async def test_partners_see_what_they_earned_and_nothing_more(site: Site, server: TestServer):
    await _agree(site)
    terms = await site.desk.terms("s1", "alice")
    directory = site.directory.current()
    terms = replace(
        terms, client="acme", detail="Secret topic",
        shares=directory.client("acme").shares_at(site.now_us()),
    )  # fmt: skip
    grant = await site.desk.charging.open(terms, slice_seconds=60, expires_seconds=300)
    await site.desk.settle(terms, 60, grant.seconds)
    async with browser(server, "topco") as reseller, browser(server, "rolf") as referrer:
        above = text_of(await (await reseller.get("/portal")).text())
        brought = text_of(await (await referrer.get("/portal")).text())
        statement = text_of(await (await referrer.get("/portal/statement?month=2026-03")).text())
        sheet = await (await reseller.get("/portal/statement.csv?month=2026-03")).text()
        calls = [await one.get("/portal/calls") for one in (reseller, referrer)]

    assert "Earned 0.275 USD Revenue of your clients 5.50 USD Paid calls 1" in above
    assert "Acme IT Support 1 5.50 USD 0.275 USD" in above
    assert "Earned 0.165 USD" in brought
    assert "Acme IT Support Runs 10% 2027-" in brought
    assert "5.50" not in brought
    assert not [page for page in (above, brought) if "alice" in page or "Secret" in page]
    assert "0.165 USD" in statement
    assert "Balance at the end,0,0.275" in sheet
    assert [answer.status for answer in calls] == [403, 403]


async def test_revenue_goes_down_from_a_month_to_its_calls(site: Site, server: TestServer):
    calls = [await site.call(topic=topic) for topic in ("Billing", "Billing", "Network")]
    await site.call(client="globex", account="bob", topic="Own")
    period = "first=2026-03-01&last=2026-03-31"
    async with browser(server, "acme") as client:
        months = text_of(await (await client.get(f"/portal?{period}&by=month")).text())
        agents = text_of(await (await client.get(f"/portal?{period}&by=agent")).text())
        html = await (
            await client.get(f"/portal/report-calls?{period}&topic=Billing&agent=(none)")
        ).text()
        other = await (await client.get(f"/portal/report-calls?{period}&client=globex")).text()
        sheet = await (await client.get(f"/portal.csv?{period}&by=week")).text()

    assert "2026-03-01 \N{EN DASH} 2026-03-31 3" in months
    assert "not recorded 3" in agents
    assert "Revenue 11.05 USD" in text_of(html)
    assert [call in html for call in calls] == [True, True, False]
    assert "Own" not in other
    assert sheet.startswith("first,last,currency,calls,")
    assert parse_amount(sheet.splitlines()[1].split(",")[5]) == parse_amount("16.575")
