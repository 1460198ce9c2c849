"""A caller's own page: voucher, PIN, phones, plan, receipts and the statement as a file."""

from __future__ import annotations

import csv
import io
import re

import pytest
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from billing.domain.plans import Bundle, Meter, Plan
from billing.errors import UnknownSubscription
from billing.money import parse_amount
from billing.subscriptions import Subscriptions
from billing.vouchers import Vouchers
from ivr.directory.callers import set_phones_and_pin
from ivr.directory.gate import PinGate
from ivr.tables import audit_log, phones
from tests.plans import Shop
from tests.site import PASSWORD, Browser, Site, browser, csrf_of, field_of, text_of

OLD, NEW = "4711", "825163"
TOP_UP, PHONES, PLAN, PAPERS = (
    f"/account/{name}" for name in ("topup", "phones", "plan", "statements")
)


async def _voucher(site: Site, amount: str = "10", currency: str = "USD") -> str:
    vouchers = Vouchers(
        engine=site.desk.engine, clock=site.desk.clock, secret=site.deps.voucher_key
    )
    made = await vouchers.generate(
        amount=parse_amount(amount), currency=currency, count=1, actor="test"
    )
    return made.codes[0]


async def _page(client: Browser, path: str = "/account") -> str:
    return await (await client.get(path)).text()


async def _redeem(client: Browser, page: str, code: str):
    data = {"csrf": csrf_of(page), "key": field_of(page, "key"), "code": code}
    return await client.post("/account/vouchers", data=data)


async def _with_pin(site: Site, account: str = "alice") -> None:
    await set_phones_and_pin(site.desk.engine, account, numbers=(), pin=OLD, key=site.deps.pin_key)
    await site.directory.load()


async def _change(client: Browser, proof: str, new: str, again: str | None = None):
    data = {
        "csrf": csrf_of(await _page(client, PHONES)), "pin_proof": proof, "new_pin": new,
        "new_pin_again": new if again is None else again,
    }  # fmt: skip
    return await client.post("/account/pin", data=data)


def _phone_gate(site: Site) -> PinGate:
    """The gate of the phone line, another object than the one of the web."""
    return PinGate(
        site.desk.engine,
        site.desk.clock,
        key=site.deps.pin_key,
        hash_of=lambda account: site.deps.directory().pin_hash(account),
    )


async def test_a_voucher_becomes_money_once_however_often_the_form_is_sent(
    site: Site, server: TestServer
):
    code = await _voucher(site)
    async with browser(server, "alice") as client, browser(server, "bob") as other:
        page = await _page(client, TOP_UP)
        first = text_of(await (await _redeem(client, page, f"{code[:7]}-{code[7:]}")).text())
        again = await _redeem(client, page, code)
        theirs = await _redeem(other, await _page(other, TOP_UP), code)

    assert "10.00 USD were added." in first
    assert "Balance 110.00 USD" in first
    assert again.status == 200
    assert (theirs.status, "used before" in text_of(await theirs.text())) == (422, True)
    assert await site.desk.spendable("alice") == parse_amount("110")
    assert await site.desk.proved()


async def test_wrong_vouchers_lock_together_with_those_of_the_phone(site: Site, server: TestServer):
    code = await _voucher(site)
    vouchers = Vouchers(
        engine=site.desk.engine, clock=site.desk.clock, secret=site.deps.voucher_key
    )
    for number in range(5):
        with pytest.raises(Exception, match="voucher"):
            await _phone_gate(site).redeem(
                "alice", lambda guess=f"1000000000000{number}": vouchers.redeem("alice", guess)
            )
    async with browser(server, "alice") as client:
        wrong = [
            (await _redeem(client, await _page(client, TOP_UP), f"2000000000000{number}")).status
            for number in range(5)
        ]
        locked = await _redeem(client, await _page(client, TOP_UP), code)
        site.desk.clock.advance(15 * 60 + 1)
        opened = await _redeem(client, await _page(client, TOP_UP), code)

    assert wrong == [422] * 5
    assert "too many" in text_of(await locked.text()).lower()
    assert opened.status == 200
    assert await site.desk.spendable("alice") == parse_amount("110")


async def test_a_voucher_of_another_currency_is_explained(site: Site, server: TestServer):
    code = await _voucher(site, currency="EUR")
    async with browser(server, "alice") as client:
        answer = await _redeem(client, await _page(client, TOP_UP), code)

    assert answer.status == 422
    assert "EUR" in text_of(await answer.text())


