"""What an operator does for one account: correct, identify, bill, subscribe, find, note."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from billing.invoicing import Invoicing
from billing.money import format_amount, parse_amount
from billing.subscriptions import Subscriptions
from ivr.directory.gate import PinGate
from ivr.tables import audit_log, phones
from ivr.web.queries.account_search import AccountFilter, list_accounts
from ivr.web.scope import Role, Scope
from tests.plans import STARTER, Shop
from tests.site import Browser, Site, browser, csrf_of, field_of, text_of

PAGE = "/admin/accounts/alice"


async def _send(client: Browser, form: str, account: str = "alice", **fields: str):
    page = await (await client.get(f"/admin/accounts/{account}")).text()
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), **fields}
    return await client.post(f"/admin/accounts/{account}/{form}", data=data)


async def _audit(site: Site, action: str) -> list[tuple[str, str, str | None, str | None]]:
    columns = (audit_log.c.actor, audit_log.c.subject, audit_log.c.before, audit_log.c.after)
    async with site.desk.engine.connect() as connection:
        rows = await connection.execute(select(*columns).where(audit_log.c.action == action))
        return [tuple(row) for row in rows]  # type: ignore[misc]  # four texts


@pytest.mark.parametrize(
    ("direction", "amount", "balance"), [("credit", "5.5", "105.50"), ("debit", "100", "0.00")]
)
async def test_an_adjustment_is_read_back_booked_and_audited(
    site: Site, server: TestServer, direction: str, amount: str, balance: str
):
    fields = {"direction": direction, "adjust_amount": amount, "adjust_reason": "Miscounted"}
    async with browser(server, "olga") as client:
        page = text_of(await (await _send(client, "adjustments", **fields)).text())

    assert f"It is {balance} USD now." in page
    assert "Correction Miscounted · olga" in page
    assert await _audit(site, "adjust") == [
        ("olga", "alice", "100.00", f"{balance} USD: Miscounted")
    ]
    assert await site.desk.proved()


async def test_an_adjustment_never_takes_what_is_not_there_nor_what_a_call_holds(
    site: Site, server: TestServer
):
    terms = await site.desk.terms("0" * 36, "alice")
    await site.desk.charging.open(terms, slice_seconds=30, expires_seconds=60)
    left = format_amount(await site.desk.spendable("alice"))
    fields = {"direction": "debit", "adjust_reason": "x"}
    async with browser(server, "olga") as client:
        answer = await _send(client, "adjustments", adjust_amount="100", **fields)
        page = text_of(await answer.text())

    assert answer.status == 422
    assert f"At most {left} can be taken." in page
    assert not await _audit(site, "adjust")


async def test_an_adjustment_that_is_sent_twice_is_booked_once(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        page = await (await client.get(PAGE)).text()
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "direction": "debit",
            "adjust_amount": "30", "adjust_reason": "x",
        }  # fmt: skip
        for _ in range(2):
            await client.post(f"{PAGE}/adjustments", data=data)

    assert await site.desk.spendable("alice") == parse_amount("70")
    assert len(await _audit(site, "adjust")) == 1


async def test_a_phone_of_somebody_else_is_refused_with_its_owner(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        added = text_of(
            await (
                await _send(client, "phones", "bob", number="+1 555 999 8888", change="add")
            ).text()
        )
        taken = await _send(client, "phones", number="15559998888", change="add")
        refused = text_of(await taken.text())
        gone = text_of(
            await (
                await _send(client, "phones", "bob", number="15559998888", change="remove")
            ).text()
        )

    assert "Known phones now: 15559998888." in added
    assert taken.status == 422
    assert "The phone 15559998888 belongs to account bob" in refused
    assert "No phone is known now." in gone
    async with site.desk.engine.connect() as connection:
        assert not list(await connection.scalars(select(phones.c.number)))


async def test_a_drawn_pin_is_shown_once_works_and_lifts_the_lockout(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as client:
        answer = await _send(client, "pin", how="draw")
        shown = await answer.text()
        later = await (await client.get(PAGE)).text()
    await site.directory.load()
    pin = re.search(r'class="pin-shown" role="status">(\d{6})<', shown)
    assert pin is not None
    wrong = [await gate_check(site, "000000") for _ in range(6)]
    locked = await gate_check(site, pin[1])
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get(PAGE)).text())
        await _send(client, "unlock")
    opened = await gate_check(site, pin[1])

    assert answer.headers["Cache-Control"] == "no-store"
    assert pin[1] not in later
    assert not any(wrong)
    assert not locked
    assert "Locked until" in page
    assert opened
    assert pin[1] not in str(await _audit(site, "set PIN"))


async def gate_check(site: Site, pin: str) -> bool:
    gate = PinGate(
        site.desk.engine,
        site.desk.clock,
        key=site.deps.pin_key,
        hash_of=lambda account: site.directory.current().pin_hash(account),
    )
    return await gate.check("alice", pin, caller="15551230001")


async def test_a_typed_pin_is_never_shown_again_even_when_it_is_wrong(
    site: Site, server: TestServer
):
    async with browser(server, "olga") as client:
        wrong = await _send(client, "pin", how="set", pin="12")
        bad = await wrong.text()
        good = await (await _send(client, "pin", how="set", pin="482913")).text()

    assert wrong.status == 422
    assert "A PIN is 4 to 12 digits." in bad
    assert "482913" not in good
    assert "The PIN is changed" in text_of(good)


async def test_a_credit_limit_below_what_is_owed_is_refused(site: Site, server: TestServer):
    await site.desk.wallet.adjust("bob", -parse_amount("80"), key="k", actor="t", memo="owes")
    async with browser(server, "olga") as client:
        refused = await _send(client, "limit", "bob", limit="79.99")
        page = text_of(await refused.text())
        done = text_of(await (await _send(client, "limit", "bob", limit="80")).text())
        prepaid = await _send(client, "limit", limit="5")

    assert refused.status == 422
    assert "80.00 USD are owed or held already." in page
    assert "The credit limit is 80.00 USD now." in done
    assert prepaid.status == 422
    assert (await site.desk.wallet.account("bob")).credit_limit == parse_amount("80")


async def test_terms_language_and_notes_are_kept_and_audited(site: Site, server: TestServer):
    terms = {
        "cycle": "beginning",
        "terms_days": "14",
        "title": "Bob Ltd",
        "address": "1 Road\nTown",
    }
    async with browser(server, "olga") as client:
        billed = text_of(await (await _send(client, "terms", "bob", **terms)).text())
        spoken = text_of(await (await _send(client, "language", "bob", language="de")).text())
        noted = text_of(await (await _send(client, "notes", "bob", note="Calls on Mondays")).text())
        strange = await _send(client, "language", "bob", language="xx")
        none = await _send(client, "notes", "bob", note=" ")

    assert "Invoices are issued at the beginning of the month, payable within 14 days." in billed
    assert "Bob Ltd" in billed
    assert "spoken to in de" in spoken
    assert "Calls on Mondays olga" in noted
    assert strange.status == none.status == 422
    assert [row[3] for row in await _audit(site, "set language")] == ["de"]


async def test_a_plan_is_begun_not_changed_without_money_and_ended(site: Site, server: TestServer):
    shop = Shop(desk=site.desk, plans=Subscriptions(engine=site.desk.engine, clock=site.desk.clock))
    await shop.offer(STARTER, replace(STARTER, name="growth", price=parse_amount("149")))
    async with browser(server, "olga") as client:
        begun = text_of(
            await (await _send(client, "plan", what="subscribe", plan="starter")).text()
        )
        poor = await _send(client, "plan", what="change", plan="growth")
        why = text_of(await poor.text())
        ends = text_of(await (await _send(client, "plan", what="end")).text())
        gone = text_of(await (await _send(client, "plan", what="end_now")).text())

    assert "The plan is starter." in begun
    assert "1,000 of 1,000 minutes" in begun
    assert poor.status == 422
    assert "This costs 100.00, and 51.00 can be spent." in why
    assert "ends with this month" in ends
    assert "The account has no plan now." in gone
    assert await site.desk.spendable("alice") == parse_amount("51")


async def test_a_statement_is_narrowed_and_downloaded(site: Site, server: TestServer):
    await site.call(talk_seconds=62)
    await site.desk.wallet.adjust(
        "alice", parse_amount("1"), key="k", actor="t", memo="=2+2 corrected"
    )
    async with browser(server, "olga") as client:
        page = text_of(await (await client.get(f"{PAGE}?kind=adjustment")).text())
        sheet = await (await client.get(f"{PAGE}/statement.csv?kind=adjustment")).text()
        paper = await client.get(f"{PAGE}/statement.pdf?first=2026-03-01&last=2026-03-31")
        body = await paper.read()
        wrong = await client.get(f"{PAGE}/statement.csv?first=2026-03-31&last=2026-03-01")

    assert "=2+2 corrected" in page
    assert "Top-up ·" not in page.split("Statement", 1)[1]
    assert [row["memo"] for row in csv.DictReader(io.StringIO(sheet))] == ["'=2+2 corrected"]
    assert body.startswith(b"%PDF-")
    assert wrong.status == 422


async def test_an_account_is_opened_whole(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        page = await (await client.get("/admin/new-account")).text()
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "code": "carol",
            "mode": "postpaid", "currency": "USD", "credit_limit": "75", "amount": "20",
            "phone": "+1 (555) 777-6666, 15557775555", "pin": "482913", "language": "es",
            "title": "Carol Inc", "note": "From the fair",
        }  # fmt: skip
        text = text_of(await (await client.post("/admin/new-account", data=data)).text())
        again = await client.post("/admin/new-account", data=data)

    for words in ("Carol Inc", "15557775555", "15557776666", "20.00 USD", "From the fair"):
        assert words in text
    assert again.status == 422
    assert await site.desk.spendable("carol") == parse_amount("95")


async def test_accounts_are_found_by_title_and_filtered_on_both_databases(site_of_both: Site):
    site = site_of_both
    await _titled(site, "bob", "Bürohaus Nord")
    await site.desk.wallet.set_status("alice", "blocked")
    everything = Scope(role=Role.OPERATOR, subject=None)
    found: dict[str, list[str]] = {}
    async with site.desk.engine.connect() as connection:
        for name, wanted in {
            "title": AccountFilter(text="büroh"),
            "not its middle": AccountFilter(text="nord"),
            "code": AccountFilter(text="AL"),
            "number": AccountFilter(text="10000"),
            "too short a number": AccountFilter(text="10"),
            "a wildcard": AccountFilter(text="%"),
            "blocked": AccountFilter(status="blocked"),
            "another currency": AccountFilter(currency="EUR"),
            "low": AccountFilter(below=parse_amount("100.01")),
        }.items():
            rows = await list_accounts(connection, everything, wanted, limit=10)
            found[name] = [row.code for row in rows]

    assert found == {
        "title": ["bob"], "not its middle": [], "code": ["alice"], "number": ["alice", "bob"],
        "too short a number": [], "a wildcard": [], "blocked": ["alice"], "another currency": [],
        "low": ["alice"],
    }  # fmt: skip


async def _titled(site: Site, account: str, title: str) -> None:
    invoicing = Invoicing(engine=site.desk.engine, clock=site.desk.clock)
    await invoicing.set_terms(account, replace(await invoicing.terms(account), title=title))


async def test_the_list_is_exported_as_it_is_filtered(site: Site, server: TestServer):
    async with browser(server, "olga") as client:
        answer = await client.get("/admin/accounts.csv?mode=postpaid")
        rows = list(csv.DictReader(io.StringIO(await answer.text())))

    assert [(row["account"], row["credit_limit"], row["balance"]) for row in rows] == [
        ("bob", "250.00", "0.00")
    ]


async def test_who_may_only_look_sees_the_account_and_no_form(site: Site, server: TestServer):
    await site.login("vera", Role.OPERATOR, rights=frozenset())
    async with browser(server, "vera") as client:
        pages = [
            await (await client.get(path)).text()
            for path in (PAGE, "/admin/accounts/bob", "/admin/vouchers", "/admin/import")
        ]

    main = [page.split("<main", 1)[1].split("</main>", 1)[0] for page in pages]
    assert "Can be spent" in main[0]
    assert not [page for page in main if 'method="post"' in page]