async def test_a_pin_is_changed_by_who_knows_the_password(site: Site, server: TestServer):
    await _with_pin(site)
    async with browser(server, "alice") as client:
        wrong = await _change(client, "no such password", NEW)
        unlike = await _change(client, PASSWORD, NEW, NEW[::-1])
        short = await _change(client, PASSWORD, "123")
        done = await _change(client, PASSWORD, NEW)
        said = text_of(await done.text())
    await site.directory.load()
    gate = _phone_gate(site)

    assert [wrong.status, unlike.status, short.status] == [422] * 3
    assert "This is not your password" in text_of(await wrong.text())
    assert "Your PIN is changed" in said
    assert await gate.check("alice", NEW, caller="15551230001")
    assert not await gate.check("alice", OLD, caller="15551230001")
    async with site.desk.engine.connect() as connection:
        notes = list(await connection.execute(select(audit_log)))
    assert not [note for note in notes if OLD in str(note) or NEW in str(note)]


async def test_who_has_no_pin_sets_one_with_the_password(site: Site, server: TestServer):
    async with browser(server, "alice") as client:
        page = await _page(client, PHONES)
        empty = await _change(client, "", NEW)
        done = await _change(client, PASSWORD, NEW)
    await site.directory.load()

    assert "You have no PIN yet." in text_of(page)
    assert (empty.status, done.status) == (422, 200)
    assert await _phone_gate(site).check("alice", NEW, caller="15551230001")


async def test_own_phones_are_listed_and_removed_those_of_others_not(
    site: Site, server: TestServer
):
    for account, number in (("alice", "15551230001"), ("bob", "15551230002")):
        await set_phones_and_pin(
            site.desk.engine, account, numbers=[number], pin=None, key=site.deps.pin_key
        )
    async with browser(server, "alice") as client:
        page = await _page(client, PHONES)

        async def remove(number: str, proof: str):
            data = {"csrf": csrf_of(page), "number": number, "phone_proof": proof}
            return await client.post("/account/phones/remove", data=data)

        foreign = await remove("15551230002", PASSWORD)
        unproved = await remove("15551230001", "guessed password")
        done = await remove("+1 555 123 0001", PASSWORD)
        after = text_of(await done.text())
    async with site.desk.engine.connect() as connection:
        left = list(await connection.scalars(select(phones.c.number)))

    assert "15551230001" in page
    assert "15551230002" not in page
    assert "added only by calling" in text_of(page)
    assert (foreign.status, unproved.status) == (404, 422)
    assert "The phone is removed" in after
    assert left == ["15551230002"]


async def test_the_plan_shows_what_is_left_of_it(site: Site, server: TestServer):
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    minutes = Meter(unit="minutes", included=100 * 60 * 1_000_000)
    await Shop(desk=site.desk, plans=plans).offer(
        Plan(name="starter", currency="USD", price=parse_amount("49"), meters=(minutes,))
    )
    await plans.subscribe("alice", "starter")
    async with browser(server, "alice") as client, browser(server, "bob") as other:
        mine = text_of(await _page(client))
        theirs = text_of(await _page(other))

    assert "Plan starter Active A month 49.00 USD Left 100 of 100 minutes Until" in mine
    assert "You have no plan" in theirs


async def test_a_receipt_is_a_pdf_of_its_own_account_alone(site: Site, server: TestServer):
    await site.call()
    async with browser(server, "alice") as client, browser(server, "bob") as other:
        page = await _page(client, PAPERS)
        [link] = re.findall(r'href="(/account/receipt.pdf\?transfer=[0-9a-f-]+)"', page)
        mine = await client.get(link)
        body = await mine.read()
        theirs = await other.get(link)
        none = await client.get("/account/receipt.pdf?transfer=" + "0" * 36)

    assert (mine.status, mine.content_type) == (200, "application/pdf")
    assert body.startswith(b"%PDF")
    assert (theirs.status, none.status) == (404, 404)


async def test_the_statement_is_downloaded_for_days_and_holds_no_formula(
    site: Site, server: TestServer
):
    site.desk.clock.advance(86_400)
    first = site.desk.clock.now().date()
    await site.desk.wallet.top_up(
        "alice", parse_amount("5"), key="k", actor="test", memo="=HYPERLINK(1)"
    )
    async with browser(server, "alice") as client:
        answer = await client.get(f"/account/statement.csv?first={first}&last={first}")
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
        whole = list(
            csv.DictReader(io.StringIO(await (await client.get("/account/statement.csv")).text()))
        )
        wrong = await client.get("/account/statement.csv?first=2026-02-30")

    assert "attachment" in answer.headers["Content-Disposition"]
    assert [(row["kind"], row["amount"], row["balance"], row["memo"]) for row in rows] == [
        ("top_up", "5.00", "105.00", "'=HYPERLINK(1)")
    ]
    assert [row["amount"] for row in whole] == ["100.00", "5.00"]
    assert wrong.status == 422


async def test_statements_by_month_are_pdf_and_csv_of_ones_own_account(
    site: Site, server: TestServer
):
    await site.call()
    async with browser(server, "alice") as client:
        page = text_of(await _page(client, PAPERS))
        answer = await client.get("/account/statement.pdf?first=2026-03-01&last=2026-03-31")
        body = await answer.read()
        empty = await client.get("/account/statement.pdf?first=2025-03-01&last=2025-03-31")

    assert "2026-03 so far PDF CSV" in page
    assert (answer.status, answer.content_type, body[:4]) == (200, "application/pdf", b"%PDF")
    assert empty.status == 200


MINUTES = Meter(
    unit="minutes",
    included=100 * 60 * 1_000_000,
    bundles=(Bundle(name="extra", units=50 * 60 * 1_000_000, price=parse_amount("10")),),
)


async def _shop(site: Site) -> Subscriptions:
    plans = Subscriptions(engine=site.desk.engine, clock=site.desk.clock)
    await Shop(desk=site.desk, plans=plans).offer(
        Plan(name="small", currency="USD", price=parse_amount("30"), meters=(MINUTES,)),
        Plan(name="large", currency="USD", price=parse_amount("60"), meters=(MINUTES,)),
        Plan(name="huge", currency="USD", price=parse_amount("900")),
    )
    return plans


async def _choose(client: Browser, plan: str, price_max: str = "60", version: str = "1"):
    data = {
        "csrf": csrf_of(await _page(client, PLAN)), "plan": plan, "version": version,
        "price_max": price_max,
    }  # fmt: skip
    return await client.post(PLAN, data=data)


async def test_a_plan_is_begun_changed_and_cancelled_at_the_price_that_was_told(
    site: Site, server: TestServer
):
    await _shop(site)
    async with browser(server, "alice") as client:
        told = text_of(await _page(client, f"{PLAN}?choose=small"))
        begun = text_of(await (await _choose(client, "small")).text())
    site.desk.clock.advance(15 * 86_400)
    async with browser(server, "alice") as client:
        change = text_of(await _page(client, f"{PLAN}?choose=large"))
        dearer = await _choose(client, "large", price_max="1")
        changed = text_of(await (await _choose(client, "large")).text())
        csrf = csrf_of(await _page(client, PLAN))
        ended = text_of(await (await client.post(f"{PLAN}/cancel", data={"csrf": csrf})).text())

    assert "You pay now 30.00 USD" in told
    assert "Your plan has begun." in begun
    assert "You pay now 15.483871 USD the difference for the days that are left" in change
    assert (dearer.status, "look again" in text_of(await dearer.text())) == (422, True)
    assert "Your plan is changed." in changed
    assert "then it ends" in ended
    assert await site.desk.spendable("alice") == parse_amount("54.516129")
    assert await site.desk.proved()


async def test_a_plan_that_cannot_be_paid_or_has_changed_is_not_begun(
    site: Site, server: TestServer
):
    plans = await _shop(site)
    async with browser(server, "alice") as client:
        poor = await _choose(client, "huge")
        old = await _choose(client, "small", version="7")
        unknown = await _choose(client, "nothing")

    assert [answer.status for answer in (poor, old, unknown)] == [422] * 3
    assert "800.00 USD too small" in text_of(await poor.text())
    assert "has changed meanwhile" in text_of(await old.text())
    with pytest.raises(UnknownSubscription):
        await plans.show("alice")
    assert await site.desk.spendable("alice") == parse_amount("100")


async def test_a_bundle_is_bought_once_however_often_the_form_is_sent(
    site: Site, server: TestServer
):
    plans = await _shop(site)
    await plans.subscribe("alice", "small")
    async with browser(server, "alice") as client:
        page = await _page(client, PLAN)
        data = {
            "csrf": csrf_of(page), "key": field_of(page, "key"), "meter": "minutes",
            "bundle": "extra",
        }  # fmt: skip
        answers = [await client.post(f"{PLAN}/bundles", data=data) for _ in range(2)]
        wrong = await client.post(f"{PLAN}/bundles", data=data | {"bundle": "none"})

    assert "50 minutes extra Buy for 10.00 USD" in text_of(page)
    assert [answer.status for answer in answers] == [200, 200]
    assert wrong.status == 422
    assert await site.desk.spendable("alice") == parse_amount("60")


async def test_a_login_is_renamed_with_the_password_and_never_to_a_taken_one(
    site: Site, server: TestServer
):
    path = "/account/settings"
    async with browser(server, "alice") as client:

        async def rename(login: str, proof: str = PASSWORD):
            data = {"csrf": csrf_of(await _page(client, path)), "login": login}
            return await client.post(f"{path}/login", data=data | {"login_proof": proof})

        unproved = await rename("alice@example.org", "wrong password")
        taken = await rename("bob")
        done = await rename("Alice@Example.org")
        said = text_of(await done.text())
    async with browser(server, "alice@example.org") as again:
        page = await again.get(path)

    assert [unproved.status, taken.status, done.status] == [422, 422, 200]
    assert "Your login is changed." in said
    assert page.status == 200
